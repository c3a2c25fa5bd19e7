package dashboard_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/dashboard"
	"github.com/hadjango/hadjango/site"
	"github.com/hadjango/hadjango/stack"
)

// sample is what was measured of builds at one time.
type sample struct {
	Time   time.Time                          `json:"time"`
	Builds map[builds.Name]map[string]float64 `json:"builds"`
}

// feed serves the page with a feed that says what the test wants: states that no
// real site could be brought into at will.
type feed struct {
	address string

	mu      sync.Mutex
	status  site.Status
	history []sample
	readers []chan string
	// refuse is answered instead of all but the page's files, if it is set, with
	// what it says.
	refuse int
	says   string
	// silent keeps connections open and says nothing.
	silent bool
	opened int
}

// feedOf serves the page, as the dashboard does, of a site that is at first so
// and was measured before.
func feedOf(t testing.TB, first site.Status, past ...sample) *feed {
	t.Helper()
	f := &feed{status: first, history: past}
	mux := http.NewServeMux()
	mux.Handle(site.DashboardPath, asOfThisMachine(dashboard.New(shop(), dashboard.Options{})))
	mux.HandleFunc("GET "+site.DashboardPath+"status.json", f.serveStatus)
	mux.HandleFunc("GET "+site.DashboardPath+"events", f.serveEvents)
	server := httptest.NewServer(mux)
	f.address = strings.TrimPrefix(server.URL, "http://")
	t.Cleanup(func() {
		f.cut()
		server.CloseClientConnections()
		server.Close()
	})
	return f
}

// asOfThisMachine is what nginx does for a visitor on the server itself.
func asOfThisMachine(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("X-Hadjango-Peer", "127.0.0.1")
		handler.ServeHTTP(w, r)
	})
}

func (f *feed) serveStatus(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != 0 {
		if f.says == "" {
			w.Header().Set("Content-Type", "text/html") // as nginx does
			w.WriteHeader(f.refuse)
			return
		}
		http.Error(w, f.says, f.refuse)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, oneLine(f.status))
}

func (f *feed) serveEvents(w http.ResponseWriter, r *http.Request) {
	events := f.subscribe()
	if events == nil {
		f.serveStatus(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	heartbeat := time.NewTicker(500 * time.Millisecond)
	defer heartbeat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case event, open := <-events:
			if !open {
				return
			}
			fmt.Fprint(w, event)
		case <-heartbeat.C:
			fmt.Fprint(w, f.beat())
		}
		_ = http.NewResponseController(w).Flush()
	}
}

// subscribe returns nil when nobody is let in.
func (f *feed) subscribe() chan string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened++
	if f.refuse != 0 {
		return nil
	}
	events := make(chan string, 1000)
	if !f.silent {
		f.status.Time = time.Now()
		events <- "retry: 500\n\n" + event("status", f.status) + event("history", map[string]any{"samples": f.history})
	}
	f.readers = append(f.readers, events)
	return events
}

// beat is what is sent when nothing has changed.
func (f *feed) beat() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.silent {
		return ": silent\n\n"
	}
	return f.changed()
}

func (f *feed) changed(changed ...site.BuildStatus) string {
	names := []builds.Name{}
	for _, b := range f.status.Builds {
		names = append(names, b.Name)
	}
	return event("builds", map[string]any{"time": time.Now(), "names": names, "builds": slices.Concat([]site.BuildStatus{}, changed)})
}

// change changes the site and says only which builds are different.
func (f *feed) change(what func(*site.Status)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := map[builds.Name]string{}
	for _, b := range f.status.Builds {
		before[b.Name] = oneLine(b)
	}
	what(&f.status)
	f.send(f.changed(slices.DeleteFunc(slices.Clone(f.status.Builds), func(b site.BuildStatus) bool { return before[b.Name] == oneLine(b) })...))
}

// say changes the site and says all of it.
func (f *feed) say(what func(*site.Status)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what(&f.status)
	f.status.Time = time.Now()
	f.send(event("status", f.status))
}

func (f *feed) send(event string) {
	for _, reader := range f.readers {
		reader <- event
	}
}

// set changes how the feed behaves from now on.
func (f *feed) set(what func(*feed)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what(f)
}

// cut ends all connections.
func (f *feed) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, reader := range f.readers {
		close(reader)
	}
	f.readers = nil
}

func (f *feed) timesOpened() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened
}

func event(kind string, data any) string {
	return "event: " + kind + "\ndata: " + oneLine(data) + "\n\n"
}

func oneLine(data any) string {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// aSite is live b, stage c and a build a that is stopped; nobody uses it.
func aSite() site.Status {
	return site.Status{
		Servers: stack.Health{Vassals: true, Zergs: true, Nginx: true, Dashboard: true}, Kept: true,
		LiveURL: "http://live.localhost/", StageURL: "http://stage.localhost/",
		Builds: []site.BuildStatus{stopped("a", "2026.46"), active("b", "live", "2026.47", 4), active("c", "stage", "2026.48", 4)},
	}
}

func stopped(name builds.Name, tag string) site.BuildStatus {
	return site.BuildStatus{
		Name: name, State: site.Stopped, Port: 2000 + 10*int(name[0]-'a'), Tag: tag,
		Created: time.Now().Add(-9 * 24 * time.Hour), SizeBytes: 55 << 20, SharedBytes: 44 << 20,
	}
}

func active(name builds.Name, pointer, tag string, workers int) site.BuildStatus {
	b := stopped(name, tag)
	b.Pointer, b.State, b.Created = pointer, site.Active, time.Now().Add(-3*time.Hour)
	b.MemoryBytes, b.ListenQueueMax, b.Requests, b.AverageResponseSeconds = 70<<20, 1024, 1234, 0.0123
	for id := 1; id <= workers; id++ {
		b.Workers = append(b.Workers, idle("", id, tag))
	}
	return b
}

func idle(instance string, id int, tag string) site.WorkerStatus {
	return site.WorkerStatus{
		Instance: instance, ID: id, PID: 4700 + id, Tag: tag, State: site.WorkerIdle, Started: time.Now().Add(-2 * time.Hour),
		Requests: 300, RequestsSinceStart: 120, RunningSeconds: 1.25, AverageResponseSeconds: 0.012, MemoryBytes: 17 << 20,
	}
}

// did is a task that has ended as the outcome says, so long ago.
func did(ago, took time.Duration, user string, outcome builds.Outcome, task string, args ...string) site.Past {
	began := time.Now().Add(-ago)
	return site.Past{Record: builds.Record{
		ID: task + ago.String(), Intent: builds.Intent{Task: task, Args: args, User: user, Host: "web1"},
		Outcome: outcome, Began: began, Ended: began.Add(took),
	}}
}
