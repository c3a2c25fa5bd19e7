package uwsgi_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/uwsgi"
)

// testdata/zerg.json was recorded from uWSGI 2.0.21: of four workers one has
// answered, one works on its first request, and two were never started.
func TestReadInstance_TellsTheWorkersApart(t *testing.T) {
	recorded, err := os.ReadFile("testdata/zerg.json")
	require.NoError(t, err)
	socket := answerWith(t, recorded)

	instance, err := uwsgi.ReadInstance(t.Context(), socket)

	require.NoError(t, err)
	require.Equal(t, 9637, instance.PID)
	require.Equal(t, []int{1, 2}, ids(instance.Active()))
	require.Equal(t, []int{1, 2}, ids(instance.Ready()))
	require.Equal(t, []int{2}, ids(instance.Busy()))
	require.Equal(t, []int{1}, ids(instance.Reached()))
}

func TestReadInstance_OfASocketThatHangsEndsWithItsContext(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer listener.Close()
	tired := errors.New("tired of waiting")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, tired)
	defer cancel()

	_, err = uwsgi.ReadInstance(ctx, socket)

	require.ErrorIs(t, err, tired)
}

func TestReadInstance_OfNobodyNamesTheSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")

	_, err := uwsgi.ReadInstance(t.Context(), socket)

	require.ErrorContains(t, err, "read stats "+socket)
}

func TestStart_SaysThatTheEmperorIsAway(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errors.New("no emperor"))
	defer cancel()
	dir := t.TempDir()
	emperor := uwsgi.Emperor{Stats: filepath.Join(dir, "stats")}

	err := emperor.StartVassal(ctx, uwsgi.Unit{Link: filepath.Join(dir, "vassal.ini"), Config: "x"})

	require.ErrorContains(t, err, "no emperor")
	require.NoFileExists(t, filepath.Join(dir, "vassal.ini"), "nothing was changed")
}

func ids(workers []uwsgi.Worker) []int {
	var ids []int
	for _, w := range workers {
		ids = append(ids, w.ID)
	}
	return ids
}

// answerWith lets a socket say what was recorded, as a stats socket does.
func answerWith(t *testing.T, recorded []byte) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, _ = conn.Write(recorded)
			_ = conn.Close()
		}
	}()
	return socket
}
