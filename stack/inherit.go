package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/proc"
)

// succeed starts an nginx on the very sockets that orphaned workers listen on,
// so that the port never closes, and lets them finish once it serves. It hands
// the sockets over the way nginx does when it replaces its own program
// (https://nginx.org/en/docs/control.html#upgrade): by number, in the variable
// NGINX. Such an nginx does not leave its parent, and so gets a session here.
func (s Stack) succeed(ctx context.Context, sockets []*os.File) error {
	if err := s.TestNginx(ctx); err != nil {
		return err
	}
	const firstExtra = 3
	var numbers strings.Builder
	for i := range sockets {
		numbers.WriteString(strconv.Itoa(firstExtra+i) + ";")
	}
	cmd := exec.Command(s.Programs.Nginx, s.nginxArgs()...)
	cmd.Dir, cmd.ExtraFiles = s.Dir, sockets
	cmd.Env = append(os.Environ(), "NGINX="+numbers.String())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return poll(ctx, func() (again bool, err error) {
		select {
		case err := <-ended:
			return false, fmt.Errorf("it ended at once: %w; see %s", errors.Join(err, errEnded), s.Nginx.ErrorLog)
		default:
		}
		if len(s.Nginx.masters(s.processes())) > 0 && len(proc.Family(cmd.Process.Pid)) > 1 {
			return false, nil
		}
		return true, errors.New("nginx has no workers yet")
	})
}

// listening takes copies of the sockets of a process that listen on addresses.
// The kernel allows it to root, and to others where a debugger would be.
func listening(p proc.Process, addresses []string) (sockets []*os.File, err error) {
	pidfd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(pidfd)
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID))
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		number, _ := strconv.Atoi(entry.Name())
		copied, err := unix.PidfdGetfd(pidfd, number, 0)
		if errors.Is(err, unix.EBADF) {
			continue // a connection that has ended meanwhile
		}
		if err != nil {
			closeAll(sockets)
			return nil, err
		}
		file := os.NewFile(uintptr(copied), entry.Name())
		if listensOn(copied, addresses) {
			sockets = append(sockets, file)
			continue
		}
		_ = file.Close()
	}
	if len(sockets) != len(addresses) {
		closeAll(sockets)
		return nil, fmt.Errorf("process %d listens on %d of %d addresses", p.PID, len(sockets), len(addresses))
	}
	return sockets, nil
}

func closeAll(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}

func listensOn(fd int, addresses []string) bool {
	if accepts, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || accepts == 0 {
		return false
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	for _, address := range addresses {
		if sameAddress(bound, address) {
			return true
		}
	}
	return false
}

// sameAddress compares a socket's address with one of the configuration, where
// * is every IPv4 address.
func sameAddress(bound unix.Sockaddr, address string) bool {
	want, err := net.ResolveTCPAddr("tcp", strings.Replace(address, "*", "0.0.0.0", 1))
	if err != nil {
		return false
	}
	switch bound := bound.(type) {
	case *unix.SockaddrInet4:
		return bound.Port == want.Port && want.IP.Equal(bound.Addr[:])
	case *unix.SockaddrInet6:
		return bound.Port == want.Port && want.IP.Equal(bound.Addr[:])
	}
	return false
}
