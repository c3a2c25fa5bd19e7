package proc

import (
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The kernel gives a pid again only after all others, so the test changes the
// other half of what a process is known by.
func TestProcess_IsNotAnotherThatHasItsPID(t *testing.T) {
	child := exec.Command("sleep", "1000")
	require.NoError(t, child.Start())
	defer func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}()
	young, err := Open(child.Process.Pid)
	require.NoError(t, err)
	old := Process{young.PID, young.started - 1}

	require.False(t, old.Alive())
	require.Empty(t, Living([]Process{old}))
	require.NoError(t, old.Signal(syscall.SIGKILL))
	require.NoError(t, Wait(t.Context(), []Process{old}))
	require.True(t, young.Alive(), "the other got no signal")
	require.True(t, old.Before(young))
	require.False(t, young.Before(old))
}
