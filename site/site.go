// Package site is one project deployed on one machine: its builds, its two
// pointers and its servers, and the verbs that change them.
//
//	s, err := site.Open(".", site.Options{})
//	name, err := s.ParseName("c")
//	err = s.CreateBuild(ctx, name)
//	err = s.Stage(ctx, name)              // activates and warms it too
//	swap, err := s.SwapLive(ctx, "")      // stage and live change places
//	fmt.Println(swap)
//
// Every verb that changes something holds the site's lock, and fails with a
// [builds.LockedError] while another does, or waits ([Options]). A verb that is
// called with the context of another, on the same site, is a part of that one.
// A verb that reads never waits. The package prints nothing: what a verb does
// is told to a [Reporter], and what went wrong is in the error, with what to do
// next.
//
// A verb may be interrupted at any moment through its context: it leaves all
// whole, and an error is an end like any other. What it set out to do is in the
// journal ([Site.History]), so that one whose process was killed is known to be
// half done ([Status]); [Site.Resume] finishes it and [Site.Undo] takes it back.
package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/stack"
	"github.com/hadjango/hadjango/uwsgi"
)

// ConfigFile is the name of the file in a site's directory that says what
// differs from the defaults; it need not exist.
const ConfigFile = "hadjango.yml"

// Options are the optional parts of a site.
type Options struct {
	// Reporter is told what a verb does; nobody is when it is nil.
	Reporter Reporter
	// Person is asked before something is done that they may not want; nobody
	// is there to be asked when it is nil.
	Person Person
	// Keeper is a program with its arguments that calls [Site.Keep] for the site
	// that HADJANGO_SITE names. Up starts it in the background; when it is empty
	// nobody brings back a server that dies.
	Keeper []string
	// Dashboard is one that calls dashboard.Run for that site, and that Up starts
	// too; when it is empty there is no dashboard.
	Dashboard []string
	// Wait is how long a verb that changes something waits for another to end.
	// When it is 0 the verb fails at once.
	Wait time.Duration
	// Deploy is where everything lies that running makes; deploy in the site's
	// directory when it is empty.
	Deploy string
	// Nginx is the address, host:port, of an nginx that runs elsewhere: in a
	// container of its own, where [Site.ServeNginx] runs it. It listens on that
	// port of every address, whatever the configuration says. When it is empty
	// nginx runs here.
	Nginx string
	// Port is the one that visitors come to, where something in front of nginx
	// listens there; the first that nginx listens on when it is empty.
	Port string
	// Env are more variables for the project's code than the configuration has:
	// those of this machine, or container.
	Env map[string]string
}

// Site is one site. Its methods may be called by many at once; of those that
// change something one runs at a time, across processes too.
type Site struct {
	layout
	config   config.Config
	store    builds.Store
	journal  builds.Journal
	user     account.User
	reporter Reporter
	person   Person
	keep     []string
	// dashboard is the program that shows the site.
	dashboard []string
	wait      time.Duration
	vassals   uwsgi.Emperor
	zergs     uwsgi.Emperor
	// output is [Site.write] but where nothing may be written.
	output output
	// foreign says why this process may neither change the site nor see its servers.
	foreign error
	// fetching is held by who fetches node modules.
	fetching *sync.Mutex
	// installing is held by the build that fetches or installs the requirements.
	installing *sync.Mutex
	// elsewhere is the address of an nginx that runs elsewhere.
	elsewhere string
	// port is the one that visitors come to, if that is not one of nginx's.
	port string
}

// Open returns the site in dir. It reads the configuration and changes nothing.
func Open(dir string, options Options) (*Site, error) {
	root, err := resolve(dir)
	if err != nil {
		return nil, fmt.Errorf("open site: %w", err)
	}
	c, err := ReadConfig(root)
	if err != nil {
		return nil, err
	}
	return newSite(root, c, options)
}

// ReadConfig returns the configuration of the site in dir, whether or not the
// site can be opened on this machine.
func ReadConfig(dir string) (config.Config, error) {
	c, err := config.Load(filepath.Join(dir, ConfigFile))
	if errors.Is(err, fs.ErrNotExist) {
		return config.Default(), nil
	}
	return c, err
}

func newSite(root string, c config.Config, options Options) (*Site, error) {
	deploy := filepath.Join(root, inDeploy)
	var err error
	if options.Deploy != "" {
		if deploy, err = resolve(options.Deploy); err != nil {
			return nil, fmt.Errorf("open site %s: %w", root, err)
		}
	}
	if options.Nginx != "" {
		if c.Listen, err = elsewhereListens(options.Nginx); err != nil {
			return nil, fmt.Errorf("open site %s: %w", root, err)
		}
	}
	if c.Env, err = c.Env.With(options.Env); err != nil {
		return nil, fmt.Errorf("open site %s: %w", root, err)
	}
	layout := newLayout(root, deploy, c.Run)
	if err := layout.check(); err != nil {
		return nil, fmt.Errorf("open site %s: %w", root, err)
	}
	user, err := chooseUser(layout, c)
	if err != nil {
		return nil, fmt.Errorf("open site %s: %w", root, err)
	}
	s := &Site{
		fetching: &sync.Mutex{}, installing: &sync.Mutex{}, elsewhere: options.Nginx, port: options.Port,
		foreign: layout.foreign(user),
		layout:  layout, config: c, store: builds.OpenStore(layout.builds()), user: user,
		journal:  builds.OpenJournal(layout.deployFile("journal.jsonl")),
		reporter: options.Reporter, wait: options.Wait, person: options.Person, keep: options.Keeper,
		dashboard: options.Dashboard,
		vassals:   uwsgi.Emperor{Stats: layout.runFile("vassals.stats")},
		zergs:     uwsgi.Emperor{Stats: layout.runFile("zergs.stats")},
	}
	s.output = s.write
	if s.reporter == nil {
		s.reporter = silent{}
	}
	return s, nil
}

