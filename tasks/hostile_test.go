package tasks_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/disktest"
	"github.com/hadjango/hadjango/internal/golden"
	"github.com/hadjango/hadjango/internal/servertest"
	"github.com/hadjango/hadjango/site"
)

// names are none of a build's.
var hostileNames = []string{
	"", ".", "..", "../..", "../../canary", "/", "/etc/passwd", "a/", "a/../b", "_live", "_live/../a", "A", "a1", "é", "zzzzzz", " a", "a b", "a\nb",
	"-rf", "--help", "-build=a", "$(touch canary2)", "`touch canary2`", "; touch canary2", "%d", "@(exec://touch canary2)", "*", "[a-z]", "\xff",
}

// calls are all tasks that take the name of a build.
var calls = []func(name string) []string{
	func(n string) []string { return []string{"createBuild", n} },
	func(n string) []string { return []string{"makeIncrementalBuild", n} },
	func(n string) []string { return []string{"makeIncrementalBuild", "a", "-basis=" + n} },
	func(n string) []string { return []string{"activate", n} },
	func(n string) []string { return []string{"deactivate", n} },
	func(n string) []string { return []string{"stage", n} },
	func(n string) []string { return []string{"swapLive", "-build=" + n} },
	func(n string) []string { return []string{"warmup", "-build=" + n} },
	func(n string) []string { return []string{"restart", n} },
	func(n string) []string { return []string{"stop", n} },
	func(n string) []string { return []string{"rm", n} },
	func(n string) []string { return []string{"manage", "check", "-build=" + n} },
	func(n string) []string { return []string{"djshell", "-build=" + n} },
	func(n string) []string { return []string{"shell", "-build=" + n} },
	func(n string) []string { return []string{"initializeDB", "-build=" + n} },
	func(n string) []string { return []string{"populateData", "-build=" + n} },
	func(n string) []string { return []string{"test:runAll", "-build=" + n} },
}

// Whatever is given for the name of a build, nothing is written or removed.
func TestHostileNames_ChangeNothing(t *testing.T) {
	p := newProject(t)
	p.write("canary", "stays")
	p.ok("createBuild", "a")
	before := disktest.Snapshot(t, p.dir)
	for _, call := range calls {
		for _, name := range hostileNames {
			args := call(name)
			p.refuses(args...)
		}
		after := disktest.Snapshot(t, p.dir)
		require.Equal(t, before, after, call("NAME"))
	}
}

// refuses runs a task that has to fail, and not by a mishap of its own.
func (p project) refuses(args ...string) {
	p.t.Helper()
	_, stderr, status := p.run(args...)
	assert.NotZero(p.t, status, "%q", args)
	require.NotContains(p.t, stderr, "panic", "%q", args)
	require.NotContains(p.t, stderr, "goroutine", "%q", args)
}

// hostileFlags are the flags that take something else than the name of a build.
var hostileFlags = [][]string{
	{"history", "-n="}, {"activate", "a", "-wait="}, {"swapLive", "-watch="},
	{"systemdUnits", "-dir="}, {"systemdUnits", "-program="},
	{"serve", "-server="}, {"shell", "-build=a", "-server="}, {"manage", "check", "-build=a", "-args="},
}

// Whatever else a flag is given is refused, and nothing is written or removed.
func TestHostileFlags_ChangeNothing(t *testing.T) {
	p := newShop(t)
	p.write("canary", "stays")
	p.ok("createBuild", "a")
	before := disktest.Snapshot(t, p.dir)
	for _, call := range hostileFlags {
		last := len(call) - 1
		for _, value := range append([]string{"-1", "-1s", "1e99", "99999999999999999999", "99999999h"}, hostileValues...) {
			p.refuses(append(slices.Clone(call[:last]), call[last]+value)...)
		}
		require.Equal(t, before, disktest.Snapshot(t, p.dir), call)
	}
	p.refuses("systemdUnits", "-dir=")
	require.Equal(t, before, disktest.Snapshot(t, p.dir))
}

// hostileConfigs are lines of hadjango.yml that would lead elsewhere, or into
// the configuration of the servers.
var hostileConfigs = []struct{ key, line string }{
	{"project", "project: %q"}, {"overlay", "overlay: %q"}, {"requirements", "requirements: %q"}, {"tests.requirements", "tests: {requirements: %q}"},
	{"run", "run: %q"}, {"python", "python: %q"}, {"settings", "settings: %q"}, {"wsgi", "wsgi: %q"}, {"user", "user: %q"},
	{"live", "live: [a.example, %q]"}, {"stage", "stage: [%q]"}, {"listen", "listen: [%q]"}, {"health", "health: %q"}, {"warmup.paths", "warmup: {paths: [%q]}"},
	{"max_body", "max_body: %q"}, {"switch", "switch: %q"}, {"port", "port: %q"}, {"backlog", "backlog: %q"}, {"workers.max", "workers: {max: %q}"},
	{"timeouts.request", "timeouts: {request: %q}"}, {"a program of `build`", "build: [[%q]]"}, {"a name of `env`", "env: {%q: \"1\"}"},
}

