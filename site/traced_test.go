package site_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/servertest"
)

// A task is also killed at what it does to files, before and after each single
// system call that changes a name, a file or what of it is on the disk. The
// kernel tells of them by ptrace, so none can be forgotten, whichever package
// it is in and whoever adds it: the product has no seam for this. The programs
// that a task runs are not traced: the servers among them outlive the test's
// thread, with which all that it traces would end.

// changes are the system calls that change files, those of amd64 and of arm64.
var changes = map[uint64]string{
	unix.SYS_OPENAT: "create", unix.SYS_WRITE: "write", unix.SYS_PWRITE64: "write", unix.SYS_WRITEV: "write",
	unix.SYS_COPY_FILE_RANGE: "copy", unix.SYS_SENDFILE: "copy", unix.SYS_IOCTL: "clone",
	unix.SYS_FTRUNCATE: "truncate", unix.SYS_FALLOCATE: "allocate", unix.SYS_FCHMOD: "mode", unix.SYS_FCHMODAT: "mode",
	unix.SYS_FCHOWN: "owner", unix.SYS_FCHOWNAT: "owner", unix.SYS_UTIMENSAT: "time",
	unix.SYS_FSYNC: "sync", unix.SYS_FDATASYNC: "sync", unix.SYS_SYNCFS: "sync",
	unix.SYS_RENAMEAT: "rename", unix.SYS_RENAMEAT2: "rename", unix.SYS_UNLINKAT: "remove", unix.SYS_MKDIRAT: "directory",
	unix.SYS_SYMLINKAT: "symlink", unix.SYS_LINKAT: "link",
}

// traced is one run of a task under ptrace.
type traced struct {
	dir string
	pid int
	// kill is the point at which it is killed, by its number or by what happens
	// there; empty for none. There are two for each change, before and after.
	kill    string
	points  []string
	within  map[int]string
	started map[int]bool
	killed  bool
}

// opPoint is the beginning of how a point is called.
const opPoint = "op "

// runTraced is runKilled at a point of the files, or at none, and returns the
// points that it came to.
func (s testSite) runTraced(title string, kill string) (pid int, points []string) {
	s.t.Helper()
	out, err := os.CreateTemp("", "hj")
	require.NoError(s.t, err)
	defer os.Remove(out.Name())
	defer out.Close()
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), killSite+"="+s.dir, killTask+"="+title, "GODEBUG=asyncpreemptoff=1")
	child.Stdout, child.Stderr = out, out
	child.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	run := &traced{dir: s.dir, kill: kill, within: map[int]string{}, started: map[int]bool{}}
	var status unix.WaitStatus
	ended := make(chan error, 1)
	go func() { ended <- run.follow(child, &status) }()
	err = <-ended
	if errors.Is(err, unix.EPERM) {
		servertest.Missing(s.t, fmt.Errorf("ptrace: %w", err))
	}
	require.NoError(s.t, err)
	if run.killed {
		require.Equal(s.t, unix.SIGKILL, status.Signal(), "%s: %v", title, status)
		return run.pid, run.points
	}
	_, _ = out.Seek(0, io.SeekStart)
	text, _ := io.ReadAll(out)
	require.Zero(s.t, status.ExitStatus(), "%s: %s", title, text)
	return 0, run.points
}

// follow runs the task to its end. Only the thread that has started a process
// may trace it.
func (r *traced) follow(child *exec.Cmd, status *unix.WaitStatus) error {
	runtime.LockOSThread() // and the thread ends with its goroutine
	if err := child.Start(); err != nil {
		return err
	}
	r.pid = child.Process.Pid
	defer func() { _ = child.Process.Release() }()
	if _, err := unix.Wait4(r.pid, status, 0, nil); err != nil {
		return err
	}
	const options = unix.PTRACE_O_EXITKILL | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACESYSGOOD
	if err := unix.PtraceSetOptions(r.pid, options); err != nil {
		return err
	}
	r.started[r.pid] = true
	for tid, sig := r.pid, 0; ; {
		// one that was killed meanwhile is waited for
		err := unix.PtraceSyscall(tid, sig)
		if err == nil || errors.Is(err, unix.ESRCH) {
			tid, err = r.await(status)
		}
		if err != nil || tid == 0 {
			return err
		}
		sig = r.stopped(tid, *status)
	}
}

// await returns the thread that stops next, or 0 when the task has ended.
func (r *traced) await(status *unix.WaitStatus) (tid int, err error) {
	for {
		tid, err = unix.Wait4(-1, status, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || status.Stopped():
			return tid, err
		case tid == r.pid:
			return 0, nil
		}
	}
}

// stopped looks at what a thread has stopped for, and returns the signal that it
// is to go on with.
func (r *traced) stopped(tid int, status unix.WaitStatus) int {
	first := !r.started[tid]
	r.started[tid] = true
	switch sig := status.StopSignal(); {
	case sig == unix.SIGTRAP|0x80:
		r.call(tid)
		return 0
	case sig == unix.SIGTRAP && status.TrapCause() > 0, first && sig == unix.SIGSTOP:
		return 0 // a thread was begun, and begins
	default:
		return int(sig)
	}
}

// syscallInfo is what matters here of the kernel's struct ptrace_syscall_info.
type syscallInfo struct {
	nr   uint64
	args [6]uint64
}

