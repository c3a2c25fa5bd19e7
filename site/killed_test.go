package site_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/load"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/site"
	"github.com/hadjango/hadjango/stack"
)

// A task of these tests runs in a process of its own, which is this program
// again and ends itself with SIGKILL when the task has come to a point: the
// beginning or the end of a step, by its number or by its name ("end activate
// c"), or a time after its beginning ("120ms").
const (
	killSite  = "HADJANGO_TEST_KILL_SITE"
	killTask  = "HADJANGO_TEST_KILL_TASK"
	killPoint = "HADJANGO_TEST_KILL_POINT"
)

func runToPoint(dir, title, point string) error {
	if moment, err := time.ParseDuration(point); err == nil {
		time.AfterFunc(moment, killMyself)
	}
	s, err := site.Open(dir, site.Options{Reporter: &killer{point: point}})
	if err != nil {
		return err
	}
	return call(context.Background(), s, title)
}

// killer is a reporter that ends its process the hard way at a point.
type killer struct {
	mu     sync.Mutex
	point  string
	passed int
}

func (k *killer) at(text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.passed++
	if k.point == text || k.point == strconv.Itoa(k.passed) {
		killMyself()
	}
}

func killMyself() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func (k *killer) Begin(name string) site.Step {
	k.at("begin " + name)
	return killerStep{k, name}
}

func (k *killer) Note(string) {}

type killerStep struct {
	*killer
	name string
}

func (k killerStep) Progress(int, int) {}
func (k killerStep) End(string, error) { k.at("end " + k.name) }

// call runs the task that a title names, as a person would write it.
func call(ctx context.Context, s *site.Site, title string) error {
	task, argument, _ := strings.Cut(title, " ")
	name := builds.Name(argument)
	switch task {
	case "init":
		return s.Init(ctx, site.DatabaseOptions{})
	case "initializeDB":
		return s.InitializeDB(ctx, name, site.DatabaseOptions{})
	case "reset":
		return s.InitializeDB(ctx, name, site.DatabaseOptions{Reset: true, Yes: true})
	case "populateData":
		return s.PopulateData(ctx, name)
	case "createBuild":
		return s.CreateBuild(ctx, name)
	case "activate":
		return s.Activate(ctx, name)
	case "warmup":
		_, err := s.Warmup(ctx, name, site.WarmupOptions{})
		return err
	case "stage":
		return s.Stage(ctx, name)
	case "swapLive":
		// as the task calls it, which watches in the end
		_, err := s.SwapLiveWatched(ctx, name, site.WatchOptions{})
		return err
	case "restart":
		return s.Restart(ctx, name)
	case "deactivate":
		return s.Deactivate(ctx, name)
	case "stop":
		return s.Stop(ctx, name)
	case "rm":
		return s.Remove(ctx, name)
	case "makeIncrementalBuild":
		_, err := s.MakeIncrementalBuild(ctx, name, "")
		return err
	case "buildWheels":
		_, err := s.BuildWheels(ctx)
		return err
	case "nginxReload":
		return s.NginxReload(ctx)
	case "up":
		return s.Up(ctx)
	case "down":
		return s.Down(ctx)
	case "resume":
		_, err := s.Resume(ctx)
		return err
	case "undo":
		_, err := s.Undo(ctx)
		return err
	}
	return fmt.Errorf("there is no task %q", task)
}

// runKilled runs a task up to a point and returns the pid of what was killed
// there; 0 says that it has ended well.
func (s testSite) runKilled(title, point string) int {
	s.t.Helper()
	if point, ok := strings.CutPrefix(point, opPoint); ok {
		pid, _ := s.runTraced(title, point)
		return pid
	}
	child := exec.CommandContext(s.t.Context(), "/proc/self/exe")
	child.Env = append(os.Environ(), killSite+"="+s.dir, killTask+"="+title, killPoint+"="+point)
	var out bytes.Buffer
	child.Stdout, child.Stderr = &out, &out
	err := child.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return child.Process.Pid
	}
	require.NoError(s.t, err, "%s: %s", title, &out)
	return 0
}

// requireNoOrphans makes sure that nothing runs that a killed task has started.
func (s testSite) requireNoOrphans(killed ...int) {
	s.t.Helper()
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(s.t, err)
	for _, path := range environments {
		environ, _ := os.ReadFile(path)
		for _, pid := range killed {
			mark := fmt.Sprintf("HADJANGO_STARTED_BY=%d.", pid)
			require.False(s.t, strings.Contains(string(environ), mark), "%s has %s", path, mark)
		}
	}
}

