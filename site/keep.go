package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/internal/watch"
	"github.com/hadjango/hadjango/stack"
	"github.com/hadjango/hadjango/uwsgi"
)

// Keep keeps the servers as [Site.Up] leaves them: when one of them dies, or a
// vassal under workers that are attached to it, it is brought back at once. It
// returns when ctx ends or when Down has ended the servers.
//
// The kernel wakes it: it sleeps until a process ends or a task has changed the
// site. Nothing depends on it but the time until what has died is back.
func (s *Site) Keep(ctx context.Context) error {
	release, err := s.becomeKeeper(ctx)
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	defer release()
	s.wait = 0
	for pause := keepPause; ctx.Err() == nil && !s.isDown() && s.exists(); {
		if err := s.keepOnce(ctx); err == nil || errors.Is(err, errEnded) {
			pause = keepPause
			continue
		} else if ctx.Err() == nil {
			s.reporter.Note(fmt.Sprintf("keep: %v · again in %s", err, pause))
		}
		wait(ctx, pause)
		pause = min(2*pause, keepPauseMost)
	}
	return nil
}

// exists tells whether the site is still there: nobody ends the keeper of one
// that was deleted.
func (s *Site) exists() bool {
	_, err := os.Stat(s.deploy)
	return err == nil
}

// becomeKeeper waits a little: who looks for a keeper has the lock for a moment.
func (s *Site) becomeKeeper(ctx context.Context) (release func(), err error) {
	const moment = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, moment)
	defer cancel()
	return builds.Lock(ctx, s.keeperLock(), s.holder(keeping))
}

// What cannot be mended is tried again after a while, which grows: the reason
// may be one that takes a person.
const (
	keepPause     = time.Second
	keepPauseMost = time.Minute
)

