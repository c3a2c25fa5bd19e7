package tasks_test

import (
	"fmt"
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
	"golang.org/x/term"
)

// The variables by which a test tells the tool in docker's place where its notes
// are and what our program is.
const (
	dockerDir     = "HADJANGO_TEST_DOCKER"
	dockerProgram = "HADJANGO_TEST_PROGRAM"
)

// beDocker is this program under the name docker, for what a machine without an
// engine can tell. Every container is this machine; but a program in one has a
// session, pipes or a terminal of its own, and goes on when the tool ends.
func beDocker(args []string) int {
	dir := os.Getenv(dockerDir)
	note, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(note, "%q\n", args)
	switch answer, err := os.ReadFile(filepath.Join(dir, args[min(1, len(args)-1)])); {
	case err == nil:
		fmt.Print(string(answer))
		return 0
	case args[0] == "compose" && args[1] == "exec":
		return dockerExec(dir, args[2:])
	}
	fmt.Fprintln(os.Stderr, "nothing is up")
	return 1
}

func dockerExec(dir string, args []string) int {
	terminal := args[0] != "-T"
	if !terminal {
		args = args[1:]
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "SHELL=/bin/sh"}
	for ; args[0] == "-e"; args = args[2:] {
		name, value, valued := strings.Cut(args[1], "=")
		if !valued {
			value = os.Getenv(name)
		}
		env = append(env, name+"="+value)
	}
	if _, err := os.Stat(filepath.Join(dir, "down")); err == nil {
		fmt.Fprintf(os.Stderr, "service %q is not running\n", args[0])
		return 1
	}
	if args[1] == "hadjango" {
		args[1] = os.Getenv(dockerProgram)
		// whoever has made a pipe of this name holds the program up
		_, _ = os.ReadFile(filepath.Join(dir, "gate"))
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Env = env
	run := runWithPipes
	if terminal {
		run = runAtTerminal
	}
	if err := run(cmd); err != nil && cmd.ProcessState == nil {
		panic(err)
	}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return cmd.ProcessState.ExitCode()
}

func runWithPipes(cmd *exec.Cmd) error {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(stdin, os.Stdin)
		_ = stdin.Close()
	}()
	cmd.Stdout, cmd.Stderr = struct{ io.Writer }{os.Stdout}, struct{ io.Writer }{os.Stderr}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Run()
}

func runAtTerminal(cmd *exec.Cmd) error {
	was, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		return err
	}
	defer func() { _ = term.Restore(int(os.Stdin.Fd()), was) }()
	file, err := pty.Start(cmd)
	if err != nil {
		return err
	}
	go func() { _, _ = io.Copy(file, os.Stdin) }()
	_, _ = io.Copy(os.Stdout, file)
	return cmd.Wait()
}

// docker is a project whose tasks find that tool.
type docker struct {
	project
	notes string
}

func newDocker(t *testing.T) docker {
	t.Helper()
	d := docker{newProject(t), t.TempDir()}
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, filepath.Join(d.notes, "docker")))
	d.say("version", "")
	d.say("inspect", "unix:///var/run/docker.sock\n")
	d.write("docker-compose.yml", "services: {}\n")
	return d
}

// say is what the tool answers to a command.
func (d docker) say(command, answer string) {
	d.t.Helper()
	require.NoError(d.t, os.WriteFile(filepath.Join(d.notes, command), []byte(answer), 0o644))
}

// away is a task that is to run in the containers.
func (d docker) away(args ...string) *exec.Cmd {
	cmd := d.command(args...)
	cmd.Env = append(os.Environ(), "PATH="+d.notes+":"+os.Getenv("PATH"), "DOCKER_HOST=",
		dockerDir+"="+d.notes, dockerProgram+"="+program, "HADJANGO_HOST=compose")
	return cmd
}

func (d docker) calls() string {
	text, _ := os.ReadFile(filepath.Join(d.notes, "calls"))
	return string(text)
}

// await returns when something is as it should be.
func (d docker) await(what string, is func() bool) {
	d.t.Helper()
	require.Eventually(d.t, is, patience, 10*time.Millisecond, what)
}

// add adds lines to hadjango.yml.
func (d docker) add(lines string) {
	d.t.Helper()
	config, err := os.ReadFile(filepath.Join(d.dir, "hadjango.yml"))
	require.NoError(d.t, err)
	d.write("hadjango.yml", string(config)+lines+"\n")
}