// Config is the site's configuration.
func (s *Site) Config() config.Config { return s.config }

// safePath holds what may stand in nginx's and uWSGI's files as it is.
var safePath = regexp.MustCompile(`^/[A-Za-z0-9._/+@-]*$`)

// resolve follows links, because the kernel shows processes' files that way.
func resolve(dir string) (string, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	root, err := filepath.EvalSymlinks(absolute)
	if err != nil {
		return "", err
	}
	if !safePath.MatchString(root) {
		return "", fmt.Errorf("the path %q holds characters that nginx or uWSGI would take for something else: move the site to a path of letters, digits and . _ + @ -", root)
	}
	return root, nil
}

// defaultUser is who Debian's servers run as.
const defaultUser = "www-data"

// chooseUser says who the servers and the project's code run as. Only root has
// a choice, and only until the site has been begun: then it is who owns its
// data. A user who cannot reach the site could serve nothing of it. Root never
// takes such a user's place unless the configuration says so.
func chooseUser(l layout, c config.Config) (account.User, error) {
	me, err := account.Current()
	if err != nil || os.Geteuid() != 0 {
		return me, err
	}
	if owner, ok := l.owner(); ok && c.User == "" {
		return owner, nil
	}
	user, err := account.Lookup(or(c.User, defaultUser))
	if err != nil {
		return me, fmt.Errorf("%w: set user in %s to whom the project's code shall run as", err, ConfigFile)
	}
	if closed, ok := user.CanEnter(filepath.Join(l.root, c.Project)); !ok {
		return me, fmt.Errorf("user %s, whom the project's code runs as, may not enter %s: move the site, for example to /srv, or open that directory; "+
			"user: root in %s would let root run that code", user.Name, closed, ConfigFile)
	}
	return user, nil
}

// unasked tells whether root runs the project's code and the configuration does
// not say so, as in a site that an earlier version has begun.
func (s *Site) unasked() bool { return s.user.UID == 0 && s.config.User == "" }

// owner is the user of a site that has been begun.
func (l layout) owner() (account.User, bool) {
	var stat unix.Stat_t
	if err := unix.Stat(l.data(), &stat); err != nil {
		return account.User{}, false
	}
	owner, err := account.LookupID(stat.Uid)
	return owner, err == nil
}

// foreign is the error of who is neither root nor the user of the site.
func (l layout) foreign(user account.User) error {
	owner, ok := l.owner()
	if !ok || owner.UID == user.UID {
		return nil
	}
	return fmt.Errorf("the site %s belongs to %s: run this as %s, or as root without another user in %s", l.root, owner.Name, owner.Name, ConfigFile)
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// NameError says that a text is not a build's name, and which one is free.
type NameError struct {
	Err  error
	Free builds.Name
}

func (e *NameError) Error() string { return fmt.Sprintf("%v; the next free one is %s", e.Err, e.Free) }

func (e *NameError) Unwrap() error { return e.Err }

// ParseName takes the name of a build from a person.
func (s *Site) ParseName(text string) (builds.Name, error) {
	name, err := builds.ParseName(text)
	if err == nil {
		return name, nil
	}
	free, freeErr := s.store.Free()
	if freeErr != nil {
		return "", errors.Join(err, freeErr)
	}
	return "", &NameError{err, free}
}

// Pointed returns the build that a pointer names.
func (s *Site) Pointed(p builds.Pointer) (builds.Name, error) { return s.store.Pointed(p) }

// sweep ends removals and sharings that were cut short; what they have left is
// no other's while we hold the lock.
func (s *Site) sweep() {
	errs := []error{s.store.Sweep()}
	names, _ := s.store.List()
	for _, name := range names {
		errs = append(errs, builds.EndShare(s.store.Path(name)), builds.EndShare(s.static(name)))
	}
	if err := errors.Join(errs...); err != nil {
		s.reporter.Note(err.Error())
	}
}

// within bounds ctx, and names the key of the configuration that set the bound.
func within(ctx context.Context, limit time.Duration, key string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %s (timeouts.%s in %s): %w", limit, key, ConfigFile, context.DeadlineExceeded))
}

// stack is the site's servers, given their programs.
func (s *Site) stack(programs stack.Programs) stack.Stack {
	emperor := func(name string) stack.Emperor {
		return stack.Emperor{
			Name: "emperor of " + name, Title: "hadjango " + name + " uWSGI master", Config: s.etc(name + ".ini"),
			Stats: s.runFile(name + ".stats"), PIDFile: s.runFile(name + ".pid"), Log: s.log(name + ".log"),
		}
	}
	return stack.Stack{
		Dir: s.deploy, Programs: programs, User: s.user,
		Vassals: emperor("vassals"), Zergs: emperor("zergs"),
		Nginx:     s.nginx(),
		Dashboard: s.dashboardProcess(),
	}
}

func (s *Site) nginx() stack.Nginx {
	nginx := stack.Nginx{
		Config: s.etc("nginx.conf"), PIDFile: s.nginxPID(), ErrorLog: s.log("nginx.error.log"),
		Listen: s.config.Listen, Elsewhere: s.elsewhere, Ask: s.etc("nginx.ask"), Answer: s.etc("nginx.answer"),
	}
	if s.elsewhere != "" {
		// its number is one of another container
		nginx.PIDFile = ""
	}
	return nginx
}
