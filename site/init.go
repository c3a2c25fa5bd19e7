package site

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/stack"
)

// The builds that Init makes.
const (
	firstLive  builds.Name = "a"
	firstStage builds.Name = "b"
)

// Init brings a site up from nothing: the packages it needs, the servers,
// two builds with live and stage pointing at them, the database
// where there is none, and both builds active and warm. What is there already
// is left as it is, so it may be run again at any time; but a database that was
// made before is made anew where the options say so.
func (s *Site) Init(ctx context.Context, options DatabaseOptions) error {
	return s.changing(ctx, "init", func(ctx context.Context) error {
		if err := s.init(ctx, options); err != nil {
			return fmt.Errorf("init: %w", err)
		}
		return nil
	})
}

func (s *Site) init(ctx context.Context, options DatabaseOptions) error {
	s.sweep()
	if err := s.mayInit(ctx); err != nil {
		return err
	}
	programs, err := s.findOrInstall(ctx)
	if err != nil {
		return err
	}
	if err := s.up(ctx, programs); err != nil {
		return err
	}
	live, stage, err := s.firstBuilds()
	if err != nil {
		return err
	}
	if err := s.createMissing(ctx, programs, live, stage); err != nil {
		return err
	}
	err = s.firstDatabase(ctx, live, options)
	if errors.Is(err, ErrDeclined) {
		return fmt.Errorf("%w; builds %s and %s are there, and mage init goes on from here", err, live, stage)
	}
	if err != nil {
		return err
	}
	for _, name := range []builds.Name{live, stage} {
		if err := s.makeReady(ctx, name); err != nil {
			return err
		}
	}
	return s.pointBoth(ctx, live, stage)
}

// firstBuilds are those that the pointers name, where they do.
func (s *Site) firstBuilds() (live, stage builds.Name, err error) {
	live, stage = firstLive, firstStage
	if now, err := s.store.Pointed(builds.Live); err == nil {
		live = now
	} else if !errors.Is(err, builds.ErrNoPointer) {
		return "", "", err
	}
	if now, err := s.store.Pointed(builds.Stage); err == nil {
		stage = now
	} else if !errors.Is(err, builds.ErrNoPointer) {
		return "", "", err
	}
	if live == stage {
		stage, err = s.store.Free()
	}
	return live, stage, err
}

// createMissing makes the two builds side by side.
func (s *Site) createMissing(ctx context.Context, programs stack.Programs, names ...builds.Name) error {
	var made []builds.Name
	group, inner := errgroup.WithContext(ctx)
	for _, name := range names {
		if manifest, err := s.store.Manifest(name); err == nil && manifest.Complete {
			s.reporter.Note(fmt.Sprintf("build %s: there already", name))
			continue
		}
		made = append(made, name)
		group.Go(func() error { return s.createBuild(inner, programs, name) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return s.shareAfter(ctx, made)
}

// firstDatabase makes and fills the database where there is none, or anew.
func (s *Site) firstDatabase(ctx context.Context, name builds.Name, options DatabaseOptions) error {
	if len(s.config.Database) == 0 && !options.Reset {
		return nil
	}
	b, err := s.djangoIn(name)
	if errors.Is(err, ErrNotDjango) && !options.Reset {
		return nil
	}
	if err != nil {
		return err
	}
	return b.makeDatabase(ctx, options, b.commands("populate", s.config.Populate)...)
}

func (s *Site) pointBoth(ctx context.Context, live, stage builds.Name) error {
	for _, to := range []struct {
		pointer builds.Pointer
		name    builds.Name
	}{{builds.Live, live}, {builds.Stage, stage}} {
		if err := s.point(ctx, to.pointer, to.name); err != nil {
			return err
		}
		if _, err := s.answeredBy(ctx, to.pointer, to.name); err != nil {
			return err
		}
	}
	return nil
}
