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
	"syscall"

	"golang.org/x/term"

	"github.com/hadjango/hadjango/internal/containers"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
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

// handedOn are the variables that a task obeys, or that tell it about the
// terminal.
var handedOn = []string{"HADJANGO_WAIT", "MAGEFILE_VERBOSE", "MAGEFILE_TIMEOUT", "TERM", "LANG", "NO_COLOR"}

// callVariable marks a task in a container, so that it can be found there.
const callVariable = "HADJANGO_CALL"

// runInWeb runs this process's own command line in the service web, and ends the
// process as it ended there. It returns only when nothing was run.
func runInWeb(ctx context.Context) error {
	call := callVariable + "=" + rand.Text()
	env := []string{call}
	for _, name := range handedOn {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	program := append([]string{ourProgram}, os.Args[1:]...)
	return runIn(ctx, webService, env, program, func(compose containers.Compose) *exec.Cmd {
		args := compose.Exec(false, []string{call}, webService, ourProgram, "interrupt")
		return exec.Command(args[0], args[1:]...)
	})
}

// runIn runs a program in a service, with the terminal of this process or its
// pipes, and ends the process as the program ended. Docker hands no signal on to
// the program, only what is typed at a terminal: interrupt is the command that
// does it.
func runIn(ctx context.Context, service string, env, program []string, interrupt func(containers.Compose) *exec.Cmd) error {
	dir, err := siteDir()
	if err != nil {
		return err
	}
	compose, err := containers.FindCompose(ctx)
	if err != nil {
		return err
	}
	terminal := atTerminal()
	args := compose.Exec(terminal, env, service, program...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, os.Stdin, os.Stdout, os.Stderr
	// a client that Ctrl-C reaches would end and leave the task alone
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !terminal}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	go func() {
		for range signals {
			if interrupt == nil {
				continue // the shell goes on until its input ends
			}
			end := interrupt(compose)
			end.Dir, end.Stderr = dir, os.Stderr
			_ = end.Run()
		}
	}()
	var ended *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &ended) {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	os.Exit(cmd.ProcessState.ExitCode())
	return nil
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
	return runIn(ctx, service, nil, []string{"sh"}, nil)
}

var serviceName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)

// atTerminal tells whether all three are a terminal. One in the container would
// put standard output and standard error together, and end lines its own way.
func atTerminal() bool {
	for _, file := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if !term.IsTerminal(int(file.Fd())) {
			return false
		}
	}
	return true
}

// Interrupt ends the task that HADJANGO_CALL names, as Ctrl-C does: for HADJANGO_HOST, within a container.
func Interrupt(ctx context.Context) error {
	call := os.Getenv(callVariable)
	if call == "" {
		return fmt.Errorf("%s is not set: it says which task to end", callVariable)
	}
	marked, err := proc.WithEnv(callVariable + "=" + call)
	if err != nil {
		return err
	}
	for _, p := range marked {
		// what the task has started is the task's to end
		if p.PID != os.Getpid() && files.Same(fmt.Sprintf("/proc/%d/exe", p.PID), "/proc/self/exe") {
			err = errors.Join(err, p.Signal(syscall.SIGINT))
		}
	}
	return err
}
