package site

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/stack"
)

// HalfDone is a task that was cut short: its process was killed, or the machine
// has gone down, before it could end.
type HalfDone struct {
	// Task is how it was called, such as "swapLive c".
	Task  string    `json:"task"`
	User  string    `json:"user"`
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Began time.Time `json:"began"`
	// LastStep is the last step that it ended.
	LastStep string `json:"last_step,omitempty"`
	// Undo tells whether it can be taken back.
	Undo bool `json:"undo"`
}

func (h HalfDone) String() string {
	text := fmt.Sprintf("%s, begun at %s by %s on %s (process %d), was cut short",
		h.Task, h.Began.Local().Format(time.DateTime), h.User, h.Host, h.PID)
	if h.LastStep != "" {
		text += " after " + h.LastStep
	}
	return text
}

// Next says what to do about it.
func (h HalfDone) Next() string {
	if h.Undo {
		return "finish it with mage resume, or take it back with mage undo"
	}
	return "finish it with mage resume"
}

// MarshalJSON adds what to do.
func (h HalfDone) MarshalJSON() ([]byte, error) {
	type plain HalfDone
	return json.Marshal(struct {
		plain
		Next string `json:"next"`
	}{plain(h), h.Next()})
}

func halfDone(cut builds.Record) HalfDone {
	rule, _, known := ruleOf(cut)
	h := HalfDone{Task: cut.Title(), User: cut.User, Host: cut.Host, PID: cut.PID, Began: cut.Began, Undo: known && rule.undo != nil}
	if len(cut.Steps) > 0 {
		h.LastStep = cut.Steps[len(cut.Steps)-1].Name
	}
	return h
}

// HalfDoneError says that another task must be settled first.
type HalfDoneError struct{ HalfDone }

func (e *HalfDoneError) Error() string { return e.String() + ": " + e.Next() }

// ErrNothingHalfDone says that every task has ended.
var ErrNothingHalfDone = errors.New("nothing is half done: every task has ended")

// cutShort returns the task that was cut short and that nothing has settled;
// nil when there is none. It is certain only under the lock: without it, the
// last one may be running.
func (s *Site) cutShort() (*builds.Record, error) {
	records, err := s.journal.Read(0)
	if err != nil {
		return nil, err
	}
	return cutShortOf(records), nil
}

func cutShortOf(records []builds.Record) *builds.Record {
	var last *builds.Record
	for i, r := range records {
		// one that was to settle another has left that other one to be settled
		if !r.Open() || r.Settles != "" {
			continue
		}
		if rule, _, known := ruleOf(r); known && rule.next != leave {
			return &r
		}
		if i == 0 {
			last = &r
		}
	}
	return last
}

// cutForCertain is cutShort under the lock: what the task has left running is
// ended.
func (s *Site) cutForCertain(ctx context.Context) (*builds.Record, error) {
	cut, err := s.cutShort()
	if cut != nil && err == nil {
		err = s.endOrphans(ctx)
	}
	return cut, err
}

// halfDone is what status says, without the lock.
func (s *Site) halfDone() (*HalfDone, error) {
	records, err := s.journal.Read(0)
	return s.halfDoneOf(records), err
}

func (s *Site) halfDoneOf(records []builds.Record) *HalfDone {
	if len(records) > 0 && s.running(records[0]) {
		return nil
	}
	cut := cutShortOf(records)
	if cut == nil {
		return nil
	}
	half := halfDone(*cut)
	return &half
}

// running tells whether the process of a task that has not ended is alive.
func (s *Site) running(r builds.Record) bool {
	host, _ := os.Hostname()
	if !r.Ended.IsZero() || r.Host != host {
		return false
	}
	p, err := proc.Open(r.PID)
	return err == nil && p.Started() == r.Started && p.Alive()
}

// settleBefore does with a task that was cut short what its rule says, and
// returns it if it is the very one that is about to be run.
func (s *Site) settleBefore(ctx context.Context, title string) (finishes *builds.Record, err error) {
	cut, err := s.cutForCertain(ctx)
	if cut == nil || err != nil {
		return nil, err
	}
	half := halfDone(*cut)
	if cut.Title() == title {
		s.reporter.Note(half.String() + ": it is finished now")
		return cut, nil
	}
	if task, _, _ := strings.Cut(title, " "); rules()[task].beside {
		return nil, nil
	}
	rule, _, known := ruleOf(*cut)
	switch {
	case !known || rule.next == leave:
		s.reporter.Note(half.String() + ": nothing of it is in the way")
	case rule.next == takeBack:
		s.reporter.Note(half.String() + ": it is taken back first")
		err = s.takeBack(ctx, *cut)
	case rule.next == again:
		s.reporter.Note(half.String() + ": it is finished first")
		err = s.finish(ctx, *cut)
	default:
		err = &HalfDoneError{half}
	}
	return nil, err
}

