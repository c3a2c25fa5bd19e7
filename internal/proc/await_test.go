package proc_test

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/proc"
)

func sleeper(t *testing.T) proc.Process {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	require.NoError(t, cmd.Start())
	go func() { _ = cmd.Wait() }()
	p, err := proc.Open(cmd.Process.Pid)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Signal(syscall.SIGKILL) })
	return p
}

func TestAwaitEnd_ReturnsWhenOneEnds(t *testing.T) {
	stays, goes := sleeper(t), sleeper(t)
	ended := make(chan error, 1)
	go func() { ended <- proc.AwaitEnd(t.Context(), []proc.Process{stays, goes}) }()
	select {
	case err := <-ended:
		t.Fatal("nothing has ended: ", err)
	case <-time.After(20 * time.Millisecond):
	}

	require.NoError(t, goes.Signal(syscall.SIGKILL))

	require.NoError(t, <-ended)
	require.NoError(t, proc.AwaitEnd(t.Context(), []proc.Process{stays, goes}), "one that has ended before")
}

func TestAwaitEnd_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stays, ended := sleeper(t), make(chan error, 1)
	go func() { ended <- proc.AwaitEnd(ctx, []proc.Process{stays}) }()
	why := errors.New("enough")

	cancel(why)

	require.ErrorIs(t, <-ended, why)
	require.ErrorIs(t, proc.AwaitEnd(ctx, nil), why)
}
