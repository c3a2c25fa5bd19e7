// Package servertest has what tests need that start real servers.
package servertest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"testing"

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
// says by a variable that none may be missing.
func Missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("HADJANGO_TEST_ALL") == "" {
		t.Skip(err)
	}
	t.Fatal(err)
}

const (
	// the ports of addresses begin at the first, and the rows for builds behind them
	firstPort, firstRow = 10000, 13000
	// aRow is as many as a site has for its builds
	aRow = 100
)

// FreeAddress returns an address that nobody listens on. It is the test's until
// the test ends.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return address(take(t, firstPort, firstRow, 1))
}

// FreePorts returns the first of a hundred ports in a row for builds, which are
// the test's until it ends.
func FreePorts(t testing.TB) int {
	t.Helper()
	return take(t, firstRow, handedOut(), aRow)
}

// take finds ports in a row that no other test has, whoever runs it in whichever
// process, and that nobody listens on.
func take(t testing.TB, from, to, count int) int {
	t.Helper()
	for _, i := range rand.Perm((to - from) / count) {
		if first := from + i*count; hold(t, first) && allFree(first, count) {
			return first
		}
	}
	t.Fatalf("no %d free ports in a row from %d to %d", count, from, to)
	return 0
}

// handedOut is the first port that the kernel itself gives to connections, which
// would be taken before a server listens on it.
func handedOut() (first int) {
	const usual = 32768
	ports, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if _, scanned := fmt.Sscan(string(ports), &first); err != nil || scanned != nil || first < firstRow+50*aRow {
		return usual
	}
	return first
}

// hold takes a name for ports until the test ends. It is one of the kernel's
// (abstract unix sockets): it dies with the process, is the same for all users,
// and where there is another network it is another name too.
func hold(t testing.TB, first int) bool {
	t.Helper()
	name, err := net.Listen("unix", fmt.Sprintf("@hadjango-test-ports-%d", first))
	if err == nil {
		t.Cleanup(func() { _ = name.Close() })
	}
	return err == nil
}

func allFree(first, count int) bool {
	for port := first; port < first+count; port++ {
		listener, err := net.Listen("tcp", address(port))
		if err != nil {
			return false
		}
		_ = listener.Close()
	}
	return true
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
