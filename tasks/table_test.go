package tasks

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/golden"
	"github.com/hadjango/hadjango/site"
	"github.com/hadjango/hadjango/stack"
)

func TestWriteStatus_IsWhatWeRead(t *testing.T) {
	status := site.Status{
		Servers: stack.Health{Vassals: true, Zergs: true, Nginx: true, Dashboard: true}, Kept: true,
		Builds: []site.BuildStatus{
			{Name: "a", Pointer: "live", State: site.Active, Port: 2000, Tag: "v1", WorkersReady: 2, WorkersBusy: 1, WorkersMax: 4, MemoryBytes: 70 << 20, SizeBytes: 55 << 20, SharedBytes: 51 << 20, OwnBytes: 4 << 20},
			{Name: "b", State: site.Stopped, Port: 2010, Tag: "v1-dirty", SizeBytes: 3 << 29, SharedBytes: 3 << 29},
			{Name: "aa", State: site.Incomplete, Port: 2260, SizeBytes: 4 << 10, OwnBytes: 4 << 10},
		},
		LiveURL: "http://live.localhost:8080/", StageURL: "http://stage.localhost:8080/", DashboardURL: "http://live.localhost:8080/uwsgi/",
	}
	var up, down strings.Builder

	require.NoError(t, writeStatus(&up, status))
	status.Servers.Nginx = false
	require.NoError(t, writeStatus(&down, status))

	golden.Require(t, "status.txt", up.String())
	status.Servers.Nginx = true
	status.HalfDone = &site.HalfDone{Task: "swapLive", User: "ann", Host: "web1", PID: 7, Began: time.Date(2026, 11, 24, 18, 0, 0, 0, time.Local), Undo: true}
	var half strings.Builder
	require.NoError(t, writeStatus(&half, status))
	require.Contains(t, half.String(), "\nhalf done: swapLive, begun at 2026-11-24 18:00:00 by ann on web1 (process 7), was cut short"+
		" · finish it with mage resume, or take it back with mage undo\n")
	status.Servers.Dashboard = false
	require.Equal(t, "servers run, but the dashboard does not: mage up", servers(status))
	require.Contains(t, down.String(), "emperor of zergs runs, nginx down · start them: mage up")
}

func TestWriteHistory_IsWhatWeRead(t *testing.T) {
	now := time.Date(2026, 11, 24, 18, 0, 0, 0, time.Local)
	past := func(ago, took time.Duration, outcome builds.Outcome, task string, args ...string) site.Past {
		r := builds.Record{Intent: builds.Intent{Task: task, Args: args, User: "ann", Host: "web1"}, Outcome: outcome, Began: now.Add(-ago)}
		if outcome.Result != "" {
			r.Ended = r.Began.Add(took)
		}
		return site.Past{Record: r}
	}
	running := past(90*time.Second, 0, builds.Outcome{}, "createBuild", "e")
	running.Running = true
	settled := past(3*time.Hour, 0, builds.Outcome{}, "createBuild", "d")
	settled.SettledBy = "x"
	var text strings.Builder

	require.NoError(t, writeHistory(&text, []site.Past{
		running,
		past(time.Hour, 12*time.Millisecond, builds.Outcome{Result: builds.OK, From: "a", To: "c"}, "swapLive"),
		past(2*time.Hour, 61*time.Second, builds.Outcome{Result: builds.Failed, Error: "activate c: it ended before it was ready", To: "c"}, "activate", "c"),
		settled,
		past(26*time.Hour, 0, builds.Outcome{}, "up"),
	}, now))

	golden.Require(t, "history.txt", text.String())
}

func TestAge_IsInItsLargestUnit(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"5 s": 5 * time.Second, "3 min": 3*time.Minute + 59*time.Second, "47 h": 47 * time.Hour, "2 d": 49 * time.Hour,
	} {
		require.Equal(t, want, age(time.Now().Add(-d)))
	}
	require.Equal(t, "–", age(time.Time{}))
}
