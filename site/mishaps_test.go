package site_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/site"
	"github.com/hadjango/hadjango/uwsgi"
)

// A build that serves is never taken away because something waits for it in
// vain: here one of its two workers cannot import any more.
func TestActivate_NeverTakesAwayWhatServes(t *testing.T) {
	s := newTestSite(t, "timeouts: {request: 5s, drain: 60s}")
	s.reopen(strings.Replace(s.read("hadjango.yml"), "max: 2}", "max: 2, preload: false}", 1))
	require.NoError(t, s.Init(t.Context()))
	s.reopen(strings.Replace(s.read("hadjango.yml"), "timeouts: {", "timeouts: {start: 2s, ", 1))
	s.spoil("a", "import time\nwhile True: time.sleep(1)\n")
	worker := s.workers("a")[0]
	require.NoError(t, syscall.Kill(worker.PID, syscall.SIGKILL))
	s.eventually(func(s testSite) bool { return len(s.ready("a")) == 1 })

	err := s.Activate(t.Context(), "a")

	require.ErrorContains(t, err, "not within 2s (timeouts.start in hadjango.yml)")
	require.FileExists(t, filepath.Join(s.dir, "deploy/builds/a/zerg.ini"))
	s.requireServes("live.localhost", "a")
}

// A restart that was killed after it began leaves a second zerg that cannot
// load. The one that serves stays, and the next restart ends well.
func TestRestart_AfterOneThatWasKilled(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	good := s.read("deploy/builds/a/app.py")
	s.spoil("a", "1/0\n")
	require.NoError(t, os.Symlink("uwsgi.d/zerg2.ini", filepath.Join(s.dir, "deploy/builds/a/zerg2.ini")))
	s.eventually(func(s testSite) bool { return strings.Contains(s.readLog("a.zerg2.log"), "ZeroDivisionError") })
	require.Equal(t, site.Active, s.state("a"))
	s.spoil("a", good)

	require.NoError(t, s.Restart(t.Context(), "a"))

	s.requireServes("live.localhost", "a")
	// which one it is depends on whether the emperor has tried the second again meanwhile
	left, err := filepath.Glob(filepath.Join(s.dir, "deploy/builds/a/zerg*.ini"))
	require.NoError(t, err)
	require.Len(t, left, 1)
}

// A task that is killed between pausing workers and ending them leaves them
// resting: they answer nobody.
func TestActivate_WakesWorkersThatWereLeftResting(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	_, err := uwsgi.Pause(t.Context(), s.unit("a", "zerg"))
	require.NoError(t, err)
	require.Equal(t, site.Starting, s.state("a"))

	require.NoError(t, s.Activate(t.Context(), "a"))

	s.requireServes("live.localhost", "a")
}

func TestRestart_WorksAfterTheLogsWereRotated(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	logs := filepath.Join(s.dir, "deploy/logs")
	require.NoError(t, os.Rename(filepath.Join(logs, "a.zerg.log"), filepath.Join(logs, "a.zerg.log.1")))
	require.NoError(t, os.Remove(filepath.Join(logs, "a.zerg2.log")))
	require.NoError(t, os.Truncate(filepath.Join(logs, "b.zerg.log"), 0))

	require.NoError(t, s.Restart(within(t, time.Minute), "a"))
	require.NoError(t, s.Restart(within(t, time.Minute), "b"))

	s.requireServes("live.localhost", "a")
	s.requireServes("stage.localhost", "b")
}

func TestRestart_TakesOverTheConfigurationAsItIsNow(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	config := s.read("hadjango.yml")
	s.reopen(config + "switch: reload\n")
	require.NoError(t, s.Up(t.Context()))
	s.requireServes("live.localhost", "a")
	require.Contains(t, s.notes.String(), "run mage restart a")

	require.NoError(t, s.Restart(t.Context(), "a"))
	require.NoError(t, s.Restart(t.Context(), "b"))
	require.NoError(t, s.NginxReload(t.Context()))

	require.Contains(t, s.read("deploy/etc/nginx.conf"), "_live/live.conf")
	s.requireServes("live.localhost", "a")
	swap, err := s.SwapLive(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, builds.Name("b"), swap.Live)
}

// One build that cannot come back keeps no other away.
func TestUp_BringsBackTheOthers(t *testing.T) {
	s := newTestSite(t, "timeouts: {start: 30s}") // as long as it waits for the one
	require.NoError(t, s.Init(t.Context()))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))
	require.NoError(t, s.Activate(t.Context(), "c"))
	require.NoError(t, s.Down(t.Context()))
	port, err := builds.Endpoint{Build: "c"}.Port(s.Config().Port)
	require.NoError(t, err)
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	require.NoError(t, err)
	defer listener.Close()

	err = s.Up(within(t, soon))

	require.ErrorContains(t, err, "build c")
	require.ErrorContains(t, err, "Address already in use")
	s.requireServes("live.localhost", "a")
	s.requireServes("stage.localhost", "b")
}

func TestUp_FindsAnEmperorWhosePidFileIsLost(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	before := s.processes()
	require.NoError(t, os.Remove(filepath.Join(s.dir, "deploy/run/zergs.pid")))

	require.NoError(t, s.Up(t.Context()))

	require.ElementsMatch(t, before, s.processes())
}

