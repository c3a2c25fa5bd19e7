package proc

import (
	"errors"
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
	peer, err := Peer(conn)
	if err != nil {
		return Process{}, false
	}
	p, err := Open(int(peer.Pid))
	return p, err == nil && p.Alive()
}

// Peer tells who listens at the other end of a connection to a unix socket.
func Peer(conn net.Conn) (*unix.Ucred, error) {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var peer *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return peer, errors.Join(err, failed)
}
