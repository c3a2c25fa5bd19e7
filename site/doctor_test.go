package site_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/site"
	"github.com/hadjango/hadjango/uwsgi"
)

func TestDoctor_FindsNothingOnAHealthySite(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	s.awaitWell(t)
	require.NoError(t, s.Restart(t.Context(), "a"))
	s.awaitWell(t)
}

func TestDoctor_NamesWhatWasCutShort(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	require.NoError(t, s.Init(t.Context()))
	s.awaitWell(t)

	dashboard := s.helper("dashboard")
	require.NoError(t, s.helper("keep").Signal(syscall.SIGKILL))
	require.Equal(t, "mage up", s.awaits(t, "the keeper does not run").Mend)
	require.NoError(t, dashboard.Signal(syscall.SIGSTOP))
	require.Equal(t, fmt.Sprintf("kill -9 %d && mage up", dashboard.PID), s.awaits(t, "the dashboard does not answer: not within 2s").Mend)
	require.NoError(t, dashboard.Signal(syscall.SIGKILL))
	require.Equal(t, "mage up", s.awaits(t, "the dashboard does not run").Mend)
	require.NoError(t, s.Up(t.Context()))
	s.awaitWell(t)

	require.NotZero(t, s.runKilled("swapLive", "1"))
	require.Equal(t, "mage resume, or mage undo", s.awaits(t, "swapLive, begun at ").Mend)
	_, err := s.Undo(t.Context())
	require.NoError(t, err)
	s.awaitWell(t)
}

// helper is a process that up has started in the background.
func (s testSite) helper(task string) proc.Process {
	s.t.Helper()
	self, err := os.Executable()
	require.NoError(s.t, err)
	found, err := proc.Under(s.dir, filepath.Base(self))
	require.NoError(s.t, err)
	i := slices.IndexFunc(found, func(p proc.Process) bool { return strings.HasSuffix(p.Name(), " "+task) })
	require.NotEqual(s.t, -1, i, "there is no %s", task)
	return found[i]
}

func TestDoctor_FindsWhatIsWrongBeforeAnythingIsDeployed(t *testing.T) {
	s := newTestSite(t, "backlog: 65535\n")
	config := s.read("hadjango.yml")
	s.reopen(config + "run: " + strings.Repeat("r", 100-len(s.dir)-len("//zzz.vassal.stats")) + "\n")

	require.Equal(t, "mage init", s.awaits(t, "nothing is deployed yet").Mend)
	require.Contains(t, s.awaits(t, "paths of sockets have up to 100 of the 102 bytes").Mend, "set run in hadjango.yml")
	require.Equal(t, "sysctl -w net.core.somaxconn=65535", s.awaits(t, "backlog is 65535, and the kernel allows").Mend)
	require.NoDirExists(t, filepath.Join(s.dir, "deploy"), "it changes nothing")
	s.reopen(config)
}

