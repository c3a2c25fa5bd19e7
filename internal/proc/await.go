package proc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// AwaitEnd returns nil as soon as one of the processes has ended, woken by the
// kernel, or ctx's cause when ctx ends first. Without processes it waits for ctx.
func AwaitEnd(ctx context.Context, processes []Process) error {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("wait for processes: %w", err)
	}
	fds := []unix.PollFd{{Fd: int32(wake), Events: unix.POLLIN}}
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(int(fd.Fd))
		}
	}()
	for _, p := range processes {
		// with the descriptor open the number cannot become another's
		fd, err := unix.PidfdOpen(p.PID, 0)
		if errors.Is(err, unix.ESRCH) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("wait for process %d: %w", p.PID, err)
		}
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		if !p.Alive() {
			return nil
		}
	}
	return pollUntil(ctx, fds)
}

// pollUntil polls descriptors of processes, and first of all one that ctx wakes.
func pollUntil(ctx context.Context, fds []unix.PollFd) error {
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		_, _ = unix.Write(int(fds[0].Fd), binary.NativeEndian.AppendUint64(nil, 1))
	})
	defer func() {
		if !stop() {
			<-woken // the descriptor is closed next, and must not be another's by then
		}
	}()
	for {
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for processes: %w", err)
		}
		for _, fd := range fds[1:] {
			if fd.Revents != 0 {
				return nil
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}