// keeping is what the keeper is called where tasks are.
const keeping = "keep"

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// keepOnce mends what is broken, or waits until something may be.
func (s *Site) keepOnce(ctx context.Context) error {
	changed, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer changed.Close()
	// each task writes its name here, and takes it out again
	err = changed.Add(builds.LockRecord(s.lockFile()))
	if errors.Is(err, fs.ErrNotExist) {
		err = changed.Add(s.deploy) // where the next one makes it
	}
	if err != nil {
		return err
	}
	// what ends from here on is noticed, however long it takes to look at the rest
	kept := s.kept(ctx)
	if !s.runs(ctx) {
		return s.mend(ctx)
	}
	if err := s.eachBuild(ctx, s.hasNoOrphan); err != nil {
		// a task that is under way says when it has ended
		if moved, err := s.moveOrphans(ctx); moved || err != nil {
			return err
		}
	}
	if !slices.Equal(kept, s.kept(ctx)) {
		return nil // one has come meanwhile, and would not be waited for
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	again := func() { cancel(errChanged) }
	go func() {
		<-changed.Events
		again()
	}()
	var shown sync.WaitGroup
	defer shown.Wait()
	shown.Go(func() { s.showAgain(ctx, again) })
	if err := proc.AwaitEnd(ctx, kept); !errors.Is(err, errChanged) {
		return err
	}
	return nil
}

// showAgain starts the dashboard if it has died, and says when to look again.
// Nobody waits for a task that runs meanwhile, and none is in its way; but who ends
// this keeper, to end all servers then, finds it started.
func (s *Site) showAgain(ctx context.Context, again func()) {
	servers := s.stack(stack.Programs{})
	isThere := func() bool { return len(s.dashboard) == 0 || s.isDown() || servers.Health().Dashboard }
	if isThere() {
		return
	}
	err := s.aloneWithDashboard(ctx, func(ctx context.Context) error {
		if isThere() {
			return nil // a task has started it anew: this keeper may be of an earlier version
		}
		return servers.UpDashboard(context.WithoutCancel(ctx), s.noteServer)
	})
	var locked *builds.LockedError
	if errors.As(err, &locked) {
		return // whoever starts it has started this keeper too, and is a task that says when it has ended
	}
	if err != nil {
		s.reporter.Note(fmt.Sprintf("keep: %v · again in %s", err, keepPauseMost))
		time.AfterFunc(keepPauseMost, again)
		return
	}
	again()
}

var errChanged = errors.New("a task has changed the site")

// kept are the processes that nobody else brings back, or brings back without
// what hangs on them.
func (s *Site) kept(ctx context.Context) []proc.Process {
	processes := s.stack(stack.Programs{}).Masters().Heads()
	names, _ := s.store.List()
	for _, name := range names {
		if vassal, err := uwsgi.ReadInstance(ctx, s.vassal(name).Stats); err == nil {
			if p, err := proc.Open(vassal.PID); err == nil {
				processes = append(processes, p)
			}
		}
	}
	return processes
}

// runs tells whether all servers and all vassals that are to run do. That zergs
// come back is their emperor's business.
func (s *Site) runs(ctx context.Context) bool {
	vassal := func(ctx context.Context, name builds.Name) error {
		if _, err := os.Lstat(s.vassal(name).Link); err != nil {
			return nil
		}
		_, err := uwsgi.ReadInstance(ctx, s.vassal(name).Stats)
		return err
	}
	return s.ownUp() && s.eachBuild(ctx, vassal) == nil
}

// hasNoOrphan tells whether every zerg of a build that answers is attached to
// the vassal that runs now.
func (s *Site) hasNoOrphan(ctx context.Context, name builds.Name) error {
	return s.eachOrphan(ctx, name, func(uwsgi.Unit) error { return errOrphaned })
}

var errOrphaned = errors.New("its workers hold the sockets of a vassal that has died")

// eachOrphan does something with the zergs of a build that are attached to a
// vassal that has died.
func (s *Site) eachOrphan(ctx context.Context, name builds.Name, do func(uwsgi.Unit) error) error {
	var errs []error
	for _, slot := range s.linked(name) {
		unit := s.zerg(name, slot)
		if attached, err := uwsgi.Attached(ctx, s.vassal(name), unit); err == nil && !attached {
			errs = append(errs, do(unit))
		}
	}
	return errors.Join(errs...)
}

// mend starts the servers that do not run, with the configuration they had. It
// waits for no task: one that takes minutes must not keep live away for as long.
func (s *Site) mend(ctx context.Context) error {
	return s.alone(ctx, func(ctx context.Context) error {
		if s.isDown() || s.runs(ctx) {
			return nil
		}
		programs, err := stack.FindPrograms(ctx, s.config.Python)
		if err != nil {
			return err
		}
		ctx, cancel := within(ctx, s.config.Timeouts.Start, "start")
		defer cancel()
		return s.stack(programs).Up(ctx, s.untilOneEnds(s.waitVassals), s.noteServer)
	})
}

// alone does what starts or ends servers while nobody else does. Whoever has the
// site's lock too has taken that before.
func (s *Site) alone(ctx context.Context, do func(context.Context) error) error {
	return s.whileLocked(ctx, s.serversLock(), "start or end servers", do)
}

// aloneWithDashboard is that for the dashboard, which is started beside them.
func (s *Site) aloneWithDashboard(ctx context.Context, do func(context.Context) error) error {
	return s.whileLocked(ctx, s.dashboardLock(), "start the dashboard", do)
}

func (s *Site) whileLocked(ctx context.Context, path, what string, do func(context.Context) error) error {
	unlock, err := builds.Lock(ctx, path, s.holder(what))
	if err != nil {
		return err
	}
	defer unlock()
	return do(ctx)
}

// moveOrphans moves workers to the vassal that runs now, unless a task is under
// way: it may be about to end them, and they move by themselves, only later.
// That is no task of anybody's, so it is not in the journal, and one that is
// half done is not its business.
func (s *Site) moveOrphans(ctx context.Context) (moved bool, err error) {
	err = s.locked(ctx, keeping, func(ctx context.Context) error {
		ctx, cancel := within(ctx, s.config.Timeouts.Start, "start")
		defer cancel()
		return s.untilOneEnds(s.moveEach)(ctx)
	})
	var locked *builds.LockedError
	if errors.As(err, &locked) {
		return false, nil
	}
	return true, err
}

func (s *Site) moveEach(ctx context.Context) error {
	return s.eachBuild(ctx, func(ctx context.Context, name builds.Name) error {
		return s.eachOrphan(ctx, name, func(unit uwsgi.Unit) error {
			s.reporter.Note(fmt.Sprintf("build %s: %v: they are moved", name, errOrphaned))
			return s.zergs.Reattach(ctx, unit)
		})
	})
}

// untilOneEnds is a part of a mending that waits, and that is given up when one
// of the processes ends that it may wait for: nobody but the keeper brings that
// one back, so it must begin anew.
func (s *Site) untilOneEnds(part func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		running := s.kept(ctx)
		go func() {
			if proc.AwaitEnd(ctx, running) == nil {
				cancel(errEnded)
			}
		}()
		return part(ctx)
	}
}

