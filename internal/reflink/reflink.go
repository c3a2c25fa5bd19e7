// Package reflink lets files have their bytes in common on file systems that
// can (XFS, Btrfs): each stays a file of its own, and what is written to one
// does not show in another.
package reflink

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrUnsupported says that two files cannot have bytes in common: the file
// system does not know how, or they lie on two.
var ErrUnsupported = errors.New("the file system cannot let two files have bytes in common")

// Clone gives the empty file to, open for writing, the bytes of from.
func Clone(to, from *os.File) error {
	if err := unix.IoctlFileClone(int(to.Fd()), int(from.Fd())); err != nil {
		return fmt.Errorf("clone %s to %s: %w", from.Name(), to.Name(), unsupported(err))
	}
	return nil
}

// unsupported reads what different file systems, and kernels, say of what they
// cannot do.
func unsupported(err error) error {
	for _, says := range []error{unix.EOPNOTSUPP, unix.EXDEV, unix.EINVAL, unix.ENOTTY, unix.ENOSYS} {
		if errors.Is(err, says) {
			return ErrUnsupported
		}
	}
	return err
}

// dedupeAtOnce is the most that every file system compares in one call.
const dedupeAtOnce = 16 << 20

// Dedupe lets to have the bytes of from, if both are size bytes long and the
// kernel finds them equal; it locks both while it compares. It tells whether
// they are equal. What changes in between loses nothing.
func Dedupe(to, from *os.File, size int64) (equal bool, err error) {
	for offset := int64(0); offset < size; {
		done, equal, err := dedupeRange(to, from, offset, min(size-offset, dedupeAtOnce))
		if err != nil {
			return false, fmt.Errorf("dedupe %s with %s: %w", to.Name(), from.Name(), unsupported(err))
		}
		if !equal || done == 0 {
			return false, nil
		}
		offset += done
	}
	return true, nil
}

func dedupeRange(to, from *os.File, offset, length int64) (done int64, equal bool, err error) {
	value := unix.FileDedupeRange{
		Src_offset: uint64(offset), Src_length: uint64(length),
		Info: []unix.FileDedupeRangeInfo{{Dest_fd: int64(to.Fd()), Dest_offset: uint64(offset)}},
	}
	if err := unix.IoctlFileDedupeRange(int(from.Fd()), &value); err != nil {
		return 0, false, err
	}
	info := value.Info[0]
	if info.Status < 0 {
		return 0, false, syscall.Errno(-info.Status)
	}
	return int64(info.Bytes_deduped), info.Status == unix.FILE_DEDUPE_RANGE_SAME, nil
}

// Possible tells whether files on the file system of path may have bytes in
// common. A no is certain; a yes may still end in [ErrUnsupported].
func Possible(path string) bool {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return false
	}
	switch uint32(stat.Type) {
	case unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.OCFS2_SUPER_MAGIC, unix.BCACHEFS_SUPER_MAGIC:
		return true
	}
	return false
}

// Same tells whether all bytes of two files are the same ones on disk. What
// has not reached the disk yet is nobody else's.
func Same(a, b *os.File) bool {
	ofA, errA := written(a)
	ofB, errB := written(b)
	if errA != nil || errB != nil || len(ofA) != len(ofB) || len(ofA) == 0 {
		return false
	}
	for i, x := range ofA {
		y := ofB[i]
		if x.logical != y.logical || x.physical != y.physical || x.length != y.length || (x.flags|y.flags)&nowhere != 0 {
			return false
		}
	}
	return true
}

// written leaves out what a file system keeps free for more to come: it reads
// as the hole it fills.
func written(f *os.File) ([]extent, error) {
	all, err := extents(f)
	return slices.DeleteFunc(all, func(x extent) bool { return x.flags&extentUnwritten != 0 }), err
}

// Shared is how many bytes of a file on disk are another's too.
func Shared(f *os.File) int64 {
	var sum uint64
	of, _ := extents(f)
	for _, x := range of {
		if x.flags&extentShared != 0 {
			sum += x.length
		}
	}
	return int64(sum)
}

// Flags of an extent, from the kernel's linux/fiemap.h.
const (
	extentLast      = 0x1
	extentUnknown   = 0x2
	extentInline    = 0x200
	extentUnwritten = 0x800
	extentShared    = 0x2000

	// nowhere are those whose place on disk is not known, or no block's.
	nowhere = extentUnknown | extentInline
)

// extent is the kernel's struct fiemap_extent.
type extent struct {
	logical, physical, length uint64
	_                         [2]uint64
	flags                     uint32
	_                         [3]uint32
}

// fiemap is the kernel's struct fiemap, with room for some extents.
type fiemap struct {
	start, length           uint64
	flags, mapped, count, _ uint32
	extents                 [32]extent
}

// getFiemap is FS_IOC_FIEMAP, which x/sys does not have.
const getFiemap = 0xc020660b

// extents lists the pieces of a file on disk.
func extents(f *os.File) (all []extent, err error) {
	var start uint64
	for {
		request := fiemap{start: start, length: ^uint64(0) - start}
		request.count = uint32(len(request.extents))
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), getFiemap, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return nil, errno
		}
		got := request.extents[:request.mapped]
		all = append(all, got...)
		if len(got) == 0 || got[len(got)-1].flags&extentLast != 0 {
			return all, nil
		}
		last := got[len(got)-1]
		start = last.logical + last.length
	}
}
