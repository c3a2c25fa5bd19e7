package stack_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/servertest"
	"github.com/hadjango/hadjango/internal/watch"
	"github.com/hadjango/hadjango/stack"
)

// elsewhere is an nginx that is served as in a container of its own, and the
// stack that only knows its address and what is on the volume.
type elsewhere struct {
	*testing.T
	stack.Stack
	own stack.Stack
}

func newElsewhere(t *testing.T) elsewhere {
	t.Helper()
	t.Parallel()
	programs, err := stack.FindNginx()
	if err != nil {
		servertest.Missing(t, err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	address := servertest.FreeAddress(t)
	nginx := stack.Nginx{
		Config: filepath.Join(dir, "nginx.conf"), PIDFile: filepath.Join(dir, "nginx.pid"), ErrorLog: filepath.Join(dir, "error.log"),
		Listen: []string{address}, Ask: filepath.Join(dir, "ask"), Answer: filepath.Join(dir, "answer"),
	}
	own := stack.Stack{Dir: dir, Programs: programs, Nginx: nginx}
	nginx.Elsewhere, nginx.PIDFile = address, ""
	return elsewhere{t, stack.Stack{Dir: dir, Nginx: nginx}, own}
}

// serve serves until the test ends, and then looks that nothing is left.
func (e elsewhere) serve() {
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- e.own.ServeNginx(ctx, time.Minute, func(server, what string) { e.Log(server, what) })
	}()
	e.Cleanup(func() {
		stop()
		require.NoError(e, <-served)
		require.False(e, e.own.Health().Nginx)
	})
}

func (e elsewhere) configure(says string) {
	e.Helper()
	text := fmt.Sprintf(`
worker_processes 1;
pid %s;
error_log %s;
events {}
http {
    access_log off;
    client_body_temp_path %[3]s/body; proxy_temp_path %[3]s/proxy; fastcgi_temp_path %[3]s/fastcgi;
    uwsgi_temp_path %[3]s/uwsgi; scgi_temp_path %[3]s/scgi;
    server { listen %s; return 200 "%s"; }
}
`, e.own.Nginx.PIDFile, e.own.Nginx.ErrorLog, e.Dir, e.Nginx.Elsewhere, says)
	require.NoError(e, os.WriteFile(e.Nginx.Config, []byte(text), 0o644))
}

func (e elsewhere) waitUp() {
	e.Helper()
	require.NoError(e, watch.Until(e.limited(), time.Millisecond, func() (bool, error) {
		return e.Health().Nginx && e.own.Health().Nginx, nil
	}))
}

func (e elsewhere) limited() context.Context {
	ctx, cancel := context.WithTimeout(e.Context(), time.Minute)
	e.Cleanup(cancel)
	return ctx
}

func (e elsewhere) says() string {
	e.Helper()
	request, err := http.NewRequestWithContext(e.Context(), http.MethodGet, "http://"+e.Nginx.Elsewhere, nil)
	require.NoError(e, err)
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	require.NoError(e, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(e, err)
	return string(body)
}

func TestElsewhere_NginxStartsWhenThereIsAConfiguration(t *testing.T) {
	e := newElsewhere(t)
	e.serve()
	require.False(t, e.Health().Nginx)

	e.configure("one")

	e.waitUp()
	require.Equal(t, "one", e.says())
}

func TestElsewhere_ReloadsWhenItIsAsked(t *testing.T) {
	e := newElsewhere(t)
	e.configure("one")
	e.serve()
	e.waitUp()
	e.configure("seven")

	require.NoError(t, e.ReloadNginx(e.limited()))

	require.Equal(t, "seven", e.says())
}

func TestElsewhere_WhatNginxRefusesComesBack(t *testing.T) {
	e := newElsewhere(t)
	e.configure("one")
	e.serve()
	e.waitUp()
	require.NoError(t, os.WriteFile(e.Nginx.Config, []byte("nonsense;"), 0o644))

	err := e.ReloadNginx(e.limited())

	require.ErrorContains(t, err, `unknown directive "nonsense"`)
	require.Equal(t, "one", e.says(), "it goes on with what it had")
}

func TestElsewhere_NginxComesBackWhenItDies(t *testing.T) {
	e := newElsewhere(t)
	e.configure("one")
	e.serve()
	e.waitUp()
	master := e.own.Masters().Nginx[0]

	killed, err := os.FindProcess(master.PID)
	require.NoError(t, err)
	require.NoError(t, killed.Kill())

	require.NoError(t, watch.Until(e.limited(), time.Millisecond, func() (bool, error) {
		now := e.own.Masters().Nginx
		return len(now) > 0 && now[0] != master, nil
	}))
	e.waitUp()
}

func TestElsewhere_AReloadOfWhatIsNotUpSaysWhatToStart(t *testing.T) {
	e := newElsewhere(t)

	err := e.ReloadNginx(e.limited())

	require.EqualError(t, err, "nginx does not answer as "+e.Nginx.Elsewhere+": start its container")
}
