package site

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/uwsgi"
	"github.com/hadjango/hadjango/uwsgiconf"
)

// layout says where everything of a site lies. Nothing is written outside
// deploy but sockets and pid files, when run is set.
type layout struct{ root, deploy, run string }

// inDeploy is the name of the deploy directory in the site's, and the beginning
// of paths that are meant to be in it wherever it is.
const inDeploy = "deploy"

func newLayout(root, deploy, run string) layout {
	if below, ok := strings.CutPrefix(filepath.Clean(run)+"/", inDeploy+"/"); ok {
		run = filepath.Join(deploy, below)
	} else if !filepath.IsAbs(run) {
		run = filepath.Join(root, run)
	}
	return layout{root, deploy, run}
}

func (l layout) deployFile(name string) string { return filepath.Join(l.deploy, name) }
func (l layout) lockFile() string              { return l.deployFile("lock") }
func (l layout) builds() string                { return l.deployFile("builds") }
func (l layout) assets() string                { return l.deployFile("assets") }
func (l layout) media() string                 { return filepath.Join(l.assets(), "media") }
func (l layout) wheelhouse() string            { return filepath.Join(l.deploy, "deps", "wheelhouse") }
func (l layout) nodeDir() string               { return filepath.Join(l.deploy, "deps", "node") }
func (l layout) cache() string                 { return filepath.Join(l.deploy, "deps", "cache") }
func (l layout) testScratch() string           { return filepath.Join(l.deploy, "deps", "scratch") }
func (l layout) installed() string             { return filepath.Join(l.deploy, "deps", "installed") }
func (l layout) data() string                  { return l.deployFile("data") }
func (l layout) etc(name string) string        { return filepath.Join(l.deploy, "etc", name) }
func (l layout) log(name string) string        { return filepath.Join(l.deploy, "logs", name) }
func (l layout) runFile(name string) string    { return filepath.Join(l.run, name) }

func (l layout) static(name builds.Name) string {
	return filepath.Join(l.assets(), "static", string(name))
}

// staticLinks are the names by which browsers ask for a build's static files: a
// later build of its name has others, and what one has kept is never taken for
// another's.
func (l layout) staticLinks(name builds.Name) []string {
	links, _ := filepath.Glob(l.static(name) + "-*")
	return links
}

func (l layout) staticLink(name builds.Name, stamp string) string {
	return l.static(name) + "-" + stamp[:7]
}

func (l layout) buildLog(name builds.Name) string { return l.log(string(name) + ".build.log") }

// accessLog has a line for every request.
func (l layout) accessLog() string { return l.log("nginx.access.log") }

// nginxPID is not in run, which is the user's: nginx writes it as root.
func (l layout) nginxPID() string { return l.deployFile("nginx.pid") }

// buildLogs are all logs of a build; rm takes them with it.
func (l layout) buildLogs(name builds.Name) []string {
	logs := []string{l.buildLog(name), l.vassal(name).Log}
	for _, slot := range slots {
		logs = append(logs, l.zerg(name, slot).Log)
	}
	return logs
}

// socket is where the build's vassal listens; app.sock in the build leads there.
func (l layout) socket(name builds.Name) string { return l.runFile(string(name) + ".app.sock") }

func (l layout) zergServer(name builds.Name) string { return l.runFile(string(name) + ".zerg") }

// pointerSocket leads through the pointer to the socket of the build it names.
// It lies in run because nginx takes no longer paths than uWSGI.
func (l layout) pointerSocket(p builds.Pointer) string { return l.runFile(string(p) + ".sock") }

// dashboardSocket is where nginx finds the dashboard.
func (l layout) dashboardSocket() string { return l.runFile("dashboard.sock") }

// slots are the places of a build's zerg. It has two so that a restart can let
// a new one take over before the old one ends.
var slots = []string{"zerg", "zerg2"}

// configDir has a build's own configuration. A directory called uwsgi would be
// taken for a Python package of that name by whoever tries to import it.
const configDir = "uwsgi.d"

func (l layout) vassal(name builds.Name) uwsgi.Unit { return l.unit(name, "vassal") }

func (l layout) zerg(name builds.Name, slot string) uwsgi.Unit {
	u := l.unit(name, slot)
	u.FIFO = l.runFile(string(name) + "." + slot + ".fifo")
	return u
}

func (l layout) unit(name builds.Name, role string) uwsgi.Unit {
	return uwsgi.Unit{
		Link:   filepath.Join(l.builds(), string(name), role+".ini"),
		Config: filepath.Join(configDir, role+".ini"),
		Stats:  l.runFile(string(name) + "." + role + ".stats"),
		Log:    l.log(string(name) + "." + role + ".log"),
	}
}

// longestSocket is the longest name that a socket of a build has.
const longestSocket = "zzz.vassal.stats"

func (l layout) check() error {
	longest := l.runFile(longestSocket)
	if !safePath.MatchString(longest) {
		return fmt.Errorf("run: %q holds characters that nginx or uWSGI would take for something else", l.run)
	}
	if len(longest) > uwsgiconf.MaxSocketPath {
		return fmt.Errorf("paths of unix sockets such as %s would be %d bytes long, and uWSGI takes %d: set run in %s to a shorter directory, for example /run/hadjango",
			longest, len(longest), uwsgiconf.MaxSocketPath, ConfigFile)
	}
	return nil
}

// prepare makes the directories.
func (s *Site) prepare() error {
	for _, l := range locations {
		if l.kind != directory {
			continue
		}
		if err := s.makeDirectory(l); err != nil {
			return err
		}
	}
	return nil
}

func (s *Site) makeDirectory(l location) error {
	if l.owner == users {
		return s.users(s.pathOf(l), s.perm(l))
	}
	return s.ours(s.pathOf(l), s.perm(l))
}

// ours makes a directory, where there is none, that this process owns and the
// user's group may use as far as perm says.
func (s *Site) ours(dir string, perm os.FileMode) error {
	return makeDir(dir, perm, s.user.Share)
}

// users makes a directory, where there is none, that the user owns. One that is
// there and somebody else's is refused, not taken.
func (s *Site) users(dir string, perm os.FileMode) error {
	if err := makeDir(dir, perm, s.user.Own); err != nil {
		return err
	}
	if s.user.Owns(dir) {
		return nil
	}
	return fmt.Errorf("the directory %s is not %s's: name one in %s that is, or that does not exist yet", dir, s.user.Name, ConfigFile)
}

func makeDir(dir string, perm os.FileMode, give func(string) error) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	return files.MakeDir(dir, perm, give)
}
