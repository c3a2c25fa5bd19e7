package composetest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/containers"
	"github.com/hadjango/hadjango/internal/load"
	"github.com/hadjango/hadjango/internal/watch"
	"github.com/hadjango/hadjango/site"
)

// stack is a site in containers, with the directory where a person works on it.
type stack struct {
	engine
	compose containers.Compose
	site    string
}

const project = `
def application(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello\n"]
`

// newStack builds the image and brings the containers up.
func newStack(t *testing.T) stack {
	t.Helper()
	e := newEngine(t)
	compose, err := containers.FindCompose(t.Context())
	require.NoError(t, err)
	s := stack{e, compose, t.TempDir()}
	require.NoError(t, os.Chmod(filepath.Dir(s.site), 0o755))
	s.write("hadjango.yml", "project: project\nwsgi: app:application\nhealth: /\nworkers: {min: 2, max: 2}\n")
	s.write("project/app.py", project)
	text, err := os.ReadFile(filepath.Join(repository(), "docker-compose.yml"))
	require.NoError(t, err)
	s.write("docker-compose.yml", string(text))
	t.Logf("%s builds the image", strings.Join(compose, " "))
	s.run("docker", "build", "--network", "none", "--build-arg", "PACKAGES=", "--tag", "hadjango", repository())
	s.up()
	t.Cleanup(func() {
		if t.Failed() {
			logs, _ := s.try("docker", "ps", "--all")
			t.Log(logs)
			logs, _ = s.tryIn(s.site, append(s.compose, "logs", "--no-color")...)
			t.Log(logs)
		}
		_, _ = s.tryIn(s.site, append(s.compose, "down", "--volumes", "--timeout", "1")...)
	})
	return s
}

func (s stack) write(path, text string) {
	s.Helper()
	path = filepath.Join(s.site, path)
	require.NoError(s, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(s, os.WriteFile(path, []byte(text), 0o644))
}

func (s stack) up() { s.composed("up", "-d") }

func (s stack) composed(args ...string) string {
	s.Helper()
	out, err := s.tryIn(s.site, append(s.compose, args...)...)
	require.NoError(s, err)
	return out
}

// task is a task as a person runs it, outside of the containers.
func (s stack) task(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.Context(), s.path("hadjango"), args...)
	cmd.Dir, cmd.Env = s.site, append(s.env(), "HADJANGO_HOST=compose")
	return cmd
}

func (s stack) do(args ...string) string {
	s.Helper()
	var out, errors bytes.Buffer
	cmd := s.task(args...)
	cmd.Stdout, cmd.Stderr = &out, &errors
	require.NoError(s, cmd.Run(), "%s\n%s", args, errors.String())
	return strings.TrimSpace(out.String())
}

func (s stack) status() site.Status {
	s.Helper()
	var status site.Status
	require.NoError(s, json.Unmarshal([]byte(s.do("status", "-json")), &status))
	return status
}

// pointers are the builds that live and stage name, and whether both are active.
func (s stack) pointers() map[string]builds.Name {
	s.Helper()
	found := map[string]builds.Name{}
	for _, b := range s.status().Builds {
		if b.Pointer != "" && b.State == site.Active {
			found[b.Pointer] = b.Name
		}
	}
	return found
}

// awaitServing returns when a visitor is answered by the build.
func (s stack) awaitServing(build builds.Name) {
	s.Helper()
	require.NoError(s, watch.Until(limited(s, time.Minute), 10*time.Millisecond, func() (bool, error) {
		return s.visit() == string(build), nil
	}))
}

const address, host = "127.0.0.1:8080", "live.localhost"

func (s stack) visit() (build string) {
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, "http://"+address, nil)
	require.NoError(s, err)
	request.Host = host
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	return response.Header.Get("X-Hadjango-Build")
}

