package site

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
func (s *Site) mayInit(ctx context.Context) error {
	live, stage, err := s.firstBuilds()
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc([]builds.Name{live, stage}, s.isComplete)
	return errors.Join(s.mayCreate(ctx, missing...), s.mayListen())
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
func (s *Site) mayCreate(ctx context.Context, names ...builds.Name) error {
	errs := []error{enoughFiles(), s.clockFits(), s.roomFor(names...), s.memoryToMake(ctx)}
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
	return errors.Join(s.mayServe(name), s.portsFree(name), s.memoryToStart(ctx, name))
}

// mayRestart tells why a build that serves could not be given new workers.
func (s *Site) mayRestart(ctx context.Context, name builds.Name) error {
	return errors.Join(s.mayServe(name), s.memoryToRestart(ctx, name))
}

// mayServe tells why no workers of a build could be started.
func (s *Site) mayServe(name builds.Name) error {
	need, as := s.servingTakes()
	return errors.Join(stack.FindUWSGI(), s.pythonFits(name), enoughFiles(), s.clockFits(), s.hasRoom(need, as))
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

// carriesSockets tells why no server could be reached by a socket in the run
// directory: some file systems have none, such as those by which an engine in a
// virtual machine sees its host's directories.
func (s *Site) carriesSockets() error {
	listener, err := listenAlone(s.runFile("probe.sock"))
	if err == nil {
		defer listener.Close()
		err = reach(listener.Addr())
	}
	if err != nil {
		return fmt.Errorf("%s carries no unix sockets: %w: set run in %s to a directory of another file system, for example /run/hadjango, or in containers to /tmp/hadjango with switch: reload", s.run, err, ConfigFile)
	}
	return nil
}

func reach(address net.Addr) error {
	conn, err := net.Dial(address.Network(), address.String())
	if err != nil {
		return err
	}
	return conn.Close()
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

// clockLimit is how far ahead a build may have been made: less is a clock that
// goes wrong a little, which doctor names.
const clockLimit = time.Hour

// clockFits tells that builds were made later than the clock says: emperors and
// tasks tell by times of files what has changed since they looked.
func (s *Site) clockFits() error {
	names, _ := s.store.List()
	for _, name := range names {
		manifest, err := s.store.Manifest(name)
		if ahead := time.Until(manifest.Created); err == nil && ahead > clockLimit {
			return fmt.Errorf("the clock is wrong: it says %s, and build %s was made %s later: set it, for example with timedatectl set-ntp true; if it was wrong then, %s",
				time.Now().Format(time.DateTime), name, ahead.Round(time.Minute), s.redate(name))
		}
	}
	return nil
}

// redate is how a build that was made by a wrong clock is no longer in the way.
func (s *Site) redate(name builds.Name) string {
	if _, pointed := s.store.PointerTo(name); !pointed {
		return fmt.Sprintf("mage rm %s", name)
	}
	return fmt.Sprintf("correct \"created\" in %s", filepath.Join(s.store.Path(name), "build.json"))
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

// roomToStart is for sockets, configuration and the first lines of logs.
var roomToStart = room{1 << 20, 50}

// mostLogs is the most that is asked for besides: logs of years say little about
// the next hours.
const mostLogs = 64 << 20

// servingTakes says what a build that serves is expected to write, and how we
// know: what live has in its logs.
func (s *Site) servingTakes() (need room, as string) {
	live, err := s.store.Pointed(builds.Live)
	if err != nil {
		return roomToStart, "any does"
	}
	logs := measure(s.buildLogs(live))
	logs.bytes = min(logs.bytes, mostLogs)
	return roomToStart.plus(logs), fmt.Sprintf("%s does with its logs", live)
}

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

// memoryToStart compares what there is with what live takes. Before there is a
// live build nobody knows.
func (s *Site) memoryToStart(ctx context.Context, name builds.Name) error {
	live, err := s.store.Pointed(builds.Live)
	if err != nil || live == name {
		return nil
	}
	return s.enoughMemory(ctx, s.memoryOf(ctx, live), fmt.Sprintf("live (%s)", live))
}

// memoryToMake compares it with the least of live's workers: while a build is
// made its code is loaded once, and what workers have grown by since says nothing.
func (s *Site) memoryToMake(ctx context.Context) error {
	live, err := s.store.Pointed(builds.Live)
	if err != nil {
		return nil
	}
	// where none answers nobody knows
	all, _ := s.workersOf(ctx, live)
	var least uint64
	for _, w := range all.Active() {
		if taken, err := proc.Resident(w.PID); err == nil && (least == 0 || taken < least) {
			least = taken
		}
	}
	return s.enoughMemory(ctx, least, fmt.Sprintf("a worker of live (%s)", live))
}

// memoryToRestart compares it with the active build that takes least: new workers
// come beside the old ones, which may have grown to many times what they were.
func (s *Site) memoryToRestart(ctx context.Context, name builds.Name) error {
	least, as := s.memoryOf(ctx, name), name
	names, _ := s.store.List()
	for _, other := range names {
		if taken := s.memoryOf(ctx, other); taken < least && s.active(ctx, other) {
			least, as = taken, other
		}
	}
	return s.enoughMemory(ctx, least, string(as))
}

func (s *Site) enoughMemory(ctx context.Context, need uint64, as string) error {
	available, err := proc.AvailableMemory()
	if err != nil || available >= need {
		return nil
	}
	return fmt.Errorf("not enough memory: %s available, and %s needed, as %s does; %s",
		human.Bytes(int64(available)), human.Bytes(int64(need)), as, s.makeMemory(ctx))
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
