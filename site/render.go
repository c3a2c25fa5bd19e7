package site

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/conf"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/nginxconf"
	"github.com/hadjango/hadjango/stack"
	"github.com/hadjango/hadjango/uwsgiconf"
)

// output is where what was rendered goes.
type output func(path string, data []byte, perm fs.FileMode) error

// write replaces a file that the user's processes may read.
func (s *Site) write(path string, data []byte, perm fs.FileMode) error {
	if err := files.Write(path, data, perm); err != nil {
		return err
	}
	return s.user.Share(path)
}

func (s *Site) writeRendered(path string, render func(io.Writer) error) error {
	var text bytes.Buffer
	if err := render(&text); err != nil {
		return err
	}
	return s.output(path, text.Bytes(), 0o644)
}

// renderBuild writes the configuration of a build into its directory.
func (s *Site) renderBuild(name builds.Name, tag string) error {
	dir := s.store.Path(name)
	if err := s.ours(filepath.Join(dir, configDir), 0o755); err != nil {
		return err
	}
	if err := s.renderVassal(name); err != nil {
		return err
	}
	for _, slot := range slots {
		if err := s.renderZerg(name, tag, slot); err != nil {
			return err
		}
	}
	if err := s.renderUpstreams(name); err != nil {
		return err
	}
	if err := s.renderEnvironment(name, tag); err != nil {
		return err
	}
	return files.Symlink(s.socket(name), filepath.Join(dir, "app.sock"))
}

func (s *Site) renderVassal(name builds.Name) error {
	http, err := s.address(name, 0)
	if err != nil {
		return err
	}
	unit := s.vassal(name)
	vassal := uwsgiconf.Vassal{
		Build: string(name), Socket: s.socket(name), ZergServer: s.zergServer(name),
		Stats: unit.Stats, Log: unit.Log, HTTP: http,
		Backlog: min(s.config.Backlog, somaxconn()), Timeout: s.config.Timeouts.Request,
	}
	// whoever reaches a port that speaks the uwsgi protocol can make uWSGI load
	// any file, so it is opened only where it is needed
	if s.config.Switch == config.SwitchReload {
		if vassal.TCP, err = s.address(name, 1); err != nil {
			return err
		}
		vassal.TCP, _ = s.comesFromElsewhere(vassal.TCP)
	}
	return s.writeRendered(filepath.Join(s.store.Path(name), unit.Config), func(w io.Writer) error {
		return uwsgiconf.RenderVassal(w, vassal, s.templates())
	})
}

func (s *Site) renderZerg(name builds.Name, tag, slot string) error {
	unit := s.zerg(name, slot)
	dir := s.store.Path(name)
	least, most := s.workers()
	zerg := uwsgiconf.Zerg{
		Build: string(name), Tag: tag, Dir: dir, WSGIFile: filepath.Join(dir, "hadjango", "uwsgi", "wsgi.py"),
		ZergServer: s.zergServer(name), Socket: s.socket(name),
		Stats: unit.Stats, FIFO: unit.FIFO, Log: unit.Log,
		Workers: most, Cheaper: least, Preload: s.config.Workers.Preload, Timeout: s.config.Timeouts.Request,
	}
	return s.writeRendered(filepath.Join(dir, unit.Config), func(w io.Writer) error {
		return uwsgiconf.RenderZerg(w, zerg, s.templates())
	})
}

// workers fits what the configuration leaves open to the machine: a worker a
// core at rest, two when there is much to do.
func (s *Site) workers() (least, most int) {
	least, most = s.config.Workers.Min, s.config.Workers.Max
	if most == 0 {
		most = max(2*runtime.NumCPU(), least)
	}
	if least == 0 {
		least = min(runtime.NumCPU(), most)
	}
	return least, most
}

