package dashboard

import (
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
		Name: "a", Pointer: "live", State: site.Active, Requests: 7, MemoryBytes: 1 << 20,
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
