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
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hadjango/hadjango/internal/command"
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

// Described tells whether there is a compose file for the containers of dir.
func Described(dir string) bool {
	return os.Getenv("COMPOSE_FILE") != "" || slices.ContainsFunc(composeFiles, func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	})
}

var composeFiles = []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}

// Published is the address at which the engine's machine offers a port of a
// service, as the engine says it: 0.0.0.0:8080 is on all its addresses. Of several
// it is the first of IPv4.
func (c Compose) Published(ctx context.Context, dir, service, port string) (string, error) {
	out, err := c.output(ctx, dir, "port", service, port)
	if err != nil {
		return "", err
	}
	var addresses []string
	for line := range strings.Lines(out) {
		if address, ok := ParseAddress(strings.TrimSpace(line)); ok {
			addresses = append(addresses, address)
		}
	}
	if len(addresses) == 0 {
		return "", fmt.Errorf("port %s of %s is not published", port, service)
	}
	return addresses[max(0, slices.IndexFunc(addresses, isIPv4))], nil
}

func isIPv4(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	return net.ParseIP(host).To4() != nil
}

// ParseAddress reads where a port is published the way compose writes it, which is
// with or without brackets around IPv6, or the way its files do, where the port
// may stand alone. Port 0 is that of nothing.
func ParseAddress(text string) (address string, ok bool) {
	at := strings.LastIndex(text, ":")
	host, port := strings.Trim(text[:max(0, at)], "[]"), text[at+1:]
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 || host != "" && net.ParseIP(host) == nil {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}

// Machine is where the engine is that docker's tools talk to here, as [MachineOf]
// says it.
func Machine(ctx context.Context) (string, error) {
	endpoint, err := Engine(ctx)
	if err != nil {
		return "", err
	}
	return MachineOf(ctx, endpoint)
}

// Engine is the endpoint of the engine that docker's tools talk to here, as in
// DOCKER_HOST or the current context.
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
	case ip.Equal(net.IPv6unspecified):
		host = cmp.Or(machine, "::1")
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
