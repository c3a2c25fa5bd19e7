package builds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/proc"
)

// Holder is who holds a lock, for people to read. One without a Task has not said
// who it is: it is about to, or it is no task at all.
type Holder struct {
	Task string `json:"task"`
	User string `json:"user"`
	Host string `json:"host"`
	PID  int    `json:"pid"`
	// Since is set by [Lock].
	Since time.Time `json:"since"`
}

func (h Holder) String() string {
	if h.Task == "" {
		return named(h.PID) + ", which has not said which task it is,"
	}
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
	case e.Holder.Task == "":
		return fmt.Sprintf("%s holds %s: wait a moment, and if it is no task, end it with kill %d", e.Holder, e.Path, e.Holder.PID)
	case e.Within:
		return fmt.Sprintf("%s and has started this: it would wait for itself, so call this after it and not from within", e.Holder)
	}
	return e.Holder.String() + ": wait until it has ended"
}

// Lock takes the lock file at path for holder and returns what gives it back.
// Nobody but who deploys may open that file, since whoever can could lock it;
// who holds it is written into the one at [LockRecord]. The kernel frees the lock
// when the process dies, however it dies, and wakes who waits. While another
// holds it, Lock waits until ctx ends and then returns a [*LockedError]; with a
// context that has ended it tries once. It never waits for a process that this
// one descends from.
func Lock(ctx context.Context, path string, holder Holder) (unlock func(), err error) {
	f, err := openLock(path)
	if errors.Is(err, fs.ErrPermission) && within(readHolder(path)) {
		// a build's commands run as another user
		return nil, &LockedError{Path: path, Holder: readHolder(path), Within: true}
	}
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = await(ctx, f, &LockedError{Path: path, Holder: holderOf(path)})
	} else if err != nil {
		err = errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	if err != nil {
		return nil, err
	}
	holder.Since = time.Now()
	if err := writeHolder(path, holder); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() { release(path, f) }, nil
}

// lockPerm keeps away who could lock the file and never give it back: for that it
// is enough to read it.
const lockPerm = 0o600

// openLock also closes a lock of an earlier version to others.
func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, lockPerm)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm() != lockPerm {
		err = f.Chmod(lockPerm)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// LockRecord is the file beside the lock at path in which its holder says who it
// is, for everybody who gets there. It is empty while there is none.
func LockRecord(path string) string { return path + ".json" }

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
				release(locked.Path, f)
			}
			_ = f.Close()
		}()
		locked.Holder = holderOf(locked.Path)
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
func release(path string, f *os.File) {
	_ = os.Truncate(LockRecord(path), 0)
	_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
	_ = f.Close()
}

// within tells whether the holder is an ancestor of this process.
func within(holder Holder) bool {
	return holder.Host == hostname() && proc.DescendsFrom(holder.PID)
}

// writeHolder keeps the file itself, unlike every other write here: it is
// nothing without the lock. A record torn by a crash is a dead holder's.
func writeHolder(path string, holder Holder) error {
	data, err := json.Marshal(holder)
	if err != nil {
		return err
	}
	const readable = 0o644
	f, err := os.OpenFile(LockRecord(path), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, readable)
	if err == nil {
		_, err = f.Write(append(data, '\n'))
		// whatever the umask
		err = errors.Join(err, f.Chmod(readable), f.Close())
	}
	if errors.Is(err, unix.ENOSPC) {
		// a full disk must not keep out who removes a build; the lock itself holds
		return nil
	}
	return err
}

// holderOf is who holds the lock at path now.
func holderOf(path string) Holder {
	pid, _ := proc.FlockHolder(path)
	return holderAs(path, pid)
}

// holderAs is what the holder, which has the pid where the kernel tells, says of
// itself. What another process of this machine has written there is a dead one's.
func holderAs(path string, pid int) Holder {
	holder := readHolder(path)
	if pid != 0 && holder.PID != pid && (holder.PID == 0 || holder.Host == hostname()) {
		return Holder{PID: flocker(path, pid)}
	}
	return holder
}

// flocker is who has a lock now that a process with the pid took, which may have
// ended since, and have left it to what it has started.
func flocker(path string, pid int) int {
	holders, _ := proc.Flockers(path)
	if len(holders) == 0 || slices.ContainsFunc(holders, func(p proc.Process) bool { return p.PID == pid }) {
		return pid
	}
	return holders[0].PID
}

func readHolder(path string) Holder {
	var holder Holder
	if data, err := os.ReadFile(LockRecord(path)); err == nil {
		_ = json.Unmarshal(data, &holder)
	}
	return holder
}

func hostname() string {
	host, _ := os.Hostname()
	return host
}

// named is how a person finds a process.
func named(pid int) string {
	if p, err := proc.Open(pid); err == nil {
		return p.String()
	}
	return fmt.Sprintf("process %d", pid)
}
