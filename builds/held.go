package builds

import "github.com/hadjango/hadjango/internal/proc"

// Held returns who holds the lock file at path, if somebody does. Unlike
// [Lock] it never takes the lock, not even for a moment, so it is in nobody's
// way: it reads the kernel's own list. Of a holder that has not said which task
// it is only the PID is known.
func Held(path string) (Holder, bool) {
	pid, held := proc.FlockHolder(path)
	if !held {
		return Holder{}, false
	}
	return holderAs(path, pid), true
}
