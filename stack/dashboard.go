package stack

import (
	"context"
	"fmt"
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
	// Socket is where it listens, Log what it writes.
	Socket, Log string
}

func (d Dashboard) processes() []proc.Process {
	if p, ok := proc.Listener(d.Socket); ok {
		return []proc.Process{p}
	}
	return nil
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
	dir := filepath.Join("/proc", strconv.Itoa(p.PID))
	environ, err := os.ReadFile(filepath.Join(dir, "environ"))
	if err != nil {
		return false
	}
	env := strings.Split(strings.TrimSuffix(string(environ), "\x00"), "\x00")
	return slices.Equal(env, d.Env) && files.Same(filepath.Join(dir, "exe"), d.Program[0]) && files.Same(filepath.Join(dir, "fd/2"), d.Log)
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
