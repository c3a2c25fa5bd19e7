package command

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// RunAttached runs the command on this process's own terminal, in its process
// group: what is typed reaches it, and Ctrl-C ends both. Where it is another
// user's it can type nothing itself.
func (c Command) RunAttached(ctx context.Context) error {
	cmd := c.prepare(ctx)
	cmd.SysProcAttr.Setsid = false
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	ended := make(chan error)
	go func() { ended <- c.runOnThread(cmd) }()
	if err := <-ended; err != nil {
		return &Error{Args: c.Args, Err: err}
	}
	return nil
}

// runOnThread leaves the thread locked: it ends with its goroutine, and nothing
// else of this process is ever run on it.
func (c Command) runOnThread(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	if err := c.guardTerminal(); err != nil {
		return err
	}
	return runToItsEnd(cmd)
}

// guardTerminal keeps another user's command from typing into this one's
// terminal.
func (c Command) guardTerminal() error {
	if c.credential() == nil {
		return nil
	}
	return refuseTyping()
}

// Exec lets the command take the place of this process: a shell or a debugger
// gets the terminal as if it had been started there, and its exit status is
// ours. It returns only when it fails. As all of the process becomes the
// command's user for good, nothing may be done after it.
func (c Command) Exec() error {
	if err := c.exec(); err != nil {
		return fmt.Errorf("run %s: %w", c.Args[0], err)
	}
	return nil
}

func (c Command) exec() error {
	program, err := exec.LookPath(c.Args[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	// first: it takes a privilege of root's
	if err := c.guardTerminal(); err != nil {
		return err
	}
	if err := c.become(); err != nil {
		return err
	}
	if err := os.Chdir(c.Dir); err != nil {
		return err
	}
	// the last of two variables of one name counts, as in a child
	env := (&exec.Cmd{Env: c.Env}).Environ()
	return syscall.Exec(program, c.Args, env)
}

// become gives up root, groups first: afterwards it could not.
func (c Command) become() error {
	credential := c.credential()
	if credential == nil {
		return nil
	}
	groups := make([]int, len(credential.Groups))
	for i, group := range credential.Groups {
		groups[i] = int(group)
	}
	if err := syscall.Setgroups(groups); err != nil {
		return err
	}
	if err := syscall.Setgid(int(credential.Gid)); err != nil {
		return err
	}
	return syscall.Setuid(int(credential.Uid))
}
