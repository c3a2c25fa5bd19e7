package builds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/watch"
)

// Holder is who holds a lock, for people to read.
type Holder struct {
	Task  string    `json:"task"`
	User  string    `json:"user"`
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

// LockedError says that somebody else holds the lock.
type LockedError struct {
	Path   string
	Holder Holder
}

func (e *LockedError) Error() string {
	h := e.Holder
	if h.PID == 0 {
		return fmt.Sprintf("%s is held by another process that has not said who it is", e.Path)
	}
	return fmt.Sprintf("%s runs (process %d of %s on %s, for %s): wait until it has ended",
		h.Task, h.PID, h.User, h.Host, time.Since(h.Since).Round(time.Second))
}

// lockPoll is how often a waiting Lock tries again: flock cannot be waited for
// with a context.
const lockPoll = 50 * time.Millisecond

// Lock takes the lock file at path for holder and returns what gives it back.
// The kernel frees the lock when the process dies, however it dies. While
// another holds it, Lock waits until ctx ends and then returns a
// [*LockedError]; with a context that has ended it tries once.
func Lock(ctx context.Context, path string, holder Holder) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := flock(ctx, f); err != nil {
		locked := &LockedError{Path: path, Holder: readHolder(path)}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		return nil, errors.Join(locked, f.Close())
	}
	if err := writeHolder(f, holder); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() {
		// closing alone would leave it locked while a child that another
		// goroutine has just forked still has the file open
		_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
		_ = f.Close()
	}, nil
}

func flock(ctx context.Context, f *os.File) error {
	var last error
	_ = watch.Until(ctx, lockPoll, func() (bool, error) {
		last = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		return !errors.Is(last, unix.EWOULDBLOCK), nil
	})
	return last
}

// writeHolder keeps the file itself, unlike every other write here: the lock
// is on this inode. A record torn by a crash is a dead holder's and is not read.
func writeHolder(f *os.File, holder Holder) error {
	data, err := json.Marshal(holder)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(data, '\n'), 0)
	return err
}

func readHolder(path string) Holder {
	var holder Holder
	if data, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(data, &holder)
	}
	return holder
}
