package site

import (
	"context"
	"fmt"
	"strings"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/internal/watch"
)

// locks finds those that are held by what is no task: nobody could open them for
// that, but who has had them open since before they were closed to others.
func (p patient) locks(ctx context.Context) []Finding {
	var found []Finding
	for _, path := range []string{p.lockFile(), p.serversLock(), p.dashboardLock(), p.keeperLock()} {
		stranger, held := strangerAt(ctx, path)
		if !held {
			continue
		}
		who, kill := whoHolds(path, stranger)
		found = append(found, Finding{
			Severity: Problem, What: fmt.Sprintf("%s is held by %s, which is no task", p.short(path), who), Where: path,
			Why: "every task waits for it in vain", Mend: kill,
		})
	}
	return found
}

// strangerAt is who holds a lock and does not say who it is. A task that has just
// got the lock is about to.
func strangerAt(ctx context.Context, path string) (stranger builds.Holder, held bool) {
	ctx, cancel := context.WithTimeout(ctx, strayLimit)
	defer cancel()
	_ = watch.Until(ctx, askEvery, func() (bool, error) {
		stranger, held = builds.Held(path)
		held = held && stranger.Task == ""
		return !held, nil
	})
	return stranger, held
}

// whoHolds names the processes that hold a lock now, where they may be seen: who
// took it may have ended, and have left it to what it has started.
func whoHolds(path string, taker builds.Holder) (names, kill string) {
	holders, _ := proc.Flockers(path)
	if len(holders) == 0 {
		return fmt.Sprintf("process %d", taker.PID), fmt.Sprintf("kill -9 %d", taker.PID)
	}
	kill = "kill -9"
	all := make([]string, len(holders))
	for i, holder := range holders {
		all[i] = holder.String()
		kill += fmt.Sprintf(" %d", holder.PID)
	}
	return strings.Join(all, " and "), kill
}