func TestCompose(t *testing.T) {
	s := newStack(t)
	for _, test := range []struct {
		name string
		run  func(stack)
	}{
		{"init brings live and stage up", stack.initialises},
		{"ip is the address to open", stack.saysItsAddress},
		{"a task ends as it ends there", stack.endsAlike},
		{"a shell in either container", stack.opensShells},
		{"no request is lost in twenty swaps", stack.losesNothing},
		{"what interrupts a task here interrupts it there", stack.interrupts},
		{"a terminal carries Ctrl-C", stack.interruptsAtATerminal},
		{"a web that was killed comes back as it was", stack.survivesAKill},
		{"nothing is left by down, and up brings all back", stack.goesDownAndUp},
		{"nginx is told to reload where it cannot see sockets", stack.reloads},
		{"both are healthy", stack.isHealthy},
	} {
		ok := t.Run(test.name, func(t *testing.T) {
			test.run(stack{engine{t, s.dir, s.socket}, s.compose, s.site})
		})
		if !ok {
			return
		}
	}
}

func (s stack) initialises() {
	s.do("init")

	require.Equal(s, map[string]builds.Name{"live": "a", "stage": "b"}, s.pointers())
	require.Equal(s, "a", s.visit())
}

func (s stack) saysItsAddress() {
	require.Equal(s, address, s.do("ip"))
}

func (s stack) endsAlike() {
	require.Equal(s, "c", s.do("findFreeBuild"))
	var out, errors bytes.Buffer
	refused := s.task("stop", "a")
	refused.Stdout, refused.Stderr = &out, &errors

	err := refused.Run()

	var ended *exec.ExitError
	require.ErrorAs(s, err, &ended)
	require.Equal(s, 1, ended.ExitCode())
	require.Empty(s, out.String())
	require.Contains(s, errors.String(), "Error: stop a: it is live")
}

func (s stack) opensShells() {
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"shell"}, "/srv/deploy/builds/a 7"},
		{[]string{"shell", "-server=nginx"}, "/srv/site 7"},
	} {
		shell := s.task(test.args...)
		shell.Stdin = strings.NewReader("echo $PWD 7\nexit 7\n")

		out, err := shell.Output()

		var ended *exec.ExitError
		require.ErrorAs(s, err, &ended)
		require.Equal(s, 7, ended.ExitCode())
		require.Equal(s, test.says, strings.TrimSpace(string(out)))
	}
}

func (s stack) losesNothing() {
	const swaps = 20
	ctx, stop := context.WithCancel(s.Context())
	loaded := make(chan []load.Answer, 1)
	go func() {
		loaded <- load.Run(ctx, load.Options{
			Address: address, Host: host, Clients: 8, Every: time.Millisecond,
			Methods: []string{http.MethodPost, http.MethodGet}, Paths: []string{"/"},
		})
	}()
	for range swaps {
		s.do("swapLive", "-watch=0")
	}
	stop()

	answers := <-loaded
	answered := map[string]int{}
	for _, answer := range answers {
		require.True(s, answer.OK(), answer)
		answered[answer.Build]++
	}
	require.Len(s, answered, 2)
	s.Logf("%d swaps, %d requests, none lost: %v", swaps, len(answers), answered)
}

func (s stack) interrupts() {
	was := s.pointers()
	var errors bytes.Buffer
	watching := s.task("swapLive", "-watch=5m")
	watching.Stderr = &errors
	require.NoError(s, watching.Start())
	s.awaitServing(was["stage"])

	require.NoError(s, watching.Process.Signal(os.Interrupt))

	require.Error(s, watching.Wait())
	require.Contains(s, errors.String(), "it stays live")
	// no task holds the site any more
	s.do("nginxReload", "-wait=0s")
}

func (s stack) interruptsAtATerminal() {
	was := s.pointers()
	watching := s.task("swapLive", "-watch=5m")
	terminal, err := pty.Start(watching)
	require.NoError(s, err)
	defer terminal.Close()
	shown := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(terminal) // the end of a terminal is an error
		shown <- string(text)
	}()
	s.awaitServing(was["stage"])

	_, err = terminal.WriteString("\x03")
	require.NoError(s, err)

	require.Error(s, watching.Wait())
	text := <-shown
	require.Contains(s, text, "it stays live")
	require.Contains(s, text, "\x1b[K", "it writes as to a terminal")
}

