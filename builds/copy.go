package builds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/otiai10/copy"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// CopyOptions are what [CopySource] can be told; the zero value copies all
// that belongs to the source.
type CopyOptions struct {
	// Skip are paths, absolute or from the source's root, that are left out
	// with all that lies below them. Default: none.
	Skip []string
}

// CopyReport is what [CopySource] has copied.
type CopyReport struct {
	Files int   // regular files and symbolic links
	Bytes int64 // in regular files
	// Tracked says that git named the files; else the whole tree was taken but
	// for what .gitignore files name.
	Tracked bool
}

// FileError says which file of a tree cannot be copied, and what its owner can
// do about it.
type FileError struct {
	Path    string // below the tree's root, as git ls-files prints it
	Problem string
}

// Error quotes the path: its bytes may be such that a terminal acts on them.
func (e *FileError) Error() string { return fmt.Sprintf("%q %s", e.Path, e.Problem) }

// ChangedError says that a file changed or vanished while the tree was copied,
// so that the copy may be of no state the tree was ever in.
type ChangedError struct{ Path string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%q changed while it was copied: copy again when nothing writes there", e.Path)
}

// CopySource copies the project at src into dst, which it makes if need be.
//
// It copies the files that git tracks below src, as they are in the work tree,
// those of submodules too; where src is not under git, all but what .gitignore
// files name. It never copies a .git. Names, permissions, times and symbolic
// links are kept; owners are not, nor are set-user-ID and set-group-ID bits,
// which must not become those of whoever deploys.
//
// What dst holds already stays or is replaced, so a second call lays an
// overlay over a build. A directory is never replaced by a file, nor a file or
// a link by a directory, nothing is written through a link, and directories
// that are there keep their permissions.
//
// A tree that cannot be copied faithfully is refused with a [*FileError]: a
// tracked file is missing or unmerged, a submodule is not checked out, a link
// leads out of the tree, a file is a socket, a pipe or a device, or larger than
// what is left on the disk, as a file of holes can be. A tree that changes meanwhile is a [*ChangedError], a tree without files
// [ErrNothingToCopy]. After an error dst holds a part of the tree.
func CopySource(ctx context.Context, src, dst string, opts CopyOptions) (CopyReport, error) {
	report, err := copySource(ctx, src, dst, opts)
	if err != nil {
		return CopyReport{}, fmt.Errorf("copy %s to %s: %w", src, dst, err)
	}
	return report, nil
}

func copySource(ctx context.Context, src, dst string, opts CopyOptions) (CopyReport, error) {
	src, dst, err := realPaths(src, dst)
	if err != nil {
		return CopyReport{}, err
	}
	tree, err := readSource(ctx, src, dst, opts)
	if err != nil {
		return CopyReport{}, err
	}
	if err := tree.checkLinks(dst); err != nil {
		return CopyReport{}, err
	}
	if err := tree.checkRoom(dst); err != nil {
		return CopyReport{}, err
	}
	if err := tree.copyTo(ctx, dst); err != nil {
		return CopyReport{}, err
	}
	return tree.report(), tree.verify(ctx, dst)
}

// checkRoom names the largest file where the tree does not fit: a copy has no
// holes, so it may need far more than the tree takes.
func (t *sourceTree) checkRoom(dst string) error {
	var stat unix.Statfs_t
	if err := unix.Statfs(existing(dst), &stat); err != nil {
		return fmt.Errorf("room for the copy: %w", err)
	}
	left, largest := int64(stat.Bfree)*stat.Bsize, sourceFile{}
	for _, file := range t.files {
		if left >= 0 {
			left -= file.state.size
		}
		if file.state.size > largest.state.size {
			largest = file
		}
	}
	if left >= 0 {
		return nil
	}
	tooLarge := &FileError{largest.path, fmt.Sprintf("has %d bytes, and the tree more than what is left on the disk", largest.state.size)}
	return fmt.Errorf("%w: %w", tooLarge, unix.ENOSPC)
}

// existing is the path, or the nearest directory above that exists.
func existing(name string) string {
	for {
		if _, err := os.Lstat(name); err == nil || name == filepath.Dir(name) {
			return name
		}
		name = filepath.Dir(name)
	}
}

// realPaths resolves both, so that they can be compared.
func realPaths(src, dst string) (realSrc, realDst string, err error) {
	if realSrc, err = realPath(src); err != nil {
		return "", "", err
	}
	if info, err := os.Stat(realSrc); err != nil || !info.IsDir() {
		return "", "", errors.Join(fmt.Errorf("%s is not a directory", src), err)
	}
	if realDst, err = resolveNew(dst); err != nil {
		return "", "", err
	}
	if below, ok := pathBelow(realDst, realSrc); ok {
		return "", "", fmt.Errorf("the source lies in the destination (%s)", below)
	}
	return realSrc, realDst, nil
}

func realPath(name string) (string, error) {
	absolute, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(absolute)
}

// resolveNew resolves a path whose last parts may not exist yet. The last part
// is not followed: a destination that is a link is for openLayer to refuse.
func resolveNew(name string) (string, error) {
	absolute, err := filepath.Abs(name)
	if err != nil || absolute == filepath.Dir(absolute) {
		return absolute, err
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(absolute))
	if errors.Is(err, fs.ErrNotExist) {
		parent, err = resolveNew(filepath.Dir(absolute))
	}
	return filepath.Join(parent, filepath.Base(absolute)), err
}

