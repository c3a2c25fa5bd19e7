package tasks_test

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/servertest"
	"github.com/hadjango/hadjango/site"
)

// program is the tasks compiled to one binary, as a server without Go gets it.
var program string

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "docker" {
		os.Exit(beDocker(os.Args[1:]))
	}
	dir, err := os.MkdirTemp("", "hj")
	if err != nil {
		panic(err)
	}
	// a build's commands run it too, as another user
	if err := os.Chmod(dir, 0o755); err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "hadjango")
	compile := exec.Command("go", "tool", "mage", "-compile", program)
	compile.Dir = ".."
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := compile.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("compile the tasks: %v\n%s", err, out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// project is a site's directory that tasks are run in.
type project struct {
	t   *testing.T
	dir string
}

func newProject(t *testing.T) project {
	t.Helper()
	t.Parallel()
	dir, err := os.MkdirTemp("", "hj")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	p := project{t, dir}
	p.write("project/app.py", `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello\n"]
`)
	p.write("hadjango.yml", fmt.Sprintf(`
project: project
wsgi: app:application
listen: ["%s"]
port: %d
workers: {min: 2, max: 2}
`, servertest.FreeAddress(t), servertest.FreePorts(t)))
	t.Cleanup(func() {
		_, errors, _ := p.run("down")
		require.NotContains(t, errors, "Error")
		require.NoError(t, os.RemoveAll(dir))
	})
	return p
}

func (p project) write(path, text string) {
	p.t.Helper()
	path = filepath.Join(p.dir, path)
	require.NoError(p.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(p.t, os.WriteFile(path, []byte(text), 0o644))
}

func (p project) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = p.dir
	return cmd
}

// run returns what a task wrote, and its exit status.
func (p project) run(args ...string) (stdout, stderr string, status int) {
	p.t.Helper()
	var out, errs bytes.Buffer
	cmd := p.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(p.t, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func (p project) ok(args ...string) string {
	p.t.Helper()
	stdout, stderr, status := p.run(args...)
	require.Zero(p.t, status, stderr)
	return stdout
}

func TestProgram_NeedsNoLibraryOfTheMachine(t *testing.T) {
	file, err := elf.Open(program)
	require.NoError(t, err)
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, libraries)
}

func TestTasks_TellWhatTheyDoAndPrintTheResult(t *testing.T) {
	servertest.Need(t)
	p := newProject(t)

	stdout, stderr, status := p.run("init")
	require.Zero(t, status, stderr)
	require.Regexp(t, `(?m)^✓ a: copy · \d+\.\d s · 1 files at untracked$`, stderr)
	require.Regexp(t, `(?m)^✓ warm up b · `, stderr)
	require.NotContains(t, stderr, "\x1b", "no terminal, no escapes")
	require.Regexp(t, `(?m)^a +live +active `, stdout)
	require.Regexp(t, `(?m)^b +stage +active `, stdout)

	require.Equal(t, "c\n", p.ok("findFreeBuild"))
	require.Equal(t, "build c is complete · next: mage stage c\n", p.ok("createBuild", "c"))
	require.Regexp(t, `^(saved|nothing to save: ).* with a's`, p.ok("makeIncrementalBuild", "c"))
	require.Regexp(t, `^(saved|nothing to save: ).* with b's`, p.ok("makeIncrementalBuild", "c", "-basis=b"))
	_, stderr, status = p.run("makeIncrementalBuild", "live")
	require.Equal(t, 1, status)
	require.Contains(t, stderr, "makeIncrementalBuild a: it is live")
	require.Empty(t, p.ok("activate", "c"))
	require.Contains(t, p.ok("warmup", "-build=c"), "workers 2/2")
	require.Contains(t, p.ok("warmup", "-build=c", "-concurrency=3", "-paths=/,/x"), "workers 2/2")
	require.Contains(t, p.ok("stage", "c"), "stage is c")
	require.Regexp(t, `^live is c, was a · switched in \S+ ms · answered by c after \S+ ms · back: mage swapLive\n$`, p.ok("swapLive", "-watch=0"))
	stdout, stderr, status = p.run("swapLive", "-build=b", "-watch=1s")
	require.Zero(t, status, stderr)
	require.Regexp(t, `^live is b, was c `, stdout)
	require.Regexp(t, `(?m)^✓ watch b · 1\.\d s · \d+ answers, 0 of them 5xx$`, stderr)
	require.Empty(t, p.ok("restart", "b"))
	require.Empty(t, p.ok("nginxReload"))
	require.Empty(t, p.ok("deactivate", "a"))
	require.Empty(t, p.ok("stop", "a"))
	require.Empty(t, p.ok("rm", "a"))
	require.Empty(t, p.ok("buildWheels"))
	require.Empty(t, p.ok("up"))
}

func TestStatus_IsForProgramsToo(t *testing.T) {
	servertest.Need(t)
	p := newProject(t)
	p.ok("init")

	var status site.Status
	require.NoError(t, json.Unmarshal([]byte(p.ok("status", "-json")), &status))

	require.True(t, status.Servers.Up())
	require.Len(t, status.Builds, 2)
	require.Equal(t, 2, status.Builds[0].WorkersReady)
}

func TestDoctor_EndsWellOnlyWhenAllIsWell(t *testing.T) {
	servertest.Need(t)
	p := newProject(t)
	stdout, stderr, status := p.run("doctor")
	require.Equal(t, 1, status)
	require.Equal(t, "✗ nothing is deployed yet · mage init\n    there is no build to serve\n", stdout)
	require.Equal(t, "Error: 1 problem\n", stderr)
	p.ok("init")
	require.Regexp(t, `^✓ all is well \(\d+ checks\)\n$`, p.ok("doctor"))

	p.ok("down")
	stdout, _, status = p.run("doctor", "-json")

	require.Equal(t, 1, status)
	var diagnosis site.Diagnosis
	require.NoError(t, json.Unmarshal([]byte(stdout), &diagnosis))
	require.Len(t, diagnosis.Findings, 3)
	for _, f := range diagnosis.Findings {
		require.Equal(t, site.Problem, f.Severity)
		require.Contains(t, f.What, "does not run")
		require.Equal(t, "mage up", f.Mend)
	}
}

func TestErrors_AreOnStandardErrorWithStatus1(t *testing.T) {
	p := newProject(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"createBuild", "../x"}, `Error: "../x" is not the name of a build: one or more letters a–z, at most iji; the next free one is a`},
		{[]string{"createBuild", "-x"}, `"-x" is not the name of a build`},
		{[]string{"createBuild", "live"}, `"live" is not the name of a build`},
		{[]string{"stage", "a1"}, `"a1" is not the name of a build`},
		{[]string{"swapLive", "-build=/etc"}, `"/etc" is not the name of a build`},
		{[]string{"activate", "q"}, "there is no such build: make it with mage createBuild q"},
		{[]string{"swapLive"}, "nothing is deployed yet: run mage init"},
		{[]string{"makeIncrementalBuild", "q"}, "there is no such build: make it with mage createBuild q"},
		{[]string{"makeIncrementalBuild", "q", "-basis=.."}, `".." is not the name of a build`},
		{[]string{"rm", "q"}, "rm q: there is no such build"},
		{[]string{"warmup"}, "the pointer names no build"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			stdout, stderr, status := p.run(c.args...)
			require.Equal(t, 1, status)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.want)
		})
	}
}

