package site

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hadjango/hadjango/builds"
)

// Reporter is told what a verb does, as it happens. Steps may run side by
// side, so its methods must be safe for concurrent use.
type Reporter interface {
	// Begin is called when a step begins.
	Begin(step string) Step
	// Note is something worth knowing that is no step.
	Note(text string)
}

// Step is one step that is under way.
type Step interface {
	// Progress says how far the step is, where that is known.
	Progress(done, total int)
	// End says how the step ended; detail is for people and may be empty.
	End(detail string, err error)
}

type silent struct{}

func (silent) Begin(string) Step { return silent{} }
func (silent) Note(string)       {}
func (silent) Progress(int, int) {}
func (silent) End(string, error) {}

// step runs one step of a verb, reports it and writes it down.
func (s *Site) step(ctx context.Context, name string, do func(context.Context, Step) (detail string, err error)) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, context.Cause(ctx))
	}
	start := time.Now()
	step := s.reporter.Begin(name)
	detail, err := do(ctx, step)
	taskOf(ctx).noteStep(name, time.Since(start), err)
	step.End(detail, err)
	return err
}

// diary notes what the steps of a build did and how long they took, for its manifest.
type diary struct {
	mu    sync.Mutex
	steps []builds.Step
}

func (d *diary) note(name string, start time.Time, detail string, reused bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps = append(d.steps, builds.Step{Name: name, Millis: time.Since(start).Milliseconds(), Detail: detail, Reused: reused})
}
