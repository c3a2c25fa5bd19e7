package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/human"
)

// Saving is what a build takes less since it shares files with another.
type Saving struct {
	Basis builds.Name
	// Files have become one with the basis's, which freed Bytes of Size, what
	// all files of the build took; Already were one before.
	Files, Already int
	Bytes, Size    int64
}

func (s Saving) String() string {
	text := fmt.Sprintf("saved %s of %s: %s files are now one with %s's", human.Bytes(s.Bytes), human.Bytes(s.Size), human.Count(s.Files), s.Basis)
	switch {
	case s.Files == 0 && s.Already == 0:
		return fmt.Sprintf("nothing is equal to %s's", s.Basis)
	case s.Files == 0:
		return fmt.Sprintf("nothing to save: %s files are one with %s's already", human.Count(s.Already), s.Basis)
	case s.Already > 0:
		return fmt.Sprintf("%s, %s were before", text, human.Count(s.Already))
	}
	return text
}

func (s *Saving) add(r builds.ShareReport) {
	s.Files, s.Already = s.Files+r.Files, s.Already+r.Already
	s.Bytes, s.Size = s.Bytes+r.Bytes, s.Size+r.Size
}

// MakeIncrementalBuild lets a complete build have its files, static ones too,
// in common with another one where they are equal: live, when basis is empty.
// It is refused for live and stage, whose files must not even change their
// times. A build that is active goes on: each file is replaced, in one step,
// by one that holds the same, and what a process has open stays as it is.
func (s *Site) MakeIncrementalBuild(ctx context.Context, name, basis builds.Name) (saving Saving, err error) {
	const verb = "makeIncrementalBuild"
	err = s.changing(ctx, strings.TrimSpace("makeIncrementalBuild "+string(name)+" "+string(basis)), func(ctx context.Context) error {
		if basis, err = s.basisFor(name, basis); err != nil {
			return fmt.Errorf("%s %s: %w", verb, name, err)
		}
		if err := s.notPointed(verb, name); err != nil {
			return err
		}
		return s.step(ctx, fmt.Sprintf("%s: share with %s", name, basis), func(ctx context.Context, _ Step) (string, error) {
			saving, err = s.share(ctx, name, basis)
			return saving.String(), err
		})
	})
	return saving, err
}

// basisFor makes sure that there are two complete builds; live is the basis
// where nobody names one.
func (s *Site) basisFor(name, basis builds.Name) (_ builds.Name, err error) {
	if _, err := s.complete(name); err != nil {
		return "", err
	}
	if basis == name {
		return "", fmt.Errorf("%w: name another build with -basis=NAME", builds.ErrSameBuild)
	}
	if basis == "" {
		if basis, err = s.store.Pointed(builds.Live); err != nil {
			return "", fmt.Errorf("%w: name a build with -basis=NAME", err)
		}
	}
	if _, err := s.complete(basis); err != nil {
		return "", fmt.Errorf("basis %s: %w", basis, err)
	}
	return basis, nil
}

// own are the parts of a build that no other may have: its configuration, which
// is written anew while it serves, and what names its own path.
var own = []string{configDir, "pyvenv.cfg", "live.conf", "stage.conf"}

func (s *Site) share(ctx context.Context, name, basis builds.Name) (Saving, error) {
	saving := Saving{Basis: basis}
	report, err := builds.Share(ctx, s.store.Path(basis), s.store.Path(name), builds.ShareOptions{Skip: own})
	saving.add(report)
	if err != nil {
		return saving, err
	}
	report, err = builds.Share(ctx, s.static(basis), s.static(name), builds.ShareOptions{})
	saving.add(report)
	if errors.Is(err, fs.ErrNotExist) {
		// no static files, as in a build that was made elsewhere
		return saving, nil
	}
	return saving, err
}

// shareWithNewest lets a new build have in common what it can with the newest
// one there is.
func (m *making) shareWithNewest(ctx context.Context, _ Step) (detail string, reused bool, err error) {
	basis, ok := m.newest(m.name)
	if !ok {
		return "it is the first", false, nil
	}
	detail, err = m.shareOrNote(ctx, m.name, basis)
	return detail, false, err
}

// shareOrNote fails only when ctx ends: a build that cannot share is as good
// as another.
func (s *Site) shareOrNote(ctx context.Context, name, basis builds.Name) (detail string, err error) {
	saving, err := s.share(ctx, name, basis)
	if err != nil && ctx.Err() == nil {
		s.reporter.Note(fmt.Sprintf("build %s takes more disk than it could: %v", name, err))
		return "", nil
	}
	return saving.String(), err
}

// shareAfter lets builds that were made side by side have in common what they
// could not while none of them was complete.
func (s *Site) shareAfter(ctx context.Context, made []builds.Name) error {
	if len(made) < 2 {
		return nil
	}
	name, basis := made[1], made[0]
	return s.step(ctx, fmt.Sprintf("%s: share with %s", name, basis), func(ctx context.Context, _ Step) (string, error) {
		return s.shareOrNote(ctx, name, basis)
	})
}

// newest is the complete build that was made last, other than one.
func (s *Site) newest(other builds.Name) (newest builds.Name, ok bool) {
	names, _ := s.store.List()
	var last builds.Manifest
	for _, name := range names {
		manifest, err := s.store.Manifest(name)
		if err == nil && manifest.Complete && name != other && manifest.Created.After(last.Created) {
			last, ok = manifest, true
			newest = name
		}
	}
	return newest, ok
}
