package uwsgi

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"
)

// Instance is what the stats socket of a vassal or a zerg says.
type Instance struct {
	PID     int      `json:"pid"`
	Workers []Worker `json:"workers"`
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
	Apps          []App `json:"apps"`
	Cores         []struct {
		InRequest int `json:"in_request"`
	} `json:"cores"`
}

// App is an application that a worker has loaded.
type App struct {
	ID int `json:"id"`
}

// Cheap tells whether the worker is at rest because there is little to do: it
// has no process.
func (w Worker) Cheap() bool { return w.PID == 0 || w.Status == "cheap" }

// Ready tells whether the worker has loaded its application and accepts requests.
func (w Worker) Ready() bool { return !w.Cheap() && w.Accepting == 1 && len(w.Apps) > 0 }

// Busy tells whether the worker is working on a request.
func (w Worker) Busy() bool {
	for _, core := range w.Cores {
		if core.InRequest == 1 {
			return true
		}
	}
	return false
}

// resting tells whether the worker was told to rest after its request.
func (w Worker) resting() bool { return w.Status == "pause" }

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
	err := readStats(ctx, socket, &instance)
	return instance, err
}

// emperorStats is what an emperor's stats socket says.
type emperorStats struct {
	PID       int      `json:"pid"`
	Vassals   []entry  `json:"vassals"`
	Blacklist []listed `json:"blacklist"`
}

// entry is an instance that an emperor runs, a vassal or a zerg alike.
type entry struct {
	ID     string `json:"id"`
	PID    int    `json:"pid"`
	Ready  int    `json:"ready"`
	Cursed int64  `json:"cursed"`
}

// listed is an instance that died and whose next start is put off.
type listed struct {
	ID string `json:"id"`
}

func (s emperorStats) find(id string) (entry, bool) {
	for _, e := range s.Vassals {
		if e.ID == id {
			return e, true
		}
	}
	return entry{}, false
}

func (s emperorStats) blacklisted(id string) bool {
	for _, l := range s.Blacklist {
		if l.ID == id {
			return true
		}
	}
	return false
}

// statsTimeout bounds one reading: a healthy socket answers within a
// millisecond, and a hung one must not hang its reader.
const statsTimeout = 5 * time.Second

func readStats(ctx context.Context, socket string, into any) error {
	bounded, cancel := context.WithTimeout(ctx, statsTimeout)
	defer cancel()
	err := exchangeStats(bounded, socket, into)
	if err != nil && ctx.Err() != nil {
		// the caller's own limit says more than a socket's
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("read stats %s: %w", socket, err)
	}
	return nil
}

func exchangeStats(ctx context.Context, socket string, into any) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return json.NewDecoder(conn).Decode(into)
}
