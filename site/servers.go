package site

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/stack"
	"github.com/hadjango/hadjango/uwsgi"
)

// Up starts the servers of this machine that do not run, mends what is
// orphaned and leaves what runs. The builds that were active come back.
func (s *Site) Up(ctx context.Context) error {
	return s.changing(ctx, "up", func(ctx context.Context) error {
		programs, err := stack.FindPrograms(ctx, s.config.Python)
		if err != nil {
			return fmt.Errorf("up: %w", err)
		}
		return s.up(ctx, programs)
	})
}

func (s *Site) up(ctx context.Context, programs stack.Programs) error {
	if err := s.carriesSockets(); err != nil {
		return fmt.Errorf("up: %w", err)
	}
	if err := s.renderServers(programs); err != nil {
		return fmt.Errorf("up: %w", err)
	}
	if err := s.makeAllLogs(); err != nil {
		return fmt.Errorf("up: %w", err)
	}
	ctx, cancel := within(ctx, s.config.Timeouts.Start, "start")
	defer cancel()
	servers := s.stack(programs)
	ran := servers.Health().Nginx
	shown := s.startDashboard(ctx, servers)
	defer shown()
	trouble := s.alone(ctx, func(ctx context.Context) error { return servers.Up(ctx, s.waitVassals, s.noteServer) })
	if ran {
		trouble = errors.Join(trouble, s.reloadChanged(ctx, servers))
	} else if servers.Health().Nginx {
		trouble = errors.Join(trouble, s.noteLoaded())
	}
	if err := errors.Join(trouble, s.waitActive(ctx), s.goUp(ctx)); err != nil {
		return fmt.Errorf("up: %w", err)
	}
	return nil
}

// makeAllLogs makes the logs that the emperors' instances are about to write.
func (s *Site) makeAllLogs() error {
	names, err := s.store.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if len(s.linked(name)) > 0 {
			err = errors.Join(err, s.makeLogs(name))
		}
	}
	return err
}

// reloadChanged lets an nginx that runs take over a configuration it has not
// loaded, be it that an earlier reload failed.
func (s *Site) reloadChanged(ctx context.Context, servers stack.Stack) error {
	now, err := os.ReadFile(s.etc("nginx.conf"))
	if err != nil {
		return err
	}
	loaded, err := os.ReadFile(s.loadedConfig())
	if err == nil && bytes.Equal(now, loaded) && !s.reloadsAlways() {
		return nil
	}
	return s.reloadNginx(ctx, servers)
}

// loadedConfig is a copy of what nginx runs with.
func (s *Site) loadedConfig() string { return s.etc("nginx.conf.loaded") }

func (s *Site) noteLoaded() error {
	now, err := os.ReadFile(s.etc("nginx.conf"))
	if err != nil {
		return err
	}
	return s.write(s.loadedConfig(), now, 0o644)
}

// waitActive returns when every build that is to be active is. One that does
// not come back is named, and the others are waited for all the same; the
// emperor goes on trying.
func (s *Site) waitActive(ctx context.Context) error { return s.eachBuild(ctx, s.bringBack) }

