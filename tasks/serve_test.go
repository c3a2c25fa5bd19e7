package tasks_test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/internal/servertest"
	"github.com/hadjango/hadjango/internal/watch"
)

// serving is the task serve under way.
type serving struct {
	*exec.Cmd
	errors bytes.Buffer
}

func (p project) serve(env ...string) *serving {
	p.t.Helper()
	s := &serving{Cmd: p.command("serve")}
	s.Env, s.Stderr = append(os.Environ(), env...), &s.errors
	require.NoError(p.t, s.Start())
	require.NoError(p.t, watch.Until(p.t.Context(), 10*time.Millisecond, func() (bool, error) {
		_, _, status := p.run("serve", "-check")
		return status == 0, nil
	}))
	return s
}

// end ends it as an engine ends a container.
func (p project) end(s *serving) {
	p.t.Helper()
	require.NoError(p.t, s.Process.Signal(syscall.SIGTERM))
	require.NoError(p.t, s.Wait(), s.errors.String())
	left, err := proc.Under(filepath.Join(p.dir, "deploy"), "nginx", "uwsgi", "uwsgi-core")
	require.NoError(p.t, err)
	require.Empty(p.t, left)
}

func TestServe_IsUpAndThenDown(t *testing.T) {
	servertest.Need(t)
	p := newProject(t)
	_, errors, status := p.run("serve", "-check")
	require.Equal(t, 1, status)
	require.Contains(t, errors, "the servers do not run")

	s := p.serve()
	p.ok("init", "-wait=1m")
	p.ok("serve", "-check")
	p.ok("serve", "-server=nginx", "-check")
	p.end(s)

	again := p.serve()
	require.Contains(t, p.ok("status"), "live     active")
	p.end(again)
}

func TestServe_EndsATaskThatIsUnderWay(t *testing.T) {
	servertest.Need(t)
	p := newProject(t)
	s := p.serve()
	p.ok("init", "-wait=1m")
	var errors bytes.Buffer
	watching := p.command("swapLive", "-watch=5m")
	watching.Stderr = &errors
	require.NoError(t, watching.Start())
	require.NoError(t, watch.Until(t.Context(), 10*time.Millisecond, func() (bool, error) {
		return strings.Contains(p.ok("status"), "b      live"), nil
	}))

	p.end(s)

	require.Error(t, watching.Wait())
	require.Contains(t, errors.String(), "it stays live")
	require.Contains(t, s.errors.String(), "swapLive runs")
}

func TestServe_RefusesAServerThatIsNone(t *testing.T) {
	p := newProject(t)

	_, errors, status := p.run("serve", "-server=apache")

	require.Equal(t, 1, status)
	require.Equal(t, "Error: -server=apache: it must be web or nginx\n", errors)
}

// In containers the project is mounted for reading, and what running makes lies
// elsewhere.
func TestDeploy_MayLieOutsideOfTheSite(t *testing.T) {
	servertest.Need(t)
	p := newProject(t)
	parent, err := os.MkdirTemp("", "hj")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(parent, 0o755))
	deploy := filepath.Join(parent, "deploy")
	require.NoError(t, os.Mkdir(deploy, 0o750))
	if user, err := account.Lookup("www-data"); os.Geteuid() == 0 && err == nil {
		require.NoError(t, os.Chown(deploy, 0, int(user.GID)))
	}
	p.write("project/app.py", `
import os

def application(environ, start_response):
    start_response("200 OK", [("X-Greeting", os.environ["GREETING"])])
    return [b"hello\n"]
`)
	env := append(os.Environ(), "HADJANGO_DEPLOY="+deploy, "HADJANGO_ENV_GREETING=good day", "HADJANGO_ENV_NOTHING=", "HADJANGO_PUBLISH=192.0.2.1:99")
	do := func(args ...string) string {
		cmd := p.command(args...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	t.Cleanup(func() {
		do("down")
		require.NoError(t, os.RemoveAll(parent))
	})

	do("init")

	require.NoDirExists(t, filepath.Join(p.dir, "deploy"))
	require.DirExists(t, filepath.Join(deploy, "builds", "a"))
	require.Equal(t, "good day", p.greeting())
	require.Contains(t, do("status"), "http://live.localhost:99/", "where it is published")
	require.Contains(t, do("doctor"), "all is well")
}

func (p project) greeting() string {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://"+strings.TrimSpace(p.ok("ip")), nil)
	require.NoError(p.t, err)
	request.Host = "live.localhost"
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	require.NoError(p.t, err)
	defer response.Body.Close()
	return response.Header.Get("X-Greeting")
}

func TestHost_MustBeOneThatThereIs(t *testing.T) {
	p := newProject(t)
	for _, args := range [][]string{{"status"}, {"ip"}, {"shell", "-server=nginx"}} {
		cmd := p.command(args...)
		cmd.Env = append(os.Environ(), "HADJANGO_HOST=vagrant")

		out, err := cmd.CombinedOutput()

		require.Error(t, err)
		require.Equal(t, "Error: HADJANGO_HOST is \"vagrant\": it must be compose, for the containers, or unset, for this machine\n", string(out))
	}
}

func TestShell_OfAnotherServerNeedsContainers(t *testing.T) {
	p := newProject(t)

	_, errors, status := p.run("shell", "-server=nginx")

	require.Equal(t, 1, status)
	require.Equal(t, "Error: -server=nginx: there are several only with HADJANGO_HOST=compose\n", errors)
}