func TestConfiguration_IsRefusedBeforeAnythingChanges(t *testing.T) {
	p := newProject(t)
	p.write("hadjango.yml", "prot: 1\n")

	_, stderr, status := p.run("init")

	require.Equal(t, 1, status)
	require.Contains(t, stderr, `hadjango.yml:1:1: unknown key "prot": did you mean "port"?`)
	require.NoDirExists(t, filepath.Join(p.dir, "deploy"))
	p.write("hadjango.yml", "")
}

// The unit's hardening must leave a site what it needs: here its capabilities,
// and that no program gains any.
func TestSystemdUnits_LeaveRootWhatItNeeds(t *testing.T) {
	servertest.Need(t)
	setpriv, err := exec.LookPath("setpriv")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("only root with setpriv can give capabilities up")
	}
	p := newProject(t)
	units := filepath.Join(p.dir, "units")
	require.NoError(t, os.Mkdir(units, 0o755))
	require.Contains(t, p.ok("systemdUnits", "-dir="+units, "-program="+program), "is written")
	text, err := os.ReadFile(filepath.Join(units, "hadjango-"+filepath.Base(p.dir)+".service"))
	require.NoError(t, err)
	require.Equal(t, string(text), p.ok("systemdUnits", "-program="+program))
	keep := regexp.MustCompile(`(?m)^CapabilityBoundingSet=(.*)$`).FindSubmatch(text)
	require.NotNil(t, keep)
	bounding := "-all," + strings.ReplaceAll(strings.ToLower(strings.ReplaceAll(string(keep[1]), "CAP_", "+")), " ", ",")
	if missing := lacking(t, "cap_sys_resource"); missing {
		bounding = strings.ReplaceAll(bounding, ",+sys_resource", "")
	}

	for _, args := range [][]string{
		{"init"}, {"swapLive"}, {"restart", "a"}, {"down"}, {"up"}, {"status"}, {"createBuild", "c"}, {"stage", "c"}, {"doctor"}, {"rm", "a"}, {"down"},
	} {
		task := exec.Command(setpriv, append([]string{"--no-new-privs", "--bounding-set=" + bounding, program}, args...)...)
		task.Dir = p.dir
		out, err := task.CombinedOutput()
		require.NoError(t, err, "%s: %s", args, out)
	}
}

