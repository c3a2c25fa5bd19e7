package tasks

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/hadjango/hadjango/internal/containers"
	"github.com/hadjango/hadjango/internal/watch"
)

// The services of docker-compose.yml that our program runs in, and what it is
// called there.
const (
	webService   = "web"
	nginxService = "nginx"
	ourProgram   = "hadjango"
)

// inContainers tells where tasks run: here, or in the service web of the
// containers that docker-compose.yml describes.
func inContainers() (bool, error) {
	switch host := os.Getenv("HADJANGO_HOST"); host {
	case "":
		return false, nil
	case "compose":
		return true, nil
	default:
		return false, fmt.Errorf("HADJANGO_HOST is %q: it must be compose, for the containers, or unset, for this machine", host)
	}
}

// handedOn are the variables of this process that a task in a container gets:
// those it obeys, and those that tell it about the terminal or a superuser.
func handedOn() (names []string) {
	known := []string{"HADJANGO_WAIT", "MAGEFILE_VERBOSE", "MAGEFILE_TIMEOUT", "TERM", "LANG", "NO_COLOR"}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if slices.Contains(known, name) || strings.HasPrefix(name, "DJANGO_SUPERUSER_") {
			names = append(names, name)
		}
	}
	return names
}

// callVariable marks what one call has started in a container, so that it can be
// found there: also once a program has taken the task's place.
const callVariable = "HADJANGO_CALL"

// call is the mark of this process, in a container.
var call = os.Getenv(callVariable)

// markOfCall is for the environment of what takes the place of this process. What
// it starts otherwise is without: that is the task's to end, or outlives it.
func markOfCall() []string {
	if call == "" {
		return nil
	}
	return []string{callVariable + "=" + call}
}

// runInWeb runs this process's own command line in the service web, and ends the
// process as it ended there. It returns only when nothing was run.
func runInWeb(ctx context.Context) error {
	return runIn(ctx, webService, handedOn(), append([]string{ourProgram}, notToldHere(os.Args[1:])...))
}

// runIn runs a program in a service, with the terminal of this process or its
// pipes and some of its variables, and ends the process as the program ended.
func runIn(ctx context.Context, service string, env, program []string) error {
	dir, err := siteDir()
	if err != nil {
		return err
	}
	compose, err := containers.FindCompose(ctx)
	if err != nil {
		return err
	}
	c := client{compose, dir, service, callVariable + "=" + rand.Text()}
	status, err := c.run(ctx, env, program)
	if err != nil {
		return err
	}
	if status != 0 && !c.up() {
		return fmt.Errorf("%s is not up: start the containers with %s", service, startOf(compose, service))
	}
	os.Exit(status)
	return nil
}

// startOf is the command that starts a service: those of a profile are named.
func startOf(compose containers.Compose, service string) string {
	if service == webService || service == nginxService {
		return compose.String() + " up -d"
	}
	return compose.String() + " up -d " + service
}

// client runs programs in a service's container, under a mark that finds them there.
type client struct {
	compose            containers.Compose
	dir, service, mark string
}

// run returns the exit status of the program in the container.
func (c client) run(ctx context.Context, env, program []string) (status int, err error) {
	cmd := c.command(env, program)
	signals := takeSignals(ctx)
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("%s: %w", c.compose, err)
	}
	var ended *exec.ExitError
	if err := c.attend(cmd, signals); err != nil && !errors.As(err, &ended) {
		return 0, fmt.Errorf("%s: %w", c.compose, err)
	}
	return cmd.ProcessState.ExitCode(), nil
}

// attend waits for the end of a command that talks to the program, and hands
// signals on meanwhile: Docker does that only with what is typed at a terminal.
func (c client) attend(cmd *exec.Cmd, signals <-chan os.Signal) (err error) {
	running, end := context.WithCancel(context.Background())
	go func() {
		defer end()
		err = cmd.Wait()
	}()
	for {
		select {
		case sig := <-signals:
			c.handOn(running, sig)
		case <-running.Done():
			return err
		}
	}
}

func (c client) command(env, program []string) *exec.Cmd {
	terminal := atTerminal()
	args := c.compose.Exec(terminal, append(env, c.mark), c.service, program...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, os.Stdout, os.Stderr
	// a client that Ctrl-C reaches would end and leave the task alone
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !terminal}
	// but one in a group of its own is stopped where it reads from a terminal
	if terminal || !isTerminal(os.Stdin) {
		cmd.Stdin = os.Stdin
	}
	return cmd
}

// takeSignals takes the signals that end a task from mage, which would end this
// process five seconds later, and leave the task in the container alone. One that
// mage has taken already, and ended ctx for, counts too.
func takeSignals(ctx context.Context) <-chan os.Signal {
	ends := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
	signals := make(chan os.Signal, 1)
	signal.Reset(ends...)
	signal.Notify(signals, ends...)
	context.AfterFunc(ctx, func() { signals <- syscall.SIGINT })
	return signals
}

// lookAgain is how often a program is looked for that is not there yet.
const lookAgain = 100 * time.Millisecond

// handOn sends a signal to the program, which may be about to start.
func (c client) handOn(running context.Context, sig os.Signal) {
	name := strings.TrimPrefix(unix.SignalName(sig.(syscall.Signal)), "SIG")
	args := c.compose.Signal(c.service, c.mark, name)
	_ = watch.Until(running, lookAgain, func() (found bool, err error) { return c.quietly(args) == nil, nil })
}

// up tells whether the container runs.
func (c client) up() bool {
	return c.quietly(c.compose.Exec(false, nil, c.service, "true")) == nil
}

// quietly runs a command that Ctrl-C does not reach.
func (c client) quietly(args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.SysProcAttr = c.dir, &syscall.SysProcAttr{Setpgid: true}
	return cmd.Run()
}

// shellIn opens a shell in another service than web, which knows no builds.
func shellIn(ctx context.Context, service string, build *string) error {
	away, err := inContainers()
	switch {
	case err != nil:
		return err
	case !away:
		return fmt.Errorf("-server=%s: there are several only with HADJANGO_HOST=compose", service)
	case build != nil:
		return fmt.Errorf("-server=%s -build=%s: builds are in %s", service, *build, webService)
	case !serviceName.MatchString(service):
		return fmt.Errorf("-server=%s: it is no name of a service", service)
	}
	return runIn(ctx, service, nil, []string{"sh"})
}

var serviceName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)

// atTerminal tells whether all three are a terminal. One in the container would
// put standard output and standard error together, and end lines its own way.
func atTerminal() bool {
	return isTerminal(os.Stdin) && isTerminal(os.Stdout) && isTerminal(os.Stderr)
}

func isTerminal(file *os.File) bool { return term.IsTerminal(int(file.Fd())) }
