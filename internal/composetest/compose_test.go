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
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/containers"
	"github.com/hadjango/hadjango/internal/load"
	"github.com/hadjango/hadjango/site"
)

func TestCompose(t *testing.T) {
	e := newEngine(t)
	for _, test := range []struct {
		compose containers.Compose
		// config is the configuration of docker by which it is the one that is found
		config string
	}{
		{containers.Compose{"docker-compose"}, "without-plugin"},
		{containers.Compose{"docker", "compose"}, pluginConfig},
	} {
		t.Run(strings.Join(test.compose, " "), func(t *testing.T) {
			t.Setenv("DOCKER_CONFIG", e.path(test.config))
			found, err := containers.FindCompose(t.Context())
			require.NoError(t, err)
			if !slices.Equal(found, test.compose) {
				t.Skipf("%s is not to be had here, or not alone", test.compose)
			}
			testStack(t, newStack(engine{t, e.dir, e.socket}, found))
		})
	}
}

func testStack(t *testing.T, s stack) {
	for _, test := range []struct {
		name string
		run  func(stack)
	}{
		{"the whole file is read", stack.isRead},
		{"init brings live and stage up", stack.initialises},
		{"ip is the address to open", stack.saysItsAddress},
		{"a task ends as it ends there", stack.endsAlike},
		{"a shell in either container", stack.opensShells},
		{"an ordinary user runs it all, without a capability", stack.isConfined},
		{"nginx sees nothing of the project, and images no secret", stack.keepsSecrets},
		{"the dashboard is for who is allowed to", stack.showsItsDashboard},
		{"no request is lost in twenty swaps", stack.losesNothing},
		{"what interrupts a task here interrupts it there", stack.interrupts},
		{"a terminal carries Ctrl-C", stack.interruptsAtATerminal},
		{"a web that was killed comes back as it was", stack.survivesAKill},
		{"nothing is left by down, and up brings all back", stack.goesDownAndUp},
		{"a new image brings all back", stack.isUpgraded},
		{"health is that of the site", stack.tellsItsHealth},
		{"databases without a password say so, once", stack.wantsAPassword},
		{"nginx is told to reload where it cannot see sockets", stack.reloads},
	} {
		if !t.Run(test.name, func(t *testing.T) { test.run(s.on(t)) }) {
			return
		}
	}
}

func (s stack) isRead() {
	out := s.composed("--profile", "services", "--profile", "search", "config", "--services")

	require.ElementsMatch(s, []string{"web", "nginx", "mariadb", "postgres", "memcached", "redis", "search"}, strings.Fields(out))
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
	s.run("docker", "kill", "--signal", "KILL", s.container("web"))

	s.up()

	s.awaitPointers(was)
	require.Empty(s, s.problems())
}

func (s stack) goesDownAndUp() {
	was := s.pointers()
	start := time.Now()

	s.composed("down")

	require.Less(s, time.Since(start), patience, "it was not ended by force")
	require.Empty(s, leftovers(s))
	s.up()
	s.awaitPointers(was)
}

func (s stack) isUpgraded() {
	was, before := s.pointers(), s.containers()
	s.number(2)

	s.composed("build")
	s.up()

	after := s.containers()
	for i, id := range after {
		require.Equal(s, "2", s.inspect(id, "{{.Config.Labels.number}}"))
		require.NotEqual(s, before[i], id)
	}
	s.awaitPointers(was)
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

func (s stack) isConfined() {
	for _, service := range []string{"web", "nginx"} {
		id := s.container(service)
		require.Equal(s, "hadjango", s.inspect(id, "{{.Config.User}}"))
		require.Equal(s, "hadjango", s.inspect(id, `{{index .Config.Labels "org.opencontainers.image.title"}}`))
		// some of them may end meanwhile
		states := s.in(service, "sh", "-c", "cat /proc/[0-9]*/status 2>/dev/null; true")
		for line := range strings.Lines(states) {
			switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t"); name {
			case "Uid":
				require.Equal(s, "1000\t1000\t1000\t1000", value, states)
			case "CapEff", "CapPrm":
				require.Equal(s, "0000000000000000", value, states)
			}
		}
		require.Contains(s, states, "CapEff")
	}
}

func (s stack) keepsSecrets() {
	require.Equal(s, "hadjango.yml", s.in("nginx", "ls", "-A", "/srv/site"))
	for _, id := range s.containers() {
		image := s.inspect(id, "{{.Image}}")
		require.NotContains(s, s.run("docker", "history", "--no-trunc", image), secret)
		require.NotContains(s, s.inspect(image, "{{json .}}"), secret)
	}
	// what the build sees, the parts of which are kept by the engine
	s.write("../context", "FROM "+baseImage+"\nCOPY . /context\n")
	s.run("docker", "build", "--network", "none", "--tag", "context", "--file", filepath.Join(s.site, "../context"), s.site)
	require.Equal(s, "/context/site/site.go", s.run("docker", "run", "--rm", "context",
		"find", "/context", "-name", ".env*", "-o", "-name", "docker-compose*", "-o", "-name", "addons-server", "-o", "-name", "site.go"))
}

