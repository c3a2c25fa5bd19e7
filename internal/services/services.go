// Package services starts the databases and caches of a test: each a private
// instance of Debian's package in a directory of its own on a free port of
// loopback, there when the function returns and gone with the test. What it
// wrote is in the test's output when the test has failed.
package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/lines"
	"github.com/hadjango/hadjango/internal/servertest"
	"github.com/hadjango/hadjango/internal/watch"
)

// owner may do everything in a database.
const owner, password = "hadjango", "open-sesame"

// need skips the test where one of the programs is not installed.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if command.Look(program) == "" {
			servertest.Missing(t, fmt.Errorf("%s is missing", program))
		}
	}
}

// service is a server of one test, and all that it is made of.
type service struct {
	testing.TB
	dir, host, port string
	user            account.User
}

// prepare makes a directory for a server, which refuses to be root.
func prepare(t testing.TB, programs ...string) service {
	t.Helper()
	need(t, programs...)
	// not t.TempDir, which nobody but its owner may enter
	dir, err := os.MkdirTemp("", "hjs")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	s := service{TB: t, dir: dir, user: ordinaryUser(t)}
	require.NoError(t, s.user.Own(dir))
	s.host, s.port, err = net.SplitHostPort(servertest.FreeAddress(t))
	require.NoError(t, err)
	return s
}

// ordinaryUser is who runs the test, or for root one that every machine has.
func ordinaryUser(t testing.TB) account.User {
	if os.Geteuid() != 0 {
		user, err := account.Current()
		require.NoError(t, err)
		return user
	}
	const nobody = 65534
	user, err := account.LookupID(nobody)
	require.NoError(t, err)
	return user
}

func (s service) path(name string) string { return filepath.Join(s.dir, name) }
func (s service) log() string             { return s.path("log") }
func (s service) address() string         { return net.JoinHostPort(s.host, s.port) }

func (s service) command(args ...string) command.Command {
	return command.Command{
		Args: append([]string{command.Look(args[0])}, args[1:]...), Dir: s.dir, User: s.user, Log: s.log(),
		Env: []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=" + s.dir},
	}
}

// run runs a program to its end.
func (s service) run(args ...string) {
	s.Helper()
	require.NoError(s, s.command(args...).Run(s.Context()))
}

// start starts the server and returns when it answers. It outlives the test's
// own context, because what uses it is ended after that.
func (s service) start(answers func(net.Conn) error, args ...string) {
	s.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- s.command(args...).Run(ctx)
		close(ended)
	}()
	s.Cleanup(func() {
		stop()
		for range ended { // until it is gone
		}
		s.printLog()
	})
	require.NoError(s, s.waitAnswer(ended, answers))
}

// How often, and for how long, a server is tried that is about to answer.
const (
	every = 5 * time.Millisecond
	limit = 2 * time.Minute
)

func (s service) waitAnswer(ended <-chan error, answers func(net.Conn) error) error {
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	defer cancel()
	var last error
	err := watch.Until(ctx, every, func() (bool, error) {
		select {
		case err := <-ended:
			return true, fmt.Errorf("it ended before it answered: %w", err)
		default:
		}
		last = s.ask(answers)
		return last == nil, nil
	})
	return errors.Join(err, last)
}

func (s service) ask(answers func(net.Conn) error) error {
	conn, err := net.Dial("tcp", s.address())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	return answers(conn)
}

// exchange sends something and wants the answer to begin with a text.
func exchange(conn net.Conn, send, want string) error {
	if _, err := conn.Write([]byte(send)); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if string(got) != want {
		return fmt.Errorf("it answered %q, not %q", got, want)
	}
	return nil
}

func (s service) printLog() {
	if !s.Failed() {
		return
	}
	const most = 50
	data, _ := os.ReadFile(s.log())
	s.Logf("%s:\n%s", s.log(), lines.Last(string(data), most))
}
