package tasks_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/otiai10/copy"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/servertest"
)

// newShop is a site of a Django project.
func newShop(t *testing.T) project {
	t.Helper()
	servertest.Need(t)
	p := newProject(t)
	require.NoError(t, copy.Copy("../site/testdata/shop", filepath.Join(p.dir, "shop")))
	p.write("hadjango.yml", fmt.Sprintf(`
project: shop
settings: shop.settings
listen: ["%s"]
port: %d
workers: {min: 1, max: 1}
database: [[manage.py, migrate, --noinput]]
populate: [[manage.py, group, "made up"]]
env: {SHOP_FORBIDDEN: %s}
`, servertest.FreeAddress(t), servertest.FreePorts(t), p.dir))
	return p
}

// terminal is a task run by a person.
type terminal struct {
	t    *testing.T
	file *os.File
	seen bytes.Buffer
	end  chan error
	// session is that of all who have the terminal.
	session int
}

// at starts a task on a terminal of its own.
func (p project) at(args ...string) *terminal {
	p.t.Helper()
	cmd := p.command(args...)
	cmd.Env = append(os.Environ(), "SHELL=/bin/sh", "PAGER=cat")
	return start(p.t, cmd)
}

func start(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	file, err := pty.Start(cmd)
	require.NoError(t, err)
	started := &terminal{t: t, file: file, end: make(chan error, 1), session: cmd.Process.Pid}
	go func() { started.end <- cmd.Wait() }()
	t.Cleanup(func() { _ = file.Close() })
	return started
}

// patience is how long a task may take to ask something.
const patience = 3 * time.Minute

// expect reads until the task has written the text.
func (t *terminal) expect(text string) {
	t.t.Helper()
	stuck := time.AfterFunc(patience, func() { _ = syscall.Kill(t.session, syscall.SIGKILL) })
	defer stuck.Stop()
	buffer := make([]byte, 4096)
	for !strings.Contains(t.seen.String(), text) {
		n, err := t.file.Read(buffer)
		t.seen.Write(buffer[:n])
		require.NoError(t.t, err, "%q was not seen in:\n%s", text, t.seen.String())
	}
	_, rest, _ := strings.Cut(t.seen.String(), text)
	t.seen.Reset()
	t.seen.WriteString(rest)
}

func (t *terminal) enter(text string) {
	t.t.Helper()
	_, err := io.WriteString(t.file, text)
	require.NoError(t.t, err)
}

func (t *terminal) answer(question, text string) {
	t.t.Helper()
	t.expect(question)
	t.enter(text + "\n")
}

// interruptSleep types Ctrl-C at a program that a shell has started. It says that it
// runs: what was typed is seen before that, and Ctrl-C would be the shell's.
func (t *terminal) interruptSleep() {
	t.t.Helper()
	t.enter("sh -c 'echo sleep''s; exec sleep 1000'\n")
	t.expect("sleeps")
	t.enter("\x03")
}

// ended waits for the task's end, and returns what was not expected.
func (t *terminal) ended() (rest string, err error) {
	t.t.Helper()
	// the terminal of a process that has ended gives an input/output error
	_, _ = io.Copy(&t.seen, t.file)
	return t.seen.String(), <-t.end
}

// requireLeft finds nobody who stays in the terminal's session: whoever is in
// it could type.
func (t *terminal) requireLeft() {
	t.t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t.t, err)
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		require.NoError(t.t, err)
		if session, err := unix.Getsid(pid); err == nil {
			name, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
			require.NotEqual(t.t, t.session, session, string(name))
		}
	}
}

func TestInit_AsksAtATerminal(t *testing.T) {
	p := newShop(t)
	no := p.at("init")
	no.answer("? Make the database shop.sqlite3 (sqlite)? [Y/n] ", "perhaps")
	no.answer("? Make the database shop.sqlite3 (sqlite)? [Y/n] ", "n")
	no.expect("the database shop.sqlite3 (sqlite) was not made, as you decided; builds a and b are there, and mage init goes on from here")
	_, err := no.ended()
	require.Error(t, err)

	yes := p.at("init")
	yes.answer("? Make the database shop.sqlite3 (sqlite)? [Y/n] ", "")
	yes.answer("? Make a superuser, for the admin? [Y/n] ", "y")
	yes.answer("Username", "root")
	yes.answer("Email address: ", "root@example.org")
	yes.answer("Password: ", "correct horse battery")
	yes.answer("Password (again): ", "correct horse battery")
	yes.expect("Superuser created successfully.")
	rest, err := yes.ended()
	require.NoError(t, err, rest)
	require.Contains(t, rest, "servers run")
	yes.requireLeft()

	reset := p.at("init", "-reset")
	reset.answer("? The database shop.sqlite3 (sqlite) loses ALL it holds; files that were uploaded stay. Type its name to go on: ", "live")
	reset.expect(`its name is "shop.sqlite3" and not "live"`)
	_, err = reset.ended()
	require.Error(t, err)
	require.Equal(t, "1\n", p.ok("manage", "shell", `-args=-v 0 -c "from django.contrib.auth.models import User; print(User.objects.count())"`))
}

