// Package tasks has the verbs of a site as mage targets. A project's magefile
// needs nothing else:
//
//	//go:build mage
//
//	package main
//
//	import (
//		// mage:import
//		_ "github.com/hadjango/hadjango/tasks"
//	)
//
// The site is the directory that holds hadjango.yml, looked for from the
// working directory upwards; without one it is the working directory. The
// variable HADJANGO_SITE names another. With HADJANGO_HOST=compose a task runs in
// the service web of the containers that docker-compose.yml there describes; its
// arguments, its result, its end and the signals that end it are the same. In
// those HADJANGO_DEPLOY names the directory for all that running makes, and
// HADJANGO_NGINX the address of nginx, which has a container of its own;
// HADJANGO_ENV_X is X for the project's code, as in env: of hadjango.yml.
//
// Of the tasks that change something one runs at a time. Another one fails at
// once, or waits: for as long as -wait=5m says, which each of them takes after
// its arguments, or else the variable HADJANGO_WAIT.
//
// What a task does is told on standard error as it happens; its result is on
// standard output. Neither holds a control character but ends of lines and tabs,
// whatever the project and its programs have said.
package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/dashboard"
	"github.com/hadjango/hadjango/site"
)

// Init brings everything up: packages, servers, two builds, live and stage, the database. Safe to run again.
func Init(
	ctx context.Context,
	// let the database lose all it holds and make it anew; asks for its name first
	reset *bool,
	// take questions for answered
	yes *bool,
	// wait at most this long for another task to end
	wait *time.Duration,
) error {
	return with(waiting(ctx, wait), func(ctx context.Context, s *site.Site) error {
		if err := s.Init(ctx, site.DatabaseOptions{Reset: isSet(reset), Yes: isSet(yes)}); err != nil {
			return err
		}
		return printStatus(ctx, s)
	})
}

// InitializeDB makes the database: tables, initial data, a superuser. One that is there is left alone.
func InitializeDB(
	ctx context.Context,
	// the build whose code does it (default: live)
	build *string,
	// let the database lose all it holds first; asks for its name
	reset *bool,
	// take questions for answered
	yes *bool,
	// wait at most this long for another task to end
	wait *time.Duration,
) error {
	return with(waiting(ctx, wait), func(ctx context.Context, s *site.Site) error {
		name, err := buildOr(s, build, builds.Live)
		if err != nil {
			return err
		}
		return s.InitializeDB(ctx, name, site.DatabaseOptions{Reset: isSet(reset), Yes: isSet(yes)})
	})
}

// PopulateData fills the site with something to look at: the commands of populate in hadjango.yml.
func PopulateData(
	ctx context.Context,
	// the build whose code does it (default: live)
	build *string,
	// wait at most this long for another task to end
	wait *time.Duration,
) error {
	return with(waiting(ctx, wait), func(ctx context.Context, s *site.Site) error {
		name, err := buildOr(s, build, builds.Live)
		if err != nil {
			return err
		}
		return s.PopulateData(ctx, name)
	})
}

func isSet(flag *bool) bool { return flag != nil && *flag }

// FindFreeBuild prints the first name that no build has.
func FindFreeBuild(ctx context.Context) error {
	return with(ctx, func(_ context.Context, s *site.Site) error {
		name, err := s.FindFreeBuild()
		if err != nil {
			return err
		}
		return printLine(name)
	})
}

// CreateBuild makes a complete build: code, virtualenv, static files, configuration.
func CreateBuild(ctx context.Context, name string, wait *time.Duration) error {
	return with(waiting(ctx, wait), func(ctx context.Context, s *site.Site) error {
		name, err := s.ParseName(name)
		if err != nil {
			return err
		}
		if err := s.CreateBuild(ctx, name); err != nil {
			return err
		}
		return printf("build %s is complete · next: mage stage %s\n", name, name)
	})
}

