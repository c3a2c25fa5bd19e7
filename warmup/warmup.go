package warmup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// ErrUnreached says that the limit was reached before every worker had answered.
var ErrUnreached = errors.New("not every worker was reached")

// Options says what to ask, and how. The zero value asks for "/".
type Options struct {
	// Paths to ask for, each beginning with "/" and with its query if it has one; default "/".
	Paths []string

	// Host is sent as Host header: the name under which the site is visited. Default: the target's host and port.
	Host string

	// Header is sent with every request, such as X-Forwarded-Proto: https. Default: only a User-Agent.
	Header http.Header

	// Concurrency is how many requests are in flight together, at least; 1 to 1000, default 6. With more workers than
	// that, a round has one request for each.
	Concurrency int

	// MaxRequests ends the run. Default: 50 for each request of a first round, or, with many paths, four times what
	// asking every worker for every path takes. Redirects that are followed come on top, and are not counted.
	MaxRequests int

	// Timeout is for the whole answer to one path, its redirects included, and for one call of Workers; default 90 s.
	Timeout time.Duration

	// Workers says how many workers there are now, and how many have answered. It is called before the first round and
	// after each, except for the last. Default nil: unknown, and every path is asked for in three rounds.
	Workers func(ctx context.Context) (Workers, error)

	// WorkerHeader names a response header that tells which worker answered; default none. Its value is kept in each
	// Sample; without Workers the different values are counted as workers reached.
	WorkerHeader string

	// OnProgress is told about every answer and every count of the workers, one call at a time; default nil. The run
	// waits for it.
	OnProgress func(Progress)

	// Client sends the requests. Default: one that follows no redirects, uses every connection once, and takes no proxy
	// from the environment.
	Client Client
}

// Client sends one request and returns its answer. It must be safe for concurrent use, must return as soon as the
// request's context ends, and must not follow redirects.
type Client interface {
	Do(*http.Request) (*http.Response, error)
}

// Workers counts an application's workers.
type Workers struct {
	Ready   int `json:"ready"`   // workers that can take requests now; 0 in a Report: unknown
	Reached int `json:"reached"` // of these, the ones that have answered at least one request
}

func (w Workers) warm() bool { return w.Ready > 0 && w.Reached >= w.Ready }

// Progress is how far a run is.
type Progress struct {
	Round   int           // 1 for the first
	Done    int           // requests answered, or failed
	Total   int           // requests expected in all; grows when workers are left out
	Failed  int           // of the requests done
	Workers Workers       // by the last count
	Elapsed time.Duration // since the beginning
}

// Run asks target, the base URL of a plain HTTP port such as http://127.0.0.1:2020, until every worker has answered
// and every path was asked for, or until something fails, the limit is reached, or ctx ends.
func Run(ctx context.Context, target string, opts Options) (Report, error) {
	base, err := parseTarget(target)
	if err != nil {
		return Report{}, fmt.Errorf("warm up %q: %w", target, err)
	}
	if err := opts.validate(); err != nil {
		return Report{}, fmt.Errorf("warm up %s: %w", base, err)
	}
	w := newWarming(base, opts.withDefaults(base))
	err = w.run(ctx)
	w.finish()
	return w.report, err
}

// warming is one run. Only the goroutine that called Run changes it.
type warming struct {
	base    *url.URL
	opts    Options
	plan    plan
	report  Report
	started time.Time
	seen    map[string]bool // values of WorkerHeader
}

func newWarming(base *url.URL, opts Options) *warming {
	return &warming{
		base:    base,
		opts:    opts,
		report:  Report{Target: base.String(), Host: opts.Host},
		started: time.Now(),
		seen:    map[string]bool{},
	}
}

