package site

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/stack"
	"github.com/hadjango/hadjango/uwsgi"
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

// Status is a site as it is at one moment.
type Status struct {
	Servers stack.Health `json:"servers"`
	// Kept says that a server which dies is brought back at once.
	Kept   bool          `json:"kept"`
	Builds []BuildStatus `json:"builds"`
	// Live and Stage are the addresses to open.
	LiveURL  string `json:"live_url"`
	StageURL string `json:"stage_url"`
	// HalfDone is a task that was cut short, if there is one.
	HalfDone *HalfDone `json:"half_done,omitempty"`
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
	// SharedBytes are another's too and would stay if the build were removed.
	SizeBytes   int64 `json:"size_bytes"`
	SharedBytes int64 `json:"shared_bytes"`
}

// Status looks at the site. It changes nothing and waits for nobody; the
// builds are looked at side by side.
func (s *Site) Status(ctx context.Context) (Status, error) {
	if s.foreign != nil {
		return Status{}, fmt.Errorf("status: %w", s.foreign)
	}
	names, err := s.store.List()
	if err != nil {
		return Status{}, err
	}
	half, err := s.halfDone()
	if err != nil {
		return Status{}, err
	}
	status := Status{
		HalfDone: half,
		Servers:  s.health(), Kept: s.isKept(), Builds: make([]BuildStatus, len(names)),
		LiveURL: s.url(builds.Live), StageURL: s.url(builds.Stage),
	}
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() { status.Builds[i] = s.buildStatus(ctx, name) })
	}
	group.Wait()
	return status, nil
}

func (s *Site) buildStatus(ctx context.Context, name builds.Name) BuildStatus {
	manifest, err := s.store.Manifest(name)
	port, _ := builds.Endpoint{Build: name}.Port(s.config.Port)
	b := BuildStatus{
		Name: name, Port: port, Tag: manifest.Tag, Created: manifest.Created,
	}
	b.SizeBytes, b.SharedBytes = diskUsage(s.store.Path(name), s.static(name))
	if p, ok := s.store.PointerTo(name); ok {
		b.Pointer = p.String()
	}
	s.lookAtProcesses(ctx, &b)
	if err != nil {
		b.State = Broken
	} else if !manifest.Complete {
		b.State = Incomplete
	}
	return b
}

func (s *Site) lookAtProcesses(ctx context.Context, b *BuildStatus) {
	b.State = Stopped
	vassal, err := uwsgi.ReadInstance(ctx, s.vassal(b.Name).Stats)
	if err != nil {
		return
	}
	b.State = Idle
	b.MemoryBytes = memory(vassal.PID)
	for _, slot := range s.linked(b.Name) {
		b.State = Starting
		if zerg, err := uwsgi.ReadInstance(ctx, s.zerg(b.Name, slot).Stats); err == nil {
			b.MemoryBytes += memory(zerg.PID)
			b.WorkersReady += len(zerg.Ready())
			b.WorkersBusy += len(zerg.Busy())
			b.WorkersMax += len(zerg.Workers)
		}
	}
	if b.WorkersReady > 0 {
		b.State = Active
	}
}

func memory(pid int) uint64 {
	var sum uint64
	for _, p := range proc.Family(pid) {
		if pss, err := proc.Memory(p.PID); err == nil {
			sum += pss
		}
	}
	return sum
}

// url is where a person opens a pointer's site.
func (s *Site) url(p builds.Pointer) string {
	_, port, _ := net.SplitHostPort(s.config.Listen[0])
	return "http://" + strings.TrimSuffix(net.JoinHostPort(s.hosts(p)[0], port), ":80") + "/"
}
