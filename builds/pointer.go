package builds

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hadjango/hadjango/internal/files"
)

// Pointer is one of the two symbolic links of a store that name a build.
type Pointer string

// The two pointers. Their names are no build's names, so patterns over builds
// never meet them.
const (
	Live  Pointer = "_live"
	Stage Pointer = "_stage"
)

func (p Pointer) String() string { return string(p[1:]) }

// ErrNoPointer says that a pointer names no build.
var ErrNoPointer = errors.New("the pointer names no build")

// PointerPath is where the pointer lies: a path through it leads into the
// build it names.
func (s Store) PointerPath(p Pointer) string { return filepath.Join(s.dir, string(p)) }

// Pointed returns the build that a pointer names; it is [ErrNoPointer] when
// the pointer is missing or leads anywhere but to a build.
func (s Store) Pointed(p Pointer) (Name, error) {
	target, err := os.Readlink(s.PointerPath(p))
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read %s: %w", p, ErrNoPointer)
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", p, err)
	}
	name, err := ParseName(target)
	if err != nil || !s.Exists(name) {
		return "", fmt.Errorf("read %s: it leads to %q: %w", p, target, ErrNoPointer)
	}
	return name, nil
}

// PointerTo returns the pointer that names the build, live before stage.
func (s Store) PointerTo(name Name) (Pointer, bool) {
	for _, p := range []Pointer{Live, Stage} {
		if now, err := s.Pointed(p); err == nil && now == name {
			return p, true
		}
	}
	return "", false
}

// Point lets a pointer name a build. The build must be complete: a pointer
// never names one that is not.
func (s Store) Point(p Pointer, name Name) error {
	manifest, err := s.Manifest(name)
	if err != nil {
		return fmt.Errorf("point %s: %w", p, err)
	}
	if !manifest.Complete {
		return fmt.Errorf("point %s at %s: %w", p, name, ErrIncomplete)
	}
	return files.Symlink(string(name), s.PointerPath(p))
}

// Clear lets a pointer name no build.
func (s Store) Clear(p Pointer) error {
	if err := files.Remove(s.PointerPath(p)); err != nil {
		return fmt.Errorf("clear %s: %w", p, err)
	}
	return nil
}

// ErrIncomplete says that a build was not made to its end.
var ErrIncomplete = errors.New("the build is not complete")

// Exchange lets live and stage change places with one system call,
// renameat2(RENAME_EXCHANGE), and returns how long that call took. Both
// pointers must name a build.
func (s Store) Exchange() (time.Duration, error) {
	for _, p := range []Pointer{Live, Stage} {
		if _, err := s.Pointed(p); err != nil {
			return 0, fmt.Errorf("exchange live and stage: %w", err)
		}
	}
	start := time.Now()
	err := files.Exchange(s.dir, string(Live), string(Stage))
	return time.Since(start), err
}
