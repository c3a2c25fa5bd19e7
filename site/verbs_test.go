package site_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/site"
	"github.com/hadjango/hadjango/stack"
	"github.com/hadjango/hadjango/uwsgi"
)

// nobody is the credential of an ordinary user that every machine has.
func nobody() *syscall.SysProcAttr {
	const id = 65534
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
}

func TestInit_BringsTwoBuildsUp(t *testing.T) {
	s := newTestSite(t, "")

	require.NoError(t, s.Init(t.Context()))

	s.requireServes("live.localhost", "a")
	s.requireServes("live.addons", "a")
	s.requireServes("stage.localhost", "b")
	s.requireServes("stage.addons", "b")
	status, err := s.Status(t.Context())
	require.NoError(t, err)
	require.True(t, status.Servers.Up())
	require.Len(t, status.Builds, 2)
	for _, b := range status.Builds {
		require.Equal(t, site.Active, b.State)
		require.Equal(t, 2, b.WorkersReady)
		require.Positive(t, b.MemoryBytes)
		require.Positive(t, b.SizeBytes)
	}
	require.Equal(t, "live", status.Builds[0].Pointer)
	require.Equal(t, "stage", status.Builds[1].Pointer)
}

func TestInit_PassesOverWhatIsThere(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	stamp := s.read("deploy/builds/a/build.json")
	s.notes.forget()

	require.NoError(t, s.Init(t.Context()))

	require.Equal(t, stamp, s.read("deploy/builds/a/build.json"))
	require.Contains(t, s.notes.String(), "build a: there already")
	require.NotContains(t, s.notes.String(), "copy")
}

func TestInit_GoesOnWhereItWasInterrupted(t *testing.T) {
	s := newTestSite(t, "")
	_, err := builds.OpenStore(filepath.Join(s.dir, "deploy/builds")).Create("a")
	require.NoError(t, err)

	require.NoError(t, s.Init(t.Context()))

	require.Contains(t, s.notes.String(), "build a was not complete: it is made anew")
	s.requireServes("live.localhost", "a")
}

func TestUp_AnswersBeforeAnythingIsDeployed(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Up(t.Context()))

	status, _, body := s.get("live.localhost", "/")

	require.Equal(t, http.StatusBadGateway, status)
	require.Contains(t, body, "go tool mage init")
	status, _, body = s.get("elsewhere.example", "/")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, body, "Live is live.localhost")
}

// kill -9 leaves an emperor's files, and an nginx worker that holds the port.
func TestUp_MendsWhatWasKilled(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	for _, server := range []string{"nginx", "vassals", "zergs"} {
		t.Run(server, func(t *testing.T) {
			kill(t, s.dir, server)
			require.NoError(t, s.Up(t.Context()))
			require.NoError(t, s.Up(t.Context()), "a second time it leaves all as it is")
			s.eventually(func(s testSite) bool { return s.state("a") == site.Active && s.state("b") == site.Active })
			s.requireServes("live.localhost", "a")
			s.requireServes("stage.localhost", "b")
		})
	}
}

func TestDown_ThenUpRestoresWhatWasThere(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	_, err := s.SwapLive(t.Context(), "")
	require.NoError(t, err)

	require.NoError(t, s.Down(t.Context()))
	left, err := proc.Under(s.dir, "nginx", "uwsgi", "uwsgi-core")
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, s.Up(t.Context()))

	s.eventually(func(s testSite) bool { return s.state("a") == site.Active && s.state("b") == site.Active })
	s.requireServes("live.localhost", "b")
	s.requireServes("stage.localhost", "a")
}

// An upgrade of the machine, or of a container's image, may bring another Python.
func TestUp_NamesABuildOfAnotherPython(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))
	require.NoError(t, s.Down(t.Context()))
	for _, name := range []string{"b", "c"} {
		config := filepath.Join(s.dir, "deploy/builds", name, "pyvenv.cfg")
		text, err := os.ReadFile(config)
		require.NoError(t, err)
		require.NoError(t, files.Write(config, []byte(strings.Replace(string(text), "version = 3.", "version = 2.", 1)), 0o644))
	}

	err := s.Up(t.Context())

	require.ErrorContains(t, err, "build b has not come back: it was made with Python 2.")
	require.ErrorContains(t, err, "run mage createBuild d, mage stage d and mage swapLive")
	s.requireServes("live.localhost", "a")
	require.ErrorContains(t, s.Activate(t.Context(), "c"), "it was made with Python 2.")
}