// lacking tells whether this process has not got a capability.
func lacking(t *testing.T, capability string) bool {
	t.Helper()
	out, err := exec.Command("setpriv", "--dump").Output()
	require.NoError(t, err)
	return !strings.Contains(string(out), strings.TrimPrefix(capability, "cap_"))
}

func TestTasks_RefuseTooLowALimitOfOpenFiles(t *testing.T) {
	servertest.Need(t)
	prlimit, err := exec.LookPath("prlimit")
	if err != nil {
		t.Skip(err)
	}
	p := newProject(t)
	task := exec.Command(prlimit, "--nofile=500:500", program, "createBuild", "a")
	task.Dir = p.dir

	out, err := task.CombinedOutput()

	require.Error(t, err)
	require.Contains(t, string(out), "create build a: at most 500 files may be open, and the servers need 1024: raise the hard limit")
	require.NoDirExists(t, filepath.Join(p.dir, "deploy/builds/a"))
}

// A signal ends the running step and all it started; what was there is as it
// was, and the task can be run again.
func TestSignals_EndTheStepAndLeaveAllWhole(t *testing.T) {
	servertest.Need(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			p := newProject(t)
			config, err := os.ReadFile(filepath.Join(p.dir, "hadjango.yml"))
			require.NoError(t, err)
			p.write("hadjango.yml", string(config)+"build: [[sh, -c, 'touch started; sleep 1000']]\n")
			task := p.command("createBuild", "a")
			var stderr bytes.Buffer
			task.Stderr = &stderr
			require.NoError(t, task.Start())
			p.awaitStarted("a")

			require.NoError(t, task.Process.Signal(sig))
			_ = task.Wait()

			require.Equal(t, 1, task.ProcessState.ExitCode(), stderr.String())
			require.Contains(t, stderr.String(), "create build a: ")
			require.Contains(t, p.ok("status"), "incomplete")
			p.write("hadjango.yml", string(config))
			p.ok("createBuild", "a")
		})
	}
}

