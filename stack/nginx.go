package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/internal/watch"
)

func (s Stack) upNginx(ctx context.Context, report Report) error {
	if s.Nginx.Elsewhere != "" {
		report("nginx", s.Nginx.whereabouts())
		return nil
	}
	if len(s.Nginx.masters(s.processes())) > 0 {
		report("nginx", "runs")
		return nil
	}
	start := time.Now()
	if err := s.takeOver(ctx, report); err != nil {
		return fmt.Errorf("start nginx: %w", err)
	}
	report("nginx", fmt.Sprintf("started in %.1f s", time.Since(start).Seconds()))
	return nil
}

// takeOver starts nginx in the place of workers whose master was killed, if
// there are such: they still serve, but they hold the port. Where their sockets
// cannot be had the port is closed until they are gone.
func (s Stack) takeOver(ctx context.Context, report Report) error {
	orphans, err := proc.Under(s.Dir, "nginx")
	if err != nil {
		return err
	}
	if len(orphans) == 0 {
		return s.startNginx(ctx)
	}
	sockets, err := s.socketsOf(orphans)
	if err != nil {
		if err := errors.Join(retire(orphans, report), s.waitListenable(ctx)); err != nil {
			return err
		}
		return s.startNginx(ctx)
	}
	defer closeAll(sockets)
	if err := s.succeed(ctx, sockets); err != nil {
		return err
	}
	return retire(orphans, report)
}

// socketsOf takes the sockets of the first that gives them: one may be about to
// end by itself.
func (s Stack) socketsOf(orphans []proc.Process) (sockets []*os.File, err error) {
	for _, p := range orphans {
		if sockets, err = listening(p, s.Nginx.Listen); err == nil {
			break
		}
	}
	return sockets, err
}

// retire asks workers to finish what they have and go: all at once, because they
// close idle connections, whose clients must not come to the next that does.
func retire(orphans []proc.Process, report Report) error {
	var errs []error
	for _, p := range orphans {
		if err := p.Signal(syscall.SIGQUIT); err != nil {
			errs = append(errs, fmt.Errorf("end orphaned nginx worker %d: %w", p.PID, err))
		}
	}
	for _, p := range orphans {
		report("nginx", fmt.Sprintf("orphaned worker %d is told to finish", p.PID))
	}
	return errors.Join(errs...)
}

func (s Stack) startNginx(ctx context.Context) error {
	for _, address := range s.Nginx.Listen {
		if err := Listenable(address, "listen"); err != nil {
			return err
		}
	}
	if err := s.TestNginx(ctx); err != nil {
		return err
	}
	if err := s.nginx(ctx); err != nil {
		return err
	}
	// what was started has ended by now, a moment before its child says who it is
	return poll(ctx, func() (again bool, err error) {
		if len(s.Nginx.masters(s.processes())) == 0 {
			return true, fmt.Errorf("nginx has not written %s: see %s", s.Nginx.PIDFile, s.Nginx.ErrorLog)
		}
		return false, nil
	})
}

// Listenable tells why nobody can listen on a TCP address now: who has it, and
// what to do, where key is the setting in hadjango.yml that names another.
func Listenable(address, key string) error {
	err := listenable(address)
	if err == nil {
		return nil
	}
	hint := "see who has the port with ss -ltnp"
	if holder, ok := holderOf(address); ok {
		hint = fmt.Sprintf("%s has it: end it", holder)
	}
	if errors.Is(err, syscall.EACCES) {
		hint = "ports below 1024 are root's: run as root"
	}
	return fmt.Errorf("listen on %s: %w; %s, or set %s in hadjango.yml", address, err, hint, key)
}

func holderOf(address string) (proc.Process, bool) {
	_, text, _ := net.SplitHostPort(address)
	port, err := strconv.Atoi(text)
	if err != nil {
		return proc.Process{}, false
	}
	return proc.Listening(port)
}

// TestNginx lets nginx check its configuration.
func (s Stack) TestNginx(ctx context.Context) error { return s.nginx(ctx, "-t", "-q") }

