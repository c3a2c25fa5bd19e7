package builds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/otiai10/copy"
)

// layer lays files over a directory. It looks where each will lie before it
// is written, through a root that no link leads out of.
type layer struct {
	dst  string
	root *os.Root
	made map[string]bool // directories that were not there before
	late []lateMode
}

// lateMode is what a directory's permissions become once all is written.
type lateMode struct {
	path string
	perm fs.FileMode
}

func openLayer(dst string) (*layer, error) {
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return nil, err
	}
	err := os.Mkdir(dst, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	out := &layer{dst: dst, made: map[string]bool{".": err == nil}}
	info, err := os.Lstat(dst)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("the destination is a %s, not a directory", kindOf(info))
	}
	out.root, err = os.OpenRoot(dst)
	return out, err
}

func (l *layer) close() { _ = l.root.Close() }

func kindOf(info fs.FileInfo) string {
	switch info.Mode().Type() {
	case fs.ModeSymlink:
		return "symbolic link"
	case fs.ModeDir:
		return "directory"
	case 0:
		return "file"
	}
	return "special file"
}

// makeDir makes a directory, or makes one that is there writable for as long
// as the layer is laid. Its parents have been made.
func (l *layer) makeDir(name string, perm fs.FileMode) error {
	if name != "." {
		err := l.root.Mkdir(name, 0o700)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		l.made[name] = err == nil
	}
	if !l.made[name] {
		return l.openDir(name)
	}
	l.late = append(l.late, lateMode{name, perm})
	return nil
}

func (l *layer) openDir(name string) error {
	info, err := l.root.Lstat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return l.inTheWay(name, "directory", info)
	}
	perm := info.Mode() & (fs.ModePerm | fs.ModeSetgid | fs.ModeSticky)
	if perm&0o700 == 0o700 {
		return nil
	}
	l.late = append(l.late, lateMode{name, perm})
	return l.root.Chmod(name, perm|0o700)
}

// finish gives directories their permissions, children before parents: a
// parent may become one that we cannot enter.
func (l *layer) finish() error {
	var errs []error
	for _, dir := range slices.Backward(l.late) {
		errs = append(errs, l.root.Chmod(dir.path, dir.perm))
	}
	return errors.Join(errs...)
}

// makeRoom removes what a file replaces: a link would be written through, a
// read-only file not at all, and a hard link is another file's content too.
func (l *layer) makeRoom(name string) error {
	if l.made[path.Dir(name)] {
		return nil
	}
	info, err := l.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		return l.inTheWay(name, "file or link", info)
	}
	return l.root.Remove(name)
}

func (l *layer) inTheWay(name, kind string, info fs.FileInfo) error {
	there := filepath.Join(l.dst, name)
	return &FileError{name, fmt.Sprintf("is a %s in the source, but %q is a %s: rename one of them", kind, there, kindOf(info))}
}

// CopyFS lays the regular files of fsys, an embedded tree as a rule, over the
// directory dst, as safely as [CopySource] does an overlay. Files get mode
// 0644, directories that are made 0755.
func CopyFS(ctx context.Context, fsys fs.FS, dst string) error {
	dst, err := resolveNew(dst)
	if err != nil {
		return fmt.Errorf("copy files: %w", err)
	}
	out, err := openLayer(dst)
	if err != nil {
		return fmt.Errorf("copy files to %s: %w", dst, err)
	}
	defer out.close()
	err = fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		return out.lay(fsys, name, entry)
	})
	if err = errors.Join(err, out.finish()); err != nil {
		return fmt.Errorf("copy files to %s: %w", dst, err)
	}
	return nil
}

func (l *layer) lay(fsys fs.FS, name string, entry fs.DirEntry) error {
	switch {
	case name != "." && !isSafePath(name):
		return &FileError{name, "has no place in a build"}
	case entry.IsDir():
		return l.makeDir(name, 0o755)
	case !entry.Type().IsRegular():
		return &FileError{name, "is not a regular file"}
	}
	if err := l.makeRoom(name); err != nil {
		return err
	}
	return l.layFile(fsys, name)
}

// layFile checks the size afterwards for what verify says of copy.
func (l *layer) layFile(fsys fs.FS, name string) error {
	to := filepath.Join(l.dst, name)
	err := copy.Copy(name, to, copy.Options{FS: fsys, PermissionControl: permissions(name, 0o644)})
	if err != nil {
		return err
	}
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return err
	}
	if state, err := statFile(to); err != nil || state.size != info.Size() {
		return &ChangedError{name}
	}
	return nil
}
