package proc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/files"
)

// connectLimit bounds a connect, which a socket whose queue is full puts off.
const connectLimit = time.Second

// Listener returns the process that listens at a unix socket, as [Dial] takes
// them. It may be one that accepts nobody any more.
func Listener(socket string) (Process, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
	defer cancel()
	conn, peer, err := Dial(ctx, socket)
	if err != nil {
		return Process{}, false
	}
	defer conn.Close()
	return OwnedBy(int(peer.Pid), peer.Uid)
}

// Dial connects to a unix socket and tells who listens there, by the kernel's
// word. The owner of the socket's directory could put a link in its place, to
// another's socket that only we may connect to, and who believes what it says
// would be led to signal others. So it must be the owner's, no link, and listened
// at by a process of theirs.
func Dial(ctx context.Context, socket string) (net.Conn, *unix.Ucred, error) {
	file, err := files.OpenOwn(socket, unix.O_PATH, fs.ModeSocket)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	// this leads to what was looked at, whatever has its name by now
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil {
		return nil, nil, named(err, socket)
	}
	info, err := file.Stat()
	peer, err2 := peerOf(conn.(*net.UnixConn))
	err = errors.Join(err, err2)
	if err == nil && files.Owner(info) != peer.Uid {
		err = fmt.Errorf("connect to %s: user %d listens there: %w", socket, peer.Uid, files.ErrNotOwn)
	}
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, peer, nil
}

// named lets an error of a connection name the socket.
func named(err error, socket string) error {
	var failed *net.OpError
	if errors.As(err, &failed) {
		failed.Addr = &net.UnixAddr{Name: socket, Net: "unix"}
	}
	return err
}

func peerOf(conn *net.UnixConn) (*unix.Ucred, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var peer *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return peer, errors.Join(err, failed)
}
