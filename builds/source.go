package builds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// sourceTree is all that will be copied, as it was before the first byte was.
type sourceTree struct {
	root        string
	files, dirs []sourceFile
	tracked     bool
}

type sourceFile struct {
	path  string
	state fileState
	link  string // where a symbolic link leads
}

// fileState is what tells that a file changed: equal states, same file.
type fileState struct {
	mode         uint32
	ino          uint64
	size         int64
	mtime, ctime unix.Timespec
}

func (s fileState) isType(format uint32) bool { return s.mode&unix.S_IFMT == format }
func (s fileState) perm() fs.FileMode         { return fs.FileMode(s.mode & 0o777) }

func statFile(name string) (fileState, error) {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return fileState{}, &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	return fileState{uint32(st.Mode), st.Ino, st.Size, st.Mtim, st.Ctim}, nil
}

func readSource(ctx context.Context, src, dst string, opts CopyOptions) (*sourceTree, error) {
	skip, err := skippedPaths(src, opts.Skip)
	if err != nil {
		return nil, err
	}
	var own pathSet
	if below, ok := pathBelow(src, dst); ok {
		own = pathSet{below}
	}
	list, err := listSource(ctx, src, own, skip)
	if err != nil {
		return nil, err
	}
	return statSource(ctx, src, list)
}

func skippedPaths(src string, names []string) (pathSet, error) {
	var skip pathSet
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = filepath.Join(src, name)
		}
		resolved, err := resolveNew(name)
		if err != nil {
			return nil, fmt.Errorf("skip: %w", err)
		}
		if below, ok := pathBelow(src, resolved); ok {
			skip = append(skip, below)
		}
	}
	return skip, nil
}

// statSource looks at everything once. Directories come first: a file behind
// a symbolic link to a directory would look like a file of the tree.
func statSource(ctx context.Context, src string, list sourceList) (*sourceTree, error) {
	tree := &sourceTree{root: src, tracked: list.tracked}
	for _, name := range list.dirs {
		dir, err := tree.stat(name, (*sourceTree).checkDir)
		if err != nil {
			return nil, err
		}
		tree.dirs = append(tree.dirs, dir)
	}
	for _, name := range list.files {
		file, err := tree.stat(name, (*sourceTree).checkFile)
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		tree.files = append(tree.files, file)
	}
	return tree, nil
}

func (t *sourceTree) stat(name string, check func(*sourceTree, *sourceFile) error) (sourceFile, error) {
	file := sourceFile{path: name}
	var err error
	file.state, err = statFile(filepath.Join(t.root, name))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return file, t.missing(name)
	}
	if err != nil {
		return file, err
	}
	return file, check(t, &file)
}

// missing tells what it means that a file of the list is not there.
func (t *sourceTree) missing(name string) error {
	if !t.tracked {
		return &ChangedError{name}
	}
	return &FileError{name, "is tracked by git but missing from the work tree: git restore it or git rm it"}
}

func (t *sourceTree) checkDir(dir *sourceFile) error {
	switch {
	case dir.state.isType(unix.S_IFDIR):
		return nil
	case dir.state.isType(unix.S_IFLNK):
		return &FileError{dir.path, "is a symbolic link, but git tracks files below it: put the directory back"}
	}
	return t.missing(dir.path)
}

func (t *sourceTree) checkFile(file *sourceFile) (err error) {
	switch {
	case file.state.isType(unix.S_IFREG):
		return nil
	case file.state.isType(unix.S_IFLNK):
		file.link, err = os.Readlink(filepath.Join(t.root, file.path))
		return err
	case file.state.isType(unix.S_IFDIR):
		return t.missing(file.path)
	}
	return &FileError{file.path, "is a pipe, a socket or a device: move it out of the source"}
}

func (t *sourceTree) report() CopyReport {
	report := CopyReport{Files: len(t.files), Tracked: t.tracked}
	for _, file := range t.files {
		if file.link == "" {
			report.Bytes += file.state.size
		}
	}
	return report
}
