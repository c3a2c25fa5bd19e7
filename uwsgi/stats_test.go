package uwsgi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

func TestReadInstance_KeepsOfARequestNothingButWhatItAsksFor(t *testing.T) {
	recorded, err := os.ReadFile("testdata/zerg.json")
	require.NoError(t, err)

	instance, err := uwsgi.ReadInstance(t.Context(), answerWith(t, recorded))

	require.NoError(t, err)
	core, working := instance.Busy()[0].Working()
	require.True(t, working)
	require.Equal(t, uwsgi.Request{Method: "GET", URI: "/slow"}, core.Request)
	require.Equal(t, int64(1795424626), core.Info.Start)
	require.NotContains(t, fmt.Sprintf("%+v", instance), "curl", "nor its headers")
}

// uWSGI writes the control characters of a visitor's header as they are.
func TestReadInstance_IsNotBlindedByAVisitorsHeaders(t *testing.T) {
	recorded, err := os.ReadFile("testdata/zerg.json")
	require.NoError(t, err)
	hostile := bytes.Replace(recorded, []byte("curl/7.88.1"), []byte("\x01\x1b\x0b\x0c\xff\\\"\\\\"), 1)
	require.NotEqual(t, recorded, hostile)

	instance, err := uwsgi.ReadInstance(t.Context(), answerWith(t, hostile))

	require.NoError(t, err)
	require.Len(t, instance.Workers, 4)
}

func TestInstance_KnowsTheQueuesOfTCPSocketsOnly(t *testing.T) {
	var instance uwsgi.Instance
	require.NoError(t, json.Unmarshal([]byte(`{"sockets": [
		{"name": "/srv/a.app.sock", "queue": 0, "max_queue": 0},
		{"name": "127.0.0.1:2001", "queue": 7, "max_queue": 1024}
	]}`), &instance))

	require.Equal(t, uwsgi.Queue{Length: 7, Limit: 1024}, instance.TCPQueue())
	require.Zero(t, uwsgi.Instance{}.TCPQueue())
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

// What never ends is not read until the memory does.
func TestReadInstance_ReadsNoMoreThanAnyInstanceSays(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		endless := bytes.Repeat([]byte(" "), 1<<20)
		for _, err = conn.Write([]byte(`{"pid": 1,`)); err == nil; {
			_, err = conn.Write(endless)
		}
	}()

	_, err = uwsgi.ReadInstance(t.Context(), socket)

	require.ErrorContains(t, err, "it says more than 64 MB")
}