// kill runs a task that is killed at a point.
func (s testSite) kill(title, point string) {
	s.t.Helper()
	require.NotZero(s.t, s.runKilled(title, point), "%s has no point %q", title, point)
	half := s.halfDone()
	require.NotNil(s.t, half)
	require.Equal(s.t, title, half.Task)
}

func (s testSite) halfDone() *site.HalfDone {
	s.t.Helper()
	status, err := s.Status(s.t.Context())
	require.NoError(s.t, err)
	return status.HalfDone
}

func (s testSite) call(titles ...string) {
	s.t.Helper()
	for _, title := range titles {
		require.NoError(s.t, call(s.t.Context(), s.Site, title), title)
	}
}

// newKilledSite is a site with a live, b stage, and c complete and stopped.
func newKilledSite(t *testing.T, config string) testSite {
	s := newTestSite(t, config)
	s.call("init", "createBuild c")
	s.notes.forget()
	return s
}

func TestKilled_CreateBuildIsTakenBackByTheNextTask(t *testing.T) {
	s := newKilledSite(t, "")

	s.kill("createBuild d", "end d: copy")
	require.Equal(t, site.Incomplete, s.state("d"))
	s.call("activate c")
	require.Contains(t, s.notes.String(), "createBuild d, begun at ")
	require.Contains(t, s.notes.String(), "was cut short after d: copy: it is taken back first")
	require.Equal(t, site.State(""), s.state("d"))
	require.NoDirExists(t, s.dir+"/deploy/assets/static/d")
	require.Nil(t, s.halfDone())

	s.kill("createBuild d", "begin d: virtualenv")
	s.call("createBuild d")
	require.Equal(t, site.Stopped, s.state("d"))

	s.kill("createBuild e", "begin e: compile")
	s.call("resume")
	require.Equal(t, site.Stopped, s.state("e"))

	s.kill("createBuild f", "begin f: compile")
	s.call("undo")
	require.Equal(t, site.State(""), s.state("f"))
	_, err := s.Undo(t.Context())
	require.ErrorIs(t, err, site.ErrNothingHalfDone)
	_, err = s.Resume(t.Context())
	require.ErrorIs(t, err, site.ErrNothingHalfDone)
}

func TestKilled_ActivateIsTakenBackUnlessItWasThere(t *testing.T) {
	s := newKilledSite(t, "")

	s.kill("activate c", "end activate c")
	require.Equal(t, site.Active, s.state("c"))
	s.call("buildWheels")
	require.Contains(t, s.notes.String(), "it is taken back first")
	require.Equal(t, site.Stopped, s.state("c"))

	s.kill("activate c", "end activate c")
	s.call("undo")
	require.Equal(t, site.Stopped, s.state("c"))

	s.kill("activate c", "begin activate c")
	s.call("resume")
	require.Equal(t, site.Active, s.state("c"))

	s.kill("activate c", "end activate c")
	s.call("undo")
	require.Equal(t, site.Active, s.state("c"), "it was active before")
	s.call("deactivate c")
	s.kill("activate c", "end activate c")
	s.call("undo")
	require.Equal(t, site.Idle, s.state("c"), "its sockets were there before")
	s.kill("activate a", "end activate a")
	s.call("undo")
	s.requireServes("live.localhost", "a")
}

func TestKilled_StageAsksWhereToGo(t *testing.T) {
	s := newKilledSite(t, "")
	const moved = "end let stage be c"

	s.kill("stage c", moved)
	s.requirePointed("a", "c")
	for _, title := range []string{"swapLive", "createBuild d", "stage b", "rm b", "init"} {
		var half *site.HalfDoneError
		require.ErrorAs(t, call(t.Context(), s.Site, title), &half, title)
		require.Equal(t, "stage c", half.Task)
		require.ErrorContains(t, half, "finish it with mage resume, or take it back with mage undo")
	}
	s.call("up", "nginxReload")
	s.requirePointed("a", "c")
	s.call("undo")
	s.requirePointed("a", "b")
	require.Equal(t, site.Stopped, s.state("c"))

	s.kill("stage c", "begin warm up c")
	s.call("resume")
	s.requirePointed("a", "c")
	s.requireServes("stage.localhost", "c")

	s.kill("stage b", "begin let stage be b")
	s.call("stage b")
	s.requirePointed("a", "b")
	require.Nil(t, s.halfDone())
}

