package site

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/account"
)

// overridesDir is where a project has templates of its own.
const overridesDir = "conf"

// overrides are the project's own templates, which take the place of ours.
// Root's nginx obeys them and serves what the pages hold: so they are files of
// their directory itself, and not of the user whose code is served.
type overrides struct {
	root string
	user account.User
}

func (s *Site) templates() fs.FS { return overrides{s.root, s.user} }

// Open implements [fs.FS].
func (o overrides) Open(name string) (fs.File, error) {
	f, err := o.open(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s/%s is not taken: %w", overridesDir, name, err)
	}
	return f, err
}

func (o overrides) open(name string) (fs.File, error) {
	root, err := os.OpenRoot(o.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dir, err := root.OpenRoot(overridesDir)
	if err != nil {
		return nil, elsewhere(err)
	}
	defer dir.Close()
	info, err := dir.Stat(".")
	if err != nil {
		return nil, err
	}
	if err := o.trust(info); err != nil {
		return nil, err
	}
	f, err := dir.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, elsewhere(err)
	}
	if err := o.accept(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// elsewhere says what to do about a link that leads out, the likely cause of
// what cannot be opened and is there.
func elsewhere(err error) error {
	return fmt.Errorf("%w: where a link leads out of the directory, put what it leads to in its place", err)
}

func (o overrides) accept(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file: put one in its place")
	}
	return o.trust(info)
}

// trust refuses what the served code could change, where it could not anyhow.
func (o overrides) trust(info fs.FileInfo) error {
	if o.user.IsMe() || !o.user.CanWrite(info) {
		return nil
	}
	return fmt.Errorf("%s, who runs the project's code, may change it, and root's nginx obeys it: let root own it, and nobody else write it", o.user.Name)
}
