package proc

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// connectLimit bounds a connect, which a socket whose queue is full puts off.
const connectLimit = time.Second

// Listener returns the process that listens at a unix socket, by the kernel's
// word. It may be one that accepts nobody any more.
func Listener(socket string) (Process, bool) {
	conn, err := net.DialTimeout("unix", socket, connectLimit)
	if err != nil {
		return Process{}, false
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return Process{}, false
	}
	var peer *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err != nil || failed != nil {
		return Process{}, false
	}
	p, err := Open(int(peer.Pid))
	return p, err == nil && p.Alive()
}
