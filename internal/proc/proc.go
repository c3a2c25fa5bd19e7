// Package proc finds and ends processes of this machine without ever taking
// one for another: a process is its pid and the time it started.
package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"

	"github.com/hadjango/hadjango/internal/watch"
)

// Process is one process, alive or not; its pid may serve another by now.
type Process struct {
	PID     int
	started uint64
}

// Open returns the process that has the pid now.
func Open(pid int) (Process, error) {
	stat, err := stat(pid)
	if err != nil {
		return Process{}, err
	}
	return Process{pid, stat.Starttime}, nil
}

// OwnedBy returns the process that has the pid now, if it belongs to the user.
// It is for pids that another process has told: whoever may signal anything
// must not be led to signal what is not meant.
func OwnedBy(pid int, uid uint32) (Process, bool) {
	p, err := Open(pid)
	if err != nil {
		return Process{}, false
	}
	fs, err := procfs.NewProc(pid)
	if err != nil {
		return Process{}, false
	}
	const effective = 1
	status, err := fs.NewStatus()
	return p, err == nil && status.UIDs[effective] == uint64(uid) && p.Alive()
}

// Alive tells whether the process runs; a zombie does not.
func (p Process) Alive() bool {
	stat, err := stat(p.PID)
	return err == nil && stat.Starttime == p.started && stat.State != "Z" && stat.State != "X"
}

// Started is when the process started, in the kernel's ticks since the machine
// did: with the pid it tells the process from every other.
func (p Process) Started() uint64 { return p.started }

// DescendsFrom tells whether the process with that pid has started this one, or
// one that did. A process is not its own descendant.
func DescendsFrom(pid int) bool {
	for at := os.Getppid(); at > 0; {
		if at == pid {
			return true
		}
		parent, err := stat(at)
		if err != nil {
			return false
		}
		at = parent.PPID
	}
	return false
}

// Before tells whether the process started before another one.
func (p Process) Before(other Process) bool { return p.started < other.started }

// Signal sends a signal to the process; it is no error when it has ended.
func (p Process) Signal(sig syscall.Signal) error {
	if !p.Alive() {
		return nil
	}
	if err := syscall.Kill(p.PID, sig); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// Catches tells whether the process does something of its own when it gets the
// signal, which may else be its end.
func (p Process) Catches(sig syscall.Signal) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "status"))
	if err != nil || !p.Alive() {
		return false
	}
	_, after, _ := strings.Cut(string(status), "\nSigCgt:")
	line, _, _ := strings.Cut(after, "\n")
	caught, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	return err == nil && caught>>(sig-1)&1 == 1
}

// Name is the process's title as ps shows it.
func (p Process) Name() string {
	fs, err := procfs.NewProc(p.PID)
	if err != nil {
		return ""
	}
	args, _ := fs.CmdLine()
	return strings.TrimSpace(strings.Join(args, " "))
}

// Family returns the process with that pid and all its descendants; nothing
// when there is none.
func Family(pid int) []Process {
	root, err := Open(pid)
	if err != nil {
		return nil
	}
	tree, err := ReadTree()
	if err != nil {
		return []Process{root}
	}
	return tree.descendants(root)
}

// Tree is who has started whom, at one moment, of all processes of this machine.
type Tree struct {
	all      map[int]Process
	children map[int][]Process
}

// ReadTree looks at all processes, which takes a while where there are many.
func ReadTree() (Tree, error) {
	found, err := procfs.AllProcs()
	if err != nil {
		return Tree{}, err
	}
	tree := Tree{map[int]Process{}, map[int][]Process{}}
	for _, p := range found {
		if s, err := p.Stat(); err == nil {
			process := Process{p.PID, s.Starttime}
			tree.all[p.PID] = process
			tree.children[s.PPID] = append(tree.children[s.PPID], process)
		}
	}
	return tree, nil
}

// Family returns the process that had the pid and all its descendants; nothing
// when there was none.
func (t Tree) Family(pid int) []Process {
	root, ok := t.all[pid]
	if !ok {
		return nil
	}
	return t.descendants(root)
}