func TestKilled_StageWhereThereWasNone(t *testing.T) {
	s := newTestSite(t, "")
	s.call("up", "createBuild a")

	s.kill("stage a", "end let stage be a")
	s.call("undo")

	_, err := s.Pointed(builds.Stage)
	require.ErrorIs(t, err, builds.ErrNoPointer)
	require.Equal(t, site.Stopped, s.state("a"))
}

// What needs the servers says so, and what starts them is not held up.
func TestKilled_IsMendedAfterTheServersAreUpAgain(t *testing.T) {
	s := newKilledSite(t, "")
	s.kill("swapLive c", "end let live and stage change places")
	s.call("down")

	_, err := s.Undo(t.Context())
	require.ErrorIs(t, err, stack.ErrNginxDown)
	require.NotNil(t, s.halfDone())
	s.call("up", "undo")

	s.requirePointed("a", "b")
	s.requireServes("live.localhost", "a")
}

// Somebody has changed by hand what a mending needs: there is a way out.
func TestKilled_CanBeAcceptedAsItIs(t *testing.T) {
	s := newKilledSite(t, "")
	s.kill("swapLive", "end let live and stage change places")
	store := builds.OpenStore(s.dir + "/deploy/builds")
	s.requirePointed("b", "a")
	require.NoError(t, store.Point(builds.Stage, "c"))
	require.NoError(t, store.Point(builds.Live, "a"))

	_, err := s.Resume(t.Context())
	require.ErrorContains(t, err, "stage is c now and was b")
	require.ErrorContains(t, err, "mage undo -accept")
	require.NoError(t, store.Point(builds.Live, "b"))
	_, err = s.Undo(t.Context())
	require.ErrorContains(t, err, "live is b and stage is c, and live was a: somebody has changed them since")
	require.ErrorContains(t, err, "mage undo -accept")
	_, err = s.Accept(t.Context())
	require.NoError(t, err)

	require.Nil(t, s.halfDone())
	s.call("stage a")
	s.requirePointed("b", "a")
}

func TestKilled_TaskOfALaterVersionIsNamedAndLeft(t *testing.T) {
	s := newTestSite(t, "")
	s.call("up")
	_, err := builds.OpenJournal(s.dir + "/deploy/journal.jsonl").Begin(builds.Intent{Task: "later", Args: []string{"c"}})
	require.NoError(t, err)
	_, err = s.Resume(t.Context())
	require.ErrorContains(t, err, `this version does not know the task "later c"`)

	s.call("buildWheels")

	require.Contains(t, s.notes.String(), "later c, begun at")
	require.Contains(t, s.notes.String(), "nothing of it is in the way")
	require.Nil(t, s.halfDone())
}

func TestKilled_SwapLiveGoesWhereOneSays(t *testing.T) {
	for _, mode := range []string{"pointer", "reload"} {
		t.Run(mode, func(t *testing.T) {
			s := newKilledSite(t, "switch: "+mode)
			const before, after = "begin let live and stage change places", "end let live and stage change places"

			for _, point := range []string{before, after} {
				s.kill("swapLive", point)
				var half *site.HalfDoneError
				require.ErrorAs(t, s.Stage(t.Context(), "c"), &half)
				s.call("undo")
				s.requirePointed("a", "b")
				s.requireServes("live.localhost", "a")

				s.kill("swapLive", point)
				s.call("resume")
				s.requirePointed("b", "a")
				s.requireServes("live.localhost", "b")

				s.kill("swapLive", point)
				swap, err := s.SwapLive(t.Context(), "")
				require.NoError(t, err)
				require.Equal(t, builds.Name("a"), swap.Live)
				require.Equal(t, builds.Name("b"), swap.Was)
				s.requirePointed("a", "b")
				s.requireServes("live.localhost", "a")
			}

			s.kill("swapLive c", after)
			s.requirePointed("c", "a")
			s.call("undo")
			s.requirePointed("a", "b")
			s.requireServes("live.localhost", "a")
			s.requireServes("stage.localhost", "b")
			require.Equal(t, site.Stopped, s.state("c"))

			s.kill("swapLive c", after)
			s.call("swapLive c")
			s.requirePointed("c", "a")
			s.requireServes("live.localhost", "c")
		})
	}
}

