package site_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/load"
	"github.com/hadjango/hadjango/site"
)

// watchFor is longer than any bad build here needs to be found out, also on a
// busy machine; a good build is watched as long as visitors would be.
const (
	watchFor     = 3 * time.Minute
	watchBriefly = 4 * time.Second
)

// requests lets some clients ask live again and again while it runs do.
func (s testSite) requests(clients int, every time.Duration, do func()) []load.Answer {
	return s.loaded(load.Options{Clients: clients, Every: every, Paths: []string{"/", "/page?secret=1"}}, do)
}

// buildOf makes a build whose application does some lines more with each
// request, and stages it.
func (s testSite) buildOf(name builds.Name, lines string) {
	s.t.Helper()
	s.write("project/app.py", appWith(lines))
	require.NoError(s.t, s.CreateBuild(s.t.Context(), name))
	require.NoError(s.t, s.Stage(s.t.Context(), name))
}

// failing answers 500 as soon as the file is there.
func (s testSite) failing() (lines, file string) {
	file = filepath.Join(s.dir, "fail")
	return "    if os.path.exists('" + file + "'): raise RuntimeError('only when it is live')\n", file
}

// awaitFailures returns when so many requests more have failed.
func (s testSite) awaitFailures(more int) {
	s.t.Helper()
	failed := func(s testSite) int { return strings.Count(s.readLog("nginx.access.log"), " 502 ") }
	before := failed(s)
	s.eventually(func(s testSite) bool { return failed(s) >= before+more })
}

// swapWatched swaps, and reports how long the new live answered before it was taken back.
func (s testSite) swapWatched(name builds.Name, during func(site.Swap)) *site.WatchError {
	s.t.Helper()
	_, err := s.SwapLiveWatched(s.t.Context(), name, site.WatchOptions{For: watchFor, Swapped: during})
	var bad *site.WatchError
	require.ErrorAs(s.t, err, &bad)
	require.NoError(s.t, bad.Back)
	return bad
}

func TestSwapLiveWatched_TakesBackABuildThatFailsOnceItIsLive(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	lines, file := s.failing()
	s.buildOf("c", lines)
	var bad *site.WatchError
	var back time.Time

	answers := s.requests(4, 0, func() {
		bad = s.swapWatched("", func(site.Swap) {
			s.requireServes("live.localhost", "c")
			require.NoError(t, os.WriteFile(file, nil, 0o644))
		})
		back = time.Now()
		s.requirePointed("a", "c")
		time.Sleep(time.Second) // and none fails after that
	})

	require.Regexp(t, `(?s)^swap: c did not do well in its \S+ s as live: \d+ of \d+ answers were 5xx \(\d+ %; 0 % of a's before\): 502 `, bad.Error())
	require.Regexp(t, `502 (GET|POST) /page`, bad.Error(), "examples")
	require.NotContains(t, bad.Error(), "secret", "queries are nobody's to read")
	require.Contains(t, bad.Cause, "RuntimeError: only when it is live")
	require.ErrorContains(t, bad, filepath.Join(s.dir, "deploy/logs/c.zerg.log"))
	require.ErrorContains(t, bad, "it was taken back: live is a, stage is c")
	for _, a := range answers {
		require.NoError(t, a.Err)
		if a.Start.After(back) {
			require.True(t, a.OK(), "%s", a)
		}
	}
}

// hanging answers nobody as long as the file is there.
func (s testSite) hanging() (lines, file string) {
	file = filepath.Join(s.dir, "hang")
	s.t.Cleanup(func() { _ = os.Remove(file) })
	return "    while os.path.exists('" + file + "'): time.sleep(0.1)\n", file
}

func TestSwapLiveWatched_TakesBackABuildThatHangs(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	lines, file := s.hanging()
	s.buildOf("c", lines)

	answers := s.requests(8, 0, func() {
		bad := s.swapWatched("", func(site.Swap) { require.NoError(t, os.WriteFile(file, nil, 0o644)) })
		require.Contains(t, bad.Reason, "answered nobody for 3s: all 2 workers are busy, and")
		require.Regexp(t, `innermost call first:\n  File "\S+/c/app.py", line 7 in application`, bad.Cause)
		s.requirePointed("a", "c")
		require.NoError(t, os.Remove(file))
	})

	for _, a := range answers {
		require.True(t, a.OK(), "those who waited are answered too: %s", a)
	}
}

