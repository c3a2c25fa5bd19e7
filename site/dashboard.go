package site

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/stack"
)

// DashboardPath is where both live and stage show the dashboard.
const DashboardPath = "/uwsgi/"

// dashboardProcess is told what of the configuration it shows, so that it is
// started anew when that has changed. What may be secret is not in it.
func (s *Site) dashboardProcess() stack.Dashboard {
	public := s.config
	public.Env = nil
	data, _ := json.Marshal(public)
	sum := sha256.Sum256(data)
	return stack.Dashboard{
		Program: s.dashboard, Socket: s.dashboardSocket(), Log: s.log("dashboard.log"), Site: s.whereabouts(),
		Env: append(s.whereabouts(), "LANG=C.UTF-8", "HOME="+s.user.Home, fmt.Sprintf("HADJANGO_CONFIGURATION=%x", sum[:8])),
	}
}

// startDashboard starts it beside what else is to be done, and returns what waits
// for the end of that. Nobody is served by the dashboard: a site is up without it.
func (s *Site) startDashboard(ctx context.Context, servers stack.Stack) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := s.aloneWithDashboard(ctx, func(ctx context.Context) error { return servers.UpDashboard(ctx, s.noteServer) })
		if err != nil {
			s.reporter.Note(err.Error())
		}
	}()
	return func() { <-done }
}

// ListenForDashboard makes this process the site's dashboard: it becomes the
// site's user, for good, and listens where nginx looks for it. It fails when
// another one does.
func (s *Site) ListenForDashboard() (net.Listener, error) {
	if err := errors.Join(s.foreign, s.user.Become()); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	if _, err := os.Stat(s.run); err != nil {
		return nil, fmt.Errorf("dashboard: %w; mage up starts the servers, and the dashboard with them", err)
	}
	release, err := builds.Lock(ended(context.Background()), s.runFile("dashboard.lock"), s.holder("dashboard"))
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	listener, err := listenAlone(s.dashboardSocket())
	if err != nil {
		release()
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	return lockedListener{listener, release}, nil
}

// askDashboard asks it as nginx does.
func (s *Site) askDashboard(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerLimit, fmt.Errorf("not within %s", answerLimit))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://dashboard"+DashboardPath+"status.json", nil)
	if err != nil {
		return err
	}
	request.Header.Set("X-Hadjango-Peer", "127.0.0.1")
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, _, err := proc.Dial(ctx, s.dashboardSocket())
		return conn, err
	}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %s", response.Status)
	}
	return nil
}

// lockedListener gives the lock back when nobody listens any more.
type lockedListener struct {
	net.Listener
	release func()
}

func (l lockedListener) Close() error {
	defer l.release()
	return l.Listener.Close()
}

// listenAlone takes the place of a socket that is there, which is a dead one's.
func listenAlone(socket string) (net.Listener, error) {
	if err := files.Remove(socket); err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	// nginx's workers are the same user
	if err := os.Chmod(socket, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}
