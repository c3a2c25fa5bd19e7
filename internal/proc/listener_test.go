package proc_test

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
)

func listen(t *testing.T, socket string) {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
}

func TestDial_TellsWhoListens(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	_, _, err := proc.Dial(t.Context(), socket)
	require.ErrorIs(t, err, os.ErrNotExist)
	listen(t, socket)

	conn, peer, err := proc.Dial(t.Context(), socket)

	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Equal(t, os.Getpid(), int(peer.Pid))
	p, ok := proc.Listener(socket)
	require.True(t, ok)
	require.Equal(t, os.Getpid(), p.PID)
}

func TestDial_NamesADeadSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	require.NoError(t, err)
	listener.SetUnlinkOnClose(false)
	require.NoError(t, listener.Close())

	_, _, err = proc.Dial(t.Context(), socket)

	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.ErrorContains(t, err, socket)
}

// Who owns the directory may have put a link there to what only we may connect
// to, or, where it is theirs, a socket that somebody else listens at.
func TestDial_IsNotLedToAnother(t *testing.T) {
	anothers, dir := filepath.Join(t.TempDir(), "s"), t.TempDir()
	listen(t, anothers)
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(anothers, link))

	_, _, err := proc.Dial(t.Context(), link)

	require.ErrorIs(t, err, files.ErrNotOwn)
	_, ok := proc.Listener(link)
	require.False(t, ok)

	t.Run("by a socket of its own", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("only root listens for others")
		}
		given := filepath.Join(dir, "given")
		listen(t, given)
		require.NoError(t, os.Chown(given, 1, 1))
		require.NoError(t, os.Chown(dir, 1, 1))
		_, _, err := proc.Dial(t.Context(), given)
		require.ErrorIs(t, err, files.ErrNotOwn)
		require.ErrorContains(t, err, "user 0 listens there")
	})
}