var errEnded = errors.New("one more process has ended meanwhile")

// downMark says that the servers were ended on purpose.
func (s *Site) downMark() string { return s.deployFile("down") }

func (s *Site) isDown() bool {
	_, err := os.Stat(s.downMark())
	return err == nil
}

func (s *Site) serversLock() string { return s.deployFile("servers.lock") }

func (s *Site) dashboardLock() string { return s.deployFile("dashboard.lock") }

func (s *Site) keeperLock() string { return s.deployFile("keeper.lock") }

// keeper is the process that keeps the servers, if there is one.
func (s *Site) keeper() (proc.Process, bool) {
	unlock, err := builds.Lock(ended(context.Background()), s.keeperLock(), builds.Holder{})
	if err == nil {
		unlock()
		return proc.Process{}, false
	}
	var locked *builds.LockedError
	if !errors.As(err, &locked) || locked.Holder.Task != keeping {
		return proc.Process{}, false
	}
	p, err := proc.Open(locked.Holder.PID)
	return p, err == nil && p.Alive()
}

func (s *Site) isKept() bool {
	holder, held := builds.Held(s.keeperLock())
	// one that was killed has the lock until the last of its threads has ended
	return held && holder.Task == keeping && isAlive(holder.PID)
}

// startKeeper starts the keeper where there is none, and anew where it is of
// another version than the program that is to keep.
func (s *Site) startKeeper(ctx context.Context) error {
	if len(s.keep) == 0 {
		return nil
	}
	if running, ok := s.keeper(); ok {
		if files.Same(fmt.Sprintf("/proc/%d/exe", running.PID), s.keep[0]) {
			return nil
		}
		if err := s.endKeeper(ctx); err != nil {
			return err
		}
	}
	if err := s.spawnKeeper(); err != nil {
		return fmt.Errorf("start the keeper: %w", err)
	}
	return watch.Until(ctx, keeperPoll, func() (bool, error) {
		_, ok := s.keeper()
		return ok, nil
	})
}

// keepAgain starts the keeper where it has died, before a task that may take
// long. No task depends on it.
func (s *Site) keepAgain(ctx context.Context, title string) {
	if len(s.keep) == 0 || title == "down" || s.isDown() || s.isKept() || !s.ownUp() {
		return
	}
	if err := s.startKeeper(ctx); err != nil {
		s.reporter.Note(fmt.Sprintf("the keeper does not run: %v", err))
		return
	}
	s.reporter.Note("the keeper has died: it is started again")
}

const keeperPoll = 5 * time.Millisecond

// spawnKeeper gives it an environment that does not depend on whose shell this is.
func (s *Site) spawnKeeper() error {
	_, err := command.Server{
		Args: s.keep, Dir: "/", Log: s.log("keeper.log"),
		Env: append(s.whereabouts(), "PATH="+os.Getenv("PATH"), "LANG=C.UTF-8", "HOME="+os.Getenv("HOME")),
	}.Start()
	return err
}

func (s *Site) endKeeper(ctx context.Context) error {
	running, ok := s.keeper()
	if !ok {
		return nil
	}
	if err := running.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("end the keeper: %w", err)
	}
	return proc.AwaitEnd(ctx, []proc.Process{running})
}

// goDown notes that the servers are ended on purpose, and ends who would start
// them again.
func (s *Site) goDown(ctx context.Context) error {
	// on a full disk the servers must end all the same: the mark is for keepers,
	// and the one that runs is ended
	if err := s.write(s.downMark(), nil, 0o644); err != nil && !errors.Is(err, unix.ENOSPC) {
		return err
	}
	return s.endKeeper(ctx)
}

func (s *Site) goUp(ctx context.Context) error {
	return errors.Join(files.Remove(s.downMark()), s.startKeeper(ctx))
}