func TestDoctor_FindsWhatIsWrongOnDisk(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))
	path := func(name string) string { return filepath.Join(s.dir, "deploy", name) }
	point := func(pointer, to string) {
		require.NoError(t, os.Remove(path("builds/"+pointer)))
		if to != "" {
			require.NoError(t, os.Symlink(to, path("builds/"+pointer)))
		}
	}
	chmod := func(name string, perm os.FileMode) func() func() {
		return func() func() { require.NoError(t, os.Chmod(path(name), perm)); return nil }
	}
	for _, name := range []string{"deps/cache/pip/.x.tmp-1", "deps/node/0123456789abcdef/.x.tmp-1", "assets/media/.x.tmp-1", "data/y.part"} {
		s.write("deploy/"+name, "another's")
	}

	s.requireFound(t, []mishap{
		{"an interrupted build", func() func() { require.NoError(t, os.Mkdir(path("builds/d"), 0o755)); return nil },
			"build d is not complete", "interrupted", "mage rm d", false},
		{"leftovers of writes and removals", func() func() {
			s.write("deploy/etc/.nginx.conf.tmp-123", "")
			s.write("deploy/builds/a/uwsgi.d/.env.json.tmp-9", "")
			s.write("deploy/builds/.trash-7/q/app.py", "")
			s.write("deploy/run/.x'$(touch canary) ;\x1b[2J.tmp-1", "")
			s.write("deploy/builds/a/.hadjango-share.tmp/7", "")
			s.write("deploy/deps/cache/venv/.complete.tmp-8", "")
			require.NoError(t, os.Symlink("nowhere", path("run/.live.sock.tmp-123")))
			for _, dir := range []string{"wheelhouse", "installed", "node"} {
				s.write("deploy/deps/"+dir+"/0123456789abcdef.part/file", "")
			}
			return nil
		}, "10 leftovers of interrupted tasks: deploy/builds/.trash-7", "nobody's", "rm -r ", false},
		{"deploy open to others, and of another group", func() func() {
			require.NoError(t, os.Chmod(path(""), 0o755))
			require.NoError(t, os.Chown(path(""), -1, os.Getegid()))
			return nil
		}, "deploy is open to more than it should be (755, not 7", "", "chmod 7", false},
		{"data open to others", chmod("data", 0o755), "deploy/data is open to more than it should be (755, not 700)", "", "chmod 700 " + path("data"), false},
		{"logs open to others", chmod("logs", 0o755), "deploy/logs is open", "", "chmod 750", false},
		{"secrets open to others", chmod("builds/a/uwsgi.d/env.json", 0o644), "deploy/builds/a/uwsgi.d/env.json is open to more than it should be (644, not 6", "", "chmod 6", false},
		{"the journal open to others", chmod("journal.jsonl", 0o666), "deploy/journal.jsonl is open to more than it should be (666, not 640)", "", "chmod 640 ", false},
		{"the lock open to others", chmod("lock", 0o666), "deploy/lock is open to more than it should be (666, not 6", "", "chmod 6", false},
		{"a server's configuration open to others", chmod("etc/nginx.conf", 0o666), "deploy/etc/nginx.conf is open", "", "chmod 644 ", false},
		{"a log open to others", chmod("logs/c.build.log", 0o666), "deploy/logs/c.build.log is open", "", "chmod 640 ", false},
		{"no data", func() func() { require.NoError(t, os.RemoveAll(path("data"))); return nil },
			"deploy/data is missing", "what was in it is gone", "mage up", false},
		{"no logs", func() func() { require.NoError(t, os.RemoveAll(path("logs"))); return nil },
			"deploy/logs is missing", "what was in it is gone", "mage up", false},
		{"code open to others", chmod("builds/b/app.py", 0o666), "1 file of b can be changed by those who should not: deploy/builds/b/app.py", "", "-R ", false},
		{"a pid file that names another", func() func() { s.write("deploy/run/zergs.pid", "1\n"); return nil },
			"the pid file of the emperor of zergs names 1 instead of", "", "mage down && mage up", false},
		{"a socket of no build", func() func() { require.NoError(t, unix.Mkfifo(path("run/q.zerg.fifo"), 0o600)); return nil },
			"1 socket of q, which does not run", "", "rm " + path("run/q.zerg.fifo"), false},
		{"a socket of a stopped build", func() func() { require.NoError(t, unix.Mkfifo(path("run/c.zerg.fifo"), 0o600)); return nil },
			"1 socket of c, which does not run", "", "mage stop c", false},
		{"a socket of no build and no server", func() func() {
			listener, err := net.Listen("unix", path("run/other.app.sock"))
			require.NoError(t, err)
			s.awaitWell(t)
			listener.(*net.UnixListener).SetUnlinkOnClose(false)
			require.NoError(t, listener.Close())
			return nil
		}, "1 socket of other, which does not run", "", "rm " + path("run/other.app.sock"), false},
		{"stage is missing", func() func() { point("_stage", ""); return nil }, "stage names no build", "", "mage stage b", false},
		{"stage dangles", func() func() { point("_stage", "zz"); return nil }, "stage names zz, which is no build", "", "mage stage b", false},
		{"live and stage have changed places by hand", func() func() {
			require.NoError(t, os.Rename(path("builds/_live"), path("builds/_x")))
			require.NoError(t, os.Rename(path("builds/_stage"), path("builds/_live")))
			require.NoError(t, os.Rename(path("builds/_x"), path("builds/_stage")))
			s.requireServes("live.localhost", "b")
			return nil
		}, "live is b and stage is a; stage b left live a and stage b", "no task has changed that", "mage swapLive", false},
		{"stage was moved by hand", func() func() {
			s.call("activate c")
			point("_stage", "c")
			return nil
		}, "live is a and stage is c; activate c left live a and stage b", "", "mage stage b", false},
		{"live was moved by hand", func() func() { point("_live", "c"); return nil },
			"live is c and stage is b; stage b left live a and stage b", "", "mage swapLive -build=a", false},
		{"as they were, after what was meant", func() func() {
			s.call("stage b", "stop c")
			point("_stage", "c")
			s.awaits(t, "live is a and stage is c; stop c left live a and stage b")
			require.NoError(t, s.Up(t.Context()))
			return nil
		}, "c is stage and not active", "", "mage activate c", false},
		{"and back", func() func() { s.call("stage b", "stop c"); point("_stage", "a"); return nil },
			"live is a and stage is a; stop c left live a and stage b", "", "mage stage b", false},
		{"live and stage are one", func() func() { point("_stage", "a"); return nil }, "live and stage both name a", "no way back", "mage stage b", false},
		{"live is missing", func() func() { point("_live", ""); return nil }, "live names no build", "", "mage init", false},
		{"live is not complete", func() func() {
			require.NoError(t, os.Mkdir(path("builds/d"), 0o755))
			point("_live", "d")
			s.follow(t, s.awaits(t, "live names d, which is not complete").Mend)
			s.requireServes("live.localhost", "b")
			s.follow(t, s.awaits(t, "stage names d, which is not complete").Mend)
			return nil
		}, "build d is not complete", "", "mage rm d", false},
		{"a build of another Python", func() func() {
			config := s.read("deploy/builds/c/pyvenv.cfg")
			pointer, _ := builds.OpenStore(path("builds")).PointerTo("c")
			require.Empty(t, pointer)
			require.NoError(t, files.Write(path("builds/c/pyvenv.cfg"), []byte(strings.Replace(config, "version = 3.", "version = 3.9", 1)), 0o644))
			return nil
		}, "build c was made with Python 3.9", "packages", "mage rm c && mage createBuild c", false},
		{"a database that was begun", func() func() {
			s.write("deploy/data/database-unfinished", "superuser\n")
			return func() { require.NoError(t, os.Remove(path("data/database-unfinished"))) }
		}, "the database was begun and not finished", "live since", "mage initializeDB -reset", true},
		{"a clock that is behind", func() func() {
			future, now := time.Now().Add(time.Hour), time.Now()
			require.NoError(t, os.Chtimes(path("etc/nginx.conf"), future, future))
			return func() { require.NoError(t, os.Chtimes(path("etc/nginx.conf"), now, now)) }
		}, "the clock is wrong: deploy/etc/nginx.conf is of 1h0m0s from now", "", "timedatectl set-ntp true", true},
		{"a clock that was behind when a build was made", func() func() {
			manifest, err := builds.ReadManifest(path("builds/c"))
			require.NoError(t, err)
			was := manifest.Created
			manifest.Created = time.Now().Add(24 * time.Hour)
			require.NoError(t, manifest.Write(path("builds/c")))
			return func() { manifest.Created = was; require.NoError(t, manifest.Write(path("builds/c"))) }
		}, "the clock is wrong: deploy/builds/c is of ", "", "timedatectl", true},
	})
	if os.Geteuid() == 0 {
		s.requireFound(t, []mishap{{"a build given away", func() func() {
			user, err := account.Lookup("www-data")
			require.NoError(t, err)
			require.NoError(t, os.Chown(path("builds/a/app.py"), int(user.UID), 0))
			return nil
		}, "1 file of a can be changed", "must not be able to change itself", "chown -hR 0:", false}})
	}
}

