package uwsgi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/internal/watch"
)

// Pause lets every worker of a zerg finish its request and then rest: it
// returns when no request is in flight and none will be taken. Connections
// that arrive wait in the vassal's sockets for another zerg, or for resume.
// When ctx ends first the workers are resumed.
//
// A worker that was told to end while it rests loses nothing. One that was
// told while it waits for a connection may: between accept and the first byte
// it looks idle. uWSGI's pause alone does not help, because it is noticed only
// after the next request; so each waiting worker is interrupted by SIGWINCH,
// which it ignores, until the log says that it rests. The accept lock hands
// over one worker at a time, hence the repetition.
func Pause(ctx context.Context, u Unit) (resume func() error, err error) {
	log, err := logOf(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("pause %s: %w", u.Link, err)
	}
	if err := toggle(ctx, u, log, paused); err != nil {
		return nil, fmt.Errorf("pause %s: %w", u.Link, err)
	}
	resume = func() error { return resumeNow(ctx, u) }
	if err := waitResting(ctx, u, log); err != nil {
		return nil, errors.Join(fmt.Errorf("pause %s: %w", u.Link, err), resume())
	}
	return resume, nil
}

// Resume lets workers go on that an interrupted Pause has left resting. It
// does nothing where none rests, or where there is none yet.
func Resume(ctx context.Context, u Unit) error {
	instance, err := ReadInstance(ctx, u.Stats)
	if err != nil || len(instance.filter(Worker.resting)) == 0 {
		return ctx.Err()
	}
	return resumeNow(ctx, u)
}

// resumeTimeout bounds a resume, which must be done even when ctx has ended.
const resumeTimeout = 4 * time.Second

func resumeNow(ctx context.Context, u Unit) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resumeTimeout)
	defer cancel()
	log, err := logOf(ctx, u)
	if err == nil {
		err = toggle(ctx, u, log, resumed)
	}
	if err != nil {
		return fmt.Errorf("resume %s: %w", u.Link, err)
	}
	return nil
}

// logOf reads on in what the instance's own file of standard error is, which
// may have been renamed since it was opened.
func logOf(ctx context.Context, u Unit) (*tail, error) {
	instance, err := ReadInstance(ctx, u.Stats)
	if err != nil {
		return nil, err
	}
	if _, ok := proc.OwnedBy(instance.PID, instance.owner); !ok {
		return nil, fmt.Errorf("process %d, which %s names, is not of who listens there", instance.PID, u.Stats)
	}
	return tailFrom(fmt.Sprintf("/proc/%d/fd/2", instance.PID)), nil
}

// What the master writes as it obeys: one command does both in turn.
const (
	paused  = "*** PAUSE "
	resumed = "resuming workers ***"
)

var obeyed = regexp.MustCompile(regexp.QuoteMeta(paused) + "|" + regexp.QuoteMeta(resumed))

// toggle writes the command until the master says that it did what is wanted.
func toggle(ctx context.Context, u Unit, log *tail, want string) error {
	for {
		if err := command(ctx, u.FIFO, "p"); err != nil {
			return err
		}
		did, err := log.await(ctx, obeyed)
		if did == want || err != nil {
			return err
		}
	}
}

func waitResting(ctx context.Context, u Unit, log *tail) error {
	resting := map[int]bool{}
	var last Instance
	err := watch.Until(ctx, poll, func() (bool, error) {
		noteResting(log.rest(), resting)
		instance, err := ReadInstance(ctx, u.Stats)
		if err != nil {
			return false, err
		}
		last = instance
		awake := awake(instance, resting)
		interrupt(instance.owner, awake)
		return len(awake) == 0, nil
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%d of %d workers still work on a request: %w", len(last.Busy()), len(last.Active()), err)
	}
	return err
}

// The line a worker writes as it goes to rest.
var restingLine = regexp.MustCompile(`\*\*\* worker (\d+) suspended \*\*\*`)

func noteResting(log string, resting map[int]bool) {
	for _, match := range restingLine.FindAllStringSubmatch(log, -1) {
		if id, err := strconv.Atoi(match[1]); err == nil {
			resting[id] = true
		}
	}
}

func awake(instance Instance, resting map[int]bool) []Worker {
	return instance.filter(func(w Worker) bool { return !w.Cheap() && !resting[w.ID] })
}

func interrupt(owner uint32, workers []Worker) {
	for _, w := range workers {
		if !w.Busy() {
			_ = signal(owner, w.PID, syscall.SIGWINCH)
		}
	}
}

// fifoTimeout bounds the moment without a fifo.
const fifoTimeout = 2 * time.Second

// command writes to an instance's master fifo. After each command the master
// removes it and makes another one, so for a moment there is none, or one that
// nobody reads.
func command(ctx context.Context, fifo, letter string) error {
	bounded, cancel := context.WithTimeout(ctx, fifoTimeout)
	defer cancel()
	var failed error
	err := watch.Until(bounded, poll, func() (bool, error) {
		failed = writeFIFO(fifo, letter)
		if errors.Is(failed, fs.ErrNotExist) || errors.Is(failed, syscall.ENXIO) || errors.Is(failed, syscall.EPIPE) {
			return false, nil
		}
		return true, failed
	})
	if err != nil && ctx.Err() == nil {
		return failed
	}
	return err
}

// writeFIFO fails where nobody reads, instead of waiting for somebody. The
// application may have put a link to a file of somebody else's in the fifo's place.
func writeFIFO(fifo, letter string) error {
	f, err := files.OpenOwn(fifo, os.O_WRONLY, fs.ModeNamedPipe)
	if err != nil {
		return mendable(err)
	}
	_, err = f.WriteString(letter)
	return errors.Join(err, f.Close())
}

const (
	// A build is quiet when nothing was in flight or queued in this many looks.
	quietLooks = 10
	quietEvery = 20 * time.Millisecond
)

// Drain waits until every request that is in flight or queued at the socket
// has been answered, and leaves the workers paused, so that the zerg can be
// ended without losing any. It is for a build that gets no new requests from
// nginx; a request that comes all the same while it drains is answered too.
func Drain(ctx context.Context, u Unit, socket string) (resume func() error, err error) {
	for {
		if err := waitQuiet(ctx, u, func() (Queue, error) { return ReadQueue(socket) }); err != nil {
			return nil, fmt.Errorf("drain %s: %w", u.Link, err)
		}
		resume, err := Pause(ctx, u)
		if err != nil {
			return nil, err
		}
		queue, err := ReadQueue(socket)
		if err == nil && queue.Length == 0 {
			return resume, nil
		}
		if err := errors.Join(err, resume()); err != nil {
			return nil, fmt.Errorf("drain %s: %w", u.Link, err)
		}
	}
}

func waitQuiet(ctx context.Context, u Unit, read func() (Queue, error)) error {
	quiet, busy, queued := 0, 0, 0
	err := watch.Until(ctx, quietEvery, func() (bool, error) {
		instance, err := ReadInstance(ctx, u.Stats)
		if err != nil {
			return false, err
		}
		queue, err := read()
		if err != nil {
			return false, err
		}
		busy, queued = len(instance.Busy()), queue.Length
		quiet++
		if busy > 0 || queued > 0 {
			quiet = 0
		}
		return quiet == quietLooks, nil
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%d requests in flight, %d queued: %w", busy, queued, err)
	}
	return err
}
