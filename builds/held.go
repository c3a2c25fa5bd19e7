package builds

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Held returns who holds the lock file at path, if somebody does. Unlike
// [Lock] it never takes the lock, not even for a moment, so it is in nobody's
// way: it reads the kernel's own list.
func Held(path string) (Holder, bool) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return Holder{}, false
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return Holder{}, false
	}
	inode := []byte(":" + strconv.FormatUint(stat.Ino, 10))
	for line := range bytes.Lines(locks) {
		// 1: FLOCK ADVISORY WRITE 4711 08:01:393217 0 EOF; the waiting have an arrow
		fields := bytes.Fields(line)
		if len(fields) > 5 && string(fields[1]) == "FLOCK" && bytes.HasSuffix(fields[5], inode) {
			return readHolder(path), true
		}
	}
	return Holder{}, false
}