// holding begins a task that goes on until release is called.
func (p project) holding() (release func()) {
	p.t.Helper()
	config, err := os.ReadFile(filepath.Join(p.dir, "hadjango.yml"))
	require.NoError(p.t, err)
	gate := filepath.Join(p.dir, "gate")
	require.NoError(p.t, syscall.Mkfifo(gate, 0o666))
	require.NoError(p.t, os.Chmod(gate, 0o666))
	p.write("hadjango.yml", string(config)+fmt.Sprintf("build: [[sh, -c, 'touch started; read line < %s']]\n", gate))
	task := p.command("createBuild", "z")
	require.NoError(p.t, task.Start())
	p.awaitStarted("z")
	p.write("hadjango.yml", string(config))
	return func() {
		require.NoError(p.t, os.WriteFile(gate, []byte("\n"), 0))
		require.NoError(p.t, task.Wait())
	}
}

func TestTasks_TakeTurns(t *testing.T) {
	servertest.Need(t)
	p := newProject(t)
	release := p.holding()
	held := regexp.MustCompile(`createBuild z runs \(process \d+ of \w+ on \S+, for \d+s\)`)

	_, stderr, status := p.run("createBuild", "a")
	require.Equal(t, 1, status)
	require.Regexp(t, held, stderr)
	require.Contains(t, stderr, "wait until it has ended, or let this wait for it: -wait=5m")
	_, stderr, status = p.run("createBuild", "a", "-wait=50ms")
	require.Equal(t, 1, status)
	require.Contains(t, stderr, "· waiting at most 50ms for its end: createBuild z runs")
	require.Contains(t, p.ok("status"), "z ", "who reads never waits")
	require.Regexp(t, `createBuild z +– → z|createBuild z +– +\d+\.\d s +running`, p.ok("history"))

	patient := p.command("createBuild", "a")
	patient.Env = append(os.Environ(), "HADJANGO_WAIT=5m")
	progress, err := patient.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, patient.Start())
	first, err := bufio.NewReader(progress).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, first, "waiting at most 5m0s for its end: createBuild z runs")
	release()
	go func() { _, _ = io.Copy(io.Discard, progress) }()
	require.NoError(t, patient.Wait())
	require.Contains(t, p.ok("status"), "a ")
}

func TestTasks_WaitForTheKeeperUnasked(t *testing.T) {
	servertest.Need(t)
	p := newProject(t)
	require.NoError(t, os.MkdirAll(filepath.Join(p.dir, "deploy"), 0o755))
	release, err := builds.Lock(t.Context(), filepath.Join(p.dir, "deploy/lock"), builds.Holder{Task: "keep", PID: 1})
	require.NoError(t, err)
	task := p.command("down")
	progress, err := task.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, task.Start())
	first, err := bufio.NewReader(progress).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, first, "for its end: keep runs")
	release()
	go func() { _, _ = io.Copy(io.Discard, progress) }()
	require.NoError(t, task.Wait())
}

func TestTasks_ThatWaitCanBeInterrupted(t *testing.T) {
	servertest.Need(t)
	p := newProject(t)
	release := p.holding()
	defer release()
	patient := p.command("createBuild", "a", "-wait=5m")
	progress, err := patient.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, patient.Start())
	reader := bufio.NewReader(progress)
	_, err = reader.ReadString('\n')
	require.NoError(t, err)

	require.NoError(t, patient.Process.Signal(syscall.SIGTERM))

	rest, err := io.ReadAll(reader)
	require.NoError(t, err)
	_ = patient.Wait()
	require.Equal(t, 1, patient.ProcessState.ExitCode())
	require.Contains(t, string(rest), "createBuild a: while it waited for createBuild z: terminated signal received")
}

func TestWait_IsRefusedWhenItIsNoTime(t *testing.T) {
	p := newProject(t)
	for _, wait := range []string{"five", "-5m"} {
		cmd := p.command("createBuild", "a")
		cmd.Env = append(os.Environ(), "HADJANGO_WAIT="+wait)
		out, err := cmd.CombinedOutput()

		require.Error(t, err)
		require.Contains(t, string(out), fmt.Sprintf("HADJANGO_WAIT is %q and must be a time such as 5m or 90s", wait))
		require.NoDirExists(t, filepath.Join(p.dir, "deploy"))
	}
}

