package warmup

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

func someWorkers(context.Context) (Workers, error) { return Workers{}, nil }

// testSite is a real server that counts what it is asked.
type testSite struct {
	*httptest.Server
	requests    atomic.Int64
	connections atomic.Int64
}

func serve(t *testing.T, handler http.HandlerFunc) *testSite {
	t.Helper()
	s := &testSite{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		handler(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func answerOK(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("fine")) }

func answerWith(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// barrier opens when n requests wait at it, and stays open.
type barrier struct {
	waiting atomic.Int64
	open    chan struct{}
	n       int64
}

func newBarrier(n int) *barrier { return &barrier{open: make(chan struct{}), n: int64(n)} }

func (b *barrier) wait(ctx context.Context) {
	if b.waiting.Add(1) == b.n {
		close(b.open)
	}
	select {
	case <-b.open:
	case <-ctx.Done():
	}
}

// crew is a server's workers, one request each at a time. The one who finished last is the next to work, so that the
// others only get something to do while all before them are busy: the least fair way there is.
type crew struct {
	mu      sync.Mutex
	idle    []int
	back    *sync.Cond
	reached map[int]bool
	size    int
}

func newCrew(size int) *crew {
	c := &crew{reached: map[int]bool{}, size: size}
	c.back = sync.NewCond(&c.mu)
	for id := range size {
		c.idle = append(c.idle, id)
	}
	return c
}

// work has one worker do the job.
func (c *crew) work(job func(id int)) {
	id := c.take()
	job(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reached[id] = true
	c.idle = append(c.idle, id)
	c.back.Signal()
}

func (c *crew) take() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.idle) == 0 {
		c.back.Wait()
	}
	last := len(c.idle) - 1
	id := c.idle[last]
	c.idle = c.idle[:last]
	return id
}

func (c *crew) count(context.Context) (Workers, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Workers{Ready: c.size, Reached: len(c.reached)}, nil
}

// counts answers with one after the other, and for ever with the last.
func counts(list ...Workers) func(context.Context) (Workers, error) {
	return func(context.Context) (Workers, error) {
		now := list[0]
		if len(list) > 1 {
			list = list[1:]
		}
		return now, nil
	}
}

func roundSizes(r Report) []int {
	sizes := make([]int, r.Rounds)
	for _, s := range r.Samples {
		sizes[s.Round-1]++
	}
	return sizes
}