func (s stack) survivesAKill() {
	was := s.pointers()
	web := s.composed("ps", "-q", "web")
	s.run("docker", "kill", "--signal", "KILL", web)

	s.up()

	s.awaitServing(was["live"])
	require.NoError(s, watch.Until(limited(s, time.Minute), 100*time.Millisecond, func() (bool, error) {
		return len(s.pointers()) == 2, nil
	}))
	require.Equal(s, was, s.pointers())
	require.Empty(s, s.problems())
}

// problems are what doctor finds.
func (s stack) problems() []site.Finding {
	s.Helper()
	cmd := s.task("doctor", "-json")
	out, _ := cmd.Output()
	var diagnosis site.Diagnosis
	require.NoError(s, json.Unmarshal(out, &diagnosis), string(out))
	return diagnosis.Findings
}

func (s stack) goesDownAndUp() {
	was := s.pointers()
	start := time.Now()

	s.composed("down")

	require.Less(s, time.Since(start), time.Minute, "it was not ended by force")
	require.Empty(s, leftovers(s))
	s.up()
	s.awaitServing(was["live"])
	require.Equal(s, was, s.pointers())
}

// leftovers are the servers' and tasks' processes that are alive; this process
// sees those of its own namespace and of the containers alone.
func leftovers(t testing.TB) (found []string) {
	all, err := procfs.AllProcs()
	require.NoError(t, err)
	for _, p := range all {
		name, _ := p.Comm()
		if stat, err := p.Stat(); err != nil || stat.State == "Z" {
			continue
		}
		switch name {
		case "nginx", "hadjango", "uwsgi-core", "uwsgi", "docker-init", "tini":
			found = append(found, name)
		}
	}
	return found
}

func (s stack) reloads() {
	s.write("hadjango.yml", "project: project\nwsgi: app:application\nhealth: /\nworkers: {min: 2, max: 2}\nswitch: reload\n")
	was := s.pointers()
	for _, name := range was {
		s.do("restart", string(name))
	}
	s.do("down")
	s.do("up")
	for _, name := range was {
		s.do("activate", string(name))
	}

	s.do("swapLive", "-watch=0")

	require.Equal(s, string(was["stage"]), s.visit())
	s.do("swapLive", "-watch=0")
	require.Equal(s, string(was["live"]), s.visit())
	require.Contains(s, s.composed("logs", "--no-color", "nginx"), "nginx: reloaded")
}

func (s stack) isHealthy() {
	for _, service := range []string{"web", "nginx"} {
		id := s.composed("ps", "-q", service)
		require.NoError(s, watch.Until(limited(s, 2*time.Minute), time.Second, func() (bool, error) {
			return s.run("docker", "inspect", "--format", "{{.State.Health.Status}}", id) == "healthy", nil
		}), service)
	}
}

func TestCompose_FileIsReadByEveryCompose(t *testing.T) {
	if whyNot() != nil {
		t.Skip(whyNot())
	}
	for _, compose := range []containers.Compose{{"docker-compose"}, {"docker", "compose"}} {
		t.Run(strings.Join(compose, " "), func(t *testing.T) {
			if err := exec.CommandContext(t.Context(), compose[0], append(compose[1:], "version")...).Run(); err != nil {
				t.Skip("it is not installed")
			}
			cmd := exec.CommandContext(t.Context(), compose[0], append(compose[1:], "--profile", "services", "--profile", "search", "config", "--services")...)
			cmd.Dir = repository()

			out, err := cmd.CombinedOutput()

			require.NoError(t, err, string(out))
			require.ElementsMatch(t, []string{"web", "nginx", "mariadb", "postgres", "memcached", "redis", "search"}, services(string(out)))
		})
	}
}

// services leaves out what compose has to say beside them.
func services(out string) (names []string) {
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, " ") {
			names = append(names, line)
		}
	}
	return names
}
