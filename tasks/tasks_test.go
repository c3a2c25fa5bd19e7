package tasks_test

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/servertest"
	"github.com/hadjango/hadjango/site"
)

// program is the tasks compiled to one binary, as a server without Go gets it.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "hj")
	if err != nil {
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
	require.Empty(t, p.ok("activate", "c"))
	require.Contains(t, p.ok("warmup", "-build=c"), "workers 2/2")
	require.Contains(t, p.ok("warmup", "-build=c", "-concurrency=3", "-paths=/,/x"), "workers 2/2")
	require.Contains(t, p.ok("stage", "c"), "stage is c")
	require.Regexp(t, `^live is c, was a · switched in \S+ ms · answered by c after \S+ ms · back: mage swapLive\n$`, p.ok("swapLive"))
	require.Regexp(t, `^live is b, was c `, p.ok("swapLive", "-build=b"))
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

func TestErrors_AreOnStandardErrorWithStatus1(t *testing.T) {
	p := newProject(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"createBuild", "../x"}, `Error: "../x" is not the name of a build: one or more letters a–z, at most iji; the next free one is a`},
		{[]string{"createBuild", "-x"}, `"-x" is not the name of a build`},
		{[]string{"stage", "a1"}, `"a1" is not the name of a build`},
		{[]string{"swapLive", "-build=/etc"}, `"/etc" is not the name of a build`},
		{[]string{"activate", "q"}, "there is no such build: make it with mage createBuild q"},
		{[]string{"swapLive"}, "nothing is deployed yet: run mage init"},
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
			require.Eventually(t, func() bool {
				_, err := os.Stat(filepath.Join(p.dir, "deploy/builds/a/started"))
				return err == nil
			}, time.Minute, time.Millisecond)

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
