// Package containers asks the tools of Docker about the site's containers, which
// a compose file describes.
package containers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/lines"
)

// Compose is the program that reads compose files, with its first arguments.
type Compose []string

func (c Compose) String() string { return strings.Join(c, " ") }

// ErrNoCompose says that no program reads compose files here.
var ErrNoCompose = errors.New("there is neither docker compose nor docker-compose here: install one, on Debian with apt-get install docker-compose")

// FindCompose prefers the plugin of the docker program to what came before it.
func FindCompose(ctx context.Context) (Compose, error) {
	if command.Look("docker") != "" {
		plugin := Compose{"docker", "compose"}
		if _, err := plugin.output(ctx, "/", "version"); err == nil {
			return plugin, nil
		}
	}
	if command.Look("docker-compose") != "" {
		return Compose{"docker-compose"}, nil
	}
	return nil, ErrNoCompose
}

func (c Compose) output(ctx context.Context, dir string, args ...string) (string, error) {
	return output(ctx, dir, slices.Concat(c, args)...)
}

func output(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := command.Command{Args: args, Dir: dir}.Output(ctx)
	return strings.TrimSpace(string(out)), err
}

// Published is the address at which the engine's machine offers a port of a
// service, as the engine says it: 0.0.0.0:8080 is on all its addresses.
func (c Compose) Published(ctx context.Context, dir, service, port string) (string, error) {
	out, err := c.output(ctx, dir, "port", service, port)
	if err != nil {
		return "", err
	}
	// there is a line for IPv6 where the engine has it
	address := lines.First(out, 1)
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", fmt.Errorf("port %s of %s is not published: is its container up?", port, service)
	}
	return address, nil
}

// Engine is where the engine is that docker's tools talk to here: its endpoint,
// as in DOCKER_HOST or the current context.
func Engine(ctx context.Context) (endpoint string, err error) {
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return host, nil
	}
	if command.Look("docker") == "" {
		return "", nil
	}
	return output(ctx, "/", "docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
}

// MachineOf is the machine of an engine, as others call it: its name or address.
// It is empty for this machine.
func MachineOf(ctx context.Context, endpoint string) (string, error) {
	at, err := url.Parse(endpoint)
	if err != nil {
		return "", fmt.Errorf("the engine %q: %w", endpoint, err)
	}
	switch at.Scheme {
	case "", "unix", "npipe", "fd":
		return "", nil
	case "tcp", "http", "https":
		return unlessThis(at.Hostname()), nil
	case "ssh":
		return unlessThis(sshMachine(ctx, at.Hostname())), nil
	}
	return "", fmt.Errorf("the engine %q: %s is none of unix, tcp and ssh", endpoint, at.Scheme)
}

// unlessThis leaves the name away where it is this machine's for itself.
func unlessThis(machine string) string {
	if machine == "localhost" || net.ParseIP(machine).IsLoopback() {
		return ""
	}
	return machine
}

// sshMachine asks ssh what a name means: in ~/.ssh/config it may stand for another.
func sshMachine(ctx context.Context, name string) string {
	out, err := output(ctx, "/", "ssh", "-G", "--", name)
	if err != nil {
		return name
	}
	for line := range strings.Lines(out) {
		if meant, ok := strings.CutPrefix(line, "hostname "); ok {
			return cmp.Or(strings.TrimSpace(meant), name)
		}
	}
	return name
}

// Reachable is the address at which a port is reached that a machine publishes;
// the machine is as [MachineOf] says it. own says that only the machine itself
// reaches it.
func Reachable(machine, published string) (address string, own bool) {
	host, port, _ := net.SplitHostPort(published)
	ip := net.ParseIP(host)
	switch {
	case ip == nil || ip.IsUnspecified():
		host = cmp.Or(machine, "127.0.0.1")
	case ip.IsLoopback() && machine != "":
		return net.JoinHostPort(machine, port), true
	}
	return net.JoinHostPort(host, port), false
}

// Exec is the command that runs a program in a service's container, with the
// terminal of who starts it or without one. env are variables for the program:
// NAME=value, which everybody on the machine sees, or NAME, which has the value
// that the command has.
func (c Compose) Exec(terminal bool, env []string, service string, program ...string) []string {
	args := append(slices.Clone(c), "exec")
	if !terminal {
		args = append(args, "-T")
	}
	for _, variable := range env {
		args = append(args, "-e", variable)
	}
	return slices.Concat(args, []string{service}, program)
}

// Signal is the command that sends a signal, such as INT, to the processes in a
// service's container that were started with a variable, written NAME=value, and
// to their groups, as a terminal does. It fails where there is none.
func (c Compose) Signal(service, variable, signal string) []string {
	return c.Exec(false, nil, service, "sh", "-c", signalMarked, variable, signal)
}

// signalMarked needs nothing but what every image has that a shell is opened in.
// Its variable is an argument, so that it does not find itself. Only a group is
// reached whole, with what is about to be started; a process that leads none is
// in one whose leader is found, too.
const signalMarked = `found=1
for process in /proc/[0-9]*; do
	if { tr '\0' '\n' <"$process/environ"; } 2>/dev/null | grep -qxFe "$0"; then
		kill -s "$1" -- "-${process#/proc/}" 2>/dev/null
		found=0
	fi
done
exit $found`