// pathBelow returns name as seen from root, with slashes, if it is root or lies below.
func pathBelow(root, name string) (string, bool) {
	below, err := filepath.Rel(root, name)
	return filepath.ToSlash(below), err == nil && filepath.IsLocal(below)
}

// fileTick is longer than the kernel's clock for file times stands still.
const fileTick = 20 * time.Millisecond

// settle waits until a change of any file must show in its time. A file that
// was written within the clock's last tick could be written again without.
func (t *sourceTree) settle(ctx context.Context) error {
	var newest time.Time
	for _, file := range t.files {
		if changed := time.Unix(file.state.ctime.Unix()); changed.After(newest) {
			newest = changed
		}
	}
	// A clock that runs ahead, on a network drive, must not hold us up.
	wait := min(fileTick, time.Until(newest.Add(fileTick)))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}

func (t *sourceTree) copyTo(ctx context.Context, dst string) error {
	if err := t.settle(ctx); err != nil {
		return err
	}
	out, err := openLayer(dst)
	if err != nil {
		return err
	}
	defer out.close()
	err = t.copyAll(ctx, out)
	return errors.Join(err, out.finish(), t.keepDirTimes(out, err))
}

func (t *sourceTree) copyAll(ctx context.Context, out *layer) error {
	for _, dir := range t.dirs {
		if err := out.makeDir(dir.path, dir.state.perm()); err != nil {
			return err
		}
	}
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(copyWorkers())
	for _, file := range t.files {
		if running.Err() != nil {
			break
		}
		group.Go(func() error { return t.copyFile(running, out, file) })
	}
	return errors.Join(group.Wait(), ctx.Err())
}

// copyWorkers is more than one a processor: copying small files is waiting for the disk.
func copyWorkers() int { return 2 * runtime.GOMAXPROCS(0) }

// copyFile copies one file. copy.Copy is called for each file and not once for
// the tree: over a tree it fails when any file vanishes that it has listed,
// even one that it was to skip, and projects have such files (db.sqlite3-journal).
func (t *sourceTree) copyFile(ctx context.Context, out *layer, file sourceFile) error {
	if err := errors.Join(ctx.Err(), out.makeRoom(file.path)); err != nil {
		return err
	}
	from, to := filepath.Join(t.root, file.path), filepath.Join(out.dst, file.path)
	err := copyAs(from, to, file)
	if err != nil && t.hasChanged(file) {
		return &ChangedError{file.path}
	}
	return err
}

func copyAs(from, to string, file sourceFile) error {
	if file.link != "" {
		return copyLink(from, to, file)
	}
	return copy.Copy(from, to, copy.Options{
		PreserveTimes:     true,
		PermissionControl: permissions(file.path, file.state.perm()),
	})
}

// copyLink sets a link's time itself: copy rounds it to microseconds.
func copyLink(from, to string, file sourceFile) error {
	shallow := func(string) copy.SymlinkAction { return copy.Shallow }
	if err := copy.Copy(from, to, copy.Options{OnSymlink: shallow}); err != nil {
		return err
	}
	times := []unix.Timespec{file.state.mtime, file.state.mtime}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, to, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "utimensat", Path: to, Err: err}
	}
	return nil
}

// permissions lets copy give a file these permissions and no others: its own
// way would keep set-user-ID, and make a project's file a program of root's.
// A directory it must not copy at all: there was a file when we looked.
func permissions(name string, perm fs.FileMode) copy.PermissionControlFunc {
	return func(info fs.FileInfo, dst string) (func(*error), error) {
		if info.IsDir() {
			return nil, &ChangedError{name}
		}
		return func(*error) {}, os.Chmod(dst, perm)
	}
}

// keepDirTimes comes last: every file that was made has touched its directory.
func (t *sourceTree) keepDirTimes(out *layer, failed error) error {
	if failed != nil {
		return nil
	}
	for _, dir := range t.dirs {
		mtime := time.Unix(dir.state.mtime.Unix())
		if err := out.root.Chtimes(dir.path, mtime, mtime); err != nil {
			return err
		}
	}
	return nil
}

// verify looks at everything again, since copy takes a file that vanishes for
// one that it need not copy, and nothing else tells of a file that changes.
func (t *sourceTree) verify(ctx context.Context, dst string) error {
	for _, file := range t.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if t.hasChanged(file) {
			return &ChangedError{file.path}
		}
		if !file.isCopiedTo(filepath.Join(dst, file.path)) {
			return &FileError{file.path, "was not copied whole, or something else writes in the destination"}
		}
	}
	return nil
}

func (t *sourceTree) hasChanged(file sourceFile) bool {
	now, err := statFile(filepath.Join(t.root, file.path))
	return err != nil || now != file.state
}

func (f sourceFile) isCopiedTo(name string) bool {
	state, err := statFile(name)
	if err != nil || state.size != f.state.size {
		return false
	}
	if f.link == "" {
		return state.isType(unix.S_IFREG) && state.perm() == f.state.perm()
	}
	target, err := os.Readlink(name)
	return err == nil && target == f.link
}
