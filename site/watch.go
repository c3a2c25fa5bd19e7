package site

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/follow"
	"github.com/hadjango/hadjango/internal/lines"
	"github.com/hadjango/hadjango/internal/watch"
	"github.com/hadjango/hadjango/uwsgi"
)

// WatchOptions say how a new live is watched.
type WatchOptions struct {
	// For is how long; 0 is not at all.
	For time.Duration
	// Swapped is told of the swap as soon as it has happened; nobody is when it is nil.
	Swapped func(Swap)
}

// When a new live hangs.
const (
	// hangFor is how long nobody may be answered while all workers work and as
	// many requests wait as there may be workers.
	hangFor = 3 * time.Second
	// fullShare of the listen queue is the last moment: when it is full
	// visitors are refused.
	fullShare = 0.5
	// beforeBytes of the access log are looked at for how the old live did, some
	// thousand lines.
	beforeBytes = 1 << 20
	// lookEvery is how often log and queue are looked at.
	lookEvery = 50 * time.Millisecond
)

// WatchError says that a new live was taken back, and why.
type WatchError struct {
	// Swap is what was taken back.
	Swap Swap
	// After is how long the new live was live.
	After time.Duration
	// Reason is what was seen.
	Reason string
	// Cause is what the new live's log says of it, or where its code hangs.
	Cause string
	// Log has that, AccessLog every request.
	Log, AccessLog string
	// Back is nil when live is the old one again; else why it is not.
	Back error
}

func (e *WatchError) Error() string {
	text := fmt.Sprintf("swap: %s did not do well in its %.1f s as live: %s", e.Swap.Live, e.After.Seconds(), e.Reason)
	if e.Cause != "" {
		text += "\n" + lines.Indent(e.Cause)
	}
	text += fmt.Sprintf("\nthe whole log: %s, every request: %s\n", e.Log, e.AccessLog)
	if e.Back != nil {
		return text + fmt.Sprintf("it was not taken back: %v", e.Back)
	}
	return text + fmt.Sprintf("it was taken back: live is %s, stage is %s", e.Swap.Was, e.Swap.Live)
}

func (e *WatchError) Unwrap() error { return e.Back }

// SwapLiveWatched is [Site.SwapLive], and then looks for a while at what the
// new live answers. When a burst of that is 5xx, compared with what the old
// live answered before, or nobody is answered while requests wait, the pointers
// change back at once and the error is a [*WatchError]. The site's lock is held
// meanwhile: the old live must stay what it is. When ctx ends the swap stays.
func (s *Site) SwapLiveWatched(ctx context.Context, name builds.Name, options WatchOptions) (Swap, error) {
	var swap Swap
	err := s.changing(ctx, strings.TrimSpace("swapLive "+string(name)), func(ctx context.Context) (err error) {
		w, err := s.newWatcher(options)
		if err != nil {
			return fmt.Errorf("swap: %w", err)
		}
		defer w.access.Close()
		if swap, err = s.swapOrFinish(ctx, name); err != nil {
			return err
		}
		if options.Swapped != nil {
			options.Swapped(swap)
		}
		return w.watch(ctx, swap)
	})
	return swap, err
}

// watcher looks at a new live.
type watcher struct {
	*Site
	options WatchOptions
	access  *follow.Log
	log     uwsgi.Mark
	swap    Swap
	answers answers
	// moved is when the new live answered last, or did not hang.
	moved time.Time
	hung  bool
}

// newWatcher begins before the swap, so that what follows the switch at once is
// seen too.
func (s *Site) newWatcher(options WatchOptions) (*watcher, error) {
	access, err := follow.Open(s.accessLog(), beforeBytes)
	if err != nil {
		return nil, err
	}
	return &watcher{Site: s, options: options, access: access}, nil
}

