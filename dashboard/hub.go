package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/site"
)

// hub looks at the site for all who watch, and tells them what has changed.
type hub struct {
	observer Observer
	every    time.Duration
	most     int
	log      *slog.Logger
	looking  singleflight.Group

	mu      sync.Mutex
	viewers map[*viewer]bool
	// ticking says that the site is looked at again and again.
	ticking bool
	// last is the last look, told what the viewers know.
	last, told *snapshot
	history    []sample
	// complaint is what was wrong at the last look.
	complaint string
}

func newHub(observer Observer, options Options) *hub {
	return &hub{observer: observer, every: options.Every, most: options.Viewers, log: options.Log, viewers: map[*viewer]bool{}}
}

// viewer is somebody who watches.
type viewer struct {
	events chan []byte
	// behind says that the viewer has to be told all: it is new, or has missed an event.
	behind, old bool
}

// viewerEvents is how many events a viewer may be late.
const viewerEvents = 4

var errTooMany = errors.New("too many watch this site already")

// join lets somebody watch; who begins sees at once what is known.
func (h *hub) join() (*viewer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.viewers) >= h.most {
		return nil, errTooMany
	}
	v := &viewer{events: make(chan []byte, viewerEvents), behind: true}
	h.viewers[v] = true
	if !h.ticking {
		h.ticking, h.told = true, nil
		go h.tick()
	} else if h.told != nil {
		h.tell(v, nil)
	}
	return v, nil
}

func (h *hub) leave(v *viewer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.viewers, v)
}

// tick looks for as long as somebody watches.
func (h *hub) tick() {
	ticker := time.NewTicker(h.every)
	defer ticker.Stop()
	for {
		snapshot, err := h.look()
		if !h.publish(snapshot, err) {
			return
		}
		<-ticker.C
	}
}

// look is one look for all who ask meanwhile.
func (h *hub) look() (*snapshot, error) {
	got, err, _ := h.looking.Do("", func() (any, error) {
		status, err := h.observer.Look(context.Background())
		h.mu.Lock()
		defer h.mu.Unlock()
		if err != nil {
			h.complain(err)
			return nil, err
		}
		h.last, h.complaint = newSnapshot(status), ""
		return h.last, nil
	})
	if err != nil {
		return nil, err
	}
	return got.(*snapshot), nil
}

// complain says once what goes on being wrong.
func (h *hub) complain(err error) {
	if h.complaint != err.Error() {
		h.complaint = err.Error()
		h.log.Error("look at the site", "error", err)
	}
}

// recent is the last look, or another one if that was too long ago.
func (h *hub) recent(ctx context.Context) (*snapshot, error) {
	h.mu.Lock()
	last := h.last
	h.mu.Unlock()
	if last != nil && time.Since(last.at) < h.every {
		return last, nil
	}
	type result struct {
		snapshot *snapshot
		err      error
	}
	looked := make(chan result, 1)
	go func() {
		snapshot, err := h.look()
		looked <- result{snapshot, err}
	}()
	select {
	case r := <-looked:
		return r.snapshot, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// publish tells the viewers what has changed. It returns false when there are none.
func (h *hub) publish(now *snapshot, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.viewers) == 0 {
		h.ticking = false
		return false
	}
	news := []byte(": the site cannot be looked at\n\n")
	if err == nil {
		h.remember(now)
		news = now.since(h.told)
		h.told = now
	}
	for v := range h.viewers {
		h.tell(v, news)
	}
	return true
}

// tell never waits: who has no room for an event gets all there is later, when
// there is room.
func (h *hub) tell(v *viewer, news []byte) {
	if !v.behind {
		v.behind = !v.offer(news)
		return
	}
	if h.told == nil || !v.offer(h.told.event()) {
		return
	}
	v.behind = false
	if !v.old {
		v.old = true
		v.offer(event("history", map[string]any{"samples": h.history}))
	}
}

func (v *viewer) offer(news []byte) bool {
	select {
	case v.events <- news:
		return true
	default:
		return false
	}
}

// sample is what is drawn as a line.
type sample struct {
	Time   time.Time                   `json:"time"`
	Builds map[builds.Name]buildSample `json:"builds"`
}

type buildSample struct {
	RequestsPerSecond      float64 `json:"requests_per_second"`
	AverageResponseSeconds float64 `json:"average_response_seconds"`
	ListenQueue            int     `json:"listen_queue"`
}

const (
	sampleEvery = time.Second
	historyFor  = 5 * time.Minute
	// early is how much before its time a tick may come.
	early = 150 * time.Millisecond
)

func (h *hub) remember(s *snapshot) {
	// what was seen in the future was seen before the clock was set back
	for n := len(h.history); n > 0 && h.history[n-1].Time.After(s.status.Time); n-- {
		h.history = h.history[:n-1]
	}
	if n := len(h.history); n > 0 && s.status.Time.Sub(h.history[n-1].Time) < sampleEvery-early {
		return
	}
	taken := sample{s.status.Time, map[builds.Name]buildSample{}}
	for _, b := range s.status.Builds {
		taken.Builds[b.Name] = buildSample{b.RequestsPerSecond, b.AverageResponseSeconds, b.ListenQueue}
	}
	h.history = append(h.history, taken)
	for s.status.Time.Sub(h.history[0].Time) > historyFor {
		h.history = h.history[1:]
	}
}

// snapshot is a look at the site, in the forms it is told in. Each is made once,
// however many it is told to.
type snapshot struct {
	at     time.Time
	status site.Status
	// frame is all but the builds and the time.
	frame  []byte
	builds map[builds.Name][]byte
	json   func() []byte
	event  func() []byte
}

func newSnapshot(status site.Status) *snapshot {
	frame := status
	frame.Time, frame.Builds = time.Time{}, nil
	s := &snapshot{at: time.Now(), status: status, frame: marshal(frame), builds: map[builds.Name][]byte{}}
	for _, b := range status.Builds {
		s.builds[b.Name] = marshal(b)
	}
	s.json = sync.OnceValue(func() []byte { return marshal(status) })
	s.event = sync.OnceValue(func() []byte { return event("status", json.RawMessage(s.json())) })
	return s
}

// since is the event that leads from an earlier look to this one.
func (s *snapshot) since(before *snapshot) []byte {
	if before == nil || !bytes.Equal(s.frame, before.frame) {
		return s.event()
	}
	change := struct {
		Time   time.Time         `json:"time"`
		Names  []builds.Name     `json:"names"`
		Builds []json.RawMessage `json:"builds"`
	}{s.status.Time, []builds.Name{}, []json.RawMessage{}}
	for _, b := range s.status.Builds {
		change.Names = append(change.Names, b.Name)
		if now := s.builds[b.Name]; !bytes.Equal(now, before.builds[b.Name]) {
			change.Builds = append(change.Builds, now)
		}
	}
	return event("builds", change)
}

func marshal(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err) // of our own types
	}
	return data
}
