package python

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/reflink"
)

// ErrNotInstalled says that Install has not been called for the requirements.
var ErrNotInstalled = errors.New("these requirements are not installed")

// ErrInTheWay says that a directory holds something where a part of the
// virtualenv must be.
var ErrInTheWay = errors.New("it is in the way of the virtualenv: rename it")

// Place makes dir, which may hold other files, a virtualenv with what Install
// has installed for a hash. It takes no copy of the files: they have their
// bytes in common with the installed ones where the file system can do that,
// and else are links to them, so nobody may write to them. Only what names the
// virtualenv's path is dir's own, with its path. Files that dir holds under
// the same names are replaced.
//
// It works as the process that calls it, and is safe only while nobody else
// may write to dir: give dir to the user afterwards.
func (w Wheelhouse) Place(ctx context.Context, hash, dir string) error {
	installed := w.installed(hash)
	about, err := readInstallation(installed)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotInstalled
	}
	if err == nil {
		err = placing{installation: about, from: filepath.Join(installed, installedVenv), to: dir, noClone: new(atomic.Bool)}.run(ctx)
	}
	if err != nil {
		return fmt.Errorf("make the virtualenv %s: %w", dir, err)
	}
	return nil
}

// placing is one call of Place.
type placing struct {
	installation
	from, to string
	// noClone is set by the first file that shows that none can be cloned.
	noClone *atomic.Bool
}

// run goes from directory to directory by what it has opened, never by a path:
// no link leads it out of the one it was given.
func (p placing) run(ctx context.Context) error {
	root, err := os.OpenRoot(p.to)
	if err != nil {
		return err
	}
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	err = p.fill(running, group, root, ".")
	return errors.Join(err, group.Wait(), ctx.Err())
}

// fill gives an open directory its files and links, and goes on below it: side
// by side where there is somebody to do it. It closes the directory.
func (p placing) fill(ctx context.Context, group *errgroup.Group, root *os.Root, dir string) error {
	defer root.Close()
	out, err := root.Open(".")
	if err != nil {
		return err
	}
	defer out.Close()
	entries, err := os.ReadDir(filepath.Join(p.from, dir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if entry.IsDir() {
			err = p.descend(ctx, group, root, path)
		} else if err = p.place(out, path, entry); err != nil {
			err = fmt.Errorf("%q: %w", path, err)
		}
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
	}
	return nil
}

func (p placing) descend(ctx context.Context, group *errgroup.Group, parent *os.Root, path string) error {
	name := filepath.Base(path)
	if err := parent.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	root, err := parent.OpenRoot(name)
	if err != nil {
		if info, _ := parent.Stat(name); info != nil && !info.IsDir() {
			err = ErrInTheWay
		}
		return fmt.Errorf("%q: %w", path, err)
	}
	next := func() error { return p.fill(ctx, group, root, path) }
	if group.TryGo(next) {
		return nil
	}
	return next()
}

func (p placing) place(out *os.File, path string, entry fs.DirEntry) error {
	at := &place{dir: out, name: entry.Name(), from: filepath.Join(p.from, path)}
	if err := at.clear(); err != nil {
		return err
	}
	switch {
	case entry.Type() == fs.ModeSymlink:
		return at.symlink(p.relocate)
	case slices.Contains(p.Own, path):
		return at.write(p.relocate)
	}
	return p.share(at)
}

// relocate puts the new path in the place of the one where all was made.
func (p placing) relocate(text []byte) []byte {
	return bytes.ReplaceAll(text, []byte(p.MadeAt), []byte(p.to))
}

// share prefers a file that has the bytes in common to a link, and a link to a copy.
func (p placing) share(at *place) error {
	if !p.noClone.Load() {
		err := at.clone()
		if !errors.Is(err, reflink.ErrUnsupported) {
			return err
		}
		p.noClone.Store(true)
	}
	err := at.link()
	for _, says := range []error{unix.EXDEV, unix.EMLINK, unix.EPERM, unix.EOPNOTSUPP} {
		if errors.Is(err, says) {
			return at.write(func(data []byte) []byte { return data })
		}
	}
	return err
}

// place is a name in an open directory, and the file that it is to be like.
type place struct {
	dir        *os.File
	name, from string
}

func (p *place) clear() error {
	err := unix.Unlinkat(int(p.dir.Fd()), p.name, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EPERM) {
		return ErrInTheWay
	}
	return err
}

func (p *place) symlink(change func([]byte) []byte) error {
	target, err := os.Readlink(p.from)
	if err != nil {
		return err
	}
	return unix.Symlinkat(string(change([]byte(target))), int(p.dir.Fd()), p.name)
}

func (p *place) link() error {
	return unix.Linkat(unix.AT_FDCWD, p.from, int(p.dir.Fd()), p.name, 0)
}

func (p *place) clone() error {
	err := p.create(func(to, from *os.File) error { return reflink.Clone(to, from) })
	if err != nil {
		return errors.Join(err, p.clear())
	}
	return nil
}

func (p *place) write(change func([]byte) []byte) error {
	return p.create(func(to, from *os.File) error {
		data, err := io.ReadAll(from)
		if err != nil {
			return err
		}
		_, err = to.Write(change(data))
		return err
	})
}

// create makes a new file with the mode of the one it is to be like.
func (p *place) create(fill func(to, from *os.File) error) error {
	from, err := os.Open(p.from)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	fd, err := unix.Openat(int(p.dir.Fd()), p.name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	to := os.NewFile(uintptr(fd), p.name)
	return errors.Join(fill(to, from), to.Chmod(info.Mode().Perm()), to.Close())
}