func TestUp_SaysWhoseThePortIs(t *testing.T) {
	s := newTestSite(t, "")
	listener, err := net.Listen("tcp", s.address)
	require.NoError(t, err)
	defer listener.Close()

	err = s.Up(t.Context())

	require.ErrorContains(t, err, "listen on "+s.address+": address already in use")
	require.ErrorContains(t, err, fmt.Sprintf("process %d (", os.Getpid()))
	require.ErrorContains(t, err, "has it: end it, or set listen in hadjango.yml")
}

func TestUp_SaysThatRunCarriesNoSockets(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system")
	}
	dir, err := os.MkdirTemp("", "hj")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.Remove(dir)) })
	require.NoError(t, unix.Mount("none", dir, "mqueue", 0, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	require.NoError(t, os.Chown(dir, 65534, 65534))
	s := newTestSite(t, "user: nobody\nrun: "+dir)

	err = s.Up(t.Context())

	require.ErrorContains(t, err, dir+" carries no unix sockets: listen unix "+dir+"/probe.sock: bind: operation not permitted: set run in hadjango.yml")
}

func TestDay_OfADeployer(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	free, err := s.FindFreeBuild()
	require.NoError(t, err)
	require.Equal(t, builds.Name("c"), free)

	require.NoError(t, s.CreateBuild(t.Context(), "c"))
	require.Equal(t, site.Stopped, s.state("c"))
	require.NoError(t, s.Activate(t.Context(), "c"))
	require.Equal(t, site.Active, s.state("c"))
	require.NoError(t, s.Activate(t.Context(), "c"), "an active build is left alone")
	report, err := s.Warmup(t.Context(), "c", site.WarmupOptions{})
	require.NoError(t, err)
	require.Equal(t, 2, report.Workers.Reached)

	require.NoError(t, s.Stage(t.Context(), "c"))
	s.requireServes("stage.localhost", "c")
	swap, err := s.SwapLive(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, builds.Name("c"), swap.Live)
	require.Equal(t, builds.Name("a"), swap.Was)
	require.Contains(t, swap.String(), "live is c, was a · switched in ")
	s.requireServes("live.localhost", "c")
	s.requireServes("stage.localhost", "a")

	_, err = s.SwapLive(t.Context(), "b")
	require.NoError(t, err)
	s.requireServes("live.localhost", "b")
	s.requireServes("stage.localhost", "c")
	require.NoError(t, s.Deactivate(t.Context(), "a"))
	require.Equal(t, site.Idle, s.state("a"))
	require.NoError(t, s.Activate(t.Context(), "a"), "the sockets are kept")
	require.NoError(t, s.Stop(t.Context(), "a"))
	require.Equal(t, site.Stopped, s.state("a"))
	require.NoError(t, s.Remove(t.Context(), "a"))
	require.NoDirExists(t, filepath.Join(s.dir, "deploy/builds/a"))
	require.NoDirExists(t, filepath.Join(s.dir, "deploy/assets/static/a"))
	for _, pattern := range []string{"deploy/logs/a.*", "deploy/run/a.*"} {
		left, err := filepath.Glob(filepath.Join(s.dir, pattern))
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

func TestStage_ActivatesAndWarmsByItself(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))

	require.NoError(t, s.Stage(t.Context(), "c"))

	require.Contains(t, s.notes.String(), "activate c\nwarm up c")
	s.requireServes("stage.localhost", "c")
}

func TestRefused_ForLiveAndStage(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))

	for verb, do := range map[string]func(builds.Name) error{
		"deactivate": func(n builds.Name) error { return s.Deactivate(t.Context(), n) },
		"stop":       func(n builds.Name) error { return s.Stop(t.Context(), n) },
		"rm":         func(n builds.Name) error { return s.Remove(t.Context(), n) },
	} {
		for name, pointer := range map[builds.Name]builds.Pointer{"a": builds.Live, "b": builds.Stage} {
			var refused *site.PointedError
			require.ErrorAs(t, do(name), &refused)
			require.Equal(t, site.PointedError{Verb: verb, Name: name, Pointer: pointer}, *refused)
		}
	}
	require.ErrorContains(t, s.Stage(t.Context(), "a"), "it is live")
	_, err := s.SwapLive(t.Context(), "a")
	require.ErrorContains(t, err, "a is live already")
	require.Equal(t, site.Active, s.state("a"))
	require.Equal(t, site.Active, s.state("b"))
}

func TestCreateBuild_NeverTouchesACompleteOne(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.CreateBuild(t.Context(), "a"))
	before := s.read("deploy/builds/a/build.json")

	err := s.CreateBuild(t.Context(), "a")

	require.ErrorIs(t, err, builds.ErrExists)
	require.ErrorContains(t, err, "the next free name is b")
	require.Equal(t, before, s.read("deploy/builds/a/build.json"))
}

