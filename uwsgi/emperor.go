package uwsgi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/lines"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/internal/watch"
)

// Emperor is a running emperor, known by its stats socket.
type Emperor struct{ Stats string }

// Unit is one instance an emperor runs: the vassal or a zerg of a build.
type Unit struct {
	// Link is the file the emperor looks for, absolute as in its pattern:
	// present = it runs the instance, removed = it ends it gracefully.
	Link string
	// Config is what Link leads to, relative to it.
	Config string
	// Stats, FIFO and Log are as in the instance's configuration; a vassal has no FIFO.
	Stats, FIFO, Log string
}

// StartError says why an instance did not come to serve.
type StartError struct {
	// Link is the unit's.
	Link string
	// Cause is what the instance itself wrote: the end of a traceback, or its last lines.
	Cause string
	// Log is where all of it is.
	Log string
	// Err is what went wrong.
	Err error
}

func (e *StartError) Error() string {
	text := fmt.Sprintf("start %s: %v", e.Link, e.Err)
	if e.Cause != "" {
		text += "\n" + lines.Indent(e.Cause)
	}
	return text + "\nthe whole log: " + e.Log
}

func (e *StartError) Unwrap() error { return e.Err }

// ErrDied says that an instance ended while it was starting.
var ErrDied = errors.New("it ended before it was ready")

// Running tells whether the emperor runs the unit, ready or not, and is not
// ending it.
func (e Emperor) Running(ctx context.Context, u Unit) (bool, error) {
	stats, err := e.read(ctx)
	if err != nil {
		return false, err
	}
	found, ok := stats.find(u.Link)
	return ok && found.Cursed == 0, nil
}

// WaitVassal returns when a vassal whose link is there holds its sockets.
// Unlike StartVassal it never withdraws the link.
func (e Emperor) WaitVassal(ctx context.Context, u Unit) error {
	return e.wait(ctx, u, vassalReady)
}

// WaitZerg returns when every worker of a zerg whose link is there accepts
// requests. Unlike StartZerg it never withdraws the link: the emperor goes on
// trying.
func (e Emperor) WaitZerg(ctx context.Context, u Unit) error {
	return e.wait(ctx, u, zergReady)
}

func (e Emperor) wait(ctx context.Context, u Unit, ready readiness) error {
	err := e.watch(ctx, func(stats emperorStats) (bool, error) {
		found, ok := stats.find(u.Link)
		return ok && ready.of(ctx, u, found), nil
	})
	if err != nil {
		return &StartError{Link: u.Link, Cause: explain(lastPart(u.Log)), Log: u.Log, Err: err}
	}
	return nil
}

// Attached tells whether a zerg holds the sockets of the vassal that runs now.
// After a vassal has died the zerg keeps the dead one's, on which nobody
// connects any more.
func Attached(ctx context.Context, vassal, zerg Unit) (bool, error) {
	older, err := process(ctx, vassal)
	if err != nil {
		return false, err
	}
	younger, err := process(ctx, zerg)
	if err != nil {
		return false, err
	}
	return !younger.Before(older), nil
}

func process(ctx context.Context, u Unit) (proc.Process, error) {
	instance, err := ReadInstance(ctx, u.Stats)
	if err != nil {
		return proc.Process{}, err
	}
	return proc.Open(instance.PID)
}

// Reload lets a vassal take over its configuration as it is now, without
// closing a socket, and returns when it has. It must not be used on a zerg,
// which cannot reload.
func (e Emperor) Reload(ctx context.Context, u Unit) error {
	stats, err := e.read(ctx)
	if err != nil {
		return fmt.Errorf("reload %s: %w", u.Link, err)
	}
	before, _ := stats.find(u.Link)
	log := tailFrom(u.Log)
	// the emperor looks at whole seconds of the link's own time
	stamp := unix.NsecToTimespec(time.Now().Add(reloadStep).UnixNano())
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, u.Link, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("reload %s: %w", u.Link, err)
	}
	err = e.watch(ctx, func(stats emperorStats) (bool, error) {
		now, ok := stats.find(u.Link)
		return ok && now.Respawns > before.Respawns, nil
	})
	if err == nil {
		_, err = log.await(ctx, listening)
	}
	if err != nil {
		return fmt.Errorf("reload %s: %w", u.Link, err)
	}
	return nil
}

