package uwsgi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
)

// Instance is what the stats socket of a vassal or a zerg says.
type Instance struct {
	PID     int      `json:"pid"`
	Workers []Worker `json:"workers"`
	// Sockets are those that it listens at.
	Sockets []Socket `json:"sockets"`
	// owner is the user who listens at the socket.
	owner uint32
}

// Worker is one worker process of an instance. One that was never started has PID 0.
type Worker struct {
	ID        int    `json:"id"`
	PID       int    `json:"pid"`
	Accepting int    `json:"accepting"`
	Status    string `json:"status"`
	// Requests counts since the instance started, DeltaRequests since the
	// worker's process did.
	Requests      int64 `json:"requests"`
	DeltaRequests int64 `json:"delta_requests"`
	Exceptions    int64 `json:"exceptions"`
	// RunningMicros is the time it has spent on requests, in microseconds.
	RunningMicros int64 `json:"running_time"`
	// LastSpawn is when its process was started, as a Unix time in seconds.
	LastSpawn int64  `json:"last_spawn"`
	Apps      []App  `json:"apps"`
	Cores     []Core `json:"cores"`
}

// Core is one request at a time of a worker.
type Core struct {
	InRequest int     `json:"in_request"`
	Request   Request `json:"vars"`
	Info      struct {
		// Start is a Unix time in seconds.
		Start int64 `json:"request_start"`
	} `json:"req_info"`
}

// Request is what a request asks for. It is all that is kept of what the stats
// say of one: they hold cookies, too.
type Request struct {
	Method string
	// URI is as the visitor has sent it, with its query.
	URI string
}

// UnmarshalJSON takes a list of NAME=value.
func (r *Request) UnmarshalJSON(data []byte) error {
	var variables []string
	if err := json.Unmarshal(data, &variables); err != nil {
		return err
	}
	for _, variable := range variables {
		switch name, value, _ := strings.Cut(variable, "="); name {
		case "REQUEST_METHOD":
			r.Method = value
		case "REQUEST_URI":
			r.URI = value
		}
	}
	return nil
}

// Socket is one that a vassal listens at. The kernel tells uWSGI of the queue
// only where it is a TCP socket; [ReadQueue] is for the others.
type Socket struct {
	Name     string `json:"name"`
	Queue    int    `json:"queue"`
	MaxQueue int    `json:"max_queue"`
}

// TCPQueue is the longest of the listen queues of the TCP sockets.
func (i Instance) TCPQueue() (longest Queue) {
	for _, socket := range i.Sockets {
		if !strings.HasPrefix(socket.Name, "/") && socket.Queue >= longest.Length {
			longest = Queue{socket.Queue, socket.MaxQueue}
		}
	}
	return longest
}

// App is an application that a worker has loaded.
type App struct {
	ID int `json:"id"`
}

// Cheap tells whether the worker is at rest because there is little to do: it
// has no process.
func (w Worker) Cheap() bool { return w.PID == 0 || w.Status == "cheap" }

// Ready tells whether the worker has loaded its application and accepts requests.
func (w Worker) Ready() bool {
	return !w.Cheap() && !w.resting() && w.Accepting == 1 && len(w.Apps) > 0
}

// Busy tells whether the worker is working on a request.
func (w Worker) Busy() bool {
	_, working := w.Working()
	return working
}

// resting tells whether the worker was told to rest after its request.
func (w Worker) resting() bool { return w.Status == "pause" }

// Resting tells whether the worker takes no request until it is told to.
func (w Worker) Resting() bool { return w.resting() && !w.Busy() }

// Working returns the core that is working on a request, if one is.
func (w Worker) Working() (Core, bool) {
	for _, core := range w.Cores {
		if core.InRequest == 1 {
			return core, true
		}
	}
	return Core{}, false
}

// Active returns the workers that have a process.
func (i Instance) Active() []Worker { return i.filter(func(w Worker) bool { return !w.Cheap() }) }

// Ready returns the workers that accept requests.
func (i Instance) Ready() []Worker { return i.filter(Worker.Ready) }

// Busy returns the workers that are working on a request.
func (i Instance) Busy() []Worker { return i.filter(Worker.Busy) }

// Reached returns the active workers that have answered a request since they
// were started.
func (i Instance) Reached() []Worker {
	return i.filter(func(w Worker) bool { return !w.Cheap() && w.DeltaRequests > 0 })
}

func (i Instance) filter(keep func(Worker) bool) []Worker {
	var kept []Worker
	for _, w := range i.Workers {
		if keep(w) {
			kept = append(kept, w)
		}
	}
	return kept
}