// A project's build command may call a task that reads. One that changes would
// wait for the task that it is a part of, so it is refused at once, however
// long it would wait, and whoever it runs as.
func TestTasks_CalledByABuildsCommandDoNotWaitForThemselves(t *testing.T) {
	servertest.Need(t)
	p := newProject(t)
	config, err := os.ReadFile(filepath.Join(p.dir, "hadjango.yml"))
	require.NoError(t, err)
	// the project's own file must not make the build a site
	p.write("project/hadjango.yml", string(config))

	p.write("hadjango.yml", string(config)+fmt.Sprintf("build: [[sh, -c, 'exec %s status -json']]\n", program))
	p.ok("createBuild", "a")
	p.write("hadjango.yml", string(config)+fmt.Sprintf("build: [[sh, -c, 'exec %s activate a -wait=5m']]\n", program))
	start := time.Now()
	_, stderr, status := p.run("createBuild", "b")

	require.Equal(t, 1, status)
	require.Regexp(t, `activate a: createBuild b runs \(process .* and has started this: it would wait for itself, so call this after it and not from within`, stderr)
	require.Less(t, time.Since(start), 2*time.Minute)
	require.NoDirExists(t, filepath.Join(p.dir, "deploy/builds/b/deploy"))
	p.write("hadjango.yml", string(config))
}

func TestKilled_TasksAreNamedAndMended(t *testing.T) {
	servertest.Need(t)
	p := newProject(t)
	p.ok("init")
	p.killed("createBuild", "c")

	require.Regexp(t, `half done: createBuild c, begun at .*, was cut short after c: virtualenv · finish it with mage resume, or take it back with mage undo\n`, p.ok("status"))
	var status site.Status
	require.NoError(t, json.Unmarshal([]byte(p.ok("status", "-json")), &status))
	require.Equal(t, "createBuild c", status.HalfDone.Task)
	require.Equal(t, "finished: createBuild c\n", p.ok("resume"))
	p.killed("createBuild", "d")
	require.Equal(t, "taken back: createBuild d\n", p.ok("undo"))
	_, stderr, code := p.run("undo")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "undo: nothing is half done: every task has ended")

	require.Regexp(t, `^WHEN +WHO +TASK +FROM → TO +TOOK +RESULT
.* undo createBuild d +– +\d+\.\d s +ok
.* createBuild d +– +– +cut short, settled since
.* createBuild c +– → c +\d+\.\d s +ok
.* createBuild c +– +– +cut short, settled since
.* init +– → a +\d+\.\d s +ok
$`, p.ok("history"))
	var past []site.Past
	require.NoError(t, json.Unmarshal([]byte(p.ok("history", "-json", "-n=2")), &past))
	require.Len(t, past, 2)
	require.True(t, past[0].Undoes)
	_, stderr, code = p.run("history", "-n=-1")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "history -n=-1: it must be 0, for all, or more")

	p.killed("createBuild", "e")
	require.Equal(t, "left as it is: createBuild e\n", p.ok("undo", "-accept"))
	require.Regexp(t, `(?m)^e .* incomplete `, p.ok("status"))
	p.ok("createBuild", "e")
}

// killed runs a task and kills it while it runs the project's own command.
func (p project) killed(args ...string) {
	p.t.Helper()
	config, err := os.ReadFile(filepath.Join(p.dir, "hadjango.yml"))
	require.NoError(p.t, err)
	p.write("hadjango.yml", string(config)+"build: [[sh, -c, 'touch started; sleep 1000']]\n")
	task := p.command(args...)
	require.NoError(p.t, task.Start())
	p.awaitStarted(args[1])
	require.NoError(p.t, task.Process.Kill())
	_ = task.Wait()
	p.write("hadjango.yml", string(config))
}

// awaitStarted returns when the command of a build has begun.
func (p project) awaitStarted(build string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		_, err := os.Stat(filepath.Join(p.dir, "deploy/builds", build, "started"))
		return err == nil
	}, time.Minute, time.Millisecond)
}