func TestKilled_WhatWasToEndIsEndedFirst(t *testing.T) {
	s := newKilledSite(t, "")
	for _, title := range []string{"deactivate c", "stop c"} {
		s.call("activate c")

		s.kill(title, "end drain and stop the workers of c")
		s.call("undo")
		require.Equal(t, site.Active, s.state("c"))

		s.kill(title, "end drain and stop the workers of c")
		s.call("resume")
		s.call("activate c")

		s.kill(title, "begin drain and stop the workers of c")
		s.call("buildWheels")
		require.Contains(t, s.notes.String(), title+", begun at")
		require.Contains(t, s.notes.String(), "it is finished first")
		s.notes.forget()
		require.NotEqual(t, site.Active, s.state("c"))
	}
	s.call("activate c", "deactivate c")
	s.kill("stop c", "end close the sockets of c")
	s.call("undo")
	require.Equal(t, site.Idle, s.state("c"))
}

func TestKilled_RestartLeavesOneSetOfWorkers(t *testing.T) {
	s := newKilledSite(t, "")
	for _, point := range []string{
		"begin start new workers of a", "end start new workers of a",
		"begin let the old workers of a finish", "end let the old workers of a finish",
	} {
		for _, how := range []string{"undo", "resume", "restart a", "buildWheels"} {
			s.kill("restart a", point)
			s.call(how)
			s.requireServes("live.localhost", "a")
			require.Equal(t, 2, s.status("a").WorkersMax, "%s, %s", point, how)
			require.Nil(t, s.halfDone())
		}
	}
}

func TestKilled_RmCannotGiveBackWhatIsDeleted(t *testing.T) {
	s := newKilledSite(t, "")
	s.call("activate c")

	s.kill("rm c", "end close the sockets of c")
	var half *site.HalfDoneError
	require.ErrorAs(t, s.CreateBuild(t.Context(), "d"), &half)
	s.call("undo")
	require.Equal(t, site.Active, s.state("c"))

	// killed when it is half deleted, as any moment of the deletion may be
	s.kill("rm c", "begin remove c")
	require.NoError(t, os.RemoveAll(s.dir+"/deploy/assets/static/c"))
	s.beginRemoval("c")
	_, err := s.Undo(t.Context())
	require.ErrorContains(t, err, "the removal has begun, and what is deleted is gone: finish it with mage resume")
	require.NotNil(t, s.halfDone(), "an undo that failed has settled nothing")
	s.call("resume")
	require.Equal(t, site.State(""), s.state("c"))

	s.call("createBuild c")
	s.kill("rm c", "end remove c")
	s.call("rm c")
	require.Nil(t, s.halfDone())
}

func TestKilled_InitIsOnlyFinished(t *testing.T) {
	s := newTestSite(t, "")

	s.kill("init", "end a: copy")
	require.False(t, s.halfDone().Undo)
	_, err := s.Undo(t.Context())
	require.ErrorContains(t, err, "undo init: it only makes what is missing: finish it with mage resume")
	require.ErrorContains(t, s.CreateBuild(t.Context(), "c"), "finish it with mage resume")
	s.call("resume")

	s.requireServes("live.localhost", "a")
	require.Nil(t, s.halfDone())
}

func TestKilled_WhatDisturbsNobodyIsNamedAndLeft(t *testing.T) {
	s := newKilledSite(t, "")
	s.call("activate c")
	for title, point := range map[string]string{
		"warmup c": "end warm up c", "nginxReload": "end reload nginx",
	} {
		s.kill(title, point)
		_, err := s.Undo(t.Context())
		require.ErrorContains(t, err, "undo "+title+": ")
		s.call("resume")
		require.Nil(t, s.halfDone())

		s.kill(title, point)
		s.call("activate c")
		require.Contains(t, s.notes.String(), "was cut short after "+strings.TrimPrefix(point, "end ")+": nothing of it is in the way")
		require.Nil(t, s.halfDone())
	}
}

