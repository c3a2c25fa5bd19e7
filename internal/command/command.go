// Package command runs other programs: always by an argument list, never
// through a shell, ended with everything they started when the context ends,
// and with the end of what they printed in the error when they fail.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/lines"
)

// Command is a program with its arguments and its surroundings.
type Command struct {
	// Args are the program and its arguments.
	Args []string
	Dir  string
	// Env is the whole environment; nil is this process's.
	Env []string
	// User is who it runs as.
	User account.User
	// Log is a file that everything it prints is appended to; empty for none.
	Log string
}

// Error says that a program failed.
type Error struct {
	Args []string
	// Tail is the end of what it printed.
	Tail string
	// Log is the file with all it printed, if there is one.
	Log string
	Err error
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %v", strings.Join(e.Args, " "), e.Err)
	if e.Tail != "" {
		text += "\n" + lines.Indent(e.Tail)
	}
	if e.Log != "" {
		text += "\nthe whole log: " + e.Log
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// stopGrace is how long a program may take to clean up after SIGTERM. mage
// gives a task five seconds after Ctrl-C.
const stopGrace = 3 * time.Second

// Run runs the command to its end, in a session of its own: no terminal is its
// own. When ctx ends first its whole process group gets SIGTERM, and SIGKILL a
// while later.
func (c Command) Run(ctx context.Context) error { return c.run(ctx, nil) }

// Output is Run, and returns what the program wrote to its standard output.
// The log and the error may hold that before or after what it wrote to its
// standard error at the same time; Run keeps the order.
func (c Command) Output(ctx context.Context) ([]byte, error) {
	var stdout bytes.Buffer
	if err := c.run(ctx, &stdout); err != nil {
		return nil, err
	}
	return stdout.Bytes(), nil
}

func (c Command) run(ctx context.Context, stdout io.Writer) error {
	all := &ring{size: tailSize}
	sinks := []io.Writer{all}
	if c.Log != "" {
		log, err := c.openLog()
		if err != nil {
			return err
		}
		defer log.Close()
		sinks = append(sinks, log)
	}
	cmd := c.prepare(ctx)
	// exec gives both one pipe when they are the same, which keeps their order:
	// the reason of a failure must stand at the end
	both := io.MultiWriter(sinks...)
	cmd.Stdout, cmd.Stderr = both, both
	if stdout != nil {
		cmd.Stdout = io.MultiWriter(stdout, both)
	}
	err := runToItsEnd(cmd)
	if ctx.Err() != nil {
		// what the program itself has left behind must not go on
		err = errors.Join(context.Cause(ctx), killGroup(cmd.Process))
	}
	if err != nil {
		return &Error{Args: c.Args, Tail: lines.Last(all.String(), tailLines), Log: c.Log, Err: err}
	}
	return nil
}

// runToItsEnd keeps the thread that starts the program: the program dies with
// it (see prepare).
func runToItsEnd(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		// it has ended well; what it left in the background still has the pipe
		return nil
	}
	return err
}

func (c Command) prepare(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	// a program must not go on, without the site's lock, when we are killed; and
	// one that shares our session could type into our terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Credential: c.credential()}
	cmd.WaitDelay = stopGrace
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	return cmd
}

// credential is nil where the command runs as this process's own user.
func (c Command) credential() *syscall.Credential {
	if c.User.Name == "" {
		return nil
	}
	return c.User.Credential()
}

func killGroup(leader *os.Process) error {
	if leader == nil {
		return nil
	}
	if err := syscall.Kill(-leader.Pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

func (c Command) openLog() (*os.File, error) {
	log, err := os.OpenFile(c.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", c.Args[0], err)
	}
	if _, err := fmt.Fprintf(log, "$ %s\n", strings.Join(c.Args, " ")); err != nil {
		return nil, errors.Join(fmt.Errorf("log of %s: %w", c.Args[0], err), log.Close())
	}
	return log, nil
}

const (
	tailSize  = 16 << 10
	tailLines = 15
)

// ring keeps the last bytes that were written to it. Under Output, exec gives
// standard output and error a goroutine each, so it is locked.
type ring struct {
	mu   sync.Mutex
	size int
	data []byte
}

func (r *ring) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.data = append(r.data, p...)
	if over := len(r.data) - r.size; over > 0 {
		r.data = append(r.data[:0], r.data[over:]...)
	}
	return len(p), nil
}

func (r *ring) String() string { return string(r.data) }
