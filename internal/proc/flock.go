package proc

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// FlockHolder returns the pid of a process that has locked the file at path with
// flock, if one has. It takes no lock, and needs not be allowed to read the file:
// it reads the kernel's list of locks.
func FlockHolder(path string) (pid int, held bool) {
	id, err := lockID(path)
	if err != nil {
		return 0, false
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(locks) {
		if pid, held := flockOn(id, line); held {
			return pid, true
		}
	}
	return 0, false
}

// Flockers returns the processes that hold a lock (flock) on the file at path and
// that this one may look into. The list of locks names who took it; that process
// may have ended, and another have its number, while one that it has started
// holds the lock.
func Flockers(path string) ([]Process, error) {
	id, err := lockID(path)
	if err != nil {
		return nil, err
	}
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, p := range all {
		if !hasLocked(p, id) {
			continue
		}
		if process, err := Open(p.PID); err == nil && process.Alive() {
			found = append(found, process)
		}
	}
	return found, nil
}

func hasLocked(p procfs.Proc, id string) bool {
	fds, _ := p.FileDescriptors()
	return slices.ContainsFunc(fds, func(fd uintptr) bool {
		info, _ := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", p.PID, fd))
		for line := range bytes.Lines(info) {
			if lock, ok := bytes.CutPrefix(line, []byte("lock:")); ok {
				if _, held := flockOn(id, lock); held {
					return true
				}
			}
		}
		return false
	})
}

// flockOn reads a line of the list of locks, such as
//
//	1: FLOCK ADVISORY WRITE 4711 08:01:393217 0 EOF
//
// Those of processes that wait have an arrow behind the number.
func flockOn(id string, line []byte) (pid int, held bool) {
	fields := bytes.Fields(line)
	if len(fields) < 6 || string(fields[1]) != "FLOCK" || string(fields[5]) != id {
		return 0, false
	}
	pid, err := strconv.Atoi(string(fields[4]))
	return pid, err == nil
}

// lockID is how the list of locks calls the file at path: by its file system and
// its inode. stat, which makes up devices for the subvolumes of btrfs and the
// layers of overlays, is asked only where the kernel does not say those.
func lockID(path string) (string, error) {
	f, err := os.OpenFile(path, unix.O_PATH, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		return "", fmt.Errorf("stat %s: %w", path, err)
	}
	major, minor, inode := unix.Major(stat.Dev), unix.Minor(stat.Dev), strconv.FormatUint(stat.Ino, 10)
	if self, err := procfs.Self(); err == nil {
		if info, err := self.FDInfo(strconv.Itoa(int(f.Fd()))); err == nil {
			inode = cmp.Or(info.Ino, inode)
			_, _ = fmt.Sscanf(deviceOf(info.MntID), "%d:%d", &major, &minor)
		}
	}
	return fmt.Sprintf("%02x:%02x:%s", major, minor, inode), nil
}

// deviceOf is the device of a mounted file system, empty where it is not to be seen.
func deviceOf(mount string) string {
	mounts, _ := procfs.GetMounts()
	for _, m := range mounts {
		if strconv.Itoa(m.MountID) == mount {
			return m.MajorMinorVer
		}
	}
	return ""
}