func TestParseName_SaysWhichIsFree(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.CreateBuild(t.Context(), "a"))

	_, err := s.ParseName("../x")

	require.EqualError(t, err, `"../x" is not the name of a build: one or more letters a–z, at most iji; the next free one is b`)
}

// A build whose import fails ends in the traceback, not in a timeout, and
// nothing tries it again.
func TestActivate_OfABrokenBuildShowsTheTraceback(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	s.write("project/app.py", "import nothing_of_this_name\n")
	require.NoError(t, s.CreateBuild(t.Context(), "c"))

	err := s.Activate(within(t, soon), "c")

	var failed *uwsgi.StartError
	require.ErrorAs(t, err, &failed)
	require.ErrorIs(t, err, uwsgi.ErrDied)
	require.Contains(t, failed.Cause, "ModuleNotFoundError: No module named 'nothing_of_this_name'")
	require.FileExists(t, failed.Log)
	require.NoFileExists(t, filepath.Join(s.dir, "deploy/builds/c/zerg.ini"))
	require.Equal(t, site.Idle, s.state("c"))
	require.Error(t, s.Stage(t.Context(), "c"))
	s.requireServes("stage.localhost", "b")

	s.write("project/app.py", app)
	require.NoError(t, s.Remove(t.Context(), "c"))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))
	require.NoError(t, s.Stage(t.Context(), "c"), "an earlier death does not put off a good build")
}

func TestActivate_OfABuildThatHangsSaysHowLongItWaited(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	s.reopen(s.read("hadjango.yml") + "timeouts: {start: 2s}\n")
	s.write("project/app.py", "import time\nprint('importing', flush=True)\nwhile True: time.sleep(1)\n")
	require.NoError(t, s.CreateBuild(t.Context(), "c"))

	err := s.Activate(t.Context(), "c")

	require.ErrorContains(t, err, "not within 2s (timeouts.start in hadjango.yml)")
	require.ErrorContains(t, err, "importing")
	require.Regexp(t, `it hangs here, the innermost call first:\n.*File ".*/c/app.py", line 3 in <module>\n`, err.Error())
	require.Equal(t, site.Idle, s.state("c"))
}

func TestActivate_WithoutPreload(t *testing.T) {
	s := newTestSite(t, "")
	s.reopen(strings.Replace(s.read("hadjango.yml"), "max: 2}", "max: 2, preload: false}", 1))
	require.NoError(t, s.Init(t.Context()))
	s.requireServes("live.localhost", "a")
	s.write("project/app.py", "1/0\n")
	require.NoError(t, s.CreateBuild(t.Context(), "c"))

	require.ErrorContains(t, s.Activate(t.Context(), "c"), "ZeroDivisionError")
}

func TestActivate_RefusesWhatIsNotComplete(t *testing.T) {
	s := newTestSite(t, `build: [["false"]]`)
	require.NoError(t, s.Up(t.Context()))

	require.ErrorContains(t, s.CreateBuild(t.Context(), "a"), "false: exit status 1")

	require.Equal(t, site.Incomplete, s.state("a"))
	require.ErrorIs(t, s.Activate(t.Context(), "a"), builds.ErrIncomplete)
	require.ErrorIs(t, s.Activate(t.Context(), "b"), builds.ErrNotFound)
}

func TestActivate_NeedsTheServers(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.CreateBuild(t.Context(), "a"))

	require.ErrorIs(t, s.Activate(t.Context(), "a"), site.ErrDown)
}

func TestSwapLive_RefusesACandidateThatIsNotHealthy(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	s.write("project/app.py", strings.Replace(app, `"200 OK"`, `"200 OK" if path != "/healthz" else "503 Not Now"`, 1))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))

	_, err := s.SwapLive(t.Context(), "c")

	require.ErrorContains(t, err, "health of c")
	require.ErrorContains(t, err, "503")
	s.requireServes("live.localhost", "a")
	s.requireServes("stage.localhost", "b")
}

func TestSwapLive_GoesBackWhenNginxDoesNotAnswerAsTheCandidate(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	s.reopen(s.read("hadjango.yml") + "timeouts: {switch: 1s}\n")
	nginx, err := proc.Under(s.dir, "nginx")
	require.NoError(t, err)
	signalAll(t, nginx, syscall.SIGSTOP)
	defer signalAll(t, nginx, syscall.SIGCONT)

	_, err = s.SwapLive(t.Context(), "")

	require.ErrorContains(t, err, "b did not answer as live through nginx: not within 1s (timeouts.switch in hadjango.yml)")
	require.ErrorContains(t, err, "the pointers went back: live is a")
	s.requirePointed("a", "b")
}