// A superuser is made of all variables or of none, and one that cannot be made
// leaves nothing undone but itself.
func TestInit_TakesSuperuserFromVariables(t *testing.T) {
	p := newShop(t)
	run := func(values map[string]string, args ...string) (string, error) {
		task := p.command(args...)
		task.Env = os.Environ()
		for name, value := range values {
			task.Env = append(task.Env, "DJANGO_SUPERUSER_"+name+"="+value)
		}
		out, err := task.CombinedOutput()
		return string(out), err
	}

	out, err := run(map[string]string{"PASSWORD": password}, "init")
	require.NoError(t, err, out)
	require.Contains(t, out, "superuser: skipped, DJANGO_SUPERUSER_USERNAME and _EMAIL are not set and nobody is asked")

	out, err = run(map[string]string{"USERNAME": "root", "EMAIL": "no address", "PASSWORD": password}, "init", "-reset", "-yes")
	require.Error(t, err)
	require.Contains(t, out, "all of the database is made but the superuser; mage manage createsuperuser makes one")
	require.Equal(t, "made up\n", p.ok(groups...))
	out, err = run(nil, "init")
	require.NoError(t, err, out)
	require.Contains(t, out, "there already, not touched")

	out, err = run(map[string]string{"USERNAME": "root", "EMAIL": "root@example.org", "PASSWORD": password}, "initializeDB", "-reset", "-yes")
	require.NoError(t, err, out)
	require.Contains(t, out, "✓ superuser")
}

func TestInit_AsksNothingWithYes(t *testing.T) {
	p := newShop(t)
	for _, args := range [][]string{{"init", "-yes"}, {"init", "-yes", "-reset"}} {
		yes := p.at(args...)
		yes.expect("superuser: skipped, DJANGO_SUPERUSER_USERNAME, _EMAIL and _PASSWORD are not set and nobody is asked")
		yes.expect("servers run")
		rest, err := yes.ended()
		require.NoError(t, err, rest)
	}
}

// groups prints what populate makes.
var groups = []string{"manage", "shell", `-args=-v 0 -c "from django.contrib.auth.models import Group; print(*Group.objects.all())"`}

func TestInside_RunsInTheBuild(t *testing.T) {
	p := newShop(t)
	t.Run("before there is one", func(t *testing.T) {
		_, stderr, status := p.run("manage", "check")
		require.Equal(t, 1, status)
		require.Contains(t, stderr, "the pointer names no build")
	})
	_, stderr, status := p.run("init")
	require.Zero(t, status, stderr)
	require.Contains(t, stderr, "superuser: skipped, DJANGO_SUPERUSER_USERNAME, _EMAIL and _PASSWORD are not set and nobody is asked")
	require.Equal(t, "made up\n", p.ok(groups...))

	t.Run("manage hands on arguments, output and exit status", func(t *testing.T) {
		stdout, stderr, status := p.run("manage", "group", "-args='two words'", "-build=stage")
		require.Zero(t, status, stderr)
		require.Empty(t, stdout)
		require.Contains(t, stderr, "python in build b as ")
		require.Equal(t, "made up two words\n", p.ok(groups...))
		_, stderr, status = p.run("manage", "group", "-args='open")
		require.Equal(t, 1, status)
		require.Contains(t, stderr, `-args="'open": Unterminated single-quoted string`)
		_, _, status = p.run("manage", "shell", `-args=-c "raise SystemExit(7)"`)
		require.Equal(t, 7, status)
	})
	t.Run("the database is emptied only when it is meant", func(t *testing.T) {
		_, stderr, status := p.run("initializeDB", "-reset")
		require.Equal(t, 1, status)
		require.Contains(t, stderr, "there is no terminal to ask at: the database shop.sqlite3 (sqlite) would lose all it holds")
		require.Equal(t, "made up two words\n", p.ok(groups...))
		p.ok("initializeDB", "-reset", "-yes")
		require.Equal(t, "\n", p.ok(groups...))
		p.ok("populateData")
		require.Equal(t, "made up\n", p.ok(groups...))
	})
	t.Run("the project's tests", func(t *testing.T) {
		for task, want := range map[string]string{
			"test:runAll": "Ran 4 tests", "test:es": "Ran 1 test", "test:noEs": "Ran 3 tests", "test:forceDb": "Ran 4 tests", "test:tdd": "Ran 4 tests",
		} {
			_, stderr, status := p.run(task, "-build=a")
			require.Zero(t, status, stderr)
			require.Contains(t, stderr, want)
		}
		uploads, err := filepath.Glob(filepath.Join(p.dir, "deploy/assets/media/*"))
		require.NoError(t, err)
		require.Empty(t, uploads)
		_, stderr, status := p.run("test:runAll", "-args=shop.tests.ShopTest.test_page")
		require.Zero(t, status, stderr)
		require.Contains(t, stderr, "Ran 1 test")
		_, stderr, status = p.run("test:failed")
		require.Equal(t, 1, status)
		require.Contains(t, stderr, "django keeps no record of what failed")
	})
	t.Run("shells are on the terminal, and Ctrl-C is theirs", func(t *testing.T) {
		shell := p.at("shell", "-build=a")
		shell.expect("$ ")
		shell.interruptSleep()
		shell.answer("$ ", `echo "$HADJANGO_BUILD $(basename $PWD) $(which python | xargs dirname | xargs dirname | xargs basename) $(id -un)"`)
		shell.expect("a a a ")
		shell.enter("exit 3\n")
		_, err := shell.ended()
		require.ErrorContains(t, err, "exit status 3")

		django := p.at("djshell")
		django.answer(">>> ", "from django.conf import settings; settings.HADJANGO_BUILD * 5")
		django.expect("'aaaaa'")
		// Python takes the end of input for one only where it waits for a line
		django.expect(">>> ")
		django.enter("\x04")
		rest, err := django.ended()
		require.NoError(t, err, rest)
	})
}
