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

// Census is what an emperor says of all its instances at one moment.
type Census struct{ stats emperorStats }

// Census reads what the emperor says.
func (e Emperor) Census(ctx context.Context) (Census, error) {
	stats, err := e.read(ctx)
	return Census{stats}, err
}

// Trouble returns what is wrong with a unit that is to run, by the emperor's word
// alone: it says nothing of the Cause, nor whether the unit is Hung. It returns
// false when the emperor runs the unit and nothing is wrong.
func (c Census) Trouble(u Unit) (Trouble, bool) {
	running, runs := c.stats.find(u.Link)
	t := Trouble{Unit: u, PID: running.PID}
	died, _ := c.stats.listed(u.Link) // at its first death an instance is started again at once: attempt 0
	switch {
	case running.Cursed != 0:
		t.Ending = time.Since(time.Unix(running.Cursed, 0))
	case died.Attempt > 0 && !running.settled(u):
		due := time.Unix(died.LastAttempt, 0).Add(time.Duration(died.Throttle) * time.Millisecond)
		t.Tries, t.Next = died.Attempt, max(0, time.Until(due))
	default:
		return t, !runs
	}
	return t, true
}

// Troubles returns what is wrong with those units that are to run, and which
// have not ended yet, in their order. It changes nothing. Units are asked one
// after the other, each for no longer than limit.
func (e Emperor) Troubles(ctx context.Context, limit time.Duration, units ...Unit) ([]Trouble, error) {
	census, err := e.Census(ctx)
	if err != nil {
		return nil, err
	}
	var troubles []Trouble
	for _, u := range units {
		t, found := census.Trouble(u)
		if _, err := os.Lstat(u.Link); err != nil && t.Ending == 0 {
			continue
		}
		if !found {
			t.Hung = hangs(ctx, limit, u)
		}
		if t.Tries > 0 {
			t.Cause = lastLine(explain(lastPart(u.Log)))
		}
		if found || t.Hung {
			troubles = append(troubles, t)
		}
	}
	return troubles, nil
}

func hangs(ctx context.Context, limit time.Duration, u Unit) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := ReadInstance(ctx, u.Stats)
	return err != nil && ctx.Err() != nil
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