// MakeIncrementalBuild lets a build share its equal files with another; refused for live and stage.
func MakeIncrementalBuild(
	ctx context.Context,
	name string,
	// the build to share with (default: live)
	basis *string,
	// wait at most this long for another task to end
	wait *time.Duration,
) error {
	return withBuild(waiting(ctx, wait), name, func(ctx context.Context, s *site.Site, name builds.Name) error {
		with, err := optionalBuild(s, basis)
		if err != nil {
			return err
		}
		saving, err := s.MakeIncrementalBuild(ctx, name, with)
		if err != nil {
			return err
		}
		return printLine(saving)
	})
}

// Activate starts a build: its sockets, and workers that have loaded the application.
func Activate(ctx context.Context, name string, wait *time.Duration) error {
	return withBuild(waiting(ctx, wait), name, func(ctx context.Context, s *site.Site, name builds.Name) error {
		return s.Activate(ctx, name)
	})
}

// Warmup sends requests to a build until every worker has answered.
func Warmup(
	ctx context.Context,
	// the build to warm (default: stage)
	build *string,
	// paths to ask for, comma separated (default: warmup.paths of hadjango.yml)
	paths *string,
	// requests under way at once (default: warmup.concurrency of hadjango.yml)
	concurrency *int,
	// wait at most this long for another task to end
	wait *time.Duration,
) error {
	return with(waiting(ctx, wait), func(ctx context.Context, s *site.Site) error {
		name, err := buildOr(s, build, builds.Stage)
		if err != nil {
			return err
		}
		var options site.WarmupOptions
		if paths != nil {
			options.Paths = strings.Split(*paths, ",")
		}
		if concurrency != nil {
			options.Concurrency = *concurrency
		}
		report, err := s.Warmup(ctx, name, options)
		if err != nil {
			return err
		}
		return printLine(report)
	})
}

// Stage lets stage be a build; activates and warms it first where that has not been done.
func Stage(ctx context.Context, name string, wait *time.Duration) error {
	return withBuild(waiting(ctx, wait), name, func(ctx context.Context, s *site.Site, name builds.Name) error {
		if err := s.Stage(ctx, name); err != nil {
			return err
		}
		return printf("stage is %s · look at it, then: mage swapLive\n", name)
	})
}

// SwapLive lets stage and live change places; again to go back. The new live is watched, and taken back if it fails.
func SwapLive(
	ctx context.Context,
	// stage this build first
	build *string,
	// wait at most this long for another task to end
	wait *time.Duration,
	// how long to watch the new live, 0 for not at all (default: watch of hadjango.yml)
	watch *time.Duration,
) error {
	return with(waiting(ctx, wait), func(ctx context.Context, s *site.Site) error {
		name, err := optionalBuild(s, build)
		if err != nil {
			return err
		}
		options := site.WatchOptions{For: s.Config().Watch, Swapped: func(swap site.Swap) { _ = printLine(swap) }}
		if watch != nil {
			options.For = *watch
		}
		if options.For < 0 {
			return fmt.Errorf("swapLive -watch=%s: it must be 0, for not at all, or more", options.For)
		}
		_, err = s.SwapLiveWatched(ctx, name, options)
		return err
	})
}

// Deactivate ends a build's workers after their last request; refused for live and stage.
func Deactivate(ctx context.Context, name string, wait *time.Duration) error {
	return withBuild(waiting(ctx, wait), name, func(ctx context.Context, s *site.Site, name builds.Name) error {
		return s.Deactivate(ctx, name)
	})
}

// Stop ends a build's workers after their last request and closes its sockets; refused for live and stage.
func Stop(ctx context.Context, name string, wait *time.Duration) error {
	return withBuild(waiting(ctx, wait), name, func(ctx context.Context, s *site.Site, name builds.Name) error {
		return s.Stop(ctx, name)
	})
}

// Restart renews a build's workers without a gap.
func Restart(ctx context.Context, name string, wait *time.Duration) error {
	return withBuild(waiting(ctx, wait), name, func(ctx context.Context, s *site.Site, name builds.Name) error {
		return s.Restart(ctx, name)
	})
}

// Rm removes a build with its static files and logs; refused for live and stage.
func Rm(ctx context.Context, name string, wait *time.Duration) error {
	return withBuild(waiting(ctx, wait), name, func(ctx context.Context, s *site.Site, name builds.Name) error {
		return s.Remove(ctx, name)
	})
}

