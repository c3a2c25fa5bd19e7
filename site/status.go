package site

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/stack"
)

// State is how far a build is from serving.
type State string

// The states of a build.
const (
	// Broken has a manifest that cannot be read.
	Broken State = "broken"
	// Incomplete was never made to its end.
	Incomplete State = "incomplete"
	// Stopped has neither sockets nor workers.
	Stopped State = "stopped"
	// Idle has sockets and no workers.
	Idle State = "idle"
	// Starting has a zerg none of whose workers accepts requests yet.
	Starting State = "starting"
	// Active has workers that accept requests.
	Active State = "active"
)

// Status is a site as it is at one moment. No path of this machine is in it, and
// nothing of a request but its method and path.
type Status struct {
	Time    time.Time    `json:"time"`
	Servers stack.Health `json:"servers"`
	// Kept says that a server which dies is brought back at once.
	Kept   bool          `json:"kept"`
	Builds []BuildStatus `json:"builds"`
	// These are the addresses to open.
	LiveURL      string `json:"live_url"`
	StageURL     string `json:"stage_url"`
	DashboardURL string `json:"dashboard_url"`
	// HalfDone is a task that was cut short, if there is one.
	HalfDone *HalfDone `json:"half_done,omitempty"`
	// Journal is the last tasks that changed something, the newest first.
	Journal []Past `json:"journal"`
}

// BuildStatus is one build of a site.
type BuildStatus struct {
	Name builds.Name `json:"name"`
	// Pointer is live or stage, or empty.
	Pointer string    `json:"pointer,omitempty"`
	State   State     `json:"state"`
	Port    int       `json:"port"`
	Tag     string    `json:"tag"`
	Created time.Time `json:"created"`
	// WorkersReady accept requests, WorkersBusy of them work on one, and
	// WorkersMax is the most there can be.
	WorkersReady int `json:"workers_ready"`
	WorkersBusy  int `json:"workers_busy"`
	WorkersMax   int `json:"workers_max"`
	// MemoryBytes is the proportional share (Pss) of all its processes.
	MemoryBytes uint64 `json:"memory_bytes"`
	// SizeBytes is what its files take on disk, static files included. Of them
	// SharedBytes are another's too and would stay if the build were removed, and
	// OwnBytes would be free then.
	SizeBytes   int64 `json:"size_bytes"`
	SharedBytes int64 `json:"shared_bytes"`
	OwnBytes    int64 `json:"own_bytes"`
	// ListenQueue is how many connections wait for a worker, ListenQueueMax how
	// many may.
	ListenQueue    int `json:"listen_queue"`
	ListenQueueMax int `json:"listen_queue_max"`
	// Requests is how many its workers have answered since their masters started,
	// and ResponseSeconds how long those took. Where a master does not answer it is
	// what it had answered before.
	Requests        int64   `json:"requests"`
	ResponseSeconds float64 `json:"response_seconds"`
	// Uncounted says that a master has no part in them, because it has not answered
	// since the first look.
	Uncounted bool `json:"uncounted,omitempty"`
	// RequestsPerSecond, and AverageResponseSeconds of those requests, are over the
	// last seconds in which somebody looked; 0 at the first look.
	RequestsPerSecond      float64 `json:"requests_per_second"`
	AverageResponseSeconds float64 `json:"average_response_seconds"`
	// Trouble says what could not be looked at or does not run; it is empty when
	// all is well.
	Trouble string         `json:"trouble,omitempty"`
	Workers []WorkerStatus `json:"workers"`
}

// WorkerState is what a worker does.
type WorkerState string

// The states of a worker.
const (
	WorkerIdle WorkerState = "idle"
	WorkerBusy WorkerState = "busy"
	// WorkerCheaped has no process, because there is little to do.
	WorkerCheaped WorkerState = "cheaped"
	// WorkerStarting has not loaded the application yet.
	WorkerStarting WorkerState = "starting"
	// WorkerPaused was told to rest.
	WorkerPaused WorkerState = "paused"
	// WorkerGone has died, and its master has not noticed yet.
	WorkerGone WorkerState = "gone"
)

// WorkerStatus is one worker process of a build.
type WorkerStatus struct {
	// Instance is empty but for the second set of workers that a restart starts.
	Instance string      `json:"instance"`
	ID       int         `json:"id"`
	PID      int         `json:"pid"`
	Tag      string      `json:"tag"`
	State    WorkerState `json:"state"`
	// Started is when its process was.
	Started time.Time `json:"started,omitzero"`
	// Requests counts those answered since its master started, RequestsSinceStart
	// since its process did.
	Requests           int64 `json:"requests"`
	RequestsSinceStart int64 `json:"requests_since_start"`
	// RunningSeconds is the time spent on Requests, AverageResponseSeconds that of
	// one of them.
	RunningSeconds         float64 `json:"running_seconds"`
	AverageResponseSeconds float64 `json:"average_response_seconds"`
	// MemoryBytes is the proportional share (Pss) of its process.
	MemoryBytes uint64 `json:"memory_bytes"`
	Exceptions  int64  `json:"exceptions"`
	// Request is the one that it works on.
	Request *RequestStatus `json:"request,omitempty"`
}

// RequestStatus is a request under way.
type RequestStatus struct {
	Method string `json:"method"`
	// Path is without its query, unless dashboard.queries asks for it.
	Path string `json:"path"`
	// RunningSeconds is exact to a second at the first look, and then to the time
	// between two looks.
	RunningSeconds float64 `json:"running_seconds"`
}

// Status looks at the site. It changes nothing and waits for no task; the builds
// are looked at side by side.
func (s *Site) Status(ctx context.Context) (Status, error) { return s.Observe(0).Look(ctx) }

// url is where a person opens a pointer's site.
func (s *Site) url(p builds.Pointer) string {
	port := s.port
	if port == "" {
		_, port, _ = net.SplitHostPort(s.config.Listen[0])
	}
	return "http://" + strings.TrimSuffix(net.JoinHostPort(s.hosts(p)[0], port), ":80") + "/"
}