func TestDown_ThatIsInterruptedKillsNothing(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	release := s.holding()
	answer := make(chan string)
	go func() { answer <- s.post("/held") }()
	s.eventually(func(s testSite) bool { return s.busy("a") == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()

	require.Error(t, s.Down(ctx))

	release()
	require.Equal(t, "200 OK by a", <-answer)
}

func TestDown_SaysWhatItHadToKill(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	s.reopen(s.read("hadjango.yml") + "timeouts: {request: 1s, drain: 1s}\n")
	masters, err := proc.Under(filepath.Join(s.dir, "deploy/builds/a"), "uwsgi-core", "uwsgi")
	require.NoError(t, err)
	signalAll(t, masters, syscall.SIGSTOP)

	err = s.Down(t.Context())

	require.ErrorContains(t, err, "did not end within 1s")
	require.Empty(t, s.processes())
}

// A site is one user's: another one, even root for another one, is told so and
// changes nothing.
func TestSite_BelongsToWhoBeganIt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	s.reopen(s.read("hadjango.yml") + "user: nobody\n")

	for _, err := range []error{s.Deactivate(t.Context(), "q"), s.Down(t.Context()), s.Up(t.Context())} {
		require.ErrorContains(t, err, "belongs to www-data: run this as www-data")
	}
	_, err := s.Status(t.Context())
	require.ErrorContains(t, err, "belongs to www-data")
	s.requireServes("live.localhost", "a")
	s.reopen(strings.Replace(s.read("hadjango.yml"), "user: nobody\n", "", 1))
}

func TestRun_IsNeverTakenFromItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root could take it")
	}
	s := newTestSite(t, "")
	taken := filepath.Join(s.dir, "taken")
	require.NoError(t, os.Mkdir(taken, 0o755))
	s.reopen(s.read("hadjango.yml") + "run: taken\n")

	require.ErrorContains(t, s.Up(t.Context()), "taken is not www-data's")

	nobody, err := account.Current()
	require.NoError(t, err)
	require.True(t, nobody.Owns(taken))
	s.reopen(strings.Replace(s.read("hadjango.yml"), "run: taken\n", "", 1))
}

func TestBuild_CannotBeChangedByItsOwnCode(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("an ordinary user owns what runs")
	}
	s := newTestSite(t, "build: [[cp, app.py, assets/static/a.txt]]")
	require.NoError(t, s.Init(t.Context()))
	user, err := account.Lookup("www-data")
	require.NoError(t, err)

	for _, path := range []string{"", "app.py", "uwsgi.d", "uwsgi.d/zerg.ini", "bin/python", "assets"} {
		require.False(t, user.Owns(filepath.Join(s.dir, "deploy/builds/a", path)), path)
	}
	for _, path := range []string{"assets/static/a/a.txt", "nginx.pid", "logs", "etc", "builds"} {
		require.False(t, user.Owns(filepath.Join(s.dir, "deploy", path)), path)
	}
	info, err := os.Stat(filepath.Join(s.dir, "deploy/builds/a/uwsgi.d/env.json"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
}

func TestStatus_ShowsABrokenBuildAndTheOthers(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.CreateBuild(t.Context(), "a"))
	require.NoError(t, s.CreateBuild(t.Context(), "b"))
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "deploy/builds/a/build.json"), []byte("{"), 0o644))

	require.Equal(t, site.Broken, s.state("a"))
	require.Equal(t, site.Stopped, s.state("b"))
	require.NoError(t, s.CreateBuild(t.Context(), "a"), "it is made anew")
}

// spoil changes the application of a complete build, which nobody should: its
// file may be another build's too, and Python does not look at it again.
func (s testSite) spoil(name builds.Name, text string) {
	s.t.Helper()
	dir := filepath.Join(s.dir, "deploy/builds", string(name))
	require.NoError(s.t, os.RemoveAll(filepath.Join(dir, "__pycache__")))
	require.NoError(s.t, files.Write(filepath.Join(dir, "app.py"), []byte(text), 0o644))
}

func (s testSite) unit(name builds.Name, slot string) uwsgi.Unit {
	file := func(kind string) string {
		return filepath.Join(s.dir, "deploy/run", string(name)+"."+slot+"."+kind)
	}
	return uwsgi.Unit{
		Link: filepath.Join(s.dir, "deploy/builds", string(name), slot+".ini"), Stats: file("stats"), FIFO: file("fifo"),
	}
}

func (s testSite) instance(name builds.Name) uwsgi.Instance {
	s.t.Helper()
	instance, err := uwsgi.ReadInstance(s.t.Context(), s.unit(name, "zerg").Stats)
	require.NoError(s.t, err)
	return instance
}

func (s testSite) workers(name builds.Name) []uwsgi.Worker { return s.instance(name).Active() }
func (s testSite) ready(name builds.Name) []uwsgi.Worker   { return s.instance(name).Ready() }

func (s testSite) processes() []proc.Process {
	s.t.Helper()
	found, err := proc.Under(s.dir, "nginx", "uwsgi", "uwsgi-core")
	require.NoError(s.t, err)
	return found
}

func (s testSite) readLog(name string) string {
	data, _ := os.ReadFile(filepath.Join(s.dir, "deploy/logs", name))
	return string(data)
}
