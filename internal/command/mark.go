package command

import (
	"fmt"
	"os"

	"github.com/hadjango/hadjango/internal/proc"
)

// MarkOf is a variable that tells which process has started a command: a
// command that is killed with its parent may leave what it has started itself.
// It is for the environment of what has no business to outlive the parent.
func MarkOf(pid int, started uint64) string {
	return fmt.Sprintf("HADJANGO_STARTED_BY=%d.%d", pid, started)
}

// Mark is [MarkOf] this process.
func Mark() string {
	// a process that cannot be looked up has no orphans that could be
	me, _ := proc.Open(os.Getpid())
	return MarkOf(me.PID, me.Started())
}