// Resume finishes the task that was cut short, as it was called. It is
// [ErrNothingHalfDone] when there is none.
func (s *Site) Resume(ctx context.Context) (HalfDone, error) {
	return s.settle(ctx, "resume", s.finish)
}

// Undo takes the task back that was cut short: what it started is ended, what it
// ended is started, and live and stage are what they were before. It is
// [ErrNothingHalfDone] when there is none.
func (s *Site) Undo(ctx context.Context) (HalfDone, error) { return s.settle(ctx, "undo", s.takeBack) }

// Accept ends the task that was cut short by leaving all as it is now. It is the
// way out where neither Resume nor Undo can succeed, because somebody has
// changed by hand what they need. It is [ErrNothingHalfDone] when there is none.
func (s *Site) Accept(ctx context.Context) (HalfDone, error) {
	return s.settle(ctx, "accept", func(ctx context.Context, cut builds.Record) error {
		return s.perform(ctx, s.intent("accept "+cut.Title(), &cut), nil, func(context.Context) error { return nil })
	})
}

func (s *Site) settle(ctx context.Context, verb string, how func(context.Context, builds.Record) error) (half HalfDone, err error) {
	err = s.locked(ctx, verb, func(ctx context.Context) error {
		cut, err := s.cutForCertain(ctx)
		if err == nil && cut == nil {
			err = ErrNothingHalfDone
		}
		if err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
		half = halfDone(*cut)
		return how(ctx, *cut)
	})
	return half, err
}

func (s *Site) finish(ctx context.Context, cut builds.Record) error {
	rule, name, known := ruleOf(cut)
	if !known {
		return unknown(cut)
	}
	return s.perform(ctx, s.intent(cut.Title(), &cut), &cut, func(ctx context.Context) error {
		return orAccept(rule.again(s, ctx, name))
	})
}

func (s *Site) takeBack(ctx context.Context, cut builds.Record) error {
	rule, name, known := ruleOf(cut)
	if !known {
		return unknown(cut)
	}
	if rule.undo == nil {
		return fmt.Errorf("undo %s: %s: finish it with mage resume", cut.Title(), rule.instead)
	}
	intent := s.intent("undo "+cut.Title(), &cut)
	intent.Undoes = true
	return s.perform(ctx, intent, nil, func(ctx context.Context) error {
		if err := rule.undo(s, ctx, name, cut.Before); err != nil {
			return fmt.Errorf("undo %s: %w", cut.Title(), orAccept(err))
		}
		return nil
	})
}

func unknown(cut builds.Record) error {
	return fmt.Errorf("this version does not know the task %q: mend it with the version that ran it, or leave all as it is with mage undo -accept", cut.Title())
}

// orAccept shows the way out of a mending that failed.
func orAccept(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\nif that cannot be mended, leave all as it is with mage undo -accept", err)
}

// undoCreate removes the incomplete build. One that was complete stays: it is
// in nobody's way.
func (s *Site) undoCreate(_ context.Context, name builds.Name, _ builds.State) error {
	s.sweep()
	if !s.store.Exists(name) {
		return nil
	}
	if manifest, _ := s.store.Manifest(name); manifest.Complete {
		s.reporter.Note(fmt.Sprintf("build %s is complete and stays: remove it with mage rm %s", name, name))
		return nil
	}
	return s.remove(name)
}

// undoStart ends what a task has started, and keeps what was there before and
// what has become live or stage.
func (s *Site) undoStart(ctx context.Context, name builds.Name, before builds.State) error {
	if _, pointed := s.store.PointerTo(name); pointed || !s.store.Exists(name) {
		return nil
	}
	if !s.emperorsUp() {
		return ErrDown
	}
	// a zerg that has served nobody cannot end gracefully
	if err := s.clearFailed(ctx, name); err != nil {
		return err
	}
	switch {
	case slices.Contains(before.Running, name):
		return s.activate(ctx, name)
	case slices.Contains(before.Open, name):
		return s.deactivate(ctx, "deactivate", name)
	}
	return s.stop(ctx, "stop", name)
}

// undoEnd starts what a task has ended.
func (s *Site) undoEnd(ctx context.Context, name builds.Name, before builds.State) error {
	switch {
	case slices.Contains(before.Running, name):
		return s.activate(ctx, name)
	case slices.Contains(before.Open, name):
		return s.open(ctx, name)
	}
	return nil
}

