package tasks

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/golden"
	"github.com/hadjango/hadjango/site"
	"github.com/hadjango/hadjango/stack"
)

func TestWriteStatus_IsWhatWeRead(t *testing.T) {
	status := site.Status{
		Servers: stack.Health{Vassals: true, Zergs: true, Nginx: true}, Kept: true,
		Builds: []site.BuildStatus{
			{Name: "a", Pointer: "live", State: site.Active, Port: 2000, Tag: "v1", WorkersReady: 2, WorkersBusy: 1, WorkersMax: 4, MemoryBytes: 70 << 20, SizeBytes: 55 << 20, SharedBytes: 51 << 20},
			{Name: "b", State: site.Stopped, Port: 2010, Tag: "v1-dirty", SizeBytes: 3 << 29, SharedBytes: 3 << 29},
			{Name: "aa", State: site.Incomplete, Port: 2260, SizeBytes: 4 << 10},
		},
		LiveURL: "http://live.localhost:8080/", StageURL: "http://stage.localhost:8080/",
	}
	var up, down strings.Builder

	require.NoError(t, writeStatus(&up, status))
	status.Servers.Nginx = false
	require.NoError(t, writeStatus(&down, status))

	golden.Require(t, "status.txt", up.String())
	require.Contains(t, down.String(), "emperor of zergs runs, nginx down · start them: mage up")
}

func TestAge_IsInItsLargestUnit(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"5 s": 5 * time.Second, "3 min": 3*time.Minute + 59*time.Second, "47 h": 47 * time.Hour, "2 d": 49 * time.Hour,
	} {
		require.Equal(t, want, age(time.Now().Add(-d)))
	}
	require.Equal(t, "–", age(time.Time{}))
}
