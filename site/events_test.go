package site_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/follow"
	"github.com/hadjango/hadjango/internal/load"
	"github.com/hadjango/hadjango/internal/proc"
)

// event is something that happened to a site, and when somebody saw it.
type event struct {
	at   time.Time
	what string
}

// recorder writes down what a site's servers do, for a test that fails: which
// processes begin and end, and what each log says. uWSGI's own times are whole
// seconds, in which too much happens.
type recorder struct {
	s       testSite
	logs    map[string]*follow.Log
	seen    map[proc.Process]string
	events  []event
	stopped chan struct{}
	done    chan struct{}
}

var serverPrograms = []string{"nginx", "uwsgi", "uwsgi-core"}

// recordEvery is how often it looks.
const recordEvery = 5 * time.Millisecond

func (s testSite) record() *recorder {
	s.t.Helper()
	r := &recorder{s: s, logs: map[string]*follow.Log{}, seen: map[proc.Process]string{}, stopped: make(chan struct{}), done: make(chan struct{})}
	paths, err := filepath.Glob(filepath.Join(s.dir, "deploy/logs/*"))
	require.NoError(s.t, err)
	for _, path := range paths {
		name := filepath.Base(path)
		if strings.Contains(name, "access") {
			continue
		}
		r.logs[name], err = follow.Open(path, 0)
		require.NoError(s.t, err)
	}
	r.look()
	r.events = nil
	go func() {
		defer close(r.done)
		for {
			select {
			case <-r.stopped:
				return
			case <-time.After(recordEvery):
				r.look()
			}
		}
	}()
	return r
}

func (r *recorder) look() {
	for name, log := range r.logs {
		lines, _ := log.Lines()
		for _, line := range lines {
			r.note("%s: %s", name, line)
		}
	}
	running, _ := proc.Under(r.s.dir, serverPrograms...)
	for _, p := range running {
		if _, known := r.seen[p]; !known {
			r.seen[p] = p.Name()
			r.note("+ %s", p)
		}
	}
	for p, name := range r.seen {
		if !slices.Contains(running, p) {
			delete(r.seen, p)
			r.note("- process %d (%s)", p.PID, name)
		}
	}
}

func (r *recorder) note(format string, args ...any) {
	r.events = append(r.events, event{time.Now(), fmt.Sprintf(format, args...)})
}

func (r *recorder) stop() {
	close(r.stopped)
	<-r.done
	for _, log := range r.logs {
		_ = log.Close()
	}
}

// print shows what happened and which requests were lost, in one row.
func (r *recorder) print(start time.Time, answers []load.Answer) {
	events := slices.Clone(r.events)
	for _, a := range answers {
		if !a.OK() {
			events = append(events, event{a.End, fmt.Sprintf("LOST %s, begun at %s", a, a.Start.Sub(start).Round(time.Millisecond/10))})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	var text strings.Builder
	const most = 1000
	for _, e := range events[:min(len(events), most)] {
		fmt.Fprintf(&text, "%8.4f %s\n", e.at.Sub(start).Seconds(), e.what)
	}
	r.s.t.Logf("seconds from the kill on:\n%s", &text)
}