// A run directory of its own holds what is left of links.
func TestDoctor_FindsLeftoversInARunDirectoryElsewhere(t *testing.T) {
	s := newTestSite(t, "run: elsewhere\n")
	s.call("up", "createBuild a")
	left := filepath.Join(s.dir, "elsewhere/.live.sock.tmp-123")
	require.NoError(t, os.Symlink("nowhere", left))

	f := s.awaits(t, "1 leftover of interrupted tasks: elsewhere/.live.sock.tmp-123")

	s.follow(t, f.Mend)
	_, err := os.Lstat(left)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// What was changed in hadjango.yml and has no effect yet is found, with the
// command that makes it.
func TestDoctor_FindsConfigurationThatIsNotInEffect(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	config := s.read("hadjango.yml")
	change := func(text string) func() func() { return func() func() { s.reopen(config + text); return nil } }

	s.requireFound(t, []mishap{
		{"for nginx", change("max_body: 7m\n"), "nginx runs with an older configuration", "no effect", "mage nginxReload", false},
		{"for builds", func() func() {
			s.reopen(config + "max_body: 7m\nenv: {A: b}\n")
			f := s.awaits(t, "a runs with an older configuration")
			require.NotContains(t, fmt.Sprint(f), "A:", "it may be a secret")
			s.follow(t, f.Mend)
			return nil
		}, "b runs with an older configuration", "no effect", "mage restart b", false},
		{"for the emperors", change("max_body: 7m\nenv: {A: b}\ntimeouts: {drain: 300s}\n"),
			"the emperor of zergs runs with an older configuration", "only when it starts", "mage down && mage up", false},
		{"for the emperors, although the file is new", func() func() {
			s.reopen(config + "max_body: 7m\nenv: {A: b}\ntimeouts: {drain: 200s}\n")
			require.NoError(t, s.Up(t.Context()))
			require.Contains(t, s.read("deploy/etc/zergs.ini"), "210")
			return nil
		}, "the emperor of vassals runs with an older configuration", "", "mage down && mage up", false},
		{"another Python", func() func() {
			s.write("python", "#!/bin/sh\necho 3.9\n")
			require.NoError(t, os.Chmod(filepath.Join(s.dir, "python"), 0o755))
			now := s.read("hadjango.yml")
			s.reopen(now + "python: " + filepath.Join(s.dir, "python") + "\n")
			return func() { s.reopen(now) }
		}, "python is 3.9, and uWSGI's plugin is linked with 3.", "cannot be started", "set python in hadjango.yml", true},
		{"a template that cannot be", func() func() {
			s.write("conf/vassal.ini.tmpl", "{{.Nothing}}")
			return func() { require.NoError(t, os.RemoveAll(filepath.Join(s.dir, "conf"))) }
		}, "the configuration cannot be written", "", "mend the template in conf/", true},
	})
}

// The application of this test is ill as long as a file says so.
const sickly = `
import os

def application(environ, start_response):
    name = os.environ["HADJANGO_BUILD"]
    sick = os.path.exists(os.path.join(os.environ["HADJANGO_DATA"], "sick-" + name))
    start_response("503 Sick" if sick else "200 OK", [("Content-Type", "text/plain")])
    return [b"hello\n"]
`

func TestDoctor_FindsWhatIsWrongWithTheServers(t *testing.T) {
	s := newTestSite(t, "backlog: 16\n")
	s.write("project/app.py", sickly)
	// without hook-touch no zerg heals by itself
	template, err := os.ReadFile("../conf/zerg.ini.tmpl")
	require.NoError(t, err)
	s.write("conf/zerg.ini.tmpl", strings.Replace(string(template), "hook-touch = ", "; ", 1))
	require.NoError(t, s.Init(t.Context()))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))
	require.NoError(t, s.Activate(t.Context(), "c"))

	down := func(server string) func() func() { return func() func() { kill(t, s.dir, server); return nil } }
	s.requireFound(t, []mishap{
		{"no emperor of vassals", down("vassals"), "the emperor of vassals does not run", "", "mage up", false},
		{"no emperor of zergs", down("zergs"), "the emperor of zergs does not run", "", "mage up", false},
		{"no nginx but its worker", func() func() {
			kill(t, s.dir, "nginx")
			f := s.awaits(t, "(nginx: worker process) belongs to no server of the site")
			require.Equal(t, "mage up", f.Mend)
			return nil
		}, "nginx does not run", "has port", "mage up", false},
		{"a stray uWSGI", func() func() {
			stray := exec.Command("uwsgi-core", "--master", "--socket", filepath.Join(s.dir, "deploy/run/stray.sock"), "--vacuum", "--die-on-term")
			stray.Dir = filepath.Join(s.dir, "deploy")
			// one that is interrupted while it starts interrupts its process group
			stray.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			require.NoError(t, stray.Start())
			go func() { _ = stray.Wait() }()
			return nil
		}, "(uwsgi-core --master", "", "kill -INT ", false},
		{"a vassal that cannot start", func() func() {
			socket := filepath.Join(s.dir, "deploy/run/c.app.sock.new")
			require.NoError(t, os.MkdirAll(filepath.Join(socket, "taken"), 0o755))
			require.NoError(t, s.process(s.unit("c", "vassal").Stats).Signal(syscall.SIGKILL))
			return func() { require.NoError(t, os.RemoveAll(socket)) }
		}, "vassal of c is throttled by its emperor (", "bind(): Address already in use", "mage activate c", false},
		{"a zerg that cannot import", func() func() {
			good := s.read("deploy/builds/c/app.py")
			s.spoil("c", "import nothing_of_this_name\n")
			require.NoError(t, s.process(s.unit("c", "zerg").Stats).Signal(syscall.SIGKILL))
			return func() { s.spoil("c", good) }
		}, "zerg of c is throttled by its emperor (", "No module named 'nothing_of_this_name'", "mage activate c", false},
		{"a vassal that has died", func() func() {
			require.NoError(t, s.process(s.unit("b", "vassal").Stats).Signal(syscall.SIGKILL))
			return nil
		},
			"zerg of b holds the sockets of a vassal that has died", "nobody reads", "mage up", false},
		{"a zerg that hangs", func() func() {
			require.NoError(t, s.process(s.unit("a", "zerg").Stats).Signal(syscall.SIGSTOP))
			return nil
		},
			"zerg of a does not answer", "its emperor starts it anew", "kill -9 ", false},
		{"an emperor that hangs", func() func() {
			require.NoError(t, s.process(filepath.Join(s.dir, "deploy/run/zergs.stats")).Signal(syscall.SIGSTOP))
			return nil
		}, "the emperor of zergs does not answer within", "", "kill -9 ", false},
		{"workers that were left resting", func() func() {
			_, err := uwsgi.Pause(t.Context(), s.unit("a", "zerg"))
			require.NoError(t, err)
			return nil
		}, "no worker of a takes requests", "resting", "mage activate a", false},
		{"stage without workers", func() func() { require.NoError(t, os.Remove(s.unit("b", "zerg").Link)); return nil },
			"b is stage and not active", "stage answers nobody", "mage activate b", false},
		{"a zerg that does not end", func() func() {
			require.NoError(t, s.process(s.unit("c", "zerg").Stats).Signal(syscall.SIGSTOP))
			require.NoError(t, os.Remove(s.unit("c", "zerg").Link))
			return nil
		}, "zerg of c has been ending for ", "", "kill -9 ", false},
		{"nginx that hangs", func() func() {
			nginx, err := proc.Under(s.dir, "nginx")
			require.NoError(t, err)
			signalAll(t, nginx, syscall.SIGSTOP)
			return func() { signalAll(t, nginx, syscall.SIGCONT) }
		}, "live does not answer through nginx", "visitors", "mage down && mage up", true},
		{"nginx that serves another build", func() func() {
			s.write("deploy/etc/nginx.conf", strings.ReplaceAll(s.read("deploy/etc/nginx.conf"), "live.sock", "stage.sock"))
			pid, err := strconv.Atoi(strings.TrimSpace(s.read("deploy/nginx.pid")))
			require.NoError(t, err)
			require.NoError(t, syscall.Kill(pid, syscall.SIGHUP))
			return nil
		}, "live names a, and b answers", "", "mage nginxReload", false},
		{"nginx with too few files", func() func() {
			template, err := os.ReadFile("../conf/nginx.conf.tmpl")
			require.NoError(t, err)
			s.write("conf/nginx.conf.tmpl", strings.Replace(string(template), "worker_connections 4096", "worker_connections 8192", 1))
			require.NoError(t, s.NginxReload(t.Context()))
			return func() {
				require.NoError(t, os.Remove(filepath.Join(s.dir, "conf/nginx.conf.tmpl")))
				require.NoError(t, s.NginxReload(t.Context()))
			}
		}, "nginx may have 10240 files open, and its connections take 16384", "visitors", "", true},
		{"a queue that is full", func() func() {
			return s.fillQueue("a", "unix", filepath.Join(s.dir, "deploy/run/a.app.sock"))
		}, "places in the listen queue of a are taken", "sent away", "raise workers.max, or backlog, in hadjango.yml, then mage restart a", true},
	})

	s.write("deploy/data/sick-a", "")
	f := s.awaits(t, "a, which is live, is not healthy")
	require.Contains(t, f.Why, "503")
	require.Equal(t, "mage swapLive", f.Mend)
	s.follow(t, f.Mend)
	status, build, _ := s.get("live.localhost", "/")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "b", build)
	require.Contains(t, s.awaits(t, "a, which is stage, is not healthy").Mend, "mage stage c")
}

