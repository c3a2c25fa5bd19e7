package servertest_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/servertest"
)

// The helper is another process that takes what it can of ports.
const helper = "HADJANGO_TEST_TAKES_PORTS"

func TestFreePorts_AreNobodyElses(t *testing.T) {
	const rows = 60
	taken := map[string]bool{}
	take := func() {
		for range rows {
			taken[fmt.Sprint(servertest.FreePorts(t))] = true
			taken[servertest.FreeAddress(t)] = true
		}
	}
	if os.Getenv(helper) != "" {
		take()
		for name := range taken {
			fmt.Println("taken", name)
		}
		return
	}
	take()
	require.Len(t, taken, 2*rows)

	again := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestFreePorts_AreNobodyElses$")
	again.Env = append(os.Environ(), helper+"=1")
	out, err := again.CombinedOutput()

	require.NoError(t, err, string(out))
	require.Equal(t, 2*rows, strings.Count(string(out), "taken "))
	for line := range strings.Lines(string(out)) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), "taken ")
		require.False(t, taken[name], name)
	}
}

// More than there are can be taken one after the other.
func TestFreePorts_AreGivenBack(t *testing.T) {
	for range 300 {
		t.Run("", func(t *testing.T) { servertest.FreePorts(t) })
	}
}

func TestFreeAddress_IsNoneThatIsListenedOn(t *testing.T) {
	listener, err := net.Listen("tcp", servertest.FreeAddress(t))
	require.NoError(t, err)
	require.NoError(t, listener.Close())
}