// BuildWheels fetches what the project requires into the wheelhouse.
func BuildWheels(ctx context.Context, wait *time.Duration) error {
	return with(waiting(ctx, wait), func(ctx context.Context, s *site.Site) error {
		_, err := s.BuildWheels(ctx)
		return err
	})
}

// NginxReload lets nginx check its configuration and take it over.
func NginxReload(ctx context.Context, wait *time.Duration) error {
	return with(waiting(ctx, wait), func(ctx context.Context, s *site.Site) error { return s.NginxReload(ctx) })
}

// Up starts the servers of this machine and mends what is missing; what was active comes back.
func Up(ctx context.Context, wait *time.Duration) error {
	return with(waiting(ctx, wait), func(ctx context.Context, s *site.Site) error { return s.Up(ctx) })
}

// Down ends the servers of this machine after their last request.
func Down(ctx context.Context, wait *time.Duration) error {
	return with(waiting(ctx, wait), func(ctx context.Context, s *site.Site) error { return s.Down(ctx) })
}

// Keep brings back a server that dies, at once and for as long as the servers are up. Up starts it in the background.
func Keep(ctx context.Context) error {
	return with(ctx, func(ctx context.Context, s *site.Site) error { return s.Keep(ctx) })
}

// Dashboard shows the site in a browser, below /uwsgi/, for as long as the servers are up. Up starts it in the background.
func Dashboard(ctx context.Context) error {
	return with(ctx, func(ctx context.Context, s *site.Site) error { return dashboard.Run(ctx, s) })
}

// Status shows the builds: pointer, state, port, tag, age, workers, memory, size, and what of it is the build's alone.
func Status(
	ctx context.Context,
	// for programs
	json *bool,
) error {
	return with(ctx, func(ctx context.Context, s *site.Site) error {
		if isSet(json) {
			return printStatusJSON(ctx, s)
		}
		return printStatus(ctx, s)
	})
}

// History shows the last tasks that changed something: when, who, what, how it ended.
func History(
	ctx context.Context,
	// how many; 0 for all (default: 20)
	n *int,
	// for programs
	json *bool,
) error {
	return with(ctx, func(ctx context.Context, s *site.Site) error {
		count := 20
		if n != nil {
			count = *n
		}
		if count < 0 {
			return fmt.Errorf("history -n=%d: it must be 0, for all, or more", count)
		}
		records, err := s.History(ctx, count)
		if err != nil {
			return err
		}
		if isSet(json) {
			return printJSON(records)
		}
		return writeHistory(stdout, records, time.Now())
	})
}

// Resume finishes the task that was cut short by a kill or a crash.
func Resume(ctx context.Context, wait *time.Duration) error {
	return with(waiting(ctx, wait), func(ctx context.Context, s *site.Site) error {
		cut, err := s.Resume(ctx)
		if err != nil {
			return err
		}
		return printf("finished: %s\n", cut.Task)
	})
}

// Undo takes back the task that was cut short by a kill or a crash.
func Undo(
	ctx context.Context,
	// leave all as it is instead, and only end the task
	accept *bool,
	// wait at most this long for another task to end
	wait *time.Duration,
) error {
	return with(waiting(ctx, wait), func(ctx context.Context, s *site.Site) error {
		if isSet(accept) {
			cut, err := s.Accept(ctx)
			if err != nil {
				return err
			}
			return printf("left as it is: %s\n", cut.Task)
		}
		cut, err := s.Undo(ctx)
		if err != nil {
			return err
		}
		return printf("taken back: %s\n", cut.Task)
	})
}

