package proc_test

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/proc"
)

func TestListening_NamesWhoHasAPort(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		listener, err := net.Listen("tcp", address)
		require.NoError(t, err)
		port := listener.Addr().(*net.TCPAddr).Port

		holder, taken := proc.Listening(port)
		require.True(t, taken)
		require.Equal(t, os.Getpid(), holder.PID)

		require.NoError(t, listener.Close())
		_, taken = proc.Listening(port)
		require.False(t, taken)
	}
}

func TestOutOfMemory_IsCounted(t *testing.T) {
	text, err := os.ReadFile("/proc/vmstat")
	require.NoError(t, err)

	require.Contains(t, string(text), fmt.Sprintf("\noom_kill %d\n", proc.OutOfMemory()))
}

func TestMaxOpenFiles_IsTheLimitInForce(t *testing.T) {
	me, err := proc.Open(os.Getpid())
	require.NoError(t, err)

	limit, err := me.MaxOpenFiles()

	require.NoError(t, err)
	require.Positive(t, limit)
}
