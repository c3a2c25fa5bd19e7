// Package files is the one place that writes what must survive a crash: at any
// instant a reader, or the machine after a power cut, finds the old content or
// the new one, never a part and never nothing.
package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Write makes path hold data with the given permissions, whatever the umask. A
// file that already says the same is left alone, so that who watches its time
// is not woken for nothing.
func Write(path string, data []byte, perm fs.FileMode) error {
	if same(path, data, perm) {
		return nil
	}
	err := replace(path, func(temp string) error { return create(temp, data, perm) })
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Read is the content of a file that somebody else may have put there: what is
// no regular file is refused, a pipe without a writer not waited for, and one that
// is larger than all that are meant not read at all.
func Read(path string) ([]byte, error) { return read(Open(path)) }

// ErrTooLarge says that a file was not read because of its size.
var ErrTooLarge = errors.New("larger than 64 MB")

// maxRead is more than any file has that is read as a whole.
const maxRead = 64 << 20

// Open opens a regular file for reading that somebody else may have put there.
func Open(path string) (*os.File, error) {
	return regular(os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0))
}

// ReadFrom is what a file has from an offset on, or as much of it as the limit is:
// a log of a user's may be as large as they like.
func ReadFrom(path string, offset, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.NewSectionReader(f, offset, limit))
}

// ReadIn is Read for a file below a root, which no link leads out of.
func ReadIn(root *os.Root, name string) ([]byte, error) {
	return read(regular(root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)))
}

func regular(f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: f.Name(), Err: errors.New("not a regular file")}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func read(f *os.File, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRead+1))
	if err == nil && len(data) > maxRead {
		err = &fs.PathError{Op: "read", Path: f.Name(), Err: ErrTooLarge}
	}
	return data, err
}

// ErrNotOwn says that what lies in a directory is not of the kind that is meant,
// or not of the directory's owner.
var ErrNotOwn = errors.New("a link, another kind of file, or not of the owner of its directory")

// OpenOwn opens a file of the kind in a directory that may be another user's. Who
// owns a directory may have put there what they like: no link is followed,
// nobody at the other end of a pipe waited for, and nothing taken that does not
// belong to them. What is taken they may therefore do with what they like.
func OpenOwn(path string, flag int, kind fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNotOwn}
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	dir, err2 := os.Stat(filepath.Dir(path))
	err = errors.Join(err, err2)
	if err == nil && (info.Mode().Type() != kind || Owner(info) != Owner(dir)) {
		err = &fs.PathError{Op: "open", Path: path, Err: ErrNotOwn}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Owner is the user whose file it is.
func Owner(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }

// Symlink makes path a symbolic link to target, replacing a link or a file
// that is there in one step.
func Symlink(target, path string) error {
	if now, err := os.Readlink(path); err == nil && now == target {
		return nil
	}
	err := replace(path, func(temp string) error { return os.Symlink(target, temp) })
	if err != nil {
		return fmt.Errorf("link %s to %s: %w", path, target, err)
	}
	return nil
}

// MakeDir makes a directory with the given permissions, whatever the umask, and
// gives it to whom it is for before it has its name. One that is there is left
// alone.
func MakeDir(path string, perm fs.FileMode, give func(dir string) error) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	temp, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(temp, perm), give(temp)); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := renameNew(temp, path); err != nil {
		return errors.Join(os.Remove(temp), exists(path, err))
	}
	return SyncDir(filepath.Dir(path))
}

// renameNew takes nobody's place, where the file system can promise that.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return os.Rename(from, to)
	}
	return err
}

// exists is nil where another has made the directory meanwhile.
func exists(path string, failed error) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	return fmt.Errorf("make directory %s: %w", path, failed)
}

