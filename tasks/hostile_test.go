package tasks_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/disktest"
	"github.com/hadjango/hadjango/internal/golden"
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
			_, stderr, _ := p.run(args...)
			require.NotContains(t, stderr, "panic", "%q", args)
			require.NotContains(t, stderr, "goroutine", "%q", args)
		}
		after := disktest.Snapshot(t, p.dir)
		require.Equal(t, before, after, call("NAME"))
	}
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
