package dashboard

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/site"
)

func TestMetrics_KeepTheConventions(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(collector{site.Status{Builds: []site.BuildStatus{{
		Name: "a", Pointer: "live", State: site.Active, Requests: 7, ResponseSeconds: 0.75, MemoryBytes: 1 << 20,
		Workers: []site.WorkerStatus{
			{ID: 1, State: site.WorkerBusy, Requests: 7, RunningSeconds: 0.5, Started: time.Unix(1700000000, 0)},
			{Instance: "second", ID: 1, State: site.WorkerCheaped, RunningSeconds: 0.25},
		},
	}}}}))

	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	require.Empty(t, problems)

	for metric, value := range map[string]float64{
		"hadjango_build_requests_total": 7, "hadjango_build_memory_bytes": 1 << 20, "hadjango_build_response_seconds_total": 0.75,
	} {
		families, err := registry.Gather()
		require.NoError(t, err)
		found := false
		for _, family := range families {
			if family.GetName() == metric {
				found = true
				sample := family.GetMetric()[0]
				require.Equal(t, value, sample.GetCounter().GetValue()+sample.GetGauge().GetValue())
				require.Equal(t, "a", sample.GetLabel()[0].GetValue())
			}
		}
		require.True(t, found, metric)
	}
}

func TestMetrics_LeaveOutWhatNobodyKnows(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(collector{site.Status{Builds: []site.BuildStatus{
		{Name: "a", State: site.Starting, Uncounted: true, Workers: []site.WorkerStatus{{ID: 1, PID: 1, State: site.WorkerIdle}, {ID: 2, State: site.WorkerCheaped}}},
	}}}))

	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP hadjango_build_info A build: its pointer (live, stage or none), its state and its tag; always 1.
# TYPE hadjango_build_info gauge
hadjango_build_info{build="a",pointer="none",state="starting",tag=""} 1
# HELP hadjango_worker_memory_bytes Proportional share (Pss) of the memory of the worker's process.
# TYPE hadjango_worker_memory_bytes gauge
hadjango_worker_memory_bytes{build="a",instance="",worker="1"} 0
`), "hadjango_build_info", "hadjango_build_requests_total", "hadjango_build_response_seconds_total", "hadjango_worker_memory_bytes"))
}