func TestSwapLive_MovesNothingWhileNginxIsDown(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	kill(t, s.dir, "nginx")

	_, err := s.SwapLive(t.Context(), "")

	require.ErrorIs(t, err, stack.ErrNginxDown)
	s.requirePointed("a", "b")
}

func TestSwitch_ByReload(t *testing.T) {
	s := newTestSite(t, "switch: reload")
	require.NoError(t, s.Init(t.Context()))
	s.requireServes("live.localhost", "a")

	for _, want := range []string{"b", "a", "b"} {
		swap, err := s.SwapLive(t.Context(), "")
		require.NoError(t, err)
		require.Equal(t, builds.Name(want), swap.Live)
		s.requireServes("live.localhost", want)
	}
	require.NoError(t, s.Down(t.Context()))
	require.NoError(t, s.Up(t.Context()))
	s.requireServes("live.localhost", "b")
	require.Contains(t, s.read("deploy/etc/nginx.conf"), "_live/live.conf")
	require.NotContains(t, s.read("deploy/etc/nginx.conf"), "_live.sock")
}

func TestStatic_OfEveryBuildIsServedForEver(t *testing.T) {
	s := newTestSite(t, "build: [[cp, app.py, assets/static/a.txt]]")
	s.write("project/assets/robots.txt", "Disallow:\n")
	s.write("project/assets/.secret.txt", "no\n")
	require.NoError(t, s.Init(t.Context()))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))

	for _, build := range []string{"a", "b", "c"} {
		status, _, body := s.get("live.localhost", "/static/"+build+"/a.txt")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, app, body)
	}
	status, _, body := s.get("live.localhost", "/robots.txt")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "Disallow:\n", body)
	for path, want := range map[string]int{
		"/static/../builds/a/uwsgi/env.json": http.StatusBadRequest,
		"/static/%2e%2e/builds/a/build.json": http.StatusBadRequest,
		"/csp-report":                        http.StatusNoContent,
	} {
		status, _, body := s.get("live.localhost", path)
		require.NotContains(t, body, "HADJANGO", path)
		require.True(t, status == want || status == http.StatusOK && body == "a live.localhost\n", "%s: %d", path, status)
	}
	_, build, _ := s.get("live.localhost", "/.secret.txt")
	require.Equal(t, "a", build, "a hidden file is the application's to refuse")
}

func TestVerbs_TakeTurns(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Up(t.Context()))
	unlock, err := builds.Lock(t.Context(), filepath.Join(s.dir, "deploy/lock"), builds.Holder{Task: "createBuild z", User: "ann", PID: 1, Host: "h"})
	require.NoError(t, err)
	defer unlock()

	var locked *builds.LockedError
	require.ErrorAs(t, s.CreateBuild(t.Context(), "a"), &locked)
	require.Equal(t, "createBuild z", locked.Holder.Task)
	_, err = s.Status(t.Context())
	require.NoError(t, err, "who only reads never waits")
}

func TestOpen_RefusesAPathTooLongForSockets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 20))
	require.NoError(t, os.MkdirAll(dir, 0o755))

	_, err := site.Open(dir, site.Options{})

	require.ErrorContains(t, err, "uWSGI takes 102: set run in hadjango.yml")
}

func (s testSite) read(path string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, path))
	require.NoError(s.t, err)
	return string(data)
}

// reopen opens the site anew with another configuration.
func (s *testSite) reopen(config string) {
	s.t.Helper()
	s.write("hadjango.yml", config)
	var err error
	s.Site, err = site.Open(s.dir, site.Options{Reporter: s.notes})
	require.NoError(s.t, err)
}

// kill ends the master of a server as a crash would.
func kill(t *testing.T, dir, server string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "deploy", pidFiles[server]))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	require.NoError(t, err)
	p, err := proc.Open(pid)
	require.NoError(t, err)
	require.NoError(t, p.Signal(syscall.SIGKILL))
	require.NoError(t, proc.Wait(within(t, soon), []proc.Process{p}))
}

var pidFiles = map[string]string{"nginx": "nginx.pid", "vassals": "run/vassals.pid", "zergs": "run/zergs.pid"}

func signalAll(t testing.TB, processes []proc.Process, sig syscall.Signal) {
	t.Helper()
	for _, p := range processes {
		require.NoError(t, p.Signal(sig))
	}
}

func (s testSite) requirePointed(live, stage builds.Name) {
	s.t.Helper()
	for pointer, want := range map[builds.Pointer]builds.Name{builds.Live: live, builds.Stage: stage} {
		got, err := s.Pointed(pointer)
		require.NoError(s.t, err)
		require.Equal(s.t, want, got)
	}
}