func (r *traced) call(tid int) {
	var raw [96]byte
	_, _, failed := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), uintptr(len(raw)), uintptr(unsafe.Pointer(&raw)), 0, 0)
	if failed != 0 {
		return
	}
	if raw[0] != unix.PTRACE_SYSCALL_INFO_ENTRY {
		if within := r.within[tid]; within != "" {
			delete(r.within, tid)
			r.reach("after " + within)
		}
		return
	}
	info := syscallInfo{nr: binary.NativeEndian.Uint64(raw[24:])}
	for i := range info.args {
		info.args[i] = binary.NativeEndian.Uint64(raw[32+8*i:])
	}
	kind := changes[info.nr]
	if kind == "rename" {
		kind += r.partOf(info.args[1])
	}
	if kind != "" && r.counts(info) {
		r.within[tid] = kind
		r.reach("before " + kind)
	}
}

// counts leaves out what changes no file of the site: pipes, logs, reading.
func (r *traced) counts(info syscallInfo) bool {
	fd := info.args[0]
	switch info.nr {
	case unix.SYS_OPENAT:
		return info.args[2]&(unix.O_CREAT|unix.O_TRUNC) != 0
	case unix.SYS_IOCTL:
		return info.args[1] == unix.FICLONE
	case unix.SYS_COPY_FILE_RANGE:
		fd = info.args[2]
	case unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_SENDFILE:
	default:
		return true
	}
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", r.pid, fd))
	return strings.HasPrefix(path, r.dir+"/") && !strings.HasPrefix(path, r.dir+"/deploy/logs/")
}

// partOf tells which of the things that builds share becomes whole by a rename,
// from the address of the old path: " installed", say.
func (r *traced) partOf(address uint64) string {
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", r.pid))
	if err != nil {
		return ""
	}
	defer memory.Close()
	text := make([]byte, 256)
	n, _ := memory.ReadAt(text, int64(address))
	path, _, _ := strings.Cut(string(text[:n]), "\x00")
	if filepath.Ext(path) != ".part" {
		return ""
	}
	return " " + filepath.Base(filepath.Dir(path))
}

func (r *traced) reach(point string) {
	if !r.killed && (r.kill == point || r.kill == strconv.Itoa(len(r.points))) {
		r.killed = true
		_ = unix.Kill(r.pid, unix.SIGKILL)
	}
	r.points = append(r.points, point)
}

// allPoints asks for every point, which takes hours.
const allPoints = "HADJANGO_TEST_POINTS"

// chosen are the points at which a task is killed: all, or the first of each
// kind and some that are spread over the whole task.
func chosen(points []string, spread int) (numbers []int) {
	seen := map[string]bool{}
	next := 0
	for i, point := range points {
		if os.Getenv(allPoints) == "all" || !seen[point] || i >= next {
			numbers = append(numbers, i)
		}
		if i >= next {
			next += max(1, len(points)/spread)
		}
		seen[point] = true
	}
	return numbers
}

// names are the files that tasks make, without what grows, such as logs and the
// journal, and what is kept for later builds once it is whole.
func (s testSite) names() map[string]bool {
	s.t.Helper()
	found := map[string]bool{}
	deploy := filepath.Join(s.dir, "deploy")
	err := filepath.WalkDir(deploy, func(path string, entry fs.DirEntry, err error) error {
		switch relative, _ := filepath.Rel(deploy, path); {
		case errors.Is(err, fs.ErrNotExist):
			return nil // a server's, which comes and goes
		case err != nil:
			return err
		case relative == "logs", entry.Name() == ".git", entry.IsDir() && lasting.MatchString(relative):
			return fs.SkipDir
		case strings.HasPrefix(relative, "journal."):
			return nil // it is begun anew at times
		default:
			found[stamped.ReplaceAllString(relative, "$1")] = true
			return nil
		}
	})
	require.NoError(s.t, err)
	return found
}

// lasting are the directories of what is fetched for all builds, and kept.
var lasting = regexp.MustCompile(`^deps/(cache/(pip|npm|venv/.+)|(wheelhouse|installed|node)/[0-9a-f]{16})$`)

// stamped is the link to a build's static files, which another build of its name
// has under another stamp.
var stamped = regexp.MustCompile(`^(assets/static/[a-z]+-)[0-9a-f]{7}$`)

// requireNothingUnnamed makes sure that whatever is there and was not before is
// named by doctor.
func (s testSite) requireNothingUnnamed(before map[string]bool, where string) {
	s.t.Helper()
	left := s.names()
	maps.DeleteFunc(left, func(name string, _ bool) bool { return before[name] })
	s.requireNamed(left, where)
}

// requireNoPartUnnamed is that for what is only ever the beginning of something.
func (s testSite) requireNoPartUnnamed() {
	s.t.Helper()
	left := s.names()
	maps.DeleteFunc(left, func(name string, _ bool) bool { return !part.MatchString(filepath.Base(name)) })
	s.requireNamed(left, "init")
}

var part = regexp.MustCompile(`\.(tmp|part|bench|trash)`)

func (s testSite) requireNamed(left map[string]bool, where string) {
	s.t.Helper()
	var named []string
	for _, f := range s.diagnose().Findings {
		named = append(named, strings.Fields(f.Mend)...)
	}
	for name := range left {
		if !isNamed(named, name) {
			s.t.Errorf("%s: %s is left, and doctor does not say so: %s", where, name, named)
		}
	}
}

// isNamed tells whether a path in deploy, or a directory that it lies in, is among words.
func isNamed(words []string, path string) bool {
	for ; path != "."; path = filepath.Dir(path) {
		if slices.ContainsFunc(words, func(word string) bool { return strings.HasSuffix(word, "/deploy/"+path) }) {
			return true
		}
	}
	return false
}
