// Package uwsgiconf renders the configuration of uWSGI in zerg mode: an
// emperor, the vassal of a build (the sockets) and its zerg (the workers).
//
//	var ini bytes.Buffer
//	err := uwsgiconf.RenderVassal(&ini, uwsgiconf.Vassal{
//		Build: "a", Socket: "/run/shop/a.app.sock", ZergServer: "/run/shop/a.zerg",
//		Stats: "/run/shop/a.vassal.stats", Log: "/var/log/shop/a.vassal.log",
//	}, nil)
//
// The package writes to what it is given and touches no disk and no process.
//
// uWSGI expands %(name), $(NAME), @(file) and @(exec://command) in every value
// and knows no way to quote them, so every value is checked here first: only
// letters, digits and the characters . _ / : + @ * [ ] - pass, in paths no
// colon, and nothing a caller sets can add a directive or run a command.
package uwsgiconf

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/hadjango/hadjango/conf"
)

// MaxSocketPath is the longest path of a unix socket that uWSGI takes, in bytes.
const MaxSocketPath = 102

// Emperor is one of the emperors of a site.
type Emperor struct {
	// Role is shown in the process list.
	Role string
	// Patterns are the globs of the files it runs, absolute.
	Patterns []string
	// Stats is the path of its stats socket.
	Stats   string
	PIDFile string
	// Grace is how long an instance may take to end; longer than the longest request.
	Grace time.Duration
}

// Vassal holds the listening sockets of a build.
type Vassal struct {
	Build string
	// Socket is the unix socket nginx passes requests to.
	Socket string
	// ZergServer is the unix socket where zergs fetch the listening sockets.
	ZergServer string
	Stats      string
	Log        string
	// HTTP is the address that speaks HTTP, TCP the one that speaks the uwsgi
	// protocol; either may be empty.
	HTTP, TCP string
	// Backlog is how many connections may wait; at most net.core.somaxconn. Default 100.
	Backlog int
	// Timeout is the longest a request over HTTP may take. Default 90 s.
	Timeout time.Duration
}

// Zerg has the workers of a build and attaches to the sockets of its vassal.
type Zerg struct {
	Build, Tag string
	// Dir is the build: working directory, virtualenv and Python path.
	Dir string
	// WSGIFile is the Python file whose application is served.
	WSGIFile string
	// ZergServer and Socket are the vassal's.
	ZergServer, Socket string
	Stats, FIFO, Log   string
	// Workers is the most workers there can be, Cheaper the fewest. Default 1, and as many as Workers.
	Workers, Cheaper int
	// Preload loads the application once, before the workers are forked.
	Preload bool
	// Timeout is the longest a request may take. Default 90 s.
	Timeout time.Duration
	// Plugins that uWSGI needs, comma separated. Default python3,cheaper_busyness.
	Plugins string
}

const defaultTimeout = 90 * time.Second

// RenderEmperor writes the configuration of an emperor. Templates in own take
// the place of the embedded ones; own may be nil.
func RenderEmperor(w io.Writer, e Emperor, own fs.FS) error {
	c := checker{}
	c.values(e.Role)
	c.paths(append([]string{e.PIDFile}, e.Patterns...)...)
	c.sockets(e.Stats)
	if c.err != nil {
		return fmt.Errorf("render emperor %s: %w", e.Role, c.err)
	}
	return conf.Execute(w, own, "emperor.ini.tmpl", struct {
		Emperor
		Grace int
	}{e, seconds(e.Grace)})
}

// Bound is where the vassal binds its socket, before it is moved to Socket: a
// socket that does not listen yet would refuse whoever comes.
func (v Vassal) Bound() string { return v.Socket + ".new" }

// RenderVassal writes the configuration of a build's vassal.
func RenderVassal(w io.Writer, v Vassal, own fs.FS) error {
	c := checker{}
	c.values(v.Build, v.HTTP, v.TCP)
	c.paths(v.Log)
	c.paths(v.Socket)
	c.sockets(v.Bound(), v.ZergServer, v.Stats)
	if c.err != nil {
		return fmt.Errorf("render vassal of %s: %w", v.Build, c.err)
	}
	v.Backlog = or(v.Backlog, 100)
	return conf.Execute(w, own, "vassal.ini.tmpl", struct {
		Vassal
		Timeout int
	}{v, seconds(v.Timeout)})
}

// RenderZerg writes the configuration of a build's zerg.
func RenderZerg(w io.Writer, z Zerg, own fs.FS) error {
	z.Plugins = or(z.Plugins, "python3,cheaper_busyness")
	z.Workers = max(z.Workers, 1)
	z.Cheaper = min(or(z.Cheaper, z.Workers), z.Workers)
	c := checker{}
	c.values(z.Build, z.Tag, strings.ReplaceAll(z.Plugins, ",", ""))
	c.paths(z.Dir, z.WSGIFile, z.FIFO, z.Log)
	c.sockets(z.ZergServer, z.Socket, z.Stats)
	if c.err != nil {
		return fmt.Errorf("render zerg of %s: %w", z.Build, c.err)
	}
	return conf.Execute(w, own, "zerg.ini.tmpl", struct {
		Zerg
		Timeout int
	}{z, seconds(z.Timeout)})
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// seconds rounds up: uWSGI counts whole ones.
func seconds(d time.Duration) int {
	d = or(d, defaultTimeout)
	return int((d + time.Second - 1) / time.Second)
}