// listening is the last thing a vassal opens.
var listening = regexp.MustCompile(`\*\*\* Stats server enabled on `)

// reloadStep sets a link's time to a second it cannot have had.
const reloadStep = time.Second

// Reattach lets a zerg answer all that waits in the sockets of the vassal that
// has died, where nothing new arrives, and end; the emperor starts it anew on
// those of the vassal that runs now. It returns when the new one is ready.
func (e Emperor) Reattach(ctx context.Context, u Unit) error {
	old, err := process(ctx, u)
	if err != nil {
		return fmt.Errorf("reattach %s: %w", u.Link, err)
	}
	// the instance itself may notice its vassal's death meanwhile, and end
	if err := leave(ctx, u, old); err != nil && old.Alive() {
		return fmt.Errorf("reattach %s: %w", u.Link, err)
	}
	nudge := newNudger(u, old.PID)
	err = watch.Until(ctx, poll, func() (bool, error) {
		nudge.maybe(ctx)
		return !old.Alive(), nil
	})
	if err != nil {
		return fmt.Errorf("reattach %s: %w", u.Link, err)
	}
	return e.WaitZerg(ctx, u)
}

// leave lets a zerg answer what waits in its sockets, and end.
func leave(ctx context.Context, u Unit, zerg proc.Process) error {
	if err := waitQuiet(ctx, u, func() (Queue, error) { return queueHeld(zerg.PID) }); err != nil {
		return err
	}
	if !zerg.Alive() {
		return nil // the command would be its successor's
	}
	return command(ctx, u.FIFO, "q")
}

// readiness tells whether an instance, known by the stats of its own socket, is ready.
type readiness func(Instance) bool

func vassalReady(Instance) bool { return true }

func zergReady(instance Instance) bool {
	active := instance.Active()
	return len(active) > 0 && len(instance.Ready()) == len(active)
}

// of looks at the process that the emperor runs now: an earlier one's stats
// prove nothing.
func (ready readiness) of(ctx context.Context, u Unit, running entry) bool {
	// the emperor's own "ready" is not told again after a vassal's reload
	if running.Cursed != 0 {
		return false
	}
	instance, err := ReadInstance(ctx, u.Stats)
	return err == nil && instance.PID == running.PID && ready(instance)
}

// StartVassal lets the emperor run a vassal and returns when it holds its
// sockets. One whose link is there already is only waited for, as by WaitVassal.
func (e Emperor) StartVassal(ctx context.Context, u Unit) error {
	return e.start(ctx, u, vassalReady)
}

// StartZerg lets the emperor run a zerg and returns when each of its workers
// has loaded the application and accepts requests. When the application fails
// to load, or ctx ends first, the zerg is withdrawn, so that nothing tries to
// start it again, and the error is a [*StartError] that holds the traceback.
// A zerg whose link is there already may be serving: it is only waited for, as
// by WaitZerg.
func (e Emperor) StartZerg(ctx context.Context, u Unit) error {
	return e.start(ctx, u, zergReady)
}

func (e Emperor) start(ctx context.Context, u Unit, ready readiness) error {
	if _, err := os.Lstat(u.Link); err == nil {
		return e.wait(ctx, u, ready)
	}
	if err := e.forgive(ctx, u); err != nil {
		return err
	}
	log := tailFrom(u.Log)
	if err := files.Symlink(u.Config, u.Link); err != nil {
		return err
	}
	pid := 0
	err := e.watch(ctx, func(stats emperorStats) (bool, error) {
		found, ok := stats.find(u.Link)
		if stats.blacklisted(u.Link) || (pid != 0 && found.PID != pid) {
			return false, ErrDied
		}
		pid = found.PID
		return ok && ready.of(ctx, u, found), nil
	})
	if err == nil {
		return nil
	}
	cause := explain(log.rest())
	if errors.Is(err, context.DeadlineExceeded) {
		cause = strings.Join(e.hanging(ctx, u, log, cause), "\n")
	}
	return &StartError{Link: u.Link, Cause: cause, Log: u.Log, Err: errors.Join(err, e.Withdraw(ctx, u))}
}