// A task that has time to end leaves all whole, whatever its end: it is not half done.
func TestInterrupted_IsAnEnd(t *testing.T) {
	s := newTestSite(t, "build: [[sh, -c, 'touch started; sleep 1000']]\n")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.CreateBuild(ctx, "a") }()
	require.Eventually(t, func() bool {
		_, err := os.Stat(s.dir + "/deploy/builds/a/started")
		return err == nil
	}, time.Minute, time.Millisecond)
	require.Nil(t, s.halfDone(), "it runs")
	records, err := s.History(t.Context(), 1)
	require.NoError(t, err)
	require.True(t, records[0].Running)

	cancel()
	require.Error(t, <-ended)

	require.Nil(t, s.halfDone())
	records, err = s.History(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, builds.Interrupted, records[0].Result)
	require.False(t, records[0].Running)
}

// What a command of the project has started in the background outlives the kill
// of the task, and must not write into the build that is made next.
func TestKilled_CreateBuildLeavesNoProcess(t *testing.T) {
	s := newTestSite(t, "build: [[sh, -c, 'sleep 1000 & echo $! >pid.tmp; mv pid.tmp pid; wait']]\n")
	for _, how := range []string{"undo", "createBuild a"} {
		task := exec.CommandContext(t.Context(), "/proc/self/exe")
		task.Env = append(os.Environ(), killSite+"="+s.dir, killTask+"=createBuild a")
		require.NoError(t, task.Start())
		var orphan proc.Process
		require.Eventually(t, func() bool {
			data, err := os.ReadFile(s.dir + "/deploy/builds/a/pid")
			if err == nil {
				pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
				orphan, err = proc.Open(pid)
			}
			return err == nil
		}, time.Minute, time.Millisecond)
		require.NoError(t, task.Process.Kill())
		_ = task.Wait()
		require.True(t, orphan.Alive())
		s.reopen(strings.Replace(s.read("hadjango.yml"), "sleep 1000", "true", 1))

		s.call(how)

		require.False(t, orphan.Alive())
		s.reopen(strings.Replace(s.read("hadjango.yml"), "'true", "'sleep 1000", 1))
	}
}

// The journal is for everybody who may look at the site: what programs were
// called with and have printed is not for them.
func TestJournal_HoldsNoSecret(t *testing.T) {
	s := newTestSite(t, `env: {KEY: secret-in-env}
build: [[sh, -c, 'echo secret-printed; exit 3', secret-argument]]
`)
	require.ErrorContains(t, s.CreateBuild(t.Context(), "a"), "secret-argument")

	records, err := s.History(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, "create build a: sh: exit status 3", records[0].Error)
	require.NotContains(t, s.read("deploy/journal.jsonl"), "secret")
	info, err := os.Stat(s.dir + "/deploy/journal.jsonl")
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
}

func TestHistory_SaysWhoDidWhat(t *testing.T) {
	s := newKilledSite(t, "")
	s.call("stage c", "swapLive", "rm b")
	require.Error(t, s.Remove(t.Context(), "c"))

	records, err := s.History(t.Context(), 4)

	require.NoError(t, err)
	var lines []string
	for _, r := range records {
		lines = append(lines, fmt.Sprintf("%s: %s→%s %s", r.Title(), r.From, r.To, r.Result))
		require.Equal(t, os.Getpid(), r.PID)
		require.False(t, r.Running)
	}
	require.Equal(t, []string{"rm c: c→ error", "rm b: b→ ok", "swapLive: a→c ok", "stage c: b→c ok"}, lines)
	require.Equal(t, "let live and stage change places", records[2].Steps[0].Name)
}

// walk is a task that is killed wherever it can be.
type walk struct {
	title string
	// before makes what the task needs, after takes back what it did.
	before, after []string
	// prepare is more of before.
	prepare func(testSite)
	// undone and done are the states of c, the build it is about.
	undone, done site.State
}

