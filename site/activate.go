package site

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/python"
	"github.com/hadjango/hadjango/stack"
	"github.com/hadjango/hadjango/uwsgi"
)

// ErrDown says that the servers which run builds do not run.
var ErrDown = errors.New("the servers do not run: start them with mage up")

// Activate starts a build: its vassal, and a zerg whose workers have loaded
// the application. A build that is active already is left alone. When the
// application fails to load, the error holds its traceback (see
// [uwsgi.StartError]), and nothing tries to start it again.
func (s *Site) Activate(ctx context.Context, name builds.Name) error {
	return s.changing(ctx, "activate "+string(name), func(ctx context.Context) error {
		return s.unfit(name, s.activate(ctx, name))
	})
}

func (s *Site) activate(ctx context.Context, name builds.Name) error {
	manifest, err := s.complete(name)
	if err != nil {
		return fmt.Errorf("activate %s: %w", name, err)
	}
	if !s.emperorsUp() {
		return fmt.Errorf("activate %s: %w", name, ErrDown)
	}
	if err := errors.Join(s.awaitZergsEnd(ctx, name), s.awaitEnd(ctx, s.vassals, s.vassal(name))); err != nil {
		return fmt.Errorf("activate %s: %w", name, err)
	}
	if err := s.mayStart(ctx, name); err != nil {
		return fmt.Errorf("activate %s: %w", name, err)
	}
	return s.step(ctx, fmt.Sprintf("activate %s", name), func(ctx context.Context, _ Step) (string, error) {
		ctx, cancel := within(ctx, s.config.Timeouts.Start, "start")
		defer cancel()
		return s.start(ctx, name, manifest.Tag)
	})
}

func (s *Site) start(ctx context.Context, name builds.Name, tag string) (detail string, err error) {
	if err := s.clearFailed(ctx, name); err != nil {
		return "", err
	}
	if len(s.linked(name)) == 0 {
		if err := s.renderBuild(name, tag); err != nil {
			return "", err
		}
	}
	if err := s.makeLogs(name); err != nil {
		return "", err
	}
	if err := s.vassals.StartVassal(ctx, s.vassal(name)); err != nil {
		return "", err
	}
	unit := s.zerg(name, s.slot(ctx, name))
	if err := s.goOn(ctx, unit); err != nil {
		return "", err
	}
	if err := s.zergs.StartZerg(ctx, unit); err != nil {
		return "", err
	}
	if err := s.reattach(ctx, name, unit); err != nil {
		return "", err
	}
	instance, err := uwsgi.ReadInstance(ctx, unit.Stats)
	return fmt.Sprintf("%d workers", len(instance.Ready())), err
}

// clearFailed takes back an earlier start that was interrupted and serves
// nothing. What live and stage run is left to the emperor, which tries again.
func (s *Site) clearFailed(ctx context.Context, name builds.Name) error {
	if _, pointed := s.store.PointerTo(name); pointed || s.active(ctx, name) {
		return nil
	}
	for _, slot := range s.linked(name) {
		unit := s.zerg(name, slot)
		if err := s.goOn(ctx, unit); err != nil {
			return err
		}
		if s.active(ctx, name) {
			return nil
		}
		if err := s.zergs.Withdraw(ctx, unit); err != nil {
			return err
		}
	}
	return nil
}

// goOn lets workers go on that an interrupted task has left resting.
func (s *Site) goOn(ctx context.Context, unit uwsgi.Unit) error {
	running, err := s.zergs.Running(ctx, unit)
	if !running || err != nil {
		return err
	}
	return uwsgi.Resume(ctx, unit)
}

// makeLogs makes the logs that a build's processes append to: their directory
// is not the user's.
func (s *Site) makeLogs(name builds.Name) error {
	units := []uwsgi.Unit{s.vassal(name)}
	for _, slot := range slots {
		units = append(units, s.zerg(name, slot))
	}
	for _, unit := range units {
		if err := s.user.Append(unit.Log); err != nil {
			return fmt.Errorf("log of %s: %w", name, err)
		}
	}
	return nil
}

// complete returns the manifest of a build that may be started.
func (s *Site) complete(name builds.Name) (builds.Manifest, error) {
	manifest, err := s.store.Manifest(name)
	if err != nil {
		return builds.Manifest{}, fmt.Errorf("%w: make it with mage createBuild %s", err, name)
	}
	if !manifest.Complete {
		return builds.Manifest{}, fmt.Errorf("%w: make it anew with mage createBuild %s", builds.ErrIncomplete, name)
	}
	return manifest, nil
}

func (s *Site) emperorsUp() bool {
	health := s.health()
	return health.Vassals && health.Zergs
}

// linked are the slots whose zerg is to run.
func (s *Site) linked(name builds.Name) []string {
	var found []string
	for _, slot := range slots {
		if _, err := os.Lstat(s.zerg(name, slot).Link); err == nil {
			found = append(found, slot)
		}
	}
	return found
}

// slot is the one that serves, else the one that is to, else the first.
func (s *Site) slot(ctx context.Context, name builds.Name) string {
	linked := s.linked(name)
	for _, slot := range linked {
		if s.serves(ctx, name, slot) {
			return slot
		}
	}
	return append(linked, slots[0])[0]
}

func (s *Site) serves(ctx context.Context, name builds.Name, slot string) bool {
	instance, err := uwsgi.ReadInstance(ctx, s.zerg(name, slot).Stats)
	return err == nil && len(instance.Ready()) > 0
}

// workersOf counts the workers of a build over all its zergs that answer. It
// is an error when none does.
func (s *Site) workersOf(ctx context.Context, name builds.Name) (all uwsgi.Instance, err error) {
	answered := false
	for _, slot := range s.linked(name) {
		instance, failed := uwsgi.ReadInstance(ctx, s.zerg(name, slot).Stats)
		if failed != nil {
			err = failed
			continue
		}
		answered = true
		all.Workers = append(all.Workers, instance.Workers...)
	}
	if answered {
		err = nil
	}
	return all, err
}

// queueOf is the longer of the queues of a build's sockets: nginx uses one of them.
func (s *Site) queueOf(ctx context.Context, name builds.Name) (uwsgi.Queue, error) {
	queue, err := uwsgi.ReadQueue(s.socket(name))
	if err != nil || s.config.Switch != config.SwitchReload {
		return queue, err
	}
	vassal, err := uwsgi.ReadInstance(ctx, s.vassal(name).Stats)
	return queue.Longer(vassal.TCPQueue()), err
}

func (s *Site) active(ctx context.Context, name builds.Name) bool {
	instance, err := s.workersOf(ctx, name)
	return err == nil && len(instance.Ready()) > 0
}

// pythonFits tells why a build cannot run here.
func (s *Site) pythonFits(name builds.Name) error {
	other := s.otherPython(name)
	if other == "" {
		return nil
	}
	free, _ := s.store.Free()
	return fmt.Errorf("it %s: run mage createBuild %s, mage stage %s and mage swapLive, or bring the old Python back", other, free, free)
}

// otherPython says for which Python a build was made, if uWSGI has another one:
// an upgrade of the machine, or of a container's image, may bring it.
func (s *Site) otherPython(name builds.Name) string {
	linked, err := stack.PluginPython()
	of := python.VenvVersion(s.store.Path(name))
	if err != nil || of == "" || of == linked {
		return ""
	}
	return fmt.Sprintf("was made with Python %s, and uWSGI runs %s", of, linked)
}
