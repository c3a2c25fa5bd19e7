// Package stack starts, stops and watches the servers of one site on this
// machine: an emperor for the vassals, an emperor for the zergs, nginx, and the
// dashboard.
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
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/files"
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
	Dashboard      Dashboard
}

// Emperor is one of the two emperors.
type Emperor struct {
	// Name is for people; Title is that of its uWSGI master in the process list.
	Name, Title string
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
// sockets are there for the zergs to attach to. One build's trouble there keeps
// no server from starting; the error is returned in the end. The dashboard, which
// nobody is served by, is [Stack.UpDashboard]'s.
func (s Stack) Up(ctx context.Context, vassalsUp func(context.Context) error, report Report) error {
	if err := s.upEmperor(ctx, s.Vassals, report); err != nil {
		return err
	}
	trouble := vassalsUp(ctx)
	if err := s.upEmperor(ctx, s.Zergs, report); err != nil {
		return errors.Join(trouble, err)
	}
	return errors.Join(trouble, s.upNginx(ctx, report))
}

// Down ends all servers, nginx first, so that requests in flight are answered,
// and then whatever else of the site still runs. A server that has not ended
// after the limit is killed, and the error says so. When ctx ends first nothing
// is killed.
func (s Stack) Down(ctx context.Context, limit time.Duration, report Report) error {
	var dashboard errgroup.Group
	dashboard.Go(func() error { return s.endDashboard(ctx, limit, report) })
	late := s.end(ctx, limit, "nginx", s.find(s.Nginx.PIDFile, ""), endNginx, report)
	// nothing is queued any more, so the sockets may go while workers finish
	var emperors errgroup.Group
	for _, e := range []Emperor{s.Zergs, s.Vassals} {
		emperors.Go(func() error { return s.end(ctx, limit, e.Name, s.find(e.PIDFile, e.Title), endEmperor, report) })
	}
	late = errors.Join(late, emperors.Wait(), dashboard.Wait())
	if ctx.Err() != nil {
		return late
	}
	return errors.Join(late, s.endStrays(ctx, report))
}

// Health says which servers run.
type Health struct {
	Vassals bool `json:"vassals"`
	Zergs   bool `json:"zergs"`
	Nginx   bool `json:"nginx"`
	// Dashboard tells about what only looks.
	Dashboard bool `json:"dashboard"`
}

// Up tells whether all servers run that visitors are served by.
func (h Health) Up() bool { return h.Vassals && h.Zergs && h.Nginx }

// Health looks at the servers.
func (s Stack) Health() Health {
	return Health{
		Vassals: s.runs(s.Vassals.PIDFile, s.Vassals.Title),
		Zergs:   s.runs(s.Zergs.PIDFile, s.Zergs.Title),
		Nginx:   s.titledNginx() || s.runs(s.Nginx.PIDFile, ""),

		Dashboard: s.Dashboard.runs(),
	}
}

// runs looks at one process where that tells, and else at all there are.
func (s Stack) runs(pidFile, title string) bool {
	pid, err := readPID(pidFile)
	return err == nil && proc.IsUnder(pid, s.Dir, serverPrograms...) || len(s.find(pidFile, title)) > 0
}

// titledNginx tells whether nginx runs where this process may not see the files
// of its master, which is root's; its title is for everybody to see.
func (s Stack) titledNginx() bool {
	pid, _ := readPID(s.Nginx.PIDFile)
	p, err := proc.Open(pid)
	return err == nil && strings.HasPrefix(p.Name(), "nginx: master process ") && strings.Contains(p.Name()+" ", " "+s.Nginx.Config+" ")
}

// find returns the process that a pid file names, if it is alive and ours:
// after a crash the number may be another's. A process with the title is one
// too, whatever became of its pid file.
func (s Stack) find(pidFile, title string) []proc.Process { return pick(s.processes(), pidFile, title) }

func pick(all []proc.Process, pidFile, title string) []proc.Process {
	pid, _ := readPID(pidFile)
	var found []proc.Process
	for _, p := range all {
		if p.PID == pid || (title != "" && p.Name() == title) {
			found = append(found, p)
		}
	}
	return found
}

func readPID(file string) (int, error) {
	data, err := files.Read(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}

// processes returns all servers' processes of this site, orphans included.
func (s Stack) processes() []proc.Process {
	found, _ := proc.Under(s.Dir, serverPrograms...)
	return found
}

// serverPrograms are the base names a server's executable may have.
var serverPrograms = []string{"nginx", "uwsgi", "uwsgi-core"}

// end ends servers, by their own way.
func (s Stack) end(ctx context.Context, limit time.Duration, name string, masters []proc.Process, how func(context.Context, []proc.Process) error, report Report) error {
	for _, master := range masters {
		start := time.Now()
		ctx, cancel := context.WithTimeout(ctx, limit)
		err := how(ctx, proc.Family(master.PID))
		cancel()
		if err != nil {
			return fmt.Errorf("%s did not end within %s: %w", name, limit, err)
		}
		report(name, fmt.Sprintf("stopped in %.1f s", time.Since(start).Seconds()))
	}
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
