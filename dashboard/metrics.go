package dashboard

import (
	"cmp"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hadjango/hadjango/site"
)

func (d *Dashboard) metrics(w http.ResponseWriter, r *http.Request) {
	snapshot := d.look(w, r)
	if snapshot == nil {
		return
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{snapshot.status})
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

// collector tells one look at a site as metrics.
type collector struct{ status site.Status }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("hadjango_"+name, help, labels, nil)
}

var (
	serverUp = describe("server_up", "Whether a server of the site runs: vassals, zergs, nginx, dashboard, keeper.", "server")
	halfDone = describe("task_half_done", "Whether a task was cut short and nobody has finished it or taken it back.")

	buildInfo     = describe("build_info", "A build: its pointer (live, stage or none), its state and its tag; always 1.", "build", "pointer", "state", "tag")
	buildTrouble  = describe("build_trouble", "Whether something of the build could not be looked at or does not run, because it hangs or has died.", "build")
	buildRequests = describe("build_requests_total", "Requests that the build's workers have answered since their masters started.", "build")
	buildRunning  = describe("build_response_seconds_total", "Time that the build's workers have spent on those requests.", "build")
	buildQueue    = describe("build_listen_queue", "Connections that wait for a worker of the build.", "build")
	buildQueueMax = describe("build_listen_queue_limit", "Connections that may wait for a worker of the build.", "build")
	buildReady    = describe("build_workers_ready", "Workers of the build that accept requests.", "build")
	buildBusy     = describe("build_workers_busy", "Workers of the build that work on a request.", "build")
	buildWorkers  = describe("build_workers_limit", "Workers that the build may have.", "build")
	buildMemory   = describe("build_memory_bytes", "Proportional share (Pss) of the memory of the build's processes.", "build")
	buildSize     = describe("build_size_bytes", "Disk that the build's files take, static files included.", "build")
	buildShared   = describe("build_shared_bytes", "Disk of build_size_bytes that would stay if the build were removed.", "build")

	workerState      = describe("worker_state", "What the worker does: idle, busy, cheaped, starting, paused or gone; always 1.", "build", "instance", "worker", "state")
	workerRequests   = describe("worker_requests_total", "Requests that the worker has answered since its master started.", "build", "instance", "worker")
	workerRunning    = describe("worker_response_seconds_total", "Time that the worker has spent on those requests.", "build", "instance", "worker")
	workerExceptions = describe("worker_exceptions_total", "Exceptions that have reached uWSGI from the worker.", "build", "instance", "worker")
	workerMemory     = describe("worker_memory_bytes", "Proportional share (Pss) of the memory of the worker's process.", "build", "instance", "worker")
	workerStart      = describe("worker_start_time_seconds", "Unix time at which the worker's process was started.", "build", "instance", "worker")
)

func (c collector) Describe(descriptions chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(c, descriptions)
}

func (c collector) Collect(metrics chan<- prometheus.Metric) {
	s := c.status.Servers
	for server, up := range map[string]bool{
		"vassals": s.Vassals, "zergs": s.Zergs, "nginx": s.Nginx, "dashboard": s.Dashboard, "keeper": c.status.Kept,
	} {
		gauge(metrics, serverUp, number(up), server)
	}
	gauge(metrics, halfDone, number(c.status.HalfDone != nil))
	for _, b := range c.status.Builds {
		collectBuild(metrics, b)
	}
}

func collectBuild(metrics chan<- prometheus.Metric, b site.BuildStatus) {
	name := string(b.Name)
	for _, w := range b.Workers {
		collectWorker(metrics, w, name)
	}
	gauge(metrics, buildInfo, 1, name, cmp.Or(b.Pointer, "none"), string(b.State), b.Tag)
	gauge(metrics, buildTrouble, number(b.Trouble != ""), name)
	if !b.Uncounted {
		counter(metrics, buildRequests, float64(b.Requests), name)
		counter(metrics, buildRunning, b.ResponseSeconds, name)
	}
	for description, value := range map[*prometheus.Desc]float64{
		buildQueue: float64(b.ListenQueue), buildQueueMax: float64(b.ListenQueueMax),
		buildReady: float64(b.WorkersReady), buildBusy: float64(b.WorkersBusy), buildWorkers: float64(b.WorkersMax),
		buildMemory: float64(b.MemoryBytes), buildSize: float64(b.SizeBytes), buildShared: float64(b.SharedBytes),
	} {
		gauge(metrics, description, value, name)
	}
}

func collectWorker(metrics chan<- prometheus.Metric, w site.WorkerStatus, build string) {
	labels := []string{build, w.Instance, strconv.Itoa(w.ID)}
	gauge(metrics, workerState, 1, append(labels[:3:3], string(w.State))...)
	counter(metrics, workerRequests, float64(w.Requests), labels...)
	counter(metrics, workerRunning, w.RunningSeconds, labels...)
	counter(metrics, workerExceptions, float64(w.Exceptions), labels...)
	if w.PID != 0 {
		gauge(metrics, workerMemory, float64(w.MemoryBytes), labels...)
		gauge(metrics, workerStart, float64(w.Started.Unix()), labels...)
	}
}

func gauge(metrics chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func counter(metrics chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	metrics <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