// ReadInstance reads the stats socket of a vassal or a zerg.
func ReadInstance(ctx context.Context, socket string) (Instance, error) {
	var instance Instance
	owner, err := readStats(ctx, socket, &instance)
	instance.owner = owner
	return instance, err
}

// emperorStats is what an emperor's stats socket says.
type emperorStats struct {
	PID       int      `json:"pid"`
	Vassals   []entry  `json:"vassals"`
	Blacklist []listed `json:"blacklist"`
	owner     uint32
}

// entry is an instance that an emperor runs, a vassal or a zerg alike.
type entry struct {
	ID     string `json:"id"`
	PID    int    `json:"pid"`
	Cursed int64  `json:"cursed"`
	// Respawns counts reloads.
	Respawns int `json:"respawns"`
	// Ready is 1 once it is initialised, Accepting once its first worker takes
	// requests; neither is told again after a reload.
	Ready     int `json:"ready"`
	Accepting int `json:"accepting"`
}

// listed is an instance that died and whose next start is put off.
type listed struct {
	ID      string `json:"id"`
	Attempt int    `json:"attempt"`
	// Throttle is in milliseconds from LastAttempt, which is a Unix time.
	Throttle    int64 `json:"throttle_level"`
	LastAttempt int64 `json:"last_attempt"`
}

func (s emperorStats) find(id string) (entry, bool) {
	for _, e := range s.Vassals {
		if e.ID == id {
			return e, true
		}
	}
	return entry{}, false
}

// family are the processes of an instance.
func (s emperorStats) family(e entry) []proc.Process {
	if _, ok := proc.OwnedBy(e.PID, s.owner); !ok {
		return nil
	}
	return proc.Family(e.PID)
}

func (s emperorStats) blacklisted(id string) bool {
	_, found := s.listed(id)
	return found
}

func (s emperorStats) listed(id string) (listed, bool) {
	for _, l := range s.Blacklist {
		if l.ID == id {
			return l, true
		}
	}
	return listed{}, false
}

// statsTimeout bounds one reading: a healthy socket answers within a
// millisecond, and a hung one must not hang its reader.
const statsTimeout = 5 * time.Second

// readStats also returns the user who listens at the socket, as [proc.Dial] does.
func readStats(ctx context.Context, socket string, into any) (owner uint32, err error) {
	bounded, cancel := context.WithTimeout(ctx, statsTimeout)
	defer cancel()
	owner, err = exchangeStats(bounded, socket, into)
	if err != nil && over(ctx) {
		// the caller's own limit says more than a socket's
		err = context.Cause(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("read stats %s: %w", socket, mendable(err))
	}
	return owner, nil
}

// mendable says what to do where something has been put in the place of what an
// instance listens at.
func mendable(err error) error {
	if errors.Is(err, files.ErrNotOwn) {
		return fmt.Errorf("%w: mage down and mage up bring back the instance's own", err)
	}
	return err
}

// over tells whether ctx has ended. A connection notices the deadline of its
// context a moment before the context does.
func over(ctx context.Context) bool {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	return ctx.Err() != nil
}

func exchangeStats(ctx context.Context, socket string, into any) (owner uint32, err error) {
	conn, peer, err := proc.Dial(ctx, socket)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	data, err := io.ReadAll(printable{io.LimitReader(conn, maxStats)})
	if err != nil {
		return 0, err
	}
	if len(data) == maxStats {
		return 0, errTooMuch
	}
	return peer.Uid, json.Unmarshal(data, into)
}

// maxStats is more than a thousand workers say of a request each that fills its
// buffer; who listens there may be the application, and say anything.
const maxStats = 64 << 20

var errTooMuch = fmt.Errorf("it says more than %d MB", maxStats>>20)

// printable reads with blanks in place of control characters. uWSGI writes those
// that a visitor has sent in a header as they are, which is no JSON: whoever sends
// one could hide an instance from us.
type printable struct{ io.Reader }

func (p printable) Read(data []byte) (int, error) {
	n, err := p.Reader.Read(data)
	for i, c := range data[:n] {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			data[i] = ' '
		}
	}
	return n, err
}

// signal sends a signal to a process that a stats socket has named, if it
// belongs to who listens there. One that is gone or another's is left alone.
func signal(owner uint32, pid int, sig syscall.Signal) error {
	p, ok := proc.OwnedBy(pid, owner)
	if !ok {
		return nil
	}
	return p.Signal(sig)
}
