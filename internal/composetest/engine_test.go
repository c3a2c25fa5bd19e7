package composetest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/lines"
	"github.com/hadjango/hadjango/internal/watch"
)

// engine is a dockerd of the test's own.
type engine struct {
	testing.TB
	dir    string
	socket string
}

// newEngine starts it, with the images that docker-compose.yml builds upon.
func newEngine(t testing.TB) engine {
	t.Helper()
	// asked for here too, so that go test keeps no result of a run that was not asked for
	if os.Getenv(asked) == "" {
		t.Skip("containers are tested when " + asked + " is set, as by go tool mage check -compose")
	}
	dir := os.Getenv(workshop)
	e := engine{t, dir, filepath.Join(dir, "docker.sock")}
	require.NoError(t, os.WriteFile(e.path("daemon.json"), []byte("{}"), 0o644))
	daemon := exec.Command("dockerd", "--config-file", e.path("daemon.json"), "--host", "unix://"+e.socket,
		"--data-root", e.path("data"), "--exec-root", e.path("exec"), "--pidfile", e.path("docker.pid"), "--log-level", "warn")
	log, err := os.Create(e.path("dockerd.log"))
	require.NoError(t, err)
	daemon.Stdout, daemon.Stderr = log, log
	require.NoError(t, daemon.Start())
	t.Cleanup(func() {
		require.NoError(t, daemon.Process.Signal(syscall.SIGTERM))
		_ = daemon.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(e.path("dockerd.log"))
			t.Logf("dockerd:\n%s", lines.Last(string(text), 30))
		}
	})
	require.NoError(t, watch.Until(limited(t, time.Minute), 50*time.Millisecond, func() (bool, error) {
		_, err := e.try("docker", "version")
		return err == nil, nil
	}))
	e.run("docker", "import", e.path("debian.tar"), baseImage)
	e.run("docker", "import", "--change", "ENV PATH=/usr/local/go/bin", "--change", "ENV GOPATH=/go", "--change", "ENV HOME=/tmp",
		"--change", "ENV GOCACHE=/go/cache",
		"--change", "ENV GOPROXY=off", "--change", "ENV GOSUMDB=off", e.path("go.tar"), goImage)
	return e
}

// The names that the Dockerfile gives to what it builds upon.
const (
	baseImage = "debian:bookworm-slim"
	goImage   = "golang:1.26-bookworm"
)

func (e engine) path(name string) string { return filepath.Join(e.dir, name) }

// env is the environment of everything that talks to the engine.
func (e engine) env() []string { return append(os.Environ(), "DOCKER_HOST=unix://"+e.socket) }

func (e engine) try(args ...string) (string, error) {
	return e.output(command.Command{Args: args, Dir: "/", Env: e.env()})
}

// output is what a command prints. A test's context has ended when it cleans up.
func (e engine) output(c command.Command) (string, error) {
	out, err := c.Output(context.WithoutCancel(e.Context()))
	return strings.TrimSpace(string(out)), err
}

func (e engine) run(args ...string) string {
	e.Helper()
	out, err := e.try(args...)
	require.NoError(e, err)
	return out
}

func limited(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