// eachBuild does something with every build, side by side, and returns all errors.
func (s *Site) eachBuild(ctx context.Context, do func(context.Context, builds.Name) error) error {
	names, err := s.store.List()
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	errs := make([]error, len(names))
	for i, name := range names {
		group.Go(func() { errs[i] = do(ctx, name) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// bringBack waits for a build's zergs, and moves those that hold the sockets
// of a vassal that has died.
func (s *Site) bringBack(ctx context.Context, name builds.Name) error {
	for _, slot := range s.linked(name) {
		if err := s.pythonFits(name); err != nil {
			return fmt.Errorf("build %s has not come back: %w", name, err)
		}
		unit := s.zerg(name, slot)
		err := s.zergs.WaitZerg(ctx, unit)
		if err == nil {
			err = s.reattach(ctx, name, unit)
		}
		if err != nil {
			return fmt.Errorf("build %s has not come back: %w", name, err)
		}
	}
	return nil
}

func (s *Site) reattach(ctx context.Context, name builds.Name, unit uwsgi.Unit) error {
	attached, err := uwsgi.Attached(ctx, s.vassal(name), unit)
	if attached || err != nil {
		return err
	}
	s.reporter.Note(fmt.Sprintf("build %s: its workers held the sockets of a vassal that has died: they are moved", name))
	return s.zergs.Reattach(ctx, unit)
}

// waitVassals returns when every vassal that is to run holds its sockets; a
// zerg that is started earlier dies, and is started again a second later.
func (s *Site) waitVassals(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, vassalLimit, fmt.Errorf("not within %s: %w", vassalLimit, context.DeadlineExceeded))
	defer cancel()
	return s.eachBuild(ctx, func(ctx context.Context, name builds.Name) error {
		unit := s.vassal(name)
		if _, err := os.Lstat(unit.Link); err != nil {
			return nil
		}
		if err := s.vassals.WaitVassal(ctx, unit); err != nil {
			return fmt.Errorf("the sockets of build %s have not come back: %w", name, err)
		}
		return nil
	})
}

// vassalLimit bounds waiting for vassals, which load nothing: one that takes
// longer cannot start, and must not keep the others' workers waiting.
const vassalLimit = 10 * time.Second

// Down ends all servers of this machine after the requests in flight. Up
// brings back what ran.
func (s *Site) Down(ctx context.Context) error {
	return s.changing(ctx, "down", func(ctx context.Context) error {
		if err := s.goDown(ctx); err != nil {
			return fmt.Errorf("down: %w", err)
		}
		err := s.alone(ctx, func(ctx context.Context) error {
			return s.stack(stack.Programs{}).Down(ctx, s.config.Timeouts.Drain, s.noteServer)
		})
		if err != nil {
			return fmt.Errorf("down: %w", err)
		}
		return nil
	})
}

// NginxReload writes nginx's configuration, lets nginx check it, and reloads; the
// dashboard takes over what concerns it.
func (s *Site) NginxReload(ctx context.Context) error {
	return s.changing(ctx, "nginxReload", s.nginxReload)
}

func (s *Site) nginxReload(ctx context.Context) error {
	programs, err := stack.FindNginx()
	if err != nil {
		return fmt.Errorf("reload nginx: %w", err)
	}
	if err := s.renderServers(programs); err != nil {
		return fmt.Errorf("reload nginx: %w", err)
	}
	servers := s.stack(programs)
	if err := s.reloadNginx(ctx, servers); err != nil {
		return err
	}
	s.startDashboard(ctx, servers)()
	return nil
}

func (s *Site) reloadNginx(ctx context.Context, servers stack.Stack) error {
	return s.step(ctx, "reload nginx", func(ctx context.Context, _ Step) (string, error) {
		ctx, cancel := within(ctx, s.config.Timeouts.Switch, "switch")
		defer cancel()
		if err := servers.ReloadNginx(ctx); err != nil {
			return "", err
		}
		return "", s.noteLoaded()
	})
}

func (s *Site) noteServer(server, what string) { s.reporter.Note(server + ": " + what) }

func (s *Site) health() stack.Health { return s.stack(stack.Programs{}).Health() }

// findOrInstall finds the programs a site needs, and installs Debian's
// packages of those that are missing where this process may.
func (s *Site) findOrInstall(ctx context.Context) (stack.Programs, error) {
	programs, err := s.findForBuild(ctx)
	var missing *stack.MissingError
	if !errors.As(err, &missing) || !stack.CanInstall() {
		return programs, err
	}
	err = s.step(ctx, "install "+fmt.Sprint(missing.Packages), func(ctx context.Context, _ Step) (string, error) {
		return "", stack.Install(ctx, missing.Packages, s.log("install.log"))
	})
	if err != nil {
		return programs, err
	}
	return s.findForBuild(ctx)
}