// Under the reload switch requests wait in a TCP socket.
func TestDoctor_FindsAFullQueueOfATCPSocket(t *testing.T) {
	s := newTestSite(t, "backlog: 16\nswitch: reload\n")
	require.NoError(t, s.Init(t.Context()))
	port, err := builds.Endpoint{Build: "a", Offset: 1}.Port(s.Config().Port)
	require.NoError(t, err)

	s.requireFound(t, []mishap{{"a queue that is full", func() func() {
		return s.fillQueue("a", "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	}, "of 16 places in the listen queue of a are taken", "sent away", "raise workers.max", true}})
}

// fillQueue lets a build's workers stand still and as many connections wait for
// them as may, until end is called.
func (s testSite) fillQueue(name builds.Name, network, address string) (end func()) {
	s.t.Helper()
	var workers []proc.Process
	for _, w := range s.workers(name) {
		p, err := proc.Open(w.PID)
		require.NoError(s.t, err)
		workers = append(workers, p)
	}
	signalAll(s.t, workers, syscall.SIGSTOP)
	var waiting []net.Conn
	for range 16 {
		conn, err := net.Dial(network, address)
		require.NoError(s.t, err)
		waiting = append(waiting, conn)
	}
	return func() {
		for _, conn := range waiting {
			require.NoError(s.t, conn.Close())
		}
		signalAll(s.t, workers, syscall.SIGCONT)
	}
}

// process is the one that answers at a stats socket.
func (s testSite) process(stats string) proc.Process {
	s.t.Helper()
	instance, err := uwsgi.ReadInstance(s.t.Context(), stats)
	require.NoError(s.t, err)
	p, err := proc.Open(instance.PID)
	require.NoError(s.t, err)
	return p
}

// mishap is one thing that goes wrong with a site.
type mishap struct {
	name string
	// happen makes it go wrong, and returns what ends its cause, if that goes on.
	happen func() (end func())
	// what, why and mend are parts of the finding.
	what, why, mend string
	// byHand says that the mending is not for a test to do.
	byHand bool
}

// requireFound lets one thing after the other go wrong. Each is found, what the
// finding says mends it, and then all is well.
func (s *testSite) requireFound(t *testing.T, mishaps []mishap) {
	t.Helper()
	for _, m := range mishaps {
		require.True(t, t.Run(m.name, func(t *testing.T) {
			end := m.happen()
			f := s.awaits(t, m.what, m.why)
			require.Contains(t, f.Mend, m.mend)
			if end != nil {
				end()
			}
			if !m.byHand {
				s.follow(t, f.Mend)
			}
			s.awaitWell(t)
		}))
	}
}

func (s testSite) diagnose() site.Diagnosis {
	s.t.Helper()
	diagnosis, err := s.Doctor(s.t.Context())
	require.NoError(s.t, err)
	return diagnosis
}

// awaits returns the finding whose texts hold what and why. An emperor takes a
// moment to notice what a test has done.
func (s *testSite) awaits(t *testing.T, what string, why ...string) (found site.Finding) {
	t.Helper()
	var last site.Diagnosis
	require.Eventually(t, func() bool {
		var err error
		if last, err = s.Doctor(t.Context()); err != nil {
			return false
		}
		at := slices.IndexFunc(last.Findings, func(f site.Finding) bool {
			return strings.Contains(f.What, what) && strings.Contains(f.Why, strings.Join(why, ""))
		})
		if at < 0 {
			return false
		}
		found = last.Findings[at]
		return true
	}, time.Minute, time.Millisecond, "%q in %+v", what, &last.Findings)
	require.NotEmpty(t, found.Check)
	require.NotEmpty(t, found.Why)
	t.Logf("%s · %s\n    %s", found.What, found.Mend, found.Why)
	return found
}

// awaitWell lets servers that have just been started, on a machine that has
// other things to do, come to rest.
func (s *testSite) awaitWell(t *testing.T) {
	t.Helper()
	var last site.Diagnosis
	require.Eventually(t, func() bool {
		var err error
		last, err = s.Doctor(t.Context())
		return err == nil && last.Well()
	}, time.Minute, time.Millisecond, "%+v", &last.Findings)
	require.Greater(t, last.Checks, 15)
}

// follow does what a finding's command says.
func (s *testSite) follow(t *testing.T, mend string) {
	t.Helper()
	for _, command := range strings.Split(mend, " && ") {
		words := strings.Fields(command)
		if words[0] == "mage" {
			require.NoError(t, s.mage(words[1:]...), command)
			continue
		}
		out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput()
		require.NoError(t, err, "%s: %s", command, out)
	}
}

func (s *testSite) mage(words ...string) error {
	ctx, last := s.t.Context(), words[len(words)-1]
	verbs := map[string]func() error{
		"up": func() error { return s.Up(ctx) }, "down": func() error { return s.Down(ctx) }, "init": func() error { return s.Init(ctx) },
		"nginxReload": func() error { return s.NginxReload(ctx) },
		"activate":    func() error { return s.Activate(ctx, builds.Name(last)) },
		"restart":     func() error { return s.Restart(ctx, builds.Name(last)) },
		"stop":        func() error { return s.Stop(ctx, builds.Name(last)) },
		"rm":          func() error { return s.Remove(ctx, builds.Name(last)) },
		"stage":       func() error { return s.Stage(ctx, builds.Name(last)) },
		"createBuild": func() error { return s.CreateBuild(ctx, builds.Name(last)) },
		"swapLive": func() error {
			_, err := s.SwapLive(ctx, builds.Name(strings.TrimPrefix(strings.TrimPrefix(last, "swapLive"), "-build=")))
			return err
		},
	}
	return verbs[words[0]]()
}
