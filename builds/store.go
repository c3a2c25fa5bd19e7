package builds

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hadjango/hadjango/internal/files"
)

var (
	// ErrExists says that a build of that name is there already.
	ErrExists = errors.New("the build exists already")
	// ErrNotFound says that there is no build of that name.
	ErrNotFound = errors.New("there is no such build")
	// ErrPointed says that a pointer names the build, so it must stay.
	ErrPointed = errors.New("a pointer names the build")
	// ErrFull says that every name is taken.
	ErrFull = errors.New("every name of a build is taken")
)

// trashPrefix marks what a removal has taken out of the store and not yet deleted.
const trashPrefix = ".trash-"

// Store is a directory of builds and the two pointers. Its methods may be
// called by many at once; that two change the same build is for the caller to
// prevent, with [Lock].
type Store struct{ dir string }

// OpenStore returns the store in dir, which need not exist yet.
func OpenStore(dir string) Store { return Store{dir} }

// Dir is the store's directory.
func (s Store) Dir() string { return s.dir }

// Path is the directory of the build of that name, whether it exists or not.
func (s Store) Path(name Name) string { return filepath.Join(s.dir, string(name)) }

// Exists tells whether there is a build of that name, complete or not.
func (s Store) Exists(name Name) bool {
	info, err := os.Lstat(s.Path(name))
	return name != "" && err == nil && info.IsDir()
}

// List returns the names of all builds, complete or not, in their order.
func (s Store) List() ([]Name, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list builds: %w", err)
	}
	var names []Name
	for _, entry := range entries {
		if name, err := ParseName(entry.Name()); err == nil && entry.IsDir() {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b Name) int { return cmp.Compare(a.Index(), b.Index()) })
	return names, nil
}

// Free returns the first name that no build has.
func (s Store) Free() (Name, error) {
	for index := range maxIndex + 1 {
		name := NameAt(index)
		if _, err := os.Lstat(s.Path(name)); errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
	}
	return "", ErrFull
}

// Create makes the directory of a new build and returns its path. It is
// [ErrExists] when there is one, complete or not.
func (s Store) Create(name Name) (string, error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return "", fmt.Errorf("create build %s: %w", name, err)
	}
	err := os.Mkdir(s.Path(name), 0o755)
	if errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("create build %s: %w", name, ErrExists)
	}
	if err != nil {
		return "", fmt.Errorf("create build %s: %w", name, err)
	}
	return s.Path(name), files.SyncDir(s.dir)
}

// Manifest reads the manifest of a build; it is [ErrNotFound] when there is no
// such build.
func (s Store) Manifest(name Name) (Manifest, error) {
	if !s.Exists(name) {
		return Manifest{}, fmt.Errorf("build %s: %w", name, ErrNotFound)
	}
	return ReadManifest(s.Path(name))
}

// Remove deletes a build. It refuses one that a pointer names ([ErrPointed]).
// The build leaves the store in one step, so that nobody sees a part of it.
func (s Store) Remove(name Name) error {
	if !s.Exists(name) {
		return fmt.Errorf("remove build %s: %w", name, ErrNotFound)
	}
	if pointer, ok := s.PointerTo(name); ok {
		return fmt.Errorf("remove build %s: it is %s: %w", name, pointer, ErrPointed)
	}
	// only renamed: on a full disk there is no room for a directory
	trash := filepath.Join(s.dir, fmt.Sprintf("%s%s-%d", trashPrefix, name, time.Now().UnixNano()))
	if err := os.Rename(s.Path(name), trash); err != nil {
		return fmt.Errorf("remove build %s: %w", name, err)
	}
	return errors.Join(files.SyncDir(s.dir), files.RemoveAll(trash))
}

// Sweep deletes what removals that were cut short have left.
func (s Store) Sweep() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sweep builds: %w", err)
	}
	var errs []error
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), trashPrefix) {
			errs = append(errs, files.RemoveAll(filepath.Join(s.dir, entry.Name())))
		}
	}
	return errors.Join(errs...)
}
