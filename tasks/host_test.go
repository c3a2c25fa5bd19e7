package tasks_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// ends waits for the end of a task that was started, for no longer than a test may take.
func ends(t *testing.T, task *exec.Cmd) (status int) {
	t.Helper()
	late := time.AfterFunc(patience, func() { _ = task.Process.Kill() })
	_ = task.Wait()
	require.True(t, late.Stop(), "it did not end by itself")
	return task.ProcessState.ExitCode()
}

// When only what a task prints goes elsewhere, the client is no part of what the
// terminal talks to, and would be stopped when it reads from there.
func TestHost_ThatPrintsIntoAPipeLeavesTheTerminalAlone(t *testing.T) {
	d := newDocker(t)
	here, there, err := pty.Open()
	require.NoError(t, err)
	defer here.Close()
	defer there.Close()
	_, err = here.WriteString("q\n")
	require.NoError(t, err)
	var out bytes.Buffer
	task := d.away("status")
	task.Stdin, task.Stdout, task.Stderr = there, &out, there
	task.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, task.Start())

	require.Zero(t, ends(t, task))

	require.Contains(t, out.String(), "BUILD")
	require.Contains(t, d.calls(), `"exec" "-T"`)
}

func TestHost_AtATerminalGivesItToTheTask(t *testing.T) {
	d := newDocker(t)
	d.ok("createBuild", "a")
	shell := start(t, d.away("shell", "-build=a"))
	shell.expect("$ ")
	shell.interruptSleep()
	shell.answer("$ ", "tty >/dev/null && exit 3")

	_, err := shell.ended()

	require.ErrorContains(t, err, "exit status 3")
}

// holdUp keeps our program from starting in the container until the gate is opened.
func (d docker) holdUp() (open func()) {
	d.t.Helper()
	gate := filepath.Join(d.notes, "gate")
	require.NoError(d.t, syscall.Mkfifo(gate, 0o600))
	return func() {
		require.NoError(d.t, os.WriteFile(gate, nil, 0))
		require.NoError(d.t, os.Remove(gate))
	}
}

func TestHost_InterruptedBeforeTheTaskHasStartedEndsItThen(t *testing.T) {
	d := newDocker(t)
	d.add("build: [[sleep, \"1000\"]]")
	open := d.holdUp()
	task := d.away("createBuild", "a")
	require.NoError(t, task.Start())
	d.await("the client runs", func() bool { return strings.Contains(d.calls(), `"hadjango" "createBuild"`) })

	require.NoError(t, task.Process.Signal(os.Interrupt))

	d.await("it was looked for, in vain", func() bool { return strings.Count(d.calls(), `"INT"`) > 1 })
	open()
	require.NotZero(t, ends(t, task))
}

// What takes the task's place gets the signal as the task would, with all that it
// has started; and so does a shell where there is no task at all.
func TestHost_HandsSignalsOnToWhatTakesTheTasksPlace(t *testing.T) {
	d := newDocker(t)
	d.ok("createBuild", "a")
	for _, args := range [][]string{{"shell", "-build=a"}, {"shell", "-server=nginx"}} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
			t.Run(args[1]+" "+sig.String(), func(t *testing.T) {
				task := d.away(args...)
				stdin, err := task.StdinPipe()
				require.NoError(t, err)
				defer stdin.Close()
				stdout, err := task.StdoutPipe()
				require.NoError(t, err)
				require.NoError(t, task.Start())
				_, err = io.WriteString(stdin, "echo ready; sleep 1000; echo survived\n")
				require.NoError(t, err)
				out := bufio.NewReader(stdout)
				line, err := out.ReadString('\n')
				require.NoError(t, err)
				require.Equal(t, "ready\n", line)

				require.NoError(t, task.Process.Signal(sig))

				rest, _ := io.ReadAll(out)
				require.Equal(t, 128+int(sig), ends(t, task))
				require.Empty(t, string(rest))
			})
		}
	}
}

// What a task has started is the task's to end.
func TestHost_MarksTheTaskAlone(t *testing.T) {
	d := newDocker(t)
	d.write("python.sh", "#!/bin/sh\nenv >&2\nexec python3 \"$@\"\n")
	python := filepath.Join(d.dir, "python.sh")
	require.NoError(t, os.Chmod(python, 0o755))
	d.add("python: " + python)

	out, err := d.away("createBuild", "a").CombinedOutput()

	require.NoError(t, err, string(out))
	environ, err := os.ReadFile(filepath.Join(d.dir, "deploy/logs/a.build.log"))
	require.NoError(t, err)
	require.Contains(t, string(environ), "PATH=")
	require.NotContains(t, string(environ), "HADJANGO_CALL")
}

func TestHost_HandsTheSuperuserOnUnseen(t *testing.T) {
	d := newDocker(t)
	d.add(`build: [[sh, -c, 'echo "$DJANGO_SUPERUSER_PASSWORD" > seen']]`)
	task := d.away("createBuild", "a")
	task.Env = append(task.Env, "DJANGO_SUPERUSER_PASSWORD="+password)

	out, err := task.CombinedOutput()

	require.NoError(t, err, string(out))
	seen, err := os.ReadFile(filepath.Join(d.dir, "deploy/builds/a/seen"))
	require.NoError(t, err)
	require.Equal(t, password+"\n", string(seen))
	require.Contains(t, d.calls(), `"-e" "DJANGO_SUPERUSER_PASSWORD"`)
	require.NotContains(t, d.calls(), password)
}

func TestHost_ThatIsNotUpIsSaidHowToStart(t *testing.T) {
	d := newDocker(t)
	d.say("down", "")
	for next, args := range map[string][]string{
		"Error: web is not up: start the containers with docker compose up -d\n":         {"status"},
		"Error: redis is not up: start the containers with docker compose up -d redis\n": {"shell", "-server=redis"},
	} {
		out, err := d.away(args...).CombinedOutput()

		require.ErrorContains(t, err, "exit status 1")
		require.Contains(t, string(out), next)
	}
}

func TestHost_EndsAsTheTaskDoes(t *testing.T) {
	d := newDocker(t)

	out, err := d.away("activate", "A").CombinedOutput()

	require.ErrorContains(t, err, "exit status 1")
	require.NotContains(t, string(out), "is not up")
	require.Equal(t, 1, strings.Count(string(out), "Error: "))
}