// A task is killed at the beginning and the end of each step, at moments in
// between, and at some or, if asked, all of what it does to files itself; not at
// what the programs do that it runs. After each the site is whole, nginx serves,
// and the same task, resume or undo ends well.
func TestKilled_Anywhere(t *testing.T) {
	for _, w := range []walk{
		{title: "createBuild c", after: []string{"rm c"}, undone: "", done: site.Stopped},
		{title: "activate c", after: []string{"stop c"}, undone: site.Stopped, done: site.Active},
		{title: "stage c", after: []string{"stage b", "stop c"}, undone: site.Stopped, done: site.Active},
		{title: "swapLive c", after: []string{"swapLive", "stage b", "stop c"}, undone: site.Stopped, done: site.Active},
		{title: "deactivate c", before: []string{"activate c"}, undone: site.Active, done: site.Idle},
		{title: "rm c", before: []string{"activate c"}, after: []string{"createBuild c"}, undone: site.Active, done: ""},
		{title: "makeIncrementalBuild c", prepare: func(s testSite) { s.unshare("c") }, undone: site.Stopped, done: site.Stopped},
	} {
		t.Run(w.title, func(t *testing.T) {
			s := newKilledSite(t, "")
			if w.title == "createBuild c" {
				s.call("rm c")
			}
			requireAllAnswered(t, s.loaded(load.Options{Clients: 2, Paths: []string{"/slow?0.02"}}, func() { s.walk(w) }))
		})
	}
}

// What is fetched and installed for new requirements is killed too, each time for
// others: what is left of those is never gone on with.
func TestKilled_CreateBuildWithNewRequirements(t *testing.T) {
	s := newKilledSite(t, "")
	s.call("rm c")
	s.writeWheel("tiny")
	versions := 0
	w := walk{title: "createBuild c", after: []string{"rm c"}, done: site.Stopped, prepare: func(s testSite) {
		versions++
		s.write("project/requirements.txt", fmt.Sprintf("# %d\n./tiny-1.0-py3-none-any.whl\n", versions))
	}}
	s.begin(w)
	s.call("buildWheels") // and pip is there
	before := s.names()

	for _, what := range []string{"wheelhouse", "installed"} {
		for point, how := range map[string]string{"before": "undo", "after": "resume"} {
			point += " rename " + what
			require.True(t, s.killAndMend(w, opPoint+point, how), point)
			s.requireNothingUnnamed(before, point)
		}
	}

	f := s.awaits(t, "2 leftovers of interrupted tasks: deploy/deps/")
	require.Regexp(t, `/deps/installed/\w+\.part .*/deps/wheelhouse/\w+\.part$`, f.Mend)
	s.follow(t, f.Mend)
	s.awaitWell(t)
}

// writeWheel makes a package that the project's requirements may name.
func (s testSite) writeWheel(name string) {
	s.t.Helper()
	file, err := os.Create(filepath.Join(s.dir, "project", name+"-1.0-py3-none-any.whl"))
	require.NoError(s.t, err)
	defer file.Close()
	info := name + "-1.0.dist-info/"
	wheel := zip.NewWriter(file)
	for path, text := range map[string]string{
		name + ".py":      "",
		info + "METADATA": "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n",
		info + "WHEEL":    "Wheel-Version: 1.0\nGenerator: hadjango\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		info + "RECORD":   name + ".py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n",
	} {
		w, err := wheel.Create(path)
		require.NoError(s.t, err)
		_, err = io.WriteString(w, text)
		require.NoError(s.t, err)
	}
	require.NoError(s.t, wheel.Close())
}

func (s testSite) walk(w walk) {
	s.t.Helper()
	ways := []string{w.title, "resume", "undo"}
	start := time.Now()
	n := 1
	for s.killAndMend(w, strconv.Itoa(n), ways[n%len(ways)]) {
		start = time.Now()
		n++
	}
	whole := time.Since(start)
	const moments = 3
	for i := range moments {
		s.killAndMend(w, (whole * time.Duration(i) / moments).String(), ways[i%len(ways)])
	}
	s.walkFiles(w, ways)
}

// walkFiles kills the task before and after what it does to files.
func (s testSite) walkFiles(w walk, ways []string) {
	s.t.Helper()
	const spread = 6
	before := s.names()
	s.begin(w)
	maps.Copy(before, s.names())
	_, points := s.runTraced(w.title, "")
	// the journal alone makes as much
	for _, kind := range []string{"create", "write", "sync"} {
		require.Contains(s.t, points, "before "+kind)
		require.Contains(s.t, points, "after "+kind)
	}
	s.call(w.after...)
	start := time.Now()
	numbers := chosen(points, spread)
	for i, n := range numbers {
		s.killAndMend(w, opPoint+strconv.Itoa(n), ways[i%len(ways)])
		s.requireNothingUnnamed(before, fmt.Sprintf("%s killed at %d, %s", w.title, n, points[n]))
	}
	s.t.Logf("%s: killed at %d of %d points of its files in %.0f s", w.title, len(numbers), len(points), time.Since(start).Seconds())
}