func (w *warming) run(ctx context.Context) error {
	if err := w.count(ctx); err != nil {
		return err
	}
	w.plan = newPlan(w.opts, w.report.Workers.Ready)
	w.progress()
	for paths := w.next(); len(paths) > 0; paths = w.next() {
		failed := w.round(ctx, paths)
		uncounted := w.count(ctx) // after a failure too: a worker that answered with an error was reached
		if err := cmp.Or(failed, uncounted); err != nil {
			return err
		}
		w.progress()
	}
	if w.cold() {
		return w.unreached()
	}
	return w.round(ctx, w.plan.again())
}

func (w *warming) next() []string { return w.plan.next(w.cold(), w.report.Workers.Ready) }

func (w *warming) cold() bool { return w.opts.Workers != nil && !w.report.Workers.warm() }

// round sends one request for each of paths, all at once, and waits for every one of them.
func (w *warming) round(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	w.report.Rounds++
	answers := make(chan answer, len(paths))
	for _, path := range paths {
		go func() { answers <- w.ask(ctx, path) }()
	}
	var failed failures
	for range paths {
		a := <-answers
		if a.cancelled {
			continue
		}
		w.note(a)
		if a.Err != "" {
			failed.add(w.failure(a))
		}
	}
	return errors.Join(w.stopped(ctx), failed.join(paths))
}

func (w *warming) note(a answer) {
	a.Round = w.report.Rounds
	if a.Err != "" {
		w.report.Failed++
	}
	if w.opts.Workers == nil && a.Worker != "" {
		w.seen[a.Worker] = true
		w.report.Workers.Reached = len(w.seen)
	}
	w.report.Requests++
	w.report.Redirects += len(a.Redirects)
	w.report.Samples = append(w.report.Samples, a.Sample)
	w.progress()
}

func (w *warming) count(ctx context.Context) error {
	if stopped := w.stopped(ctx); stopped != nil || w.opts.Workers == nil {
		return stopped
	}
	limited, cancel := context.WithTimeoutCause(ctx, w.opts.Timeout, ErrTimeout)
	defer cancel()
	workers, err := w.opts.Workers(limited)
	if stopped := w.stopped(ctx); stopped != nil {
		return stopped
	}
	if err != nil && errors.Is(context.Cause(limited), ErrTimeout) {
		err = ErrTimeout // not the deadline of limited, which a caller would take for its own
	}
	if err != nil {
		return fmt.Errorf("warm up %s: count workers: %w", w.base, err)
	}
	w.report.Workers = workers
	return nil
}

func (w *warming) stopped(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	err := fmt.Errorf("warm up %s: stopped after %s: %w", w.base, plural(w.report.Requests, "request"), ctx.Err())
	if cause := context.Cause(ctx); !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

func (w *warming) progress() {
	if w.opts.OnProgress == nil {
		return
	}
	w.opts.OnProgress(Progress{
		Round:   w.report.Rounds,
		Done:    w.report.Requests,
		Total:   w.plan.total(),
		Failed:  w.report.Failed,
		Workers: w.report.Workers,
		Elapsed: time.Since(w.started),
	})
}

func (w *warming) unreached() error {
	hint := "see whether these workers serve this port and none of them hangs, or raise the limit of requests"
	if w.report.Workers.Ready == 0 {
		hint = "no worker is ready: see the application's log for why none starts"
	}
	return fmt.Errorf("warm up %s: %w: %d of %d after %s in %s\n  %s", w.base, ErrUnreached,
		w.report.Workers.Reached, w.report.Workers.Ready,
		plural(w.report.Requests, "request"), plural(w.report.Rounds, "round"), hint)
}

func (w *warming) finish() {
	w.report.Took = since(w.started)
	w.report.Cold = latency(w.report.Samples, 1)
	if w.report.Rounds > 1 {
		w.report.Warm = latency(w.report.Samples, w.report.Rounds)
	}
}

// since is in microseconds, so that a report survives JSON in milliseconds unchanged.
func since(start time.Time) time.Duration { return time.Since(start).Round(time.Microsecond) }
