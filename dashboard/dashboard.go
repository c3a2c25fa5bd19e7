// Package dashboard shows a site while it is served: a page for people,
// status.json and a stream of events for the page, and metrics for Prometheus.
//
//	err := dashboard.Run(ctx, s)
//
// Nobody's requests depend on it: it only looks. While somebody has the page
// open the site is looked at more than twice a second, once for all who look;
// while nobody has, it is not looked at but when it is asked for.
package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/hadjango/hadjango/site"
)

// Observer looks at a site, as [site.Observer] does. It must end soon, whatever hangs.
type Observer interface {
	Look(ctx context.Context) (site.Status, error)
}

// Options are the optional parts of a dashboard.
type Options struct {
	// Allow is the networks that may look beside this machine.
	Allow []netip.Prefix
	// Every is how often the site is looked at while somebody watches. Default 450 ms.
	Every time.Duration
	// Viewers is how many may watch at once. Default 100.
	Viewers int
	// Log is told what goes wrong; nobody is when it is nil.
	Log *slog.Logger
}

const (
	// defaultEvery is below half a second, so that a tick which comes late is within it.
	defaultEvery   = 450 * time.Millisecond
	defaultViewers = 100
)

// Dashboard is a handler for all below [site.DashboardPath], behind an nginx that
// names its visitor in the header X-Hadjango-Peer.
type Dashboard struct {
	allow []netip.Prefix
	hub   *hub
	mux   *http.ServeMux
}

// New returns the dashboard of what is observed.
func New(observer Observer, options Options) *Dashboard {
	if options.Every == 0 {
		options.Every = defaultEvery
	}
	if options.Viewers == 0 {
		options.Viewers = defaultViewers
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	d := &Dashboard{allow: options.Allow, hub: newHub(observer, options), mux: http.NewServeMux()}
	prefix := strings.TrimSuffix(site.DashboardPath, "/")
	d.mux.Handle(site.DashboardPath, http.StripPrefix(prefix, Page()))
	d.mux.HandleFunc(site.DashboardPath+"status.json", d.status)
	d.mux.HandleFunc(site.DashboardPath+"events", d.events)
	d.mux.HandleFunc(site.DashboardPath+"metrics", d.metrics)
	return d
}

// headers are on every answer. The page may load what is its own and nothing else,
// nobody may frame it, and nobody keeps what it shows.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store",
	"X-Robots-Tag":                 "noindex",
}

func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	switch {
	case !mayLook(r, d.allow):
		http.Error(w, "The dashboard is for visitors on the server itself. Name the networks of others in hadjango.yml:\n"+
			"dashboard: {allow: [192.0.2.0/24]}", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "The dashboard only looks: it takes GET and HEAD.", http.StatusMethodNotAllowed)
	default:
		d.mux.ServeHTTP(w, r)
	}
}

func (d *Dashboard) status(w http.ResponseWriter, r *http.Request) {
	if snapshot := d.look(w, r); snapshot != nil {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(snapshot.json())
	}
}

// look answers by itself where the site cannot be looked at. The reason is for
// the log: it names files.
func (d *Dashboard) look(w http.ResponseWriter, r *http.Request) *snapshot {
	snapshot, err := d.hub.recent(r.Context())
	if err != nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "The site cannot be looked at now. deploy/logs/dashboard.log says why.", http.StatusServiceUnavailable)
		return nil
	}
	return snapshot
}

const (
	// writeLimit is how long a viewer may take to take an event.
	writeLimit = 10 * time.Second
	// streamLimit is how long somebody watches before they come again: an nginx that
	// has reloaded keeps its old workers for as long as they serve somebody.
	streamLimit = 10 * time.Minute
)

func (d *Dashboard) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	viewer, err := d.hub.join()
	if err != nil {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "The dashboard: "+err.Error()+".", http.StatusServiceUnavailable)
		return
	}
	defer d.hub.leave(viewer)
	send := func(event []byte) error {
		control := http.NewResponseController(w)
		_ = control.SetWriteDeadline(time.Now().Add(writeLimit))
		if _, err := w.Write(event); err != nil {
			return err
		}
		return control.Flush()
	}
	limit := time.After(streamLimit)
	for err := send([]byte("retry: 500\n\n")); err == nil; {
		select {
		case <-limit:
			return
		case event := <-viewer.events:
			err = send(event)
		case <-r.Context().Done():
			return
		}
	}
}

// event is one of a stream of server-sent events; its data is JSON, which has no
// line's end.
func event(name string, data any) []byte {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // of our own types
	}
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, text)
}

// Serve answers at a listener until ctx ends.
func (d *Dashboard) Serve(ctx context.Context, listener net.Listener) error {
	const headerLimit, endLimit = 5 * time.Second, time.Second
	server := &http.Server{
		Handler: d, ReadHeaderTimeout: headerLimit, MaxHeaderBytes: 64 << 10,
		// what streams ends with it
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(d.hub.log.Handler(), slog.LevelWarn),
	}
	stop := context.AfterFunc(ctx, func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
		defer cancel()
		_ = server.Shutdown(limited)
		_ = server.Close()
	})
	defer stop()
	if err := server.Serve(listener); ctx.Err() == nil {
		return fmt.Errorf("dashboard: %w", err)
	}
	return nil
}