func (w *watcher) watch(ctx context.Context, swap Swap) error {
	if w.options.For <= 0 {
		return nil
	}
	w.swap, w.answers, w.moved = swap, countAnswers(w.config.Live[0], swap), time.Now()
	if ctx.Err() != nil {
		return w.interrupted(ctx)
	}
	unit := w.zerg(swap.Live, w.slot(ctx, swap.Live))
	w.log = uwsgi.MarkLog(unit)
	return w.step(ctx, fmt.Sprintf("watch %s", swap.Live), func(ctx context.Context, step Step) (string, error) {
		reason, err := w.lookOn(ctx, step)
		switch {
		case err != nil:
			return "", err
		case reason != "":
			return "", w.takeBack(ctx, reason, unit)
		}
		return w.answers.String(), nil
	})
}

// lookOn looks until the time is over or something is wrong.
func (w *watcher) lookOn(ctx context.Context, step Step) (reason string, err error) {
	limited, cancel := context.WithTimeout(ctx, w.options.For)
	defer cancel()
	err = watch.Until(limited, lookEvery, func() (bool, error) {
		step.Progress(int(w.since().Seconds()), max(1, int(w.options.For.Seconds())))
		var err error
		reason, err = w.look(limited)
		return reason != "", err
	})
	switch {
	case ctx.Err() != nil:
		return "", w.interrupted(ctx)
	case limited.Err() != nil:
		return reason, nil
	}
	return reason, err
}

func (w *watcher) interrupted(ctx context.Context) error {
	return fmt.Errorf("swap: watching %s has ended after %.1f s of %s, and it stays live; back: mage swapLive: %w",
		w.swap.Live, w.since().Seconds(), w.options.For, context.Cause(ctx))
}

func (w *watcher) since() time.Duration { return time.Since(w.swap.at) }

func (w *watcher) look(ctx context.Context) (reason string, err error) {
	written, err := w.access.Lines()
	if err != nil {
		return "", fmt.Errorf("swap: watch %s, which stays live; back: mage swapLive: %w", w.swap.Live, err)
	}
	now := time.Now()
	for _, line := range written {
		if w.answers.note(line) {
			w.moved = now
		}
	}
	if reason := w.answers.burst(now); reason != "" {
		return reason, nil
	}
	return w.hangs(ctx, now), nil
}

// hangs says that requests wait in vain, if they do.
func (w *watcher) hangs(ctx context.Context, now time.Time) string {
	queue, err := w.queueOf(ctx, w.swap.Live)
	if err != nil || queue.Length == 0 {
		w.moved = now // whose sockets come back has not hung
		return ""
	}
	if float64(queue.Length) > fullShare*float64(queue.Limit) {
		return fmt.Sprintf("%d requests wait for a worker, and its queue takes %d", queue.Length, queue.Limit)
	}
	workers, err := w.workersOf(ctx, w.swap.Live)
	if err != nil || queue.Length < len(workers.Workers) || len(workers.Busy()) < len(workers.Active()) {
		w.moved = now
		return ""
	}
	if now.Sub(w.moved) < hangFor {
		return ""
	}
	w.hung = true
	return fmt.Sprintf("it has answered nobody for %s: all %d workers are busy, and %d requests wait", hangFor, len(workers.Active()), queue.Length)
}

// takeBack lets the old live be live again.
func (w *watcher) takeBack(ctx context.Context, reason string, unit uwsgi.Unit) error {
	after := w.since()
	back := w.goBack(ctx)
	cause := w.log.Cause()
	if w.hung {
		cause = cmp.Or(uwsgi.Hanging(ctx, unit), cause)
	}
	return &WatchError{
		Swap: w.swap, After: after, Reason: reason, Cause: cause,
		Log: unit.Log, AccessLog: w.accessLog(), Back: back,
	}
}

// goBack is not for an old live that would answer nobody at all.
func (w *watcher) goBack(ctx context.Context) error {
	if err := w.mustBeActive(ctx, w.swap.Was); err != nil {
		return fmt.Errorf("%s: %w", w.swap.Was, err)
	}
	ctx = context.WithoutCancel(ctx)
	if _, err := w.store.Exchange(); err != nil {
		return err
	}
	if err := w.afterSwitch(ctx); err != nil {
		return err
	}
	_, err := w.answeredBy(ctx, builds.Live, w.swap.Was)
	return err
}