var hostileValues = []string{
	"../canary", "a/../../canary", "-x", "a/-x", "x; }", "x {", "x\ny", "$(touch canary2)", "@(exec://touch canary2)", "%d", "$host", "a b", "'", "\\", "#", "\x7f", "é",
}

// Whatever hadjango.yml says, it is refused, or nothing is written but below deploy.
func TestHostileConfiguration_StaysInDeploy(t *testing.T) {
	p := newProject(t)
	p.write("canary", "stays")
	good, err := os.ReadFile(filepath.Join(p.dir, "hadjango.yml"))
	require.NoError(t, err)
	table := "| key of hadjango.yml | what is said |\n| --- | --- |\n"
	for _, config := range hostileConfigs {
		said := ""
		for _, value := range hostileValues {
			key, _, _ := strings.Cut(config.line, ":")
			text := without(string(good), key) + fmt.Sprintf(config.line+"\n", value)
			p.write("hadjango.yml", text)
			before := disktest.Snapshot(t, p.dir)
			_, stderr, status := p.run("createBuild", "a")
			require.NotZero(t, status, "%s: %q", config.key, value)
			require.Contains(t, stderr, "hadjango.yml:", "%s: %q", config.key, value)
			require.Equal(t, before, disktest.Snapshot(t, p.dir), "%s: %q", config.key, value)
			_, said, _ = strings.Cut(stderr, "expected ")
		}
		said, _, _ = strings.Cut(said, "\n")
		table += fmt.Sprintf("| %s | expected %s |\n", config.key, said)
	}
	p.write("hadjango.yml", string(good))
	golden.RequireSection(t, "../docs/reliability.md", "hostile configuration", table)
}

