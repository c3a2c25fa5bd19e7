package site

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/uwsgi"
	"github.com/hadjango/hadjango/warmup"
)

// ErrDown says that the servers which run builds do not run.
var ErrDown = errors.New("the servers do not run: start them with mage up")

// Activate starts a build: its vassal, and a zerg whose workers have loaded
// the application. A build that is active already is left alone. When the
// application fails to load, the error holds its traceback (see
// [uwsgi.StartError]), and nothing tries to start it again.
func (s *Site) Activate(ctx context.Context, name builds.Name) error {
	return s.changing(ctx, "activate "+string(name), func(ctx context.Context) error {
		return s.activate(ctx, name)
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

func (s *Site) active(ctx context.Context, name builds.Name) bool {
	instance, err := s.workersOf(ctx, name)
	return err == nil && len(instance.Ready()) > 0
}

// WarmupOptions say what a warm-up does other than the configuration says.
type WarmupOptions struct {
	// Paths to ask for; the configuration's when empty.
	Paths []string
	// Concurrency is how many requests are under way at once; the configuration's when 0.
	Concurrency int
}

// Warmup sends requests to a build's own port until every worker has answered.
// The build must be active.
func (s *Site) Warmup(ctx context.Context, name builds.Name, options WarmupOptions) (warmup.Report, error) {
	var report warmup.Report
	err := s.changing(ctx, "warmup "+string(name), func(ctx context.Context) error {
		if _, err := s.complete(name); err != nil {
			return fmt.Errorf("warm up %s: %w", name, err)
		}
		if err := s.mustBeActive(ctx, name); err != nil {
			return fmt.Errorf("warm up %s: %w", name, err)
		}
		var err error
		report, err = s.warm(ctx, name, options)
		return err
	})
	return report, err
}

func (s *Site) mustBeActive(ctx context.Context, name builds.Name) error {
	if s.active(ctx, name) {
		return nil
	}
	if !s.emperorsUp() {
		return ErrDown
	}
	return fmt.Errorf("it is not active: run mage activate %s", name)
}

func (s *Site) warm(ctx context.Context, name builds.Name, options WarmupOptions) (report warmup.Report, err error) {
	address, err := s.address(name, 0)
	if err != nil {
		return report, err
	}
	if len(options.Paths) == 0 {
		options.Paths = s.config.Warmup.Paths
	}
	if options.Concurrency == 0 {
		options.Concurrency = s.config.Warmup.Concurrency
	}
	err = s.step(ctx, fmt.Sprintf("warm up %s", name), func(ctx context.Context, step Step) (string, error) {
		report, err = warmup.Run(ctx, "http://"+address, warmup.Options{
			Paths: options.Paths, Concurrency: options.Concurrency, MaxRequests: s.config.Warmup.Requests,
			Host: s.config.Live[0], Header: s.forwarded(), Timeout: s.config.Timeouts.Request,
			Workers:    func(ctx context.Context) (warmup.Workers, error) { return s.reached(ctx, name) },
			OnProgress: func(p warmup.Progress) { step.Progress(p.Done, p.Total) },
		})
		return report.String(), err
	})
	for _, note := range report.Notes() {
		s.reporter.Note(note)
	}
	return report, err
}

func (s *Site) reached(ctx context.Context, name builds.Name) (warmup.Workers, error) {
	instance, err := s.workersOf(ctx, name)
	return warmup.Workers{Ready: len(instance.Active()), Reached: len(instance.Reached())}, err
}

// isWarm tells whether every worker of a build has answered a request.
func (s *Site) isWarm(ctx context.Context, name builds.Name) bool {
	workers, err := s.reached(ctx, name)
	return err == nil && workers.Ready > 0 && workers.Reached == workers.Ready
}

// forwarded are the headers that a proxy in front of us would send.
func (s *Site) forwarded() http.Header {
	header := http.Header{}
	if s.config.HTTPS {
		header.Set("X-Forwarded-Proto", "https")
	}
	return header
}

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
	return nil
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
	changed, err := s.renderVassal(name)
	if !changed || err != nil {
		return err
	}
	return s.vassals.Reload(ctx, s.vassal(name))
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
