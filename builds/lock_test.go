package builds_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/builds"
)

func TestLock_SaysWhoHoldsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := builds.Lock(t.Context(), path, builds.Holder{Task: "swapLive", User: "ann", Host: "web1", PID: 7, Since: time.Now()})
	require.NoError(t, err)

	_, err = builds.Lock(ended(), path, builds.Holder{})

	var locked *builds.LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, "swapLive", locked.Holder.Task)
	require.ErrorContains(t, err, "swapLive runs (process 7 of ann on web1, for 0s)")
	unlock()
	again, err := builds.Lock(ended(), path, builds.Holder{})
	require.NoError(t, err)
	again()
}

func TestLock_WaitsForItsTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := builds.Lock(t.Context(), path, builds.Holder{})
	require.NoError(t, err)
	got := make(chan error)
	go func() {
		second, err := builds.Lock(t.Context(), path, builds.Holder{})
		if err == nil {
			second()
		}
		got <- err
	}()

	unlock()

	require.NoError(t, <-got)
}

// The test runs itself as the holder and ends it the hard way.
func TestLock_DiesWithItsHolder(t *testing.T) {
	path := os.Getenv("HADJANGO_TEST_LOCK")
	if path != "" {
		_, err := builds.Lock(t.Context(), path, builds.Holder{Task: "child", PID: os.Getpid()})
		require.NoError(t, err)
		_, _ = os.Stdout.WriteString("locked")
		select {}
	}
	path = filepath.Join(t.TempDir(), "lock")
	child := exec.Command(os.Args[0], "-test.run=^TestLock_DiesWithItsHolder$")
	child.Env = append(os.Environ(), "HADJANGO_TEST_LOCK="+path)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	_, err = out.Read(make([]byte, 6))
	require.NoError(t, err)
	_, err = builds.Lock(ended(), path, builds.Holder{})
	require.ErrorContains(t, err, "child runs")

	require.NoError(t, child.Process.Kill())
	_ = child.Wait()

	unlock, err := builds.Lock(ended(), path, builds.Holder{})
	require.NoError(t, err)
	unlock()
}

func TestLock_NamesTheHolderThatItWaitedForInVain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := builds.Lock(t.Context(), path, builds.Holder{Task: "rm q", PID: 7})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()

	_, err = builds.Lock(ctx, path, builds.Holder{Task: "up"})

	require.ErrorContains(t, err, "rm q runs")
	unlock()
	again, err := builds.Lock(t.Context(), path, builds.Holder{})
	require.NoError(t, err, "who has given up waiting does not keep it")
	again()
}

func TestLock_GivenBackNamesNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := builds.Lock(t.Context(), path, builds.Holder{Task: "rm q", PID: 7})
	require.NoError(t, err)
	unlock()
	data, err := os.ReadFile(builds.LockRecord(path))
	require.NoError(t, err)
	require.Empty(t, data)
}

// A command that a task runs must not wait for that task: here the test holds
// the lock and the test that it runs as its child asks for it.
func TestLock_IsNeverWaitedForByWhatItsHolderStarted(t *testing.T) {
	path := os.Getenv("HADJANGO_TEST_WITHIN")
	if path != "" {
		_, err := builds.Lock(t.Context(), path, builds.Holder{})
		var locked *builds.LockedError
		require.ErrorAs(t, err, &locked)
		require.True(t, locked.Within)
		require.ErrorContains(t, err, "createBuild c runs (process")
		require.ErrorContains(t, err, "call this after it and not from within")
		return
	}
	path = filepath.Join(t.TempDir(), "lock")
	host, err := os.Hostname()
	require.NoError(t, err)
	unlock, err := builds.Lock(t.Context(), path, builds.Holder{Task: "createBuild c", PID: os.Getpid(), Host: host})
	require.NoError(t, err)
	defer unlock()
	child := exec.Command(os.Args[0], "-test.run=^TestLock_IsNeverWaitedForByWhatItsHolderStarted$", "-test.timeout=1m")
	child.Env = append(os.Environ(), "HADJANGO_TEST_WITHIN="+path)

	out, err := child.CombinedOutput()

	require.NoError(t, err, string(out))
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// A child inherits the file for the moment between fork and exec; the lock must
// not live on in it.
func TestLock_IsGivenBackAtOnceWhileOthersFork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	ctx, stop := context.WithCancel(t.Context())
	var forking sync.WaitGroup
	forking.Go(func() {
		for ctx.Err() == nil {
			_ = exec.Command("true").Run()
		}
	})
	defer forking.Wait()
	defer stop()

	for range 2000 {
		unlock, err := builds.Lock(ended(), path, builds.Holder{})
		require.NoError(t, err)
		unlock()
	}
}

// A lock can be locked by whoever may read it: an application would keep every task
// waiting, for ever.
func TestLock_IsOpenToNobodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	// as earlier versions left it
	require.NoError(t, os.WriteFile(path, nil, 0o644))

	unlock, err := builds.Lock(t.Context(), path, builds.Holder{Task: "rm q", PID: 7})

	require.NoError(t, err)
	defer unlock()
	for name, want := range map[string]os.FileMode{path: 0o600, builds.LockRecord(path): 0o644} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode(), name)
	}
}

// hold locks a file as no task does, until the test ends.
func hold(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o644)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	require.NoError(t, unix.Flock(int(f.Fd()), unix.LOCK_SH))
}

func TestLock_NamesTheProcessThatIsNoTask(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	host, err := os.Hostname()
	require.NoError(t, err)
	// what a task that was killed has left is not taken for who holds the lock now
	require.NoError(t, os.WriteFile(builds.LockRecord(path), fmt.Appendf(nil, `{"task": "rm q", "host": %q, "pid": 1}`, host), 0o644))
	hold(t, path)

	_, err = builds.Lock(ended(), path, builds.Holder{Task: "up"})

	require.ErrorContains(t, err, fmt.Sprintf("process %d (", os.Getpid()))
	require.ErrorContains(t, err, "which has not said which task it is, holds "+path)
	holder, held := builds.Held(path)
	require.True(t, held)
	require.Equal(t, builds.Holder{PID: os.Getpid()}, holder)
}