func (s stack) showsItsDashboard() {
	status, _ := s.page("/uwsgi/status.json")
	require.Equal(s, http.StatusForbidden, status)

	s.write("hadjango.yml", configuration+"dashboard: {allow: [172.16.0.0/12, 192.168.0.0/16]}\n")
	s.do("up")

	status, body := s.page("/uwsgi/status.json")
	require.Equal(s, http.StatusOK, status, body)
	var shown site.Status
	require.NoError(s, json.Unmarshal([]byte(body), &shown))
	require.Len(s, shown.Builds, 2)
}

func (s stack) tellsItsHealth() {
	was := s.pointers()
	s.awaitHealth("healthy")

	s.do("down")
	s.in("nginx", "sh", "-c", "rm /srv/deploy/etc/nginx.conf && kill $(cat /srv/deploy/nginx.pid)")

	s.awaitHealth("unhealthy")
	s.do("up")
	s.awaitHealth("healthy")
	s.awaitPointers(was)
}

func (s stack) awaitHealth(health string) {
	s.Helper()
	for _, id := range s.containers() {
		s.await(func() bool { return s.inspect(id, "{{.State.Health.Status}}") == health }, "%s is %s", id, health)
	}
}

// An image with the entry point that those of databases have stands for them.
func (s stack) wantsAPassword() {
	s.write("../database/Dockerfile", "FROM "+baseImage+`
RUN printf '#!/bin/sh\necho "starts $*"\nexec sleep infinity\n' >/usr/local/bin/docker-entrypoint.sh \
 && chmod 755 /usr/local/bin/docker-entrypoint.sh
`)
	s.run("docker", "build", "--network", "none", "--tag", "database", filepath.Join(s.site, "../database"))
	for service, command := range map[string]string{"mariadb": "mariadbd --character", "postgres": "postgres"} {
		profile := []string{"--profile", service}
		for password, says := range map[string]string{"": "DATABASE_PASSWORD is empty", secret: "starts " + command} {
			env := []string{"MARIADB_IMAGE=database", "POSTGRES_IMAGE=database", "DATABASE_PASSWORD=" + password}
			_, err := s.tryComposeWith(env, append(profile, "up", "-d", service)...)
			require.NoError(s, err)
			id, err := s.tryComposeWith(env, append(profile, "ps", "-q", service)...)
			require.NoError(s, err)
			s.await(func() bool {
				logs, err := s.tryComposeWith(env, append(profile, "logs", "--no-color", service)...)
				return err == nil && strings.Contains(logs, says)
			}, "%s says %s", service, says)
			require.Equal(s, "true 0", s.inspect(id, "{{.State.Running}} {{.RestartCount}}"))
		}
		s.composed(append(profile, "rm", "--stop", "--force", service)...)
	}
}

// The directory for sockets is web's own here, so nginx has nothing but the network.
func (s stack) reloads() {
	s.composed("down", "--volumes")
	s.write("hadjango.yml", configuration+"run: /tmp/hadjango\nswitch: reload\ndashboard: {allow: [172.16.0.0/12, 192.168.0.0/16]}\n")
	s.up()
	s.do("init")
	require.Equal(s, "a", s.visit())
	s.in("nginx", "test", "!", "-e", "/tmp/hadjango")
	require.Contains(s, s.nginxLoads(), "server web:2001")
	require.NotContains(s, s.nginxLoads(), "app.sock")

	for _, live := range []string{"b", "a"} {
		reloads := s.reloadsSoFar()
		s.do("swapLive", "-watch=0")

		require.Equal(s, live, s.visit())
		s.await(func() bool { return s.reloadsSoFar() > reloads }, "the reload is logged")
		require.Equal(s, reloads+1, s.reloadsSoFar())
	}
	status, _ := s.page("/uwsgi/")
	require.Equal(s, http.StatusServiceUnavailable, status)
	was := s.pointers()
	s.composed("down")
	s.up()
	s.awaitPointers(was)
}

// nginxLoads is all that nginx reads when it loads its configuration.
func (s stack) nginxLoads() string {
	s.Helper()
	return s.in("nginx", "/usr/sbin/nginx", "-T", "-q", "-e", "stderr", "-c", "/srv/deploy/etc/nginx.conf")
}

func (s stack) reloadsSoFar() int {
	s.Helper()
	return strings.Count(s.composed("logs", "--no-color", "nginx"), "nginx: reloaded")
}
