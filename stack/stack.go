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
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
	// Elsewhere is the address, host:port, of an nginx that is not this stack's
	// to start: one in another container, which [Stack.ServeNginx] runs there.
	// It is empty for one that is.
	Elsewhere string
	// Ask and Answer are files by which such an nginx is told to reload, and
	// says what came of it.
	Ask, Answer string
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
	late := s.endNginx(ctx, limit, report)
	// nothing is queued any more, so the sockets may go while workers finish
	var emperors errgroup.Group
	for _, e := range []Emperor{s.Zergs, s.Vassals} {
		emperors.Go(func() error { return s.end(ctx, limit, e.Name, e.masters(s.processes()), endEmperor, report) })
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
		Vassals: s.emperorRuns(s.Vassals),
		Zergs:   s.emperorRuns(s.Zergs),
		Nginx:   s.nginxRuns(),

		Dashboard: s.Dashboard.runs(),
	}
}

// emperorRuns looks at one process where that tells, and else at all there are.
func (s Stack) emperorRuns(e Emperor) bool {
	pid := readPID(e.PIDFile)
	p, err := proc.Open(pid)
	return err == nil && e.isMaster(p, pid) && proc.IsUnder(pid, s.Dir, serverPrograms...) || len(e.masters(s.processes())) > 0
}

func (s Stack) nginxRuns() bool {
	if s.Nginx.Elsewhere != "" {
		return s.Nginx.AnswersElsewhere()
	}
	return s.titledNginx() || len(s.Nginx.masters(s.processes())) > 0
}

// titledNginx tells whether nginx runs where this process may not see the files
// of its master, which is root's; its title is for everybody to see.
func (s Stack) titledNginx() bool {
	p, err := proc.Open(readPID(s.Nginx.PIDFile))
	return err == nil && strings.HasPrefix(p.Name(), "nginx: master process ") && strings.Contains(p.Name()+" ", " "+s.Nginx.Config+" ")
}

// isMaster tells whether a process is the emperor's: one with its title, or the
// one that its pid file names, before it has got its title. In a container a new
// process is likely to have the number of one that was killed, so that the number
// alone proves nothing.
func (e Emperor) isMaster(p proc.Process, pid int) bool {
	name := p.Name()
	return name == e.Title || p.PID == pid && strings.Contains(name, e.Config)
}

// masters are the emperor's processes, the one that the pid file names first.
func (e Emperor) masters(all []proc.Process) []proc.Process {
	pid := readPID(e.PIDFile)
	found := slices.DeleteFunc(slices.Clone(all), func(p proc.Process) bool { return !e.isMaster(p, pid) })
	slices.SortStableFunc(found, func(a, b proc.Process) int {
		return cmp.Compare(distance(a.PID, pid), distance(b.PID, pid))
	})
	return found
}

// distance puts the process that a pid file names before all others.
func distance(pid, named int) int {
	if pid == named {
		return 0
	}
	return 1
}

func (n Nginx) masters(all []proc.Process) []proc.Process {
	pid := readPID(n.PIDFile)
	return slices.DeleteFunc(slices.Clone(all), func(p proc.Process) bool {
		return p.PID != pid || !strings.Contains(p.Name(), "nginx")
	})
}

func readPID(path string) int {
	data, _ := files.Read(path)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid
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