func (t Tree) descendants(root Process) []Process {
	family := []Process{root}
	for i := 0; i < len(family); i++ {
		family = append(family, t.children[family[i].PID]...)
	}
	return family
}

// Living returns those that are still alive.
func Living(processes []Process) []Process {
	var living []Process
	for _, p := range processes {
		if p.Alive() {
			living = append(living, p)
		}
	}
	return living
}

// Under returns the processes running one of the programs (by the base name of
// their executable) that work in dir or have a file below it open for writing.
// This finds orphans too, whatever they call themselves. One that only reads
// there, such as another web server that sends a file, is not meant.
func Under(dir string, programs ...string) ([]Process, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, p := range all {
		if runs(p, programs) && touches(p, dir) {
			if process, err := Open(p.PID); err == nil && process.Alive() {
				found = append(found, process)
			}
		}
	}
	return found, nil
}

// IsUnder tells whether a process is one that [Under] would find.
func IsUnder(pid int, dir string, programs ...string) bool {
	p, err := procfs.NewProc(pid)
	if err != nil || !runs(p, programs) || !touches(p, dir) {
		return false
	}
	process, err := Open(pid)
	return err == nil && process.Alive()
}

// WithEnv returns the processes that were started with any of the variables,
// each written NAME=value.
func WithEnv(variables ...string) ([]Process, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, p := range all {
		environ, err := p.Environ()
		if err != nil || !slices.ContainsFunc(variables, func(v string) bool { return slices.Contains(environ, v) }) {
			continue
		}
		if process, err := Open(p.PID); err == nil && process.Alive() {
			found = append(found, process)
		}
	}
	return found, nil
}

// poll is how often Wait looks: the end of a process that is not our child
// wakes nobody.
const poll = 5 * time.Millisecond

// Wait returns nil when all have ended, or an error of ctx when it ends first.
func Wait(ctx context.Context, processes []Process) error {
	return watch.Until(ctx, poll, func() (bool, error) { return len(Living(processes)) == 0, nil })
}

// Sockets are the inodes of the sockets that a process has open.
func Sockets(pid int) ([]uint64, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return nil, err
	}
	targets, err := p.FileDescriptorTargets()
	if err != nil {
		return nil, err
	}
	var inodes []uint64
	for _, target := range targets {
		var inode uint64
		if _, err := fmt.Sscanf(target, "socket:[%d]", &inode); err == nil {
			inodes = append(inodes, inode)
		}
	}
	return inodes, nil
}

// Memory is the process's proportional share of the memory it uses (Pss), in
// bytes: what is shared after a fork counts once over all sharers.
func Memory(pid int) (uint64, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	rollup, err := p.ProcSMapsRollup()
	return rollup.Pss, err
}

// Resident is all that the process has in memory (Rss), in bytes: what is shared
// counts in full, so it is what the process would take alone.
func Resident(pid int) (uint64, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	stat, err := p.Stat()
	return uint64(stat.ResidentMemory()), err
}

func stat(pid int) (procfs.ProcStat, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return procfs.ProcStat{}, err
	}
	return p.Stat()
}

func runs(p procfs.Proc, programs []string) bool {
	exe, err := p.Executable()
	if err != nil {
		return false
	}
	// a program replaced by an upgrade is shown with this suffix
	base := filepath.Base(strings.TrimSuffix(exe, " (deleted)"))
	return slices.Contains(programs, base)
}

func touches(p procfs.Proc, dir string) bool {
	if cwd, err := p.Cwd(); err == nil && below(cwd, dir) {
		return true
	}
	fds, _ := p.FileDescriptors()
	for _, fd := range fds {
		name := strconv.Itoa(int(fd))
		path, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(p.PID), "fd", name))
		if err == nil && below(path, dir) && writes(p, name) {
			return true
		}
	}
	return false
}

func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// writes looks at the flags the file was opened with, which are octal.
func writes(p procfs.Proc, fd string) bool {
	info, err := p.FDInfo(fd)
	if err != nil {
		return false
	}
	flags, err := strconv.ParseInt(info.Flags, 8, 64)
	return err == nil && flags&syscall.O_ACCMODE != syscall.O_RDONLY
}
