package site_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/load"
	"github.com/hadjango/hadjango/site"
)

const (
	clients = 32
	swaps   = 200
)

// underLoad keeps 32 keep-alive clients sending POSTs and GETs to live while
// it runs do, and returns what they got.
func (s testSite) underLoad(do func()) []load.Answer {
	s.t.Helper()
	return s.loaded(load.Options{Clients: clients, Paths: []string{"/"}}, do)
}

// loaded lets clients send POSTs and GETs to live while it runs do.
func (s testSite) loaded(options load.Options, do func()) []load.Answer {
	s.t.Helper()
	options.Address, options.Host = s.address, "live.localhost"
	options.Methods = []string{http.MethodPost, http.MethodGet}
	ctx, stop := context.WithCancel(s.t.Context())
	var answers []load.Answer
	var running sync.WaitGroup
	running.Go(func() { answers = load.Run(ctx, options) })
	defer running.Wait()
	defer stop()
	do()
	stop()
	running.Wait()
	return answers
}

func requireAllAnswered(t testing.TB, answers []load.Answer) {
	t.Helper()
	require.Greater(t, len(answers), clients)
	lost := 0
	for _, a := range answers {
		if !a.OK() {
			lost++
			t.Errorf("lost: %s", a)
		}
		if lost > 20 {
			t.Fatal("and more")
		}
	}
	t.Logf("%d requests, %d lost", len(answers), lost)
}

// timeline remembers when each build became live.
type timeline []turn

// turn is one build's time: it was live for certain from After the switch
// until the next switch's Before, and may have been from Before on.
type turn struct {
	build         string
	before, after time.Time
}

// live tells whether the build was live at some moment of the request.
func (l timeline) live(a load.Answer) bool {
	for i, turn := range l {
		ended := i+1 < len(l) && a.Start.After(l[i+1].after)
		if turn.build == a.Build && !a.End.Before(turn.before) && !ended {
			return true
		}
	}
	return false
}

func TestSwapLive_LosesNoRequestOf200Swaps(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	history := timeline{{"a", time.Time{}, time.Now()}}

	answers := s.underLoad(func() {
		for range swaps {
			before := time.Now()
			swap, err := s.SwapLive(t.Context(), "")
			require.NoError(t, err)
			history = append(history, turn{string(swap.Live), before, time.Now()})
		}
	})

	requireAllAnswered(t, answers)
	seen := map[string]int{}
	for _, a := range answers {
		require.True(t, history.live(a), "%s was not live during %s", a.Build, a)
		seen[a.Build]++
	}
	require.Len(t, seen, 2)
	t.Logf("answered by: %v", seen)
}

func TestLoad_IsNotDisturbedByOtherBuilds(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))

	answers := s.underLoad(func() {
		for range 3 {
			require.NoError(t, s.Activate(t.Context(), "c"))
			_, err := s.Warmup(t.Context(), "c", site.WarmupOptions{})
			require.NoError(t, err)
			require.NoError(t, s.Deactivate(t.Context(), "c"))
			require.NoError(t, s.Stop(t.Context(), "c"))
		}
	})

	requireAllAnswered(t, answers)
	for _, a := range answers {
		require.Equal(t, "a", a.Build)
	}
}

func TestRestart_LosesNoRequest(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))

	answers := s.underLoad(func() {
		for range 5 {
			require.NoError(t, s.Restart(t.Context(), "a"))
			require.Equal(t, site.Active, s.state("a"))
		}
	})

	requireAllAnswered(t, answers)
}

// A request of six seconds that is in flight, and those that are queued behind
// it, are answered before a build that was live is taken away, and the new live
// is not disturbed.
func TestDeactivate_FinishesWhatIsInFlightAndQueued(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	const inFlight = 6 // three times as many as workers
	statuses := make(chan string, inFlight)
	for range inFlight {
		go func() { statuses <- s.slow("2") }()
	}
	go func() { statuses <- s.slow("6") }()
	s.eventually(func(s testSite) bool { return s.busy("a") == 2 })

	answers := s.underLoad(func() {
		_, err := s.SwapLive(t.Context(), "")
		require.NoError(t, err)
		require.NoError(t, s.Stage(t.Context(), s.third()))
		require.NoError(t, s.Deactivate(t.Context(), "a"))
	})

	requireAllAnswered(t, answers)
	for range inFlight + 1 {
		require.Equal(t, "200 OK by a", <-statuses)
	}
	require.Equal(t, site.Idle, s.state("a"))
}

func (s testSite) slow(seconds string) string { return s.post("/slow?" + seconds) }

func (s testSite) post(path string) string {
	request, err := http.NewRequest(http.MethodPost, "http://"+s.address+path, strings.NewReader("a=1"))
	if err != nil {
		return err.Error()
	}
	request.Host = "live.localhost"
	response, err := (&http.Transport{}).RoundTrip(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	return response.Status + " by " + response.Header.Get("X-Hadjango-Build")
}

func (s testSite) busy(name builds.Name) int {
	status, err := s.Status(s.t.Context())
	require.NoError(s.t, err)
	for _, b := range status.Builds {
		if b.Name == name {
			return b.WorkersBusy
		}
	}
	return 0
}

// third makes one more build and returns its name.
func (s testSite) third() builds.Name {
	require.NoError(s.t, s.CreateBuild(s.t.Context(), "c"))
	return "c"
}
