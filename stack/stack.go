// Package stack starts, stops and watches the servers of one site on this
// machine: an emperor for the vassals, an emperor for the zergs, and nginx.
//
// There are two emperors because either may die without a request lost: while
// the zergs' is away requests wait in the vassals' sockets, while the
// vassals' is away the zergs still hold them. Each runs under a uWSGI master
// that starts it again. None of the servers is a child of who started it, and
// each finds on disk what it is to run, so Up after a crash or a reboot brings
// back what was there.
package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/proc"
)

// Stack is the servers of one site. Their configuration has been written.
type Stack struct {
	// Dir is the directory that all files of the servers lie in: a process
	// that works there, or has a file there open, is ours.
	Dir      string
	Programs Programs
	// User is who the servers are; nginx's master stays who started it, for
	// the sake of ports below 1024.
	User           account.User
	Vassals, Zergs Emperor
	Nginx          Nginx
}

// Emperor is one of the two emperors.
type Emperor struct {
	// Name is for people.
	Name string
	// Config, Stats, PIDFile and Log are paths; the first three as in the configuration.
	Config, Stats, PIDFile, Log string
}

// Nginx is the web server.
type Nginx struct {
	Config, PIDFile, ErrorLog string
	// Listen are the addresses in its configuration.
	Listen []string
}

// Report is told what happens to a server, such as "started". It may be called
// by several at once.
type Report func(server, what string)

// Up starts what does not run, mends what is orphaned, and leaves what runs.
// Between the two emperors it calls vassalsUp, which returns when the vassals'
// sockets are there for the zergs to attach to.
func (s Stack) Up(ctx context.Context, vassalsUp func(context.Context) error, report Report) error {
	if err := s.upEmperor(ctx, s.Vassals, report); err != nil {
		return err
	}
	if err := vassalsUp(ctx); err != nil {
		return err
	}
	if err := s.upEmperor(ctx, s.Zergs, report); err != nil {
		return err
	}
	return s.upNginx(ctx, report)
}

// Down ends all servers, nginx first, so that requests in flight are answered,
// and then whatever else of the site still runs. When ctx ends before they
// have, they are killed.
func (s Stack) Down(ctx context.Context, report Report) error {
	err := s.end(ctx, "nginx", s.Nginx.PIDFile, endNginx, report)
	// nothing is queued any more, so the sockets may go while workers finish
	var emperors errgroup.Group
	for _, e := range []Emperor{s.Zergs, s.Vassals} {
		emperors.Go(func() error { return s.end(ctx, e.Name, e.PIDFile, endEmperor, report) })
	}
	return errors.Join(err, emperors.Wait(), s.endStrays(ctx, report))
}

// Health says which servers run.
type Health struct {
	Vassals bool `json:"vassals"`
	Zergs   bool `json:"zergs"`
	Nginx   bool `json:"nginx"`
}

// Up tells whether all servers run.
func (h Health) Up() bool { return h.Vassals && h.Zergs && h.Nginx }

// Health looks at the servers.
func (s Stack) Health() Health {
	runs := func(pidFile string) bool {
		_, ok := s.running(pidFile)
		return ok
	}
	return Health{Vassals: runs(s.Vassals.PIDFile), Zergs: runs(s.Zergs.PIDFile), Nginx: runs(s.Nginx.PIDFile)}
}

// running returns the process that a pid file names, if it is alive and ours:
// after a crash the number may be another's.
func (s Stack) running(pidFile string) (proc.Process, bool) {
	data, err := os.ReadFile(pidFile)
	if err != nil {
		return proc.Process{}, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return proc.Process{}, false
	}
	for _, p := range s.processes() {
		if p.PID == pid {
			return p, true
		}
	}
	return proc.Process{}, false
}

// processes returns all servers' processes of this site, orphans included.
func (s Stack) processes() []proc.Process {
	found, _ := proc.Under(s.Dir, serverPrograms...)
	return found
}

// serverPrograms are the base names a server's executable may have.
var serverPrograms = []string{"nginx", "uwsgi", "uwsgi-core"}

// end ends the server that a pid file names, by its own way.
func (s Stack) end(ctx context.Context, name, pidFile string, how func(context.Context, []proc.Process) error, report Report) error {
	process, ok := s.running(pidFile)
	if !ok {
		return nil
	}
	start := time.Now()
	if err := how(ctx, proc.Family(process.PID)); err != nil {
		// what is left is killed with the strays
		report(name, "did not end: "+err.Error())
		return nil
	}
	report(name, fmt.Sprintf("stopped in %.1f s", time.Since(start).Seconds()))
	return nil
}

// killWait bounds waiting for processes that were killed.
const killWait = 5 * time.Second

// endStrays kills what is left of the site.
func (s Stack) endStrays(ctx context.Context, report Report) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killWait)
	defer cancel()
	for {
		strays := s.processes()
		if len(strays) == 0 {
			return nil
		}
		for _, p := range strays {
			report("stray", fmt.Sprintf("killed process %d (%s)", p.PID, p.Name()))
			if err := p.Signal(syscall.SIGKILL); err != nil {
				return fmt.Errorf("kill process %d: %w", p.PID, err)
			}
		}
		if err := proc.Wait(ctx, strays); err != nil {
			return fmt.Errorf("kill strays: %w", err)
		}
	}
}