// ReloadNginx checks the configuration and lets nginx take it over: new
// workers start, old ones finish what they have, and close idle connections.
func (s Stack) ReloadNginx(ctx context.Context) error {
	if s.Nginx.Elsewhere != "" {
		return s.askReload(ctx)
	}
	running := s.Nginx.masters(s.processes())
	if len(running) == 0 {
		return ErrNginxDown
	}
	if err := s.TestNginx(ctx); err != nil {
		return err
	}
	master := running[0]
	before := proc.Family(master.PID)[1:]
	log, _ := os.Stat(s.Nginx.ErrorLog)
	if err := master.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload nginx: %w", err)
	}
	return poll(ctx, func() (again bool, err error) {
		if refused := s.refusal(log); refused != "" {
			return false, fmt.Errorf("nginx goes on with its old configuration: %s", refused)
		}
		return true, reloaded(master, before)
	})
}

// refusal is what nginx has written to its log, since it was asked to reload,
// about why it does not: some things its own test does not find.
func (s Stack) refusal(before os.FileInfo) string {
	from := int64(0)
	if now, err := os.Stat(s.Nginx.ErrorLog); err == nil && before != nil && before.Size() <= now.Size() {
		from = before.Size()
	}
	data, _ := files.ReadFrom(s.Nginx.ErrorLog, from, maxLog)
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, "[emerg]") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// maxLog is as much of a log as is looked at in one go.
const maxLog = 1 << 20

// ErrNginxDown says that nginx does not run.
var ErrNginxDown = errors.New("nginx does not run: start the servers with mage up")

// reloaded tells whether new workers run and the old ones take no new
// connection: nginx then calls them shutting down.
func reloaded(master proc.Process, before []proc.Process) error {
	old := map[int]bool{}
	for _, p := range before {
		old[p.PID] = true
	}
	fresh := 0
	for _, p := range proc.Family(master.PID)[1:] {
		switch {
		case !old[p.PID]:
			fresh++
		case !strings.Contains(p.Name(), "shutting down"):
			return errReloading
		}
	}
	if fresh == 0 {
		return errReloading
	}
	return nil
}

var errReloading = errors.New("nginx has not finished reloading")

func (s Stack) nginx(ctx context.Context, args ...string) error {
	args = slices.Concat([]string{s.Programs.Nginx}, s.nginxArgs(), args)
	return command.Command{Args: args, Dir: s.Dir}.Run(ctx)
}

func (s Stack) nginxArgs() []string {
	return []string{"-p", s.Dir, "-c", s.Nginx.Config, "-e", s.Nginx.ErrorLog}
}

// waitListenable returns when every address is free.
func (s Stack) waitListenable(ctx context.Context) error {
	return poll(ctx, func() (again bool, err error) {
		for _, address := range s.Nginx.Listen {
			if err := listenable(address); err != nil {
				return true, fmt.Errorf("listen on %s: %w", address, err)
			}
		}
		return false, nil
	})
}

// listenable tells why nginx could not listen on an address.
func listenable(address string) error {
	network := "tcp"
	if strings.HasPrefix(address, "*") {
		network = "tcp4" // as nginx takes it
	}
	listener, err := net.Listen(network, strings.TrimPrefix(address, "*"))
	if err != nil {
		var system *os.SyscallError
		if errors.As(err, &system) {
			return system.Err
		}
		return err
	}
	return listener.Close()
}

// poll tries until there is no error or no use in trying again, and returns the
// last error when ctx ends.
func poll(ctx context.Context, try func() (again bool, err error)) error {
	var last error
	err := watch.Until(ctx, answerPoll, func() (bool, error) {
		again, err := try()
		last = err
		return err == nil || !again, nil
	})
	return errors.Join(last, err)
}

func (s Stack) endNginx(ctx context.Context, limit time.Duration, report Report) error {
	return s.end(ctx, limit, "nginx", s.Nginx.masters(s.processes()), quitNginx, report)
}

// quitNginx lets it answer what it has begun. The first of the family is its master.
func quitNginx(ctx context.Context, family []proc.Process) error {
	if err := family[0].Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	return proc.Wait(ctx, family)
}
