package site

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/uwsgi"
)

// PointedError says that a build is live or stage and so must go on.
type PointedError struct {
	Verb    string
	Name    builds.Name
	Pointer builds.Pointer
}

func (e *PointedError) Error() string {
	next := "swap first, with mage swapLive, and then stage another"
	if e.Pointer == builds.Stage {
		next = "stage another first, with mage stage NAME"
	}
	return fmt.Sprintf("%s %s: it is %s: %s", e.Verb, e.Name, e.Pointer, next)
}

func (s *Site) notPointed(verb string, name builds.Name) error {
	if p, ok := s.store.PointerTo(name); ok {
		return &PointedError{verb, name, p}
	}
	return nil
}

// Deactivate ends the workers of a build after every request that is in flight
// or queued has been answered. Its sockets stay. It is refused for live and stage.
func (s *Site) Deactivate(ctx context.Context, name builds.Name) error {
	return s.changing(ctx, "deactivate "+string(name), func(ctx context.Context) error {
		return s.deactivate(ctx, "deactivate", name)
	})
}

func (s *Site) deactivate(ctx context.Context, verb string, name builds.Name) error {
	if !s.store.Exists(name) {
		return fmt.Errorf("%s %s: %w", verb, name, builds.ErrNotFound)
	}
	if err := s.notPointed(verb, name); err != nil {
		return err
	}
	for _, slot := range s.linked(name) {
		if err := s.endZerg(ctx, name, slot); err != nil {
			return err
		}
	}
	if !s.health().Zergs {
		return nil
	}
	return s.awaitZergsEnd(ctx, name)
}

func (s *Site) awaitZergsEnd(ctx context.Context, name builds.Name) error {
	var errs []error
	for _, slot := range slots {
		errs = append(errs, s.awaitEnd(ctx, s.zergs, s.zerg(name, slot)))
	}
	return errors.Join(errs...)
}

// awaitEnd waits for an instance that is to end: a task that was killed may have
// taken its link away a moment ago, and its emperor not have seen it.
func (s *Site) awaitEnd(ctx context.Context, emperor uwsgi.Emperor, unit uwsgi.Unit) error {
	if _, err := os.Lstat(unit.Link); err == nil {
		return nil
	}
	ctx, cancel := within(ctx, s.config.Timeouts.Drain, "drain")
	defer cancel()
	return emperor.Stop(ctx, unit)
}

func (s *Site) endZerg(ctx context.Context, name builds.Name, slot string) error {
	unit := s.zerg(name, slot)
	return s.step(ctx, fmt.Sprintf("drain and stop the workers of %s", name), func(ctx context.Context, _ Step) (string, error) {
		if !s.health().Zergs {
			return "the servers do not run", s.unlinkDead(name, unit)
		}
		ctx, cancel := within(ctx, s.config.Timeouts.Drain, "drain")
		defer cancel()
		running, err := s.zergs.Running(ctx, unit)
		if err != nil {
			return "", err
		}
		if !running {
			return "", s.zergs.Stop(ctx, unit)
		}
		resume, err := uwsgi.Drain(ctx, unit, s.socket(name))
		if err != nil {
			return "", err
		}
		return "", s.stopResting(ctx, unit, resume)
	})
}

// stopResting ends a zerg whose workers rest. Where its end could not even
// begin they go on.
func (s *Site) stopResting(ctx context.Context, unit uwsgi.Unit, resume func() error) error {
	err := s.zergs.Stop(ctx, unit)
	if _, lost := os.Lstat(unit.Link); err != nil && lost == nil {
		return errors.Join(err, resume())
	}
	return err
}

// unlinkDead withdraws an instance whose emperor is down, if it is down too.
func (s *Site) unlinkDead(name builds.Name, unit uwsgi.Unit) error {
	living, err := proc.Under(s.store.Path(name), "uwsgi", "uwsgi-core")
	if err != nil {
		return err
	}
	if len(living) > 0 {
		return fmt.Errorf("process %d (%s) still works, and its emperor is down: %w", living[0].PID, living[0].Name(), ErrDown)
	}
	return files.Remove(unit.Link)
}

// Stop ends a build's workers as [Site.Deactivate] does, and then closes its
// sockets.
func (s *Site) Stop(ctx context.Context, name builds.Name) error {
	return s.changing(ctx, "stop "+string(name), func(ctx context.Context) error {
		return s.stop(ctx, "stop", name)
	})
}

func (s *Site) stop(ctx context.Context, verb string, name builds.Name) error {
	if err := s.deactivate(ctx, verb, name); err != nil {
		return err
	}
	return s.step(ctx, fmt.Sprintf("close the sockets of %s", name), func(ctx context.Context, _ Step) (string, error) {
		unit := s.vassal(name)
		if !s.health().Vassals {
			return "the servers do not run", errors.Join(files.Remove(unit.Link), s.removeRunFiles(name))
		}
		ctx, cancel := within(ctx, s.config.Timeouts.Drain, "drain")
		defer cancel()
		if err := s.vassals.Stop(ctx, unit); err != nil {
			return "", err
		}
		return "", s.removeRunFiles(name)
	})
}
