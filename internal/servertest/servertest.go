// Package servertest has what tests need that start real servers.
package servertest

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/stack"
)

// Need skips the test where the servers are not installed.
func Need(t testing.TB) {
	t.Helper()
	if _, err := stack.FindPrograms(t.Context(), ""); err != nil {
		Missing(t, err)
	}
}

// Missing skips a test that lacks a program. "mage check" installs them all, and
// says by a variable that nothing may be skipped.
func Missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("HADJANGO_TEST_ALL") == "" {
		t.Skip(err)
	}
	t.Fatal(err)
}

// FreeAddress returns an address that nobody listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

var handedOut atomic.Int32

// FreePorts returns the first of a hundred ports in a row for builds, below
// those that the kernel hands out. No two calls get the same, nor, most
// likely, do two processes.
func FreePorts(t testing.TB) int {
	t.Helper()
	const low, rows, row = 10000, 200, 100
	for range rows {
		first := low + (os.Getpid()*7+int(handedOut.Add(1)))%rows*row
		if allFree(first, row) {
			return first
		}
	}
	t.Fatal("no hundred free ports in a row")
	return 0
}

func allFree(first, count int) bool {
	for port := first; port < first+count; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		_ = listener.Close()
	}
	return true
}
