package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/human"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/stack"
)

// What would fail half way is refused before anything is changed: the error
// says what there is, what is needed, and what to do.

// mayInit tells why the site could not be brought up.
func (s *Site) mayInit() error {
	live, stage, err := s.firstBuilds()
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc([]builds.Name{live, stage}, s.isComplete)
	return errors.Join(s.mayCreate(missing...), s.mayListen())
}

// mayListen tells why nginx could not have its addresses. Workers that a dead
// nginx has left are ended when the next one is started.
func (s *Site) mayListen() error {
	if s.elsewhere != "" {
		return nil
	}
	if left, err := proc.Under(s.deploy, "nginx"); err != nil || len(left) > 0 {
		return err
	}
	var errs []error
	for _, address := range s.config.Listen {
		errs = append(errs, stack.Listenable(address, "listen"))
	}
	return errors.Join(errs...)
}

// mayCreate tells why builds could not be made.
func (s *Site) mayCreate(names ...builds.Name) error {
	errs := []error{enoughFiles(), s.roomFor(names...)}
	for _, name := range names {
		errs = append(errs, s.portsFree(name))
	}
	return errors.Join(errs...)
}

// mayStart tells why a build that does not serve yet could not be started.
func (s *Site) mayStart(ctx context.Context, name builds.Name) error {
	if s.active(ctx, name) {
		return nil
	}
	return errors.Join(stack.FindUWSGI(), s.pythonFits(name), enoughFiles(), s.hasRoom(roomToStart, "any does"), s.portsFree(name), s.memoryFor(ctx, name))
}

// writable tells whether anything may be written at all.
func (s *Site) writable() error {
	dir := s.deploy
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil || dir == s.root {
			break
		}
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil || stat.Flags&unix.ST_RDONLY == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w: see dmesg for why, and mount it for writing; what runs goes on", dir, unix.EROFS)
}

// leastOpenFiles is what the servers need to do anything at all.
const leastOpenFiles = 1024

func enoughFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Max >= leastOpenFiles {
		return err
	}
	return fmt.Errorf("at most %d files may be open, and the servers need %d: raise the hard limit with ulimit -n, or LimitNOFILE in a unit", limit.Max, leastOpenFiles)
}

// RoomError says that there is less room on a disk than a task needs.
type RoomError struct {
	Dir string
	// Left and Need are sizes for people; As is how we know.
	Left, Need, As string
	// Mend says what to remove.
	Mend string
}

func (e *RoomError) Error() string {
	return fmt.Sprintf("not enough room in %s: %s left, and %s needed, as %s; make room: %s", e.Dir, e.Left, e.Need, e.As, e.Mend)
}

// roomFor counts what the builds' interrupted predecessors will give back.
func (s *Site) roomFor(names ...builds.Name) error {
	if len(names) == 0 {
		return nil
	}
	need, as := s.nextTakes()
	need = need.times(int64(len(names)))
	for _, name := range names {
		before := s.takes(name)
		need.bytes, need.files = need.bytes-before.bytes, need.files-before.files
	}
	return s.hasRoom(need, as, names...)
}

// roomToStart is for logs, sockets and configuration.
var roomToStart = room{1 << 20, 50}

func (s *Site) hasRoom(need room, as string, but ...builds.Name) error {
	left, err := freeRoom(s.deploy)
	if err != nil || left.holds(need) {
		return err
	}
	return &RoomError{Dir: s.deploy, Left: left.String(), Need: need.String(), As: as, Mend: s.makeRoom(need, but...)}
}

// nearlyFull is how little is left when something has failed for want of room:
// the program that failed may have cleaned up after itself.
var nearlyFull = room{1 << 20, 20}

// explainFull adds what to remove to an error that a full disk has caused.
func (s *Site) explainFull(err error) error {
	var known *RoomError
	if err == nil || errors.As(err, &known) {
		return err
	}
	left, failed := freeRoom(s.deploy)
	full := errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || strings.Contains(strings.ToLower(err.Error()), unix.ENOSPC.Error()) ||
		failed == nil && !left.holds(nearlyFull)
	if !full {
		return err
	}
	need, as := s.nextTakes()
	return errors.Join(err, &RoomError{Dir: s.deploy, Left: left.String(), Need: need.String(), As: as, Mend: s.makeRoom(need)})
}

// portsFree tells who has a port that the build's vassal is to listen on.
func (s *Site) portsFree(name builds.Name) error {
	if _, err := os.Lstat(s.vassal(name).Link); err == nil {
		return nil // it is its own
	}
	offsets := []int{0}
	if s.config.Switch == config.SwitchReload {
		offsets = append(offsets, 1)
	}
	var errs []error
	for _, offset := range offsets {
		address, err := s.address(name, offset)
		if err == nil {
			err = stack.Listenable(address, "port")
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// memoryFor compares what there is with what live takes. Before there is a live
// build nobody knows.
func (s *Site) memoryFor(ctx context.Context, name builds.Name) error {
	live, err := s.store.Pointed(builds.Live)
	if err != nil || live == name {
		return nil
	}
	taken := s.memoryOf(ctx, live)
	available, err := proc.AvailableMemory()
	if err != nil || available >= taken {
		return nil
	}
	return fmt.Errorf("not enough memory: %s available, and %s needed, as live (%s) does; %s",
		human.Bytes(int64(available)), human.Bytes(int64(taken)), live, s.makeMemory(ctx))
}

// makeMemory says which builds could be stopped.
func (s *Site) makeMemory(ctx context.Context) string {
	var commands []string
	names, _ := s.store.List()
	for _, name := range names {
		if _, pointed := s.store.PointerTo(name); pointed {
			continue
		}
		if taken := s.memoryOf(ctx, name); taken > 0 {
			commands = append(commands, fmt.Sprintf("mage stop %s (%s)", name, human.Bytes(int64(taken))))
		}
	}
	if len(commands) == 0 {
		return "lower workers in " + ConfigFile + ", or end something else"
	}
	return "end what is not needed: " + strings.Join(commands, ", ")
}