// open lets a build have its sockets, and no workers.
func (s *Site) open(ctx context.Context, name builds.Name) error {
	if !s.health().Vassals {
		return ErrDown
	}
	return s.step(ctx, fmt.Sprintf("open the sockets of %s", name), func(ctx context.Context, _ Step) (string, error) {
		ctx, cancel := within(ctx, s.config.Timeouts.Start, "start")
		defer cancel()
		if err := s.makeLogs(name); err != nil {
			return "", err
		}
		return "", s.vassals.StartVassal(ctx, s.vassal(name))
	})
}

// undoRemove starts what was ended, while nothing has been deleted.
func (s *Site) undoRemove(ctx context.Context, name builds.Name, before builds.State) error {
	if _, err := s.complete(name); err != nil {
		return fmt.Errorf("the removal has begun, and what is deleted is gone: finish it with mage resume")
	}
	return s.undoEnd(ctx, name, before)
}

// undoRestart leaves one set of workers: the new one if it serves, else the old.
func (s *Site) undoRestart(ctx context.Context, name builds.Name, _ builds.State) error {
	if len(s.linked(name)) == 0 {
		return nil
	}
	if _, _, err := s.chooseSlots(ctx, name); err != nil {
		return err
	}
	return s.activate(ctx, name)
}

// undoPointers lets live and stage be what they were, by one exchange if live
// has changed, and ends what was started for it.
func (s *Site) undoPointers(ctx context.Context, name builds.Name, before builds.State) error {
	if !s.health().Nginx {
		return stack.ErrNginxDown
	}
	if err := s.liveAgain(ctx, before.Live); err != nil {
		return err
	}
	if err := s.stageAgain(ctx, before.Stage); err != nil {
		return err
	}
	return s.undoStart(ctx, name, before)
}

func (s *Site) liveAgain(ctx context.Context, live builds.Name) error {
	now := s.snapshot()
	if now.Live == live {
		return s.confirm(ctx, builds.Live, live)
	}
	if now.Stage != live {
		return fmt.Errorf("live is %s and stage is %s, and live was %s: somebody has changed them since", now.Live, now.Stage, live)
	}
	if err := s.makeReady(ctx, live); err != nil {
		return err
	}
	_, err := s.exchange(ctx, live, now.Live)
	return err
}

func (s *Site) stageAgain(ctx context.Context, stage builds.Name) error {
	now, _ := s.store.Pointed(builds.Stage)
	switch {
	case stage == "":
		return s.store.Clear(builds.Stage)
	case now == stage:
		return s.confirm(ctx, builds.Stage, stage)
	}
	return s.stage(ctx, stage)
}

// confirm makes sure that nginx knows what a pointer names: a task may have been
// killed before it could tell.
func (s *Site) confirm(ctx context.Context, p builds.Pointer, name builds.Name) error {
	if name == "" {
		return nil
	}
	if err := s.afterSwitch(ctx); err != nil {
		return err
	}
	_, err := s.answeredBy(ctx, p, name)
	return err
}

func (s *Site) finishStage(ctx context.Context, name builds.Name) error {
	if err := s.stage(ctx, name); err != nil {
		return err
	}
	return s.confirm(ctx, builds.Stage, name)
}

// finishSwap is a swap that may have been cut short on either side of the
// exchange, and that was to make name live, or what stage named before.
func (s *Site) finishSwap(ctx context.Context, before builds.State, name builds.Name) (Swap, error) {
	wanted := name
	if wanted == "" {
		wanted = before.Stage
	}
	now := s.snapshot()
	if now.Live == wanted && wanted != before.Live {
		return Swap{Live: wanted, Was: before.Live, at: time.Now()}, s.confirm(ctx, builds.Live, wanted)
	}
	if name == "" && now.Stage != wanted {
		return Swap{}, fmt.Errorf("swap: stage is %s now and was %s: take it back with mage undo, and swap anew", now.Stage, wanted)
	}
	return s.swapLive(ctx, name)
}

// spoil makes sure that a build that is about to lose its parts is never started.
func (s *Site) spoil(name builds.Name) error {
	manifest, err := s.store.Manifest(name)
	if err != nil || !manifest.Complete {
		return nil
	}
	manifest.Complete = false
	err = manifest.Write(s.store.Path(name))
	if errors.Is(err, unix.ENOSPC) {
		return builds.RemoveManifest(s.store.Path(name))
	}
	return err
}
