package builds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/proc"
)

// Holder is who holds a lock, for people to read.
type Holder struct {
	Task string `json:"task"`
	User string `json:"user"`
	Host string `json:"host"`
	PID  int    `json:"pid"`
	// Since is set by [Lock].
	Since time.Time `json:"since"`
}

func (h Holder) String() string {
	return fmt.Sprintf("%s runs (process %d of %s on %s, for %s)", h.Task, h.PID, h.User, h.Host, time.Since(h.Since).Round(time.Second))
}

// LockedError says that somebody else holds the lock.
type LockedError struct {
	Path   string
	Holder Holder
	// Within says that the holder has started this process, or who started it.
	// It would be waited for in vain.
	Within bool
}

func (e *LockedError) Error() string {
	switch {
	case e.Holder.PID == 0:
		return fmt.Sprintf("%s is held by another process that has not said who it is", e.Path)
	case e.Within:
		return fmt.Sprintf("%s and has started this: it would wait for itself, so call this after it and not from within", e.Holder)
	}
	return e.Holder.String() + ": wait until it has ended"
}

// Lock takes the lock file at path for holder and returns what gives it back.
// The kernel frees the lock when the process dies, however it dies, and wakes
// who waits. While another holds it, Lock waits until ctx ends and then returns
// a [*LockedError]; with a context that has ended it tries once. It never waits
// for a process that this one descends from.
func Lock(ctx context.Context, path string, holder Holder) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if errors.Is(err, fs.ErrPermission) && within(readHolder(path)) {
		// a build's commands run as another user
		return nil, &LockedError{Path: path, Holder: readHolder(path), Within: true}
	}
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = await(ctx, f, &LockedError{Path: path, Holder: readHolder(path)})
	} else if err != nil {
		err = errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	if err != nil {
		return nil, err
	}
	holder.Since = time.Now()
	if err := writeHolder(f, holder); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() { release(f) }, nil
}

// await waits for a lock that another holds. It closes f when it fails.
func await(ctx context.Context, f *os.File, locked *LockedError) error {
	locked.Within = within(locked.Holder)
	if locked.Within || ctx.Err() != nil {
		return errors.Join(locked, f.Close())
	}
	got := make(chan error, 1)
	go func() { got <- flock(f) }()
	select {
	case err := <-got:
		return err
	case <-ctx.Done():
		// the kernel's wait has no end but the lock: it is given back at once
		go func() {
			if <-got == nil {
				release(f)
			}
			_ = f.Close()
		}()
		locked.Holder = readHolder(locked.Path)
		return locked
	}
}

// flock sleeps until the kernel wakes it.
func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// release forgets the holder. Closing alone would leave it locked while a child
// that another goroutine has just forked still has the file open.
func release(f *os.File) {
	_ = f.Truncate(0)
	_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
	_ = f.Close()
}

// within tells whether the holder is an ancestor of this process.
func within(holder Holder) bool {
	host, _ := os.Hostname()
	return holder.Host == host && proc.DescendsFrom(holder.PID)
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
	if errors.Is(err, unix.ENOSPC) {
		// a full disk must not keep out who removes a build; the lock itself holds
		return nil
	}
	return err
}

func readHolder(path string) Holder {
	var holder Holder
	if data, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(data, &holder)
	}
	return holder
}
