package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/uwsgi"
)

// Restart renews the workers of an active build without a gap: a second zerg
// takes over the sockets, and then the first finishes what it has and ends.
// The new one has the configuration as it is now.
func (s *Site) Restart(ctx context.Context, name builds.Name) error {
	return s.changing(ctx, "restart "+string(name), func(ctx context.Context) error {
		manifest, err := s.complete(name)
		if err != nil {
			return fmt.Errorf("restart %s: %w", name, err)
		}
		if err := s.mustBeActive(ctx, name); err != nil {
			return fmt.Errorf("restart %s: %w", name, err)
		}
		if err := s.mayRestart(ctx, name); err != nil {
			return fmt.Errorf("restart %s: %w", name, err)
		}
		return s.restart(ctx, name, manifest.Tag)
	})
}

func (s *Site) restart(ctx context.Context, name builds.Name, tag string) error {
	old, fresh, err := s.chooseSlots(ctx, name)
	if err != nil {
		return err
	}
	err = s.step(ctx, fmt.Sprintf("start new workers of %s", name), func(ctx context.Context, _ Step) (string, error) {
		ctx, cancel := within(ctx, s.config.Timeouts.Start, "start")
		defer cancel()
		err := errors.Join(s.makeLogs(name), s.renewVassal(ctx, name), s.renderZerg(name, tag, fresh),
			s.renderUpstreams(name), s.renderEnvironment(name, tag))
		if err != nil {
			return "", err
		}
		return "", s.zergs.StartZerg(ctx, s.zerg(name, fresh))
	})
	if err != nil {
		return err
	}
	return s.retire(ctx, name, old)
}

// renewVassal lets the vassal take over its configuration where that has
// changed since it was made; no connection is lost by it.
func (s *Site) renewVassal(ctx context.Context, name builds.Name) error {
	if err := s.renderVassal(name); err != nil {
		return err
	}
	unit := s.vassal(name)
	config, err := os.Stat(unit.Link)
	if err != nil {
		return err
	}
	// the link is as young as the vassal's start or its last reload
	link, err := os.Lstat(unit.Link)
	if err != nil || !config.ModTime().After(link.ModTime()) {
		return err
	}
	return s.vassals.Reload(ctx, unit)
}

// chooseSlots says which zerg goes and where the new one comes. After an
// interrupted restart two are there: then the newer one stays if it serves.
func (s *Site) chooseSlots(ctx context.Context, name builds.Name) (old, fresh string, err error) {
	linked := s.linked(name)
	if len(linked) == 2 {
		older, newer := s.byAge(name)
		if linked, err = s.leaveOne(ctx, name, older, newer); err != nil {
			return "", "", err
		}
	}
	if linked[0] == slots[0] {
		return slots[0], slots[1], nil
	}
	return slots[1], slots[0], nil
}

func (s *Site) leaveOne(ctx context.Context, name builds.Name, older, newer string) (left []string, err error) {
	if !s.serves(ctx, name, newer) {
		return []string{older}, s.zergs.Withdraw(ctx, s.zerg(name, newer))
	}
	return []string{newer}, s.retire(ctx, name, older)
}

func (s *Site) byAge(name builds.Name) (older, newer string) {
	age := func(slot string) time.Time {
		info, err := os.Lstat(s.zerg(name, slot).Link)
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	if age(slots[1]).Before(age(slots[0])) {
		return slots[1], slots[0]
	}
	return slots[0], slots[1]
}

// retire ends a zerg beside which another serves the same sockets: what is
// queued is the other's, so only what is in flight must end.
func (s *Site) retire(ctx context.Context, name builds.Name, slot string) error {
	unit := s.zerg(name, slot)
	return s.step(ctx, fmt.Sprintf("let the old workers of %s finish", name), func(ctx context.Context, _ Step) (string, error) {
		ctx, cancel := within(ctx, s.config.Timeouts.Drain, "drain")
		defer cancel()
		resume, err := uwsgi.Pause(ctx, unit)
		if err != nil {
			return "", err
		}
		return "", s.stopResting(ctx, unit, resume)
	})
}
