package site

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/reflink"
)

// blockSize is the unit of st_blocks, whatever the file system's own is.
const blockSize = 512

// diskUsage is what some trees take on disk, and how much of that others have
// too: files that have a name elsewhere, and bytes that a file system lets
// files have in common. A file with several names in the trees counts once.
// What vanishes meanwhile is passed over.
func diskUsage(roots ...string) (size, shared int64) {
	u := usage{linked: map[inode]*linkedFile{}}
	for _, root := range roots {
		u.reflinks = reflink.Possible(root)
		_ = filepath.WalkDir(root, u.visit)
	}
	for _, file := range u.linked {
		u.size += file.bytes
		if file.here < file.names {
			u.shared += file.bytes
		}
	}
	return u.size, u.shared
}

type usage struct {
	size, shared int64
	reflinks     bool
	linked       map[inode]*linkedFile
}

type inode struct{ dev, number uint64 }

// linkedFile has several names, of which some are here.
type linkedFile struct {
	bytes       int64
	names, here uint64
}

func (u *usage) visit(path string, entry fs.DirEntry, err error) error {
	if err != nil {
		return nil
	}
	info, err := entry.Info()
	if err != nil {
		return nil
	}
	stat := info.Sys().(*syscall.Stat_t)
	bytes := stat.Blocks * blockSize
	if !entry.IsDir() && stat.Nlink > 1 {
		u.link(stat, bytes)
		return nil
	}
	u.size += bytes
	if u.reflinks && entry.Type().IsRegular() && bytes > 0 {
		u.shared += min(bytes, sharedBytes(path))
	}
	return nil
}

func (u *usage) link(stat *syscall.Stat_t, bytes int64) {
	key := inode{uint64(stat.Dev), stat.Ino}
	if u.linked[key] == nil {
		u.linked[key] = &linkedFile{bytes: bytes, names: uint64(stat.Nlink)}
	}
	u.linked[key].here++
}

func sharedBytes(path string) int64 {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0
	}
	defer f.Close()
	return reflink.Shared(f)
}
