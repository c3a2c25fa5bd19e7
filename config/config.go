// Package config reads hadjango.yml, the one file that says what a site is and how it is served.
//
//	c, err := config.Load("hadjango.yml")
//	if errors.Is(err, fs.ErrNotExist) {
//		c = config.Default()
//	}
//
// A file names only what differs from [Default]; an empty file is the default. The reference, with every key at its
// default and explained, is the repository's own hadjango.yml; a test keeps the two the same.
//
// Reading is strict: an unknown or repeated key, a value of the wrong kind or outside its range, an alias, a tag, a tab
// or a second document refuses the whole file. All problems of a file are reported at once, in the order of the file,
// each an [*Error] with its line and column.
//
// What has passed can be written into a configuration of nginx or uWSGI as it is: each value is made of the few
// characters its key allows. The exceptions are Env and the arguments of Build and Database, which are free text
// (without NUL) for a process's environment and argument list; and Health and Warmup.Paths may hold a "%", which a uWSGI
// file would take for a placeholder.
package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Config is one site's configuration. The zero value is not valid: begin with [Default].
type Config struct {
	// Project is the directory of the project's source, relative to the site's directory; "." is the site's directory
	// itself. Default "addons-server".
	Project string
	// Overlay is the directory whose files are copied over the project's in every build, relative to the site's
	// directory; "" for none. What makes any project a build (the package hadjango) is laid over it in any case. Default "".
	Overlay string
	// Settings is Django's settings module; "" when WSGI is set. Default "addons.settings", or "" when WSGI is set.
	Settings string
	// WSGI is the application as module:callable, for a project that is not Django; "" when Settings is set. Default "".
	WSGI string
	// Requirements is pip's file of requirements, relative to the project; "" for none. Default "requirements.txt".
	Requirements string
	// Build is run, in order, in every new build. Default manage.py collectstatic --noinput, after what the demo needs for
	// the demo; nothing when WSGI is set.
	Build []Command
	// Database is run, in order, once on live when no migration has been applied. Default manage.py migrate --noinput, and
	// for the demo manage.py loaddata initial; nothing when WSGI is set.
	Database []Command
	// Populate is run, in order, after Database: it fills a new site with something to look at. Default nothing but for the
	// demo.
	Populate []Command
	// Tests is how the project's own tests are run in a build.
	Tests Tests
	// Env is added to the environment of the application and of every command. Default empty.
	Env Env

	// Live is the host names that reach the live build. The first is the one warm-up and health checks ask for, so it is
	// no wildcard. Default live.localhost, live.addons.
	Live []string
	// Stage is the host names that reach the staged build, as Live. Default stage.localhost, stage.addons.
	Stage []string
	// Listen is the addresses nginx listens on: IP:port, or *:port for all IPv4 addresses. Default 127.0.0.1:8080.
	Listen []string
	// HTTPS says that TLS ends in front of nginx: the application is told X-Forwarded-Proto https. Default false.
	HTTPS bool
	// Health is the path, with an optional query, that answers 200 when a build can serve. Default "/healthz".
	Health string
	// MaxBody is the largest request body nginx takes, 1k to 10g. Default 50m.
	MaxBody Size
	// Dashboard is what the dashboard shows, and to whom.
	Dashboard Dashboard

	// User is whom the servers run as when they are started by root; "" for www-data. One who cannot reach the site is refused. Default "".
	User string
	// Run is the directory of sockets and pid files: relative to the site's directory, or absolute when the site lies so
	// deep that a socket's path would be too long. Default "deploy/run".
	Run string
	// Switch is how live and stage change places. Default SwitchPointer.
	Switch Switch
	// Port is the first port of build a, 1024 to 55000. Each build has ten: a from Port, b from Port+10. Default 2000.
	Port int
	// Workers is how many processes serve one build.
	Workers Workers
	// Backlog is how many connections may wait in a socket's listen queue, 1 to 65535. Default 1024.
	Backlog int
	// Timeouts is how long each step may take.
	Timeouts Timeouts
	// Watch is how long a new live is watched after a swap, up to 24h; 0 for not at all. Default 10s.
	Watch time.Duration
	// Warmup is what is asked of a build before it is called warm.
	Warmup Warmup
	// Python is the absolute path of the interpreter; "" for the one uWSGI's plugin is linked with. Default "".
	Python string
}

// A Command is a program and its arguments: argv, never a shell's line. The program is a relative path that ends in .py,
// run by the build's own Python, or a bare name, looked up in the build's bin and then in PATH.
type Command []string

// Env is environment variables by name. The values may be secrets, so printing an Env shows its names only.
type Env map[string]string

// Format implements [fmt.Formatter]: whatever the verb, the values stay hidden.
func (e Env) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "env[%s]", strings.Join(slices.Sorted(maps.Keys(e)), " "))
}

// With returns the variables with more of them; one that is in both has the value of more. The names are checked as those
// of a file are.
func (e Env) With(more map[string]string) (Env, error) {
	all := maps.Clone(e)
	if all == nil {
		all = Env{}
	}
	for name, value := range more {
		if err := checkVariable(name); err != nil {
			return nil, err
		}
		all[name] = value
	}
	return all, nil
}