func (s testSite) begin(w walk) {
	s.t.Helper()
	s.call(w.before...)
	if w.prepare != nil {
		w.prepare(s)
	}
}

// killAndMend tells whether the task was killed; it has been done otherwise.
func (s testSite) killAndMend(w walk, point, how string) (killed bool) {
	s.t.Helper()
	where := fmt.Sprintf("%s killed at point %s, then %s", w.title, point, how)
	s.begin(w)
	pid := s.runKilled(w.title, point)
	killed = pid != 0
	s.requireLiveIsWhole()
	want := w.done
	// a kill may come before the journal knows of the task, or after its end
	if s.halfDone() != nil && s.mend(how) {
		want = w.undone
	} else if killed && s.state("c") == w.undone {
		want = w.undone
	}
	require.Equal(s.t, want, s.state("c"), where)
	require.Nil(s.t, s.halfDone(), where)
	s.requireNoOrphans(pid)
	s.requireLiveIsWhole()
	if want == w.done {
		s.call(w.after...)
	}
	s.requirePointed("a", "b")
	return killed
}

// mend tells whether the task was undone. What is deleted, or shared, cannot be.
func (s testSite) mend(how string) (undone bool) {
	s.t.Helper()
	err := call(s.t.Context(), s.Site, how)
	if how == "undo" && err != nil && strings.Contains(err.Error(), "finish it with mage resume") {
		how, err = "resume", call(s.t.Context(), s.Site, "resume")
	}
	require.NoError(s.t, err, how)
	return how == "undo"
}

// Init is killed again and again, each time a little later, and then ends well.
func TestKilled_InitAtEveryPoint(t *testing.T) {
	s := newTestSite(t, "")
	n := 1
	var killed []int
	for {
		pid := s.runKilled("init", strconv.Itoa(n))
		if pid == 0 {
			break
		}
		killed = append(killed, pid)
		require.NotNil(t, s.halfDone())
		n++
	}
	s.requireNoOrphans(killed...)
	require.Greater(t, n, 10)
	s.requirePointed("a", "b")
	s.requireServes("live.localhost", "a")
	s.requireServes("stage.localhost", "b")
	require.Nil(t, s.halfDone())
}

// Init is killed at what it does to files too, again and again and each time
// later, and then ends well.
func TestKilled_InitAtItsFiles(t *testing.T) {
	s := newTestSite(t, "")
	var killed []int
	for n := 0; ; n = later(n) {
		pid, points := s.runTraced("init", strconv.Itoa(n))
		if pid == 0 {
			t.Logf("killed %d times; the last time it had %d points left", len(killed), len(points))
			break
		}
		killed = append(killed, pid)
	}
	s.requireNoOrphans(killed...)
	require.Greater(t, len(killed), 5)
	s.requirePointed("a", "b")
	s.requireServes("live.localhost", "a")
	s.requireServes("stage.localhost", "b")
	require.Nil(t, s.halfDone())
	s.requireNoPartUnnamed()
}

// later is the next point at which init is killed. It has much less to do when
// most of it is there.
func later(n int) int {
	if os.Getenv(allPoints) == "all" {
		return n + 1
	}
	return n*3/2 + 1
}

func (s testSite) requireLiveIsWhole() {
	s.t.Helper()
	live, err := s.Pointed(builds.Live)
	require.NoError(s.t, err)
	require.Equal(s.t, site.Active, s.state(live))
	s.requireServes("live.localhost", string(live))
}

// beginRemoval makes a build what the beginning of its removal does.
func (s testSite) beginRemoval(name builds.Name) {
	s.t.Helper()
	manifest, err := builds.ReadManifest(s.dir + "/deploy/builds/" + string(name))
	require.NoError(s.t, err)
	manifest.Complete = false
	require.NoError(s.t, manifest.Write(s.dir+"/deploy/builds/"+string(name)))
}

func (s testSite) status(name builds.Name) site.BuildStatus {
	s.t.Helper()
	status, err := s.Status(s.t.Context())
	require.NoError(s.t, err)
	i := slices.IndexFunc(status.Builds, func(b site.BuildStatus) bool { return b.Name == name })
	require.NotEqual(s.t, -1, i)
	return status.Builds[i]
}
