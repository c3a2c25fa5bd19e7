package uwsgi

import (
	"context"
	"os"
	"strings"
	"time"
)

// Trouble is what an emperor says of an instance that is to run and does not serve.
type Trouble struct {
	Unit Unit
	// PID is its process, 0 when it has none.
	PID int
	// Tries is how often it has died, and Next how long the emperor puts off the
	// next start; 0 tries is an instance that has not died.
	Tries int
	Next  time.Duration
	// Ending is how long the emperor has waited for its end, 0 when it does not.
	Ending time.Duration
	// Hung says that its process runs and its stats socket does not answer.
	Hung bool
	// Cause is the last line of what the instance wrote about a death.
	Cause string
}

// Troubles returns what is wrong with those units that are to run, and which
// have not ended yet, in their order. It changes nothing. Units are asked one after the other, each for no
// longer than limit.
func (e Emperor) Troubles(ctx context.Context, limit time.Duration, units ...Unit) ([]Trouble, error) {
	stats, err := e.read(ctx)
	if err != nil {
		return nil, err
	}
	var troubles []Trouble
	for _, u := range units {
		_, err := os.Lstat(u.Link)
		if running, _ := stats.find(u.Link); err != nil && running.Cursed == 0 {
			continue
		}
		if t, ok := stats.trouble(ctx, limit, u); ok {
			troubles = append(troubles, t)
		}
	}
	return troubles, nil
}

func (s emperorStats) trouble(ctx context.Context, limit time.Duration, u Unit) (Trouble, bool) {
	running, runs := s.find(u.Link)
	t := Trouble{Unit: u, PID: running.PID}
	if running.Cursed != 0 {
		t.Ending = time.Since(time.Unix(running.Cursed, 0))
		return t, true
	}
	if died, ok := s.listed(u.Link); ok && !running.settled(u) {
		due := time.Unix(died.LastAttempt, 0).Add(time.Duration(died.Throttle) * time.Millisecond)
		t.Tries, t.Next = died.Attempt, max(0, time.Until(due))
		t.Cause = lastLine(explain(lastPart(u.Log)))
		return t, true
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := ReadInstance(ctx, u.Stats)
	t.Hung = runs && err != nil && ctx.Err() != nil
	return t, t.Hung || !runs
}

// settled tells whether an instance that has died before is over it. A vassal
// has no workers that could accept.
func (e entry) settled(u Unit) bool {
	if u.FIFO == "" {
		return e.Ready == 1 || e.Respawns > 0
	}
	return e.Accepting == 1
}

func lastLine(text string) string {
	return strings.TrimSpace(text[strings.LastIndex(text, "\n")+1:])
}
