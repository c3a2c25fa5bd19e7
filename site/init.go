package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/stack"
)

// The builds that Init makes.
const (
	firstLive  builds.Name = "a"
	firstStage builds.Name = "b"
)

// Init brings a site up from nothing: the packages it needs, the servers, the
// wheelhouse, two builds with live and stage pointing at them, the database
// where there is none, and both builds active and warm. What is there already
// is left as it is, so it may be run again at any time.
func (s *Site) Init(ctx context.Context) error {
	return s.changing(ctx, "init", func(ctx context.Context) error {
		if err := s.init(ctx); err != nil {
			return fmt.Errorf("init: %w", err)
		}
		return nil
	})
}

func (s *Site) init(ctx context.Context) error {
	s.sweep()
	programs, err := s.findOrInstall(ctx)
	if err != nil {
		return err
	}
	if err := s.up(ctx, programs); err != nil {
		return err
	}
	if _, err := s.buildWheels(ctx, programs); err != nil {
		return err
	}
	live, stage, err := s.firstBuilds()
	if err != nil {
		return err
	}
	if err := s.createMissing(ctx, programs, live, stage); err != nil {
		return err
	}
	if err := s.makeDatabase(ctx, live); err != nil {
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
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range names {
		if manifest, err := s.store.Manifest(name); err == nil && manifest.Complete {
			s.reporter.Note(fmt.Sprintf("build %s: there already", name))
			continue
		}
		group.Go(func() error { return s.createBuild(ctx, programs, name) })
	}
	return group.Wait()
}

// makeDatabase runs the project's commands for a new database, unless a
// migration was applied to it before: one that exists is never touched.
func (s *Site) makeDatabase(ctx context.Context, name builds.Name) error {
	if s.config.Settings == "" || len(s.config.Database) == 0 {
		return nil
	}
	manifest, err := s.store.Manifest(name)
	if err != nil {
		return err
	}
	return s.step(ctx, "database", func(ctx context.Context, _ Step) (string, error) {
		exists, err := s.databaseExists(ctx, name, manifest.Tag)
		if exists || err != nil {
			return "there already: not touched", err
		}
		if _, err := s.store.Pointed(builds.Live); err == nil && s.databaseBegun() {
			return "", fmt.Errorf("an earlier init began to make it and did not end, and the site has been live since: "+
				"finish it by hand, then remove %s", s.databaseMark())
		}
		return "made", s.runDatabaseCommands(ctx, name, manifest.Tag)
	})
}

// runDatabaseCommands leaves a mark while it works, so that a database that
// was begun and not finished is not taken for one that exists.
func (s *Site) runDatabaseCommands(ctx context.Context, name builds.Name, tag string) error {
	if err := s.write(s.databaseMark(), nil, 0o600); err != nil {
		return err
	}
	for _, c := range s.config.Database {
		if err := s.runInBuild(ctx, name, tag, c); err != nil {
			return err
		}
	}
	return files.Remove(s.databaseMark())
}

func (s *Site) databaseBegun() bool {
	_, err := os.Stat(s.databaseMark())
	return err == nil
}

func (s *Site) databaseMark() string { return filepath.Join(s.data(), "database-unfinished") }

// databaseExists asks Django whether any migration was applied, other than by
// an init that was interrupted.
func (s *Site) databaseExists(ctx context.Context, name builds.Name, tag string) (bool, error) {
	if s.databaseBegun() {
		return false, nil
	}
	show := s.inBuild(name, tag, config.Command{"manage.py", "showmigrations", "--plan", "--no-color"})
	out, err := show.Output(ctx)
	return strings.Contains(string(out), "[X]"), err
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
