package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
)

// Dashboard is the process that shows what the others do.
type Dashboard struct {
	// Program is what to start, with its arguments; when it is empty there is no
	// dashboard. It becomes the stack's user by itself: that user need not be able
	// to reach the program.
	Program []string
	// Env is its environment. One that runs with another is started anew.
	Env []string
	// Site are those of the variables by which one of another version, too, is
	// known as this site's.
	Site []string
	// Socket is where it listens, Log what it writes.
	Socket, Log string
}

// processes finds the dashboard by its socket, where the application, which is
// the same user, may have put one of its own.
func (d Dashboard) processes() []proc.Process {
	if p, ok := proc.Listener(d.Socket); ok && d.isOne(p) {
		return []proc.Process{p}
	}
	return nil
}

// isOne tells whether a process is a dashboard of this site, of whatever version:
// one that was started for it, or that is the program itself. Into one that has
// become another user only root may look; the dashboard looks at itself, too.
func (d Dashboard) isOne(p proc.Process) bool {
	env, err := environ(p)
	foreign := func(variable string) bool { return !slices.Contains(env, variable) }
	return errors.Is(err, fs.ErrPermission) || !slices.ContainsFunc(d.Site, foreign) || len(d.Program) > 0 && d.isProgram(p)
}

func (d Dashboard) runs() bool { return len(d.processes()) > 0 }

// UpDashboard starts the dashboard where there is none, and anew where it is of
// another version than the program, was told something else, or writes into a
// log that was renamed.
func (s Stack) UpDashboard(ctx context.Context, report Report) error {
	if len(s.Dashboard.Program) == 0 {
		return nil
	}
	if s.Dashboard.isUp() {
		report("dashboard", "runs")
		return nil
	}
	for _, p := range s.Dashboard.processes() {
		if err := endProcess(ctx, p); err != nil {
			return fmt.Errorf("start the dashboard anew: %w", err)
		}
	}
	start := time.Now()
	// another may have started it meanwhile, the keeper for one
	if err := s.startDashboard(ctx); err != nil && !s.Dashboard.isUp() {
		return fmt.Errorf("start the dashboard: %w", err)
	}
	report("dashboard", fmt.Sprintf("started in %.1f s", time.Since(start).Seconds()))
	return nil
}

// isUp tells whether what would be started now runs.
func (d Dashboard) isUp() bool { return slices.ContainsFunc(d.processes(), d.isThis) }

// isThis tells whether a process is what would be started now.
func (d Dashboard) isThis(p proc.Process) bool {
	env, err := environ(p)
	return err == nil && slices.Equal(env, d.Env) && d.isProgram(p) && files.Same(procFile(p, "fd/2"), d.Log)
}

func (d Dashboard) isProgram(p proc.Process) bool {
	return files.Same(procFile(p, "exe"), d.Program[0])
}

func procFile(p proc.Process, name string) string {
	return filepath.Join("/proc", strconv.Itoa(p.PID), name)
}

func environ(p proc.Process) ([]string, error) {
	data, err := os.ReadFile(procFile(p, "environ"))
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00"), err
}

func (s Stack) startDashboard(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, dashboardLimit, fmt.Errorf("not within %s", dashboardLimit))
	defer cancel()
	d := s.Dashboard
	if err := s.User.Append(d.Log); err != nil {
		return err
	}
	ended, err := command.Server{Args: d.Program, Env: d.Env, Dir: "/", Log: d.Log}.Start()
	if err != nil {
		return err
	}
	return waitServer(ctx, d.Socket, d.Log, ended)
}

// endDashboard ends it at once: nobody loses a request of the site by it.
func (s Stack) endDashboard(ctx context.Context, limit time.Duration, report Report) error {
	how := func(ctx context.Context, family []proc.Process) error { return endProcess(ctx, family[0]) }
	return s.end(ctx, limit, "dashboard", s.Dashboard.processes(), how, report)
}

// dashboardLimit bounds its start, which takes some milliseconds.
const dashboardLimit = 10 * time.Second

// endGrace is what a process gets to end by itself that has nothing to lose.
const endGrace = 2 * time.Second

// endProcess ends a process, the hard way if it does not hear.
func endProcess(ctx context.Context, p proc.Process) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	graceful, cancel := context.WithTimeout(ctx, endGrace)
	defer cancel()
	if proc.AwaitEnd(graceful, []proc.Process{p}) == nil {
		return nil
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	return proc.AwaitEnd(ctx, []proc.Process{p})
}
