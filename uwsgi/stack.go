package uwsgi

import (
	"context"
	"strings"
	"syscall"
	"time"

	"github.com/hadjango/hadjango/internal/lines"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/internal/watch"
)

// tellStack is the signal by which hadjango.uwsgi.wsgi lets a process write its
// stack into the log.
const tellStack = syscall.Signal(64)

const (
	stackStart = "Stack (most recent call first):"
	// stackLines are shown: the innermost calls, which say most.
	stackLines = 8
	// stackTimeout bounds the answer, which a living process gives at once.
	stackTimeout = 2 * time.Second
	// stackSettled looks without anything new are the end of a stack, which has
	// no mark of it and is written in one go.
	stackSettled = 4
)

// Hanging returns where the busy workers of an instance are in their code: the
// innermost calls of one of them. It is empty where that cannot be said.
func Hanging(ctx context.Context, u Unit) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stackTimeout)
	defer cancel()
	instance, err := ReadInstance(ctx, u.Stats)
	if err != nil {
		return ""
	}
	for _, w := range instance.Busy() {
		if stack := stackOf(ctx, instance.owner, w.PID, tailFrom(u.Log)); stack != "" {
			return stack
		}
	}
	return ""
}

// hanging is what is known of an instance that does not come to serve: what it
// wrote last, and where in its code it is.
func (e Emperor) hanging(ctx context.Context, u Unit, log *tail, cause string) []string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stackTimeout)
	defer cancel()
	stats, err := e.read(ctx)
	if err != nil {
		return []string{cause}
	}
	stack := stackOf(ctx, stats.owner, loading(ctx, u, stats), log)
	if stack == "" {
		return []string{cause}
	}
	const wroteLast = 2
	return []string{lines.Last(cause, wroteLast), stack}
}

// loading is the process that loads the application: the master, which answers
// nobody meanwhile, or one of its workers.
func loading(ctx context.Context, u Unit, stats emperorStats) int {
	found, _ := stats.find(u.Link)
	instance, err := ReadInstance(ctx, u.Stats)
	if err != nil {
		return found.PID
	}
	for _, w := range instance.Active() {
		if !w.Ready() {
			return w.PID
		}
	}
	return found.PID
}

func stackOf(ctx context.Context, owner uint32, pid int, log *tail) string {
	p, ok := proc.OwnedBy(pid, owner)
	if !ok || !p.Catches(tellStack) || p.Signal(tellStack) != nil {
		return ""
	}
	text, settled := "", 0
	err := watch.Until(ctx, poll, func() (bool, error) {
		more := log.rest()
		text += more
		if settled++; more != "" {
			settled = 0
		}
		return settled == stackSettled && strings.Contains(text, stackStart), nil
	})
	if err != nil {
		return ""
	}
	return innermost(text)
}

// innermost picks the innermost calls from a log that ends with a stack.
func innermost(text string) string {
	calls := []string{"it hangs here, the innermost call first:"}
	_, stack, _ := strings.Cut(text, stackStart+"\n")
	for call := range strings.Lines(stack) {
		// Python's own import machinery says nothing
		if strings.HasPrefix(call, "  File ") && !strings.Contains(call, `"<frozen `) && len(calls) <= stackLines {
			calls = append(calls, strings.TrimRight(call, "\n"))
		}
	}
	return strings.Join(calls, "\n")
}