// Under the reload switch requests wait in a TCP socket.
func TestSwapLiveWatched_TakesBackABuildThatHangsBehindATCPSocket(t *testing.T) {
	s := newTestSite(t, "switch: reload")
	require.NoError(t, s.Init(t.Context()))
	lines, file := s.hanging()
	s.buildOf("c", lines)

	s.requests(8, 0, func() {
		bad := s.swapWatched("", func(site.Swap) { require.NoError(t, os.WriteFile(file, nil, 0o644)) })
		require.Contains(t, bad.Reason, "answered nobody for 3s: all 2 workers are busy, and")
		s.requirePointed("a", "c")
		require.NoError(t, os.Remove(file))
	})
}

// A listen queue that fills is not waited for: when it is full visitors are
// refused. So many wait here that it is more than half full, and none is.
func TestSwapLiveWatched_TakesBackABuildWhoseQueueFills(t *testing.T) {
	for _, by := range []string{"pointer", "reload"} {
		t.Run(by, func(t *testing.T) {
			s := newTestSite(t, "backlog: 16\nswitch: "+by)
			require.NoError(t, s.Init(t.Context()))
			lines, file := s.hanging()
			s.buildOf("c", lines)

			s.requests(14, 0, func() {
				bad := s.swapWatched("", func(site.Swap) { require.NoError(t, os.WriteFile(file, nil, 0o644)) })
				require.Regexp(t, `^\d+ requests wait for a worker, and its queue takes 16$`, bad.Reason)
				s.requirePointed("a", "c")
				require.NoError(t, os.Remove(file))
			})
		})
	}
}

func TestSwapLiveWatched_KeepsAGoodBuild(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))

	answers := s.requests(clients, 0, func() {
		swap, err := s.SwapLiveWatched(t.Context(), "", site.WatchOptions{For: watchBriefly})
		require.NoError(t, err)
		require.Equal(t, builds.Name("b"), swap.Live)
	})

	requireAllAnswered(t, answers)
	s.requirePointed("b", "a")
	require.Contains(t, s.notes.String(), "watch b")
}

// A site that has always answered some requests with 500 goes on as it is; what
// is much worse than that is taken back.
func TestSwapLiveWatched_ComparesWithTheOldLive(t *testing.T) {
	s := newTestSite(t, "")
	s.write("project/app.py", appWith("    if path.startswith('/page'): raise RuntimeError('as ever')\n"))
	require.NoError(t, s.Init(t.Context()))
	lines, file := s.failing()
	s.buildOf("c", "    if path.startswith('/page'): raise RuntimeError('as ever')\n"+lines)

	answers := s.requests(4, 0, func() {
		s.awaitFailures(50)
		_, err := s.SwapLiveWatched(t.Context(), "", site.WatchOptions{For: watchBriefly})
		require.NoError(t, err)
		s.requirePointed("c", "a")
		_, err = s.SwapLive(t.Context(), "")
		require.NoError(t, err)
		s.awaitFailures(50) // of a, which is judged by what it has answered since
		bad := s.swapWatched("", func(site.Swap) { require.NoError(t, os.WriteFile(file, nil, 0o644)) })
		require.Regexp(t, `\((\d+) %; (4|5)\d % of a's before\)`, bad.Reason)
	})

	require.NotEmpty(t, answers)
	s.requirePointed("a", "c")
}

func TestSwapLiveWatched_NotAtAll(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	s.buildOf("c", "    if environ['HTTP_HOST'] == 'live.localhost' and path == '/page': raise RuntimeError('bad')\n")

	s.requests(4, 0, func() {
		_, err := s.SwapLiveWatched(t.Context(), "", site.WatchOptions{})
		require.NoError(t, err)
	})

	s.requirePointed("c", "a")
	require.NotContains(t, s.notes.String(), "watch c")
}

func TestSwapLiveWatched_ThatIsInterruptedLeavesTheSwap(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	ctx, interrupt := context.WithCancelCause(t.Context())
	ctrlC := errors.New("interrupted")

	swap, err := s.SwapLiveWatched(ctx, "", site.WatchOptions{For: watchFor, Swapped: func(site.Swap) { interrupt(ctrlC) }})

	require.ErrorIs(t, err, ctrlC)
	require.ErrorContains(t, err, "watching b has ended after")
	require.ErrorContains(t, err, "of 3m0s, and it stays live; back: mage swapLive")
	require.Equal(t, builds.Name("b"), swap.Live)
	s.requirePointed("b", "a")
}
