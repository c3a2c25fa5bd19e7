package site

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/stack"
)

// elsewhereListens is what nginx listens on where it runs elsewhere: who comes
// there comes from another machine or container.
func elsewhereListens(address string) ([]string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("the address of nginx is %q and must be host:port, such as nginx:8080", address)
	}
	return []string{"*:" + port}, nil
}

// whereabouts are the variables by which a task of this site finds it.
func (s *Site) whereabouts() []string {
	variables := []string{"HADJANGO_SITE=" + s.root, "HADJANGO_DEPLOY=" + s.deploy}
	if s.elsewhere != "" {
		variables = append(variables, "HADJANGO_NGINX="+s.elsewhere)
	}
	if s.port != "" {
		variables = append(variables, "HADJANGO_PUBLISH="+s.port)
	}
	return variables
}

// ownUp tells whether the servers run that are this site's to start here.
func (s *Site) ownUp() bool {
	if s.elsewhere != "" {
		return s.emperorsUp()
	}
	return s.health().Up()
}

func (s *Site) withElsewhere(health stack.Health) stack.Health {
	health.Nginx = health.Nginx || s.nginx().AnswersElsewhere()
	return health
}

// frontDoor is the address at which this process reaches nginx.
func (s *Site) frontDoor() string {
	if s.elsewhere != "" {
		return s.elsewhere
	}
	return Loopback(s.config.Listen[0])
}

// An nginx elsewhere reaches a build's port by the name of this machine, and on
// an address that is not loopback's.
func (s *Site) comesFromElsewhere(address string) (bind, call string) {
	_, port, err := net.SplitHostPort(address)
	if s.elsewhere == "" || err != nil {
		return address, address
	}
	host, _ := os.Hostname()
	return net.JoinHostPort("0.0.0.0", port), net.JoinHostPort(host, port)
}

// Serve is the site for as long as ctx lasts: what [Site.Up] and then, after the
// last request, [Site.Down] do. What cannot come back does not end it: the rest
// serves, and tasks can mend it meanwhile. A task that is under way in the end
// is told to end first, and leaves all whole.
func (s *Site) Serve(ctx context.Context) error {
	s.wait = serveWait
	if err := s.Up(ctx); err != nil && ctx.Err() == nil {
		s.reporter.Note(err.Error())
	}
	<-ctx.Done()
	s.interruptTask()
	s.wait = s.config.Timeouts.Drain
	return s.Down(context.WithoutCancel(ctx))
}

// interruptTask ends a task as Ctrl-C does; who started it may be elsewhere and
// not know that all ends here.
func (s *Site) interruptTask() {
	holder, held := builds.Held(s.lockFile())
	if !held || holder.Task == "" {
		return
	}
	if task, err := proc.Open(holder.PID); err == nil {
		s.reporter.Note(fmt.Sprintf("%s: it is told to end", holder))
		_ = task.Signal(syscall.SIGTERM)
	}
}

// serveWait is how long a task may take that comes first: there is nothing else to do.
const serveWait = 24 * time.Hour

// ServeNginx is nginx alone for as long as ctx lasts, in a container of its own.
// The site elsewhere writes its configuration, and asks it to reload.
func (s *Site) ServeNginx(ctx context.Context) error {
	programs, err := stack.FindNginx()
	if err != nil {
		return fmt.Errorf("serve nginx: %w", err)
	}
	here := *s
	here.elsewhere = ""
	if err := os.MkdirAll(s.etc(""), 0o755); err != nil {
		return fmt.Errorf("serve nginx: %w", err)
	}
	return here.stack(programs).ServeNginx(ctx, s.config.Timeouts.Drain, s.noteServer)
}

// Serves tells why the servers that are this site's to start here do not serve.
func (s *Site) Serves(ctx context.Context) error {
	if !s.ownUp() {
		return ErrDown
	}
	live, err := s.store.Pointed(builds.Live)
	if errors.Is(err, builds.ErrNoPointer) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.mustBeActive(ctx, live)
}

// NginxServes tells why the nginx of this machine, or container, takes no
// connection.
func (s *Site) NginxServes(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", Loopback(s.config.Listen[0]))
	if err != nil {
		return fmt.Errorf("nginx does not serve: %w", err)
	}
	return conn.Close()
}

// reloadsAlways tells whether nginx may hold what nobody here knows: it resolves
// the name of this machine when it loads its configuration.
func (s *Site) reloadsAlways() bool {
	return s.elsewhere != "" && s.config.Switch == config.SwitchReload
}