// Append adds data to the file at path in one write, and makes the file, with
// the given permissions, where there is none. Where a crash has torn the last
// line, data begins on a new one. Two processes must not append at once.
func Append(path string, data []byte, perm fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, perm)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() == 0 {
		err = errors.Join(f.Chmod(perm), SyncDir(filepath.Dir(path)))
	} else if err == nil && torn(f, info.Size()) {
		data = append([]byte{'\n'}, data...)
	}
	if err == nil {
		_, err = f.Write(data)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// Reserve sets room aside behind the end of a file, as well as the file system
// can, so that appending succeeds when the disk is full. The file keeps its size.
func Reserve(path string, bytes int64) {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		_ = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, info.Size(), bytes)
	}
}

func torn(f *os.File, size int64) bool {
	var last [1]byte
	_, err := f.ReadAt(last[:], size-1)
	return err != nil || last[0] != '\n'
}

// Rename gives a file another name in the same directory, over one that has it.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// ErrNoExchange says that the file system cannot exchange two names.
var ErrNoExchange = errors.New("the file system cannot exchange two names in one step (renameat2 RENAME_EXCHANGE)")

// Exchange lets two names of one directory change places in one system call.
// Both must exist; nobody ever sees one of them missing.
func Exchange(dir, a, b string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("exchange %s and %s: %w", a, b, err)
	}
	defer d.Close()
	fd := int(d.Fd())
	err = unix.Renameat2(fd, a, fd, b, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = ErrNoExchange
	}
	if err != nil {
		return fmt.Errorf("exchange %s and %s in %s: %w", a, b, dir, err)
	}
	return d.Sync()
}

// Remove deletes the file or link at path for good. One that is not there is
// no error: the caller wants it gone.
func Remove(path string) error {
	if err := os.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// RemoveAll deletes a tree that may hold closed directories, which an ordinary
// user can only empty after opening them. Some may be too deep for a path: only
// whether all is gone counts. Root need not open any, and must not: where the tree
// is a user's a path may lead elsewhere from one moment to the next.
func RemoveAll(dir string) error {
	if os.Geteuid() == 0 {
		return os.RemoveAll(dir)
	}
	closed := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = makeWritable(path, entry)
		}
		return err
	})
	if err := os.RemoveAll(dir); err != nil {
		return errors.Join(closed, err)
	}
	return nil
}

func makeWritable(dir string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil || info.Mode().Perm()&0o700 == 0o700 {
		return err
	}
	return os.Chmod(dir, info.Mode().Perm()|0o700)
}

// Touch notes that a file or directory is used now. Of a link it is the link.
func Touch(path string) error {
	now := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, now, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "touch", Path: path, Err: err}
	}
	return nil
}

// SyncDir makes the names in dir durable: a rename is only in memory until the
// directory itself has reached the disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// SyncFS makes all that was written to the file system of dir durable: for a
// tree of many files, which another program has written.
func SyncFS(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

func same(path string, data []byte, perm fs.FileMode) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != perm || info.Size() != int64(len(data)) {
		return false
	}
	now, err := Read(path)
	return err == nil && bytes.Equal(now, data)
}

// replace lets fill make a new entry beside path and renames it over path.
func replace(path string, fill func(temp string) error) error {
	dir := filepath.Dir(path)
	temp, err := tempName(dir, filepath.Base(path))
	if err != nil {
		return err
	}
	if err := fill(temp); err != nil {
		return errors.Join(err, removeTemp(temp))
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, removeTemp(temp))
	}
	return SyncDir(dir)
}

// tempName is a free name beside the file, so that the rename stays on one
// file system; the leading dot keeps it out of every pattern we watch.
func tempName(dir, base string) (string, error) {
	f, err := os.CreateTemp(dir, "."+base+".tmp-*")
	if err != nil {
		return "", err
	}
	name := f.Name()
	return name, errors.Join(f.Close(), os.Remove(name))
}

func removeTemp(temp string) error {
	if err := os.Remove(temp); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func create(path string, data []byte, perm fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Chmod(perm), f.Sync(), f.Close())
}

// Same tells whether two paths lead to one file.
func Same(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