// renderUpstreams writes live.conf and stage.conf, which the pointers choose
// from under the reload switch.
func (s *Site) renderUpstreams(name builds.Name) error {
	address, err := s.address(name, 1)
	if err != nil {
		return err
	}
	_, server := s.comesFromElsewhere(address)
	for _, p := range []builds.Pointer{builds.Live, builds.Stage} {
		upstream := nginxconf.Upstream{Pointer: p.String(), Server: server}
		err := s.writeRendered(filepath.Join(s.store.Path(name), p.String()+".conf"), func(w io.Writer) error {
			return nginxconf.RenderUpstream(w, upstream, s.templates())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// renderEnvironment writes what the application finds in its environment. It
// may hold secrets, so it is for the user only; and it is no part of uWSGI's
// configuration, which would expand what it holds.
func (s *Site) renderEnvironment(name builds.Name, tag string) error {
	data, err := json.MarshalIndent(s.variables(name, tag), "", "  ")
	if err != nil {
		return err
	}
	return s.output(filepath.Join(s.store.Path(name), configDir, "env.json"), append(data, '\n'), s.secretPerm())
}

// secretPerm lets the user alone read a file; one that is not the user's, by its group.
func (s *Site) secretPerm() fs.FileMode {
	if s.user.IsMe() {
		return 0o600
	}
	return 0o640
}

// variables are the environment of the project's code in a build.
func (s *Site) variables(name builds.Name, tag string) map[string]string {
	variables := map[string]string{
		"HADJANGO_BUILD":    string(name),
		"HADJANGO_TAG":      tag,
		"HADJANGO_DATA":     s.data(),
		"HADJANGO_SETTINGS": s.config.Settings,
		"HADJANGO_WSGI":     s.config.WSGI,
	}
	if s.config.WSGI == "" {
		variables["DJANGO_SETTINGS_MODULE"] = "hadjango.settings"
	}
	for key, value := range s.config.Env {
		variables[key] = value
	}
	return variables
}

// address is where the build's port with that offset listens.
func (s *Site) address(name builds.Name, offset int) (string, error) {
	port, err := builds.Endpoint{Build: name, Offset: offset}.Port(s.config.Port)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}

// renderServers writes the configuration of the emperors and of nginx.
func (s *Site) renderServers(programs stack.Programs) error {
	for _, p := range []builds.Pointer{builds.Live, builds.Stage} {
		if err := files.Symlink(filepath.Join(s.store.PointerPath(p), "app.sock"), s.pointerSocket(p)); err != nil {
			return err
		}
	}
	return s.renderServerFiles(programs)
}

func (s *Site) renderServerFiles(programs stack.Programs) error {
	if err := s.renderEmperor("vassals", "vassal"); err != nil {
		return err
	}
	if err := s.renderEmperor("zergs", slots...); err != nil {
		return err
	}
	for _, page := range []string{"empty.html", "unavailable.html", "forbidden.html"} {
		text, err := conf.Read(s.templates(), page)
		if err != nil {
			return err
		}
		if err := s.output(s.etc(filepath.Join("pages", page)), text, 0o644); err != nil {
			return err
		}
	}
	return s.renderNginx(programs.MimeTypes)
}

func (s *Site) renderEmperor(name string, roles ...string) error {
	emperor := uwsgiconf.Emperor{
		Role: name, Stats: s.runFile(name + ".stats"), PIDFile: s.runFile(name + ".pid"),
		// longer than what it waits for, which is the longest request
		Grace: s.config.Timeouts.Drain + 10*time.Second,
	}
	for _, role := range roles {
		emperor.Patterns = append(emperor.Patterns, filepath.Join(s.builds(), "[a-z]*", role+".ini"))
	}
	return s.writeRendered(s.etc(name+".ini"), func(w io.Writer) error {
		return uwsgiconf.RenderEmperor(w, emperor, s.templates())
	})
}

func (s *Site) renderNginx(mimeTypes string) error {
	site := nginxconf.Site{
		Listen: s.config.Listen,
		Live:   s.server(builds.Live, s.config.Live),
		Stage:  s.server(builds.Stage, s.config.Stage),
		Assets: s.assets(), Pages: s.etc("pages"), Temp: s.deployFile("tmp"), Logs: s.log(""),
		Dashboard: s.dashboardSocket(), DashboardAllow: s.config.Dashboard.Allow,
		PIDFile: s.nginxPID(), MimeTypes: mimeTypes,
		MaxBody: string(s.config.MaxBody), Timeout: s.config.Timeouts.Request, HTTPS: s.config.HTTPS,
	}
	// nginx started by an ordinary user has nobody to become
	if os.Geteuid() == 0 {
		site.User, site.Group = s.user.Name, s.user.Group
	}
	return s.writeRendered(s.etc("nginx.conf"), func(w io.Writer) error {
		return nginxconf.Render(w, site, s.templates())
	})
}

// server is one of nginx's two. Under the reload switch it reads the upstream
// through the pointer, once that names a build whose vassal listens there when it
// runs: it is started after this, where all was down.
func (s *Site) server(p builds.Pointer, names []string) nginxconf.Server {
	server := nginxconf.Server{Names: names, Pointer: s.store.PointerPath(p), Socket: s.pointerSocket(p)}
	if name, err := s.store.Pointed(p); err == nil && s.config.Switch == config.SwitchReload && s.listensTCP(name) {
		server.Upstream = filepath.Join(s.store.PointerPath(p), p.String()+".conf")
	}
	return server
}

func (s *Site) listensTCP(name builds.Name) bool {
	address, err := s.address(name, 1)
	if err != nil {
		return false
	}
	bind, _ := s.comesFromElsewhere(address)
	config, _ := os.ReadFile(filepath.Join(s.store.Path(name), s.vassal(name).Config))
	for line := range strings.Lines(string(config)) {
		if strings.HasSuffix(strings.TrimSpace(line), " "+bind) {
			return true
		}
	}
	s.reporter.Note(fmt.Sprintf("build %s does not listen on %s yet, so nginx uses its unix socket: run mage restart %s, then mage nginxReload", name, bind, name))
	return false
}

// somaxconn is the longest listen queue that the kernel allows; uWSGI does not
// start with a longer one.
func somaxconn() int {
	data, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		return maxBacklog
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return maxBacklog
	}
	return limit
}

// maxBacklog is the kernel's default since Linux 5.4.
const maxBacklog = 4096

// removeRunFiles deletes the sockets and fifos that a stopped build has left.
func (s *Site) removeRunFiles(name builds.Name) error {
	leftovers, err := filepath.Glob(s.runFile(string(name) + ".*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range leftovers {
		errs = append(errs, files.Remove(path))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove sockets of %s: %w", name, err)
	}
	return nil
}