// without leaves out the line of a key.
func without(config, key string) string {
	var kept []string
	for line := range strings.Lines(config) {
		if !strings.HasPrefix(line, key+":") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

const (
	// what nginx, uWSGI, a shell and Go's templates would each take for theirs
	secretValue = `k%d$(touch canary2)@(exec://touch canary2)'";{}{{.}}\é`
	password    = "correct horse battery staple"
)

// What is secret reaches those who need it, and no list of processes, log,
// journal or error, nor any file but its own.
func TestSecrets_StayWhereTheyBelong(t *testing.T) {
	p := newShop(t)
	config, err := os.ReadFile(filepath.Join(p.dir, "hadjango.yml"))
	require.NoError(t, err)
	p.write("hadjango.yml", strings.Replace(string(config), "env: {", fmt.Sprintf("env: {SHOP_KEY: %q, ", secretValue), 1))
	seen := watchArguments(t, "touch canary2", password)

	for _, args := range [][]string{
		{"init"}, {"restart", "a"}, {"swapLive", "-watch=0"}, {"status"}, {"status", "-json"}, {"doctor"}, {"history", "-json"}, {"createBuild", "-x"}, {"down"},
	} {
		cmd := p.command(args...)
		cmd.Env = append(os.Environ(), "DJANGO_SUPERUSER_USERNAME=root", "DJANGO_SUPERUSER_EMAIL=root@example.org", "DJANGO_SUPERUSER_PASSWORD="+password)
		out, _ := cmd.CombinedOutput()
		require.NotContains(t, string(out), "touch canary2", args)
		require.NotContains(t, string(out), password, args)
	}

	require.Empty(t, seen())
	require.Equal(t, "1\n", p.ok("manage", "shell", `-args=-v 0 -c "from django.contrib.auth.models import User; print(User.objects.count())"`), "the superuser was made")
	require.Equal(t, secretValue+"\n", p.ok("manage", "shell", `-args=-v 0 -c "import os; print(os.environ['SHOP_KEY'])"`))
	require.ElementsMatch(t, []string{"hadjango.yml", "deploy/builds/a/uwsgi.d/env.json", "deploy/builds/b/uwsgi.d/env.json"}, p.filesWith("canary2"))
	require.Empty(t, p.filesWith(password))
	require.NoFileExists(t, filepath.Join(p.dir, "canary2"))
}

// A command's arguments may be secrets too. Who runs it sees them; the journal
// does not keep them.
func TestSecrets_AreNotInTheJournal(t *testing.T) {
	p := newProject(t)
	config, err := os.ReadFile(filepath.Join(p.dir, "hadjango.yml"))
	require.NoError(t, err)
	p.write("hadjango.yml", string(config)+fmt.Sprintf("build: [[%q, %q]]\n", "false", "--token="+password))

	_, _, status := p.run("createBuild", "a")

	require.Equal(t, 1, status)
	require.NotContains(t, p.ok("history", "-json"), password)
	require.NotContains(t, p.filesWith(password), "deploy/journal.jsonl")
}

// escapes would name a terminal's window, empty its screen, and hide what is
// written after them.
const escapes = "\x1b]0;pwned\a\x1b[2J\u009b8m"

// What the project, its programs, its files and other processes are called or
// say is shown, and no terminal obeys it.
func TestEscapes_ReachNoTerminal(t *testing.T) {
	servertest.Need(t)
	p := newProject(t)
	good, err := os.ReadFile(filepath.Join(p.dir, "hadjango.yml"))
	require.NoError(t, err)

	p.write("hadjango.yml", string(good)+"build: [[sh, fails.sh]]\n")
	p.write("project/fails.sh", "printf '%s' '"+escapes+"' >&2; exit 1")
	require.Contains(t, p.calm(1, "createBuild", "a"), `\u001b]0;pwned\u0007\u001b[2J\u009b8m`, "a build command")

	p.write("hadjango.yml", string(good))
	p.write("project/"+escapes+".py", "1 +\n")
	require.Contains(t, p.calm(0, "createBuild", "a"), `\u001b[2J\u009b8m.py line 1 does not compile`, "a file")

	p.write("project/app.py", fmt.Sprintf("raise ValueError(%q)\n", escapes))
	p.ok("createBuild", "b")
	p.ok("up")
	require.Contains(t, p.calm(1, "activate", "b"), `ValueError: \u001b]0;pwned`, "an import")

	leave := p.listen(escapes)
	require.Contains(t, p.calm(1, "activate", "a"), `(]0;pwned[2J8m`, "a process")
	leave()

	p.write("deploy/run/."+escapes+".tmp-1", "")
	require.Contains(t, p.calm(1, "doctor"), `\u001b]0;pwned`, "a file that doctor names")
	p.calm(1, "doctor", "-json")
	stdout, _, _ := p.run("doctor", "-json")
	var diagnosis site.Diagnosis
	require.NoError(t, json.Unmarshal([]byte(stdout), &diagnosis))
	require.True(t, slices.ContainsFunc(diagnosis.Findings, func(f site.Finding) bool { return strings.HasSuffix(f.Where, "/."+escapes+".tmp-1") }))
	p.calm(0, "status")
	p.calm(0, "history")
}

// listen lets a process of that name have the port of build a, until it is told
// to leave.
func (p project) listen(name string) (leave func()) {
	p.t.Helper()
	config, err := os.ReadFile(filepath.Join(p.dir, "hadjango.yml"))
	require.NoError(p.t, err)
	port := regexp.MustCompile(`(?m)^port: (\d+)$`).FindStringSubmatch(string(config))[1]
	holder := exec.Command("/usr/bin/python3", "-c", `
import socket, sys
taken = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("taken", flush=True)
sys.stdin.read()
`, port)
	holder.Args[0] = name
	in, err := holder.StdinPipe()
	require.NoError(p.t, err)
	out, err := holder.StdoutPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, holder.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(p.t, err)
	return func() {
		require.NoError(p.t, in.Close())
		require.NoError(p.t, holder.Wait())
	}
}

// calm runs a task and returns all it said, which a terminal may be given.
func (p project) calm(want int, args ...string) string {
	p.t.Helper()
	stdout, stderr, status := p.run(args...)
	said := stdout + stderr
	require.Equal(p.t, want, status, "%q: %q", args, said)
	obeyed := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' || r == utf8.RuneError }
	require.False(p.t, strings.ContainsFunc(said, obeyed), "%q: %q", args, said)
	return said
}

// watchArguments looks at the arguments of all processes until the test ends or
// what it returns is called, which says where it saw one of the texts.
func watchArguments(t *testing.T, texts ...string) (seen func() []string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	found := make(chan []string, 1)
	go func() {
		var all []string
		for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, line := range lines {
				data, _ := os.ReadFile(line)
				if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(string(data), text) }) {
					all = append(all, string(data))
				}
			}
		}
		found <- all
	}()
	return func() []string {
		stop()
		return <-found
	}
}

// filesWith are the files of the site's directory that hold a text.
func (p project) filesWith(text string) (files []string) {
	p.t.Helper()
	require.NoError(p.t, filepath.WalkDir(p.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), text) {
			files = append(files, strings.TrimPrefix(path, p.dir+"/"))
		}
		return err
	}))
	return files
}