// Workers is how many processes serve one build; uWSGI moves between the two numbers with the load.
type Workers struct {
	// Min is the number kept when idle, 0 to 512; 0 fits it to the machine's cores. Default 0.
	Min int
	// Max is the most there may be, 0 to 512, not below Min; 0 fits it to the machine's cores. Default 0.
	Max int
	// Preload loads the application before the workers fork, so that they share memory. Default true.
	Preload bool
}

// Tests is how the project's own tests are run.
type Tests struct {
	// Runner is what runs them. Default RunnerPytest, and RunnerDjango for any Django project but the demo.
	Runner Runner
	// Requirements is pip's file of what the tests need beside the project's requirements, relative to the project. It is
	// never installed into a build. Default "requirements-tests.txt", and none where there is no such file.
	Requirements string
}

// Dashboard is what the dashboard shows, and to whom.
type Dashboard struct {
	// Queries shows the query strings of requests under way too; they may hold secrets. Default false.
	Queries bool
	// Allow is the networks that may look at it beside this machine, as an address or a prefix. Default none.
	Allow []string
}

// Timeouts are whole seconds, 1s to 24h.
type Timeouts struct {
	// Request is how long the application may work on one request. Default 90s.
	Request time.Duration
	// Start is how long a build may take until it answers. Default 60s.
	Start time.Duration
	// Drain is how long a build that is taken away may finish its requests, not less than Request. Default 120s.
	Drain time.Duration
	// Switch is how long exchanging live and stage may take. Default 10s.
	Switch time.Duration
}

// Warmup is the load that warms a build.
type Warmup struct {
	// Concurrency is the number of requests under way at once, 1 to 512. Default 6.
	Concurrency int
	// Requests is the most requests made, 1 to 100000 and not fewer than Paths; a worker that is cold after them is given
	// up. Default 300.
	Requests int
	// Paths are asked for in turn. Default "/".
	Paths []string
}

// Switch names a way in which live and stage change places.
type Switch string

const (
	// SwitchPointer exchanges two symlinks in one system call; nginx is not touched.
	SwitchPointer Switch = "pointer"
	// SwitchReload rewrites two upstreams and reloads nginx, for an nginx that cannot see the builds' sockets.
	SwitchReload Switch = "reload"
)

// Runner names a program that runs a project's tests.
type Runner string

const (
	// RunnerPytest is pytest, for a Django project with pytest-django.
	RunnerPytest Runner = "pytest"
	// RunnerDjango is manage.py test.
	RunnerDjango Runner = "django"
)

// A Size is a number of bytes as nginx writes it: digits and at most one of k, m and g (1024, 1024², 1024³).
type Size string

// Bytes returns the size as a number; it is 0 for a Size that no [Parse] has passed.
func (s Size) Bytes() int64 {
	number := strings.TrimRight(string(s), "kmg")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n > 1<<40 {
		return 0
	}
	switch string(s)[len(number):] {
	case "":
		return n
	case "k":
		return n << 10
	case "m":
		return n << 20
	case "g":
		return n << 30
	}
	return 0
}

// Default returns the demo's configuration: what an empty file means.
func Default() Config {
	return Config{
		Project:      "addons-server",
		Settings:     "addons.settings",
		Requirements: "requirements.txt",
		Build: []Command{
			{"manage.py", "compile_translations"},
			{"manage.py", "compress_assets"},
			{"manage.py", "collectstatic", "--noinput"},
		},
		Database: []Command{
			{"manage.py", "migrate", "--noinput"},
			{"manage.py", "loaddata", "initial"},
		},
		Populate: []Command{
			{"manage.py", "generate_addons", "--app", "firefox", "10"},
			{"manage.py", "generate_addons", "--app", "thunderbird", "10"},
			{"manage.py", "generate_addons", "--app", "android", "10"},
			{"manage.py", "generate_addons", "--app", "seamonkey", "10"},
			{"manage.py", "generate_themes", "10"},
			{"manage.py", "reindex"},
			{"manage.py", "cron", "category_totals"},
		},
		Tests:   Tests{Runner: RunnerPytest, Requirements: "requirements-tests.txt"},
		Env:     Env{},
		Live:    []string{"live.localhost", "live.addons"},
		Stage:   []string{"stage.localhost", "stage.addons"},
		Listen:  []string{"127.0.0.1:8080"},
		Health:  "/healthz",
		MaxBody: "50m",
		Run:     "deploy/run",
		Switch:  SwitchPointer,
		Port:    2000,
		Workers: Workers{Preload: true},
		Backlog: 1024,
		Timeouts: Timeouts{
			Request: 90 * time.Second,
			Start:   60 * time.Second,
			Drain:   120 * time.Second,
			Switch:  10 * time.Second,
		},
		Dashboard: Dashboard{Allow: []string{}},
		Watch:     10 * time.Second,
		Warmup:    Warmup{Concurrency: 6, Requests: 300, Paths: []string{"/"}},
	}
}