// forgive makes the emperor forget earlier deaths of a unit, which would put
// off its next start, and waits for one that is still ending.
func (e Emperor) forgive(ctx context.Context, u Unit) error {
	return e.watch(ctx, func(stats emperorStats) (bool, error) {
		if stats.blacklisted(u.Link) {
			return false, signal(stats.owner, stats.PID, syscall.SIGURG)
		}
		_, ending := stats.find(u.Link)
		return !ending, nil
	})
}

// withdrawTimeout bounds taking back a start that failed: the processes are
// killed, so it takes milliseconds.
const withdrawTimeout = 4 * time.Second

// Withdraw takes back a start, even when ctx has ended. What has not served
// anything has nothing to finish, so it is killed: a graceful end is lost on
// workers that still import.
func (e Emperor) Withdraw(ctx context.Context, u Unit) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
	defer cancel()
	if err := files.Remove(u.Link); err != nil {
		return err
	}
	return e.watch(ctx, func(stats emperorStats) (bool, error) {
		found, ok := stats.find(u.Link)
		if !ok {
			return true, nil
		}
		return false, killAll(stats.family(found))
	})
}

func killAll(processes []proc.Process) error {
	var errs []error
	for _, p := range processes {
		errs = append(errs, p.Signal(syscall.SIGKILL))
	}
	return errors.Join(errs...)
}

// StillRunningError says which processes of a unit did not end.
type StillRunningError struct {
	Link      string
	Processes []proc.Process
	Err       error
}

func (e *StillRunningError) Error() string {
	text := fmt.Sprintf("stop %s: %v: still running:", e.Link, e.Err)
	for _, p := range e.Processes {
		text += fmt.Sprintf(" %d (%s)", p.PID, p.Name())
	}
	return text
}

func (e *StillRunningError) Unwrap() error { return e.Err }

// Stop lets the emperor end a unit gracefully and returns when the last of its
// processes is gone. Requests in flight end first. A unit that does not run is
// no error.
func (e Emperor) Stop(ctx context.Context, u Unit) error {
	stats, err := e.read(ctx)
	if err != nil {
		return err
	}
	found, _ := stats.find(u.Link)
	family := stats.family(found)
	if err := files.Remove(u.Link); err != nil {
		return err
	}
	nudge := newNudger(u, found.PID)
	err = e.watch(ctx, func(stats emperorStats) (bool, error) {
		nudge.maybe(ctx)
		_, ok := stats.find(u.Link)
		return !ok && len(proc.Living(family)) == 0, nil
	})
	if err != nil {
		return &StillRunningError{u.Link, proc.Living(family), err}
	}
	return nil
}

// nudgeAfter is how long a unit may take to end before its idle workers are
// told once more: the first word is lost on a worker that was just forked.
const nudgeAfter = 2 * time.Second

type nudger struct {
	unit Unit
	// pid is the instance's that is to end; its successor is none of our business.
	pid  int
	next time.Time
}

func newNudger(u Unit, pid int) *nudger {
	return &nudger{unit: u, pid: pid, next: time.Now().Add(nudgeAfter)}
}

func (n *nudger) maybe(ctx context.Context) {
	if n.unit.FIFO == "" || time.Now().Before(n.next) {
		return
	}
	n.next = time.Now().Add(nudgeAfter)
	instance, err := ReadInstance(ctx, n.unit.Stats)
	if err != nil || instance.PID != n.pid {
		return
	}
	for _, w := range instance.Active() {
		if !w.Busy() {
			_ = signal(instance.owner, w.PID, syscall.SIGHUP)
		}
	}
}

func (e Emperor) read(ctx context.Context) (emperorStats, error) {
	var stats emperorStats
	owner, err := readStats(ctx, e.Stats, &stats)
	stats.owner = owner
	return stats, err
}

// poll is how often a state is looked at; looking costs the emperor about as
// much as a request, and wakes its scan.
const poll = 5 * time.Millisecond

// watch wakes the emperor and reads its stats until done says so or fails, or
// ctx ends. An emperor that is being restarted by its master is waited for.
func (e Emperor) watch(ctx context.Context, done func(emperorStats) (bool, error)) error {
	woken := 0
	return watch.Until(ctx, poll, func() (bool, error) {
		stats, err := e.read(ctx)
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if stats.PID != woken {
			_ = signal(stats.owner, stats.PID, syscall.SIGWINCH)
			woken = stats.PID
		}
		return done(stats)
	})
}
