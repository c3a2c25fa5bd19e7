package uwsgi

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/files"
)

// The application, which owns the fifo's directory, could put a link there.
func TestCommand_IsWrittenIntoAFifoOnly(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.WriteFile(outside, nil, 0o600))
	fifo := filepath.Join(dir, "c.zerg.fifo")
	for _, put := range []func() error{
		func() error { return os.Symlink(outside, fifo) },
		func() error { return os.WriteFile(fifo, nil, 0o600) },
	} {
		require.NoError(t, put())

		err := command(t.Context(), fifo, "q")

		require.ErrorIs(t, err, files.ErrNotOwn)
		require.ErrorContains(t, err, "mage down and mage up")
		for _, file := range []string{outside, fifo} {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Empty(t, data)
		}
		require.NoError(t, os.Remove(fifo))
	}
}