// with opens the site and gives its verb a context that SIGTERM and SIGHUP, the
// end of the terminal, end too; mage itself only handles SIGINT.
func with(ctx context.Context, verb func(context.Context, *site.Site) error) (err error) {
	defer func() { err = said(err) }()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if away, err := inContainers(); err != nil {
		return err
	} else if away {
		return runInWeb(ctx)
	}
	if err := os.Unsetenv(callVariable); err != nil {
		return err
	}
	// what a build consists of is read by another user than root
	syscall.Umask(0o022)
	dir, err := siteDir()
	if err != nil {
		return err
	}
	wait, err := waitOf(ctx)
	if err != nil {
		return err
	}
	console := newConsole(os.Stderr)
	defer console.close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s, err := site.Open(dir, site.Options{
		Reporter: console, Wait: wait, Person: whoAsks(), Keeper: []string{self, "keep"}, Dashboard: []string{self, "dashboard"},
		Deploy: os.Getenv("HADJANGO_DEPLOY"), Nginx: os.Getenv("HADJANGO_NGINX"), Port: publishedAs(os.Getenv("HADJANGO_PUBLISH")),
		Env: handedIn(os.Environ()),
	})
	if err != nil {
		return err
	}
	return verb(ctx, s)
}

// publishedAs is the port in what HADJANGO_PUBLISH says, such as 80 or 127.0.0.1:8080.
func publishedAs(text string) string { return text[strings.LastIndex(text, ":")+1:] }

// handedIn are the variables for the project's code that this process's
// environment has, each with a prefix; one that is empty is left to the project.
func handedIn(environ []string) map[string]string {
	variables := map[string]string{}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if name, ok := strings.CutPrefix(name, "HADJANGO_ENV_"); ok && value != "" {
			variables[name] = value
		}
	}
	return variables
}

type waitKey struct{}

// waiting lets the verbs under ctx wait for another task as a flag says.
func waiting(ctx context.Context, wait *time.Duration) context.Context {
	if wait == nil {
		return ctx
	}
	return context.WithValue(ctx, waitKey{}, *wait)
}

// waitOf is how long to wait for another task: as the flag says, else as
// HADJANGO_WAIT does, else not at all.
func waitOf(ctx context.Context) (time.Duration, error) {
	if wait, ok := ctx.Value(waitKey{}).(time.Duration); ok {
		if wait < 0 {
			return 0, fmt.Errorf("-wait=%s: it must be a time such as 5m or 90s", wait)
		}
		return wait, nil
	}
	text := os.Getenv("HADJANGO_WAIT")
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 {
		return 0, fmt.Errorf("HADJANGO_WAIT is %q and must be a time such as 5m or 90s", text)
	}
	return wait, nil
}

// withBuild is for the verbs of a build that exists; live and stage name one too.
func withBuild(ctx context.Context, text string, verb func(context.Context, *site.Site, builds.Name) error) error {
	return with(ctx, func(ctx context.Context, s *site.Site) error {
		name, err := buildOr(s, &text, builds.Live)
		if err != nil {
			return err
		}
		return verb(ctx, s, name)
	})
}

// optionalBuild is empty where nobody names a build.
func optionalBuild(s *site.Site, build *string) (builds.Name, error) {
	if build == nil {
		return "", nil
	}
	return buildOr(s, build, builds.Live)
}

func buildOr(s *site.Site, build *string, otherwise builds.Pointer) (builds.Name, error) {
	if build == nil {
		return s.Pointed(otherwise)
	}
	for _, p := range []builds.Pointer{builds.Live, builds.Stage} {
		if *build == p.String() {
			return s.Pointed(p)
		}
	}
	return s.ParseName(*build)
}

// siteDir is where hadjango.yml is.
func siteDir() (string, error) {
	if dir := os.Getenv("HADJANGO_SITE"); dir != "" {
		return dir, nil
	}
	working, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := working; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, site.ConfigFile)); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return working, nil
		}
	}
}

func printLine(value any) error { return printf("%v\n", value) }

func printf(format string, args ...any) error {
	_, err := fmt.Fprintf(stdout, format, args...)
	return err
}

func printStatus(ctx context.Context, s *site.Site) error {
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	return writeStatus(stdout, status)
}

func printStatusJSON(ctx context.Context, s *site.Site) error {
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	return printJSON(status)
}

func printJSON(value any) error {
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	// what stands here is for programs and terminals, and no page
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
