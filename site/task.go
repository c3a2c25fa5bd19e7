package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/warmup"
)

// task is one verb that changes something, under way.
type task struct {
	site *Site
	// name is the verb without its arguments.
	name  string
	entry *builds.Entry
	// cut is the task that was cut short and that this one finishes, if any.
	cut *builds.Record
}

type taskKey struct{}

// taskOf is the task that ctx belongs to; nil when there is none.
func taskOf(ctx context.Context) *task {
	t, _ := ctx.Value(taskKey{}).(*task)
	return t
}

func (t *task) finishes() bool { return t.cut != nil }

func (t *task) noteStep(name string, took time.Duration, err error) {
	if t != nil {
		t.entry.Step(name, took, brief(err))
	}
}

// changing runs a verb under the site's lock and writes it down. A verb within
// another is a part of that one. What an earlier task has left half done is
// settled first, where that needs no person (see rules).
func (s *Site) changing(ctx context.Context, title string, verb func(context.Context) error) error {
	if t := taskOf(ctx); t != nil && t.site == s {
		return verb(ctx)
	}
	return s.locked(ctx, title, func(ctx context.Context) error {
		s.keepAgain(ctx, title)
		cut, err := s.settleBefore(ctx, title)
		if err != nil {
			return fmt.Errorf("%s: %w", title, err)
		}
		return s.perform(ctx, s.intent(title, cut), cut, verb)
	})
}

// locked runs do while this process, and nobody else, may change the site. It
// says of a disk that is full what can be done about it.
func (s *Site) locked(ctx context.Context, title string, do func(context.Context) error) (err error) {
	if err := errors.Join(s.foreign, s.writable()); err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	defer func() { err = s.explainFull(err) }()
	if err := s.makeDirectory(locations[0]); err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	unlock, err := s.lock(ctx, title)
	if err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	defer unlock()
	if err := s.prepare(); err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	if s.unasked() {
		s.reporter.Note("the project's code runs as root: mage doctor says what to do")
	}
	return do(ctx)
}

func (s *Site) lock(ctx context.Context, title string) (unlock func(), err error) {
	path, holder := s.lockFile(), s.holder(title)
	unlock, err = builds.Lock(ended(ctx), path, holder)
	var locked *builds.LockedError
	if !errors.As(err, &locked) || locked.Within {
		return unlock, err
	}
	wait := s.wait
	if locked.Holder.Task == keeping || isDead(locked.Holder) {
		// nobody called for the keeper, and it mends what the task would meet broken;
		// what a task had just started when it was killed dies with it, a moment later
		wait = max(wait, s.config.Timeouts.Start)
	}
	if wait <= 0 {
		return nil, fmt.Errorf("%w, or let this wait for it: -wait=5m", err)
	}
	s.reporter.Note(fmt.Sprintf("waiting at most %s for its end: %s", wait, locked.Holder))
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	unlock, err = builds.Lock(waiting, path, holder)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("while it waited for %s: %w", locked.Holder.Task, context.Cause(ctx))
	}
	return unlock, err
}

// isDead tells whether a task was killed that still has the lock. Of one on another
// machine, or in another container, it cannot be seen here whether it runs.
func isDead(holder builds.Holder) bool {
	host, _ := os.Hostname()
	return holder.Task != "" && holder.Host == host && !isAlive(holder.PID)
}

func (s *Site) holder(title string) builds.Holder {
	me, _ := account.Current()
	host, _ := os.Hostname()
	return builds.Holder{Task: title, User: me.Name, Host: host, PID: os.Getpid()}
}

// ended is a context that has ended: try once, do not wait.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// intent is what the journal says of a task before it begins. One that finishes
// another names it.
func (s *Site) intent(title string, cut *builds.Record) builds.Intent {
	words := strings.Fields(title)
	holder := s.holder(title)
	intent := builds.Intent{
		Task: words[0], Args: words[1:], User: holder.User, Host: holder.Host, PID: holder.PID, Before: s.snapshot(),
	}
	if me, err := proc.Open(holder.PID); err == nil {
		intent.Started = me.Started()
	}
	if cut != nil {
		intent.Settles = cut.ID
	}
	return intent
}

// snapshot is what a task may change, as it is now.
func (s *Site) snapshot() builds.State {
	var now builds.State
	now.Live, _ = s.store.Pointed(builds.Live)
	now.Stage, _ = s.store.Pointed(builds.Stage)
	names, _ := s.store.List()
	for _, name := range names {
		if _, err := os.Lstat(s.vassal(name).Link); err == nil {
			now.Open = append(now.Open, name)
		}
		if len(s.linked(name)) > 0 {
			now.Running = append(now.Running, name)
		}
	}
	return now
}

// perform is a task from its intent to its end. An error is an end too: a verb that
// returns has left all whole.
func (s *Site) perform(ctx context.Context, intent builds.Intent, cut *builds.Record, verb func(context.Context) error) error {
	entry, err := s.journal.Begin(intent)
	if err == nil {
		err = s.user.Share(s.journal.Path())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", intent.Task, err)
	}
	failed := verb(context.WithValue(ctx, taskKey{}, &task{s, intent.Task, entry, cut}))
	if err := entry.End(s.outcome(ctx, intent, failed)); err != nil {
		return errors.Join(failed, err)
	}
	return failed
}

func (s *Site) outcome(ctx context.Context, intent builds.Intent, err error) builds.Outcome {
	after := s.snapshot()
	out := builds.Outcome{Result: builds.OK, Error: brief(err), After: &after}
	out.From, out.To = moved(intent, after)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		out.Result = builds.Interrupted
	default:
		out.Result = builds.Failed
	}
	return out
}

// moved says from which build to which a task has gone: between those that live
// named, else those that stage named, else the one it was about.
func moved(intent builds.Intent, after builds.State) (from, to builds.Name) {
	before := intent.Before
	switch {
	case before.Live != after.Live:
		return before.Live, after.Live
	case before.Stage != after.Stage:
		return before.Stage, after.Stage
	}
	_, name, _ := ruleOf(builds.Record{Intent: intent})
	if intent.Task == "rm" {
		return name, ""
	}
	return "", name
}

// brief is an error without what may be secret: the arguments of the programs that
// failed, and what a build answered. What they printed stands on later lines, and
// the journal keeps the first one.
func brief(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	eachBranch(err, func(err error) {
		switch e := err.(type) {
		case *command.Error:
			text = strings.ReplaceAll(text, strings.Join(e.Args, " "), filepath.Base(e.Args[0]))
		case *warmup.Error:
			silent := *e
			silent.Body = ""
			text = strings.ReplaceAll(text, e.Error(), silent.Error())
		}
	})
	return text
}

// eachBranch does something with an error and all that it wraps.
func eachBranch(err error, do func(error)) {
	do(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		eachBranch(e.Unwrap(), do)
	case interface{ Unwrap() []error }:
		for _, branch := range e.Unwrap() {
			eachBranch(branch, do)
		}
	}
}

// Past is a task of the history.
type Past struct {
	builds.Record
	// Running tells that it has not ended because it is under way.
	Running bool `json:"running,omitempty"`
}

// History returns the last n tasks that changed something, or all when n is 0,
// the newest first. It waits for nobody.
func (s *Site) History(_ context.Context, n int) ([]Past, error) {
	if s.foreign != nil {
		return nil, fmt.Errorf("history: %w", s.foreign)
	}
	records, err := s.journal.Read(n)
	past := make([]Past, len(records))
	for i, r := range records {
		past[i] = Past{r, s.running(r)}
	}
	return past, err
}
