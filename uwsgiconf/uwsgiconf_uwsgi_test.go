package uwsgiconf_test

import (
	"context"
	"io"
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
	"github.com/hadjango/hadjango/python"
	"github.com/hadjango/hadjango/uwsgi"
)

const app = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode()]
`

// The golden files are moved to a directory that exists, and given to uWSGI.
func TestRender_IsAcceptedByUWSGI(t *testing.T) {
	program, err := exec.LookPath("uwsgi-core")
	if err != nil && os.Getenv("HADJANGO_TEST_ALL") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Run("emperor", func(t *testing.T) {
		shop := newShop(t, program)

		shop.start("emperor.ini")

		shop.waitStats("zergs.stats")
		require.FileExists(t, filepath.Join(shop.dir, "deploy/run/zergs.pid"))
	})
	t.Run("vassal", func(t *testing.T) {
		shop := newShop(t, program)

		shop.start("vassal.ini")

		shop.waitStats("a.vassal.stats")
	})
	for _, zerg := range []string{"zerg", "preload", "cheaper"} {
		t.Run(zerg, func(t *testing.T) {
			shop := newShop(t, program)
			shop.start("ports.ini")
			shop.waitStats("a.vassal.stats")

			shop.start(zerg + ".ini")

			build, body := shop.ask("/hello")
			require.Equal(t, "/hello", body)
			require.Equal(t, "a", build)
			shop.waitStats("a.zerg.stats")
		})
	}
}

// shop is a directory in place of /srv/shop, and free ports in place of build a's.
type shop struct {
	t                  *testing.T
	dir, program, http string
	moved              *strings.Replacer
}

func newShop(t *testing.T, program string) shop {
	t.Helper()
	t.Parallel()
	// short, because paths of unix sockets are
	dir, err := os.MkdirTemp("", "uc")
	require.NoError(t, err)
	t.Cleanup(func() {
		left, err := proc.Under(dir, filepath.Base(program))
		require.NoError(t, err)
		require.Empty(t, left, "no process is left")
		require.NoError(t, os.RemoveAll(dir))
	})
	build := filepath.Join(dir, "deploy/builds/a")
	for _, sub := range []string{filepath.Join(dir, "deploy/run"), filepath.Join(dir, "deploy/logs"), filepath.Join(build, "hadjango/uwsgi")} {
		require.NoError(t, os.MkdirAll(sub, 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(build, "hadjango/uwsgi/wsgi.py"), []byte(app), 0o644))
	makeVenv(t, build)
	http, tcp := servertest.FreeAddress(t), servertest.FreeAddress(t)
	return shop{t, dir, program, http, strings.NewReplacer("/srv/shop", dir, "127.0.0.1:2000", http, "127.0.0.1:2001", tcp)}
}

func makeVenv(t *testing.T, dir string) {
	t.Helper()
	interpreter, err := python.Linked("/usr/lib/uwsgi/plugins/python3_plugin.so")
	require.NoError(t, err)
	me, err := account.Current()
	require.NoError(t, err)
	require.NoError(t, python.Python{Path: interpreter, User: me}.Venv(t.Context(), dir))
}

// start runs uWSGI with a golden file until the test ends.
func (s shop) start(name string) {
	s.t.Helper()
	ini, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(s.t, err)
	path := filepath.Join(s.dir, "deploy", name)
	require.NoError(s.t, os.WriteFile(path, []byte(s.moved.Replace(string(ini))), 0o644))
	log, err := os.Create(filepath.Join(s.dir, "deploy/logs", name+".log"))
	require.NoError(s.t, err)
	defer log.Close()
	cmd := exec.Command(s.program, "--ini", path)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	require.NoError(s.t, cmd.Start())
	s.t.Cleanup(func() { s.end(cmd) })
}

// end kills a uWSGI, its master first, which would start others anew: there is
// nothing for them to finish, and one that is just starting may not listen.
func (s shop) end(cmd *exec.Cmd) {
	if s.t.Failed() {
		s.printLogs()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	family := proc.Family(cmd.Process.Pid)
	for _, p := range family {
		require.NoError(s.t, p.Signal(syscall.SIGKILL))
	}
	_ = cmd.Wait()
	require.NoError(s.t, proc.Wait(ctx, family))
}

func (s shop) printLogs() {
	logs, _ := filepath.Glob(filepath.Join(s.dir, "deploy/logs/*"))
	for _, log := range logs {
		data, _ := os.ReadFile(log)
		s.t.Logf("%s:\n%s", log, data)
	}
}

func (s shop) waitStats(name string) {
	s.t.Helper()
	socket := filepath.Join(s.dir, "deploy/run", name)
	require.Eventually(s.t, func() bool {
		instance, err := uwsgi.ReadInstance(s.t.Context(), socket)
		return err == nil && instance.PID > 0
	}, time.Minute, 5*time.Millisecond, name)
}

// ask sends a request to the vassal, where it waits until a zerg takes it.
func (s shop) ask(path string) (build, body string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.http+path, nil)
	require.NoError(s.t, err)
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	require.NoError(s.t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	return response.Header.Get("X-Hadjango-Build"), string(data)
}
