package uwsgi_test

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/uwsgi"
)

func TestReadQueue_CountsWhoWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer listener.Close()

	for want := range 3 {
		queue, err := uwsgi.ReadQueue(path)
		require.NoError(t, err)
		require.Equal(t, want, queue.Length)
		require.Positive(t, queue.Limit)
		conn, err := net.Dial("unix", path)
		require.NoError(t, err)
		defer conn.Close()
	}
}

func TestReadQueue_OfNobodyIsAnError(t *testing.T) {
	_, err := uwsgi.ReadQueue(filepath.Join(t.TempDir(), "s"))
	require.ErrorContains(t, err, "nothing listens there")
}
