package uwsgi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/proc"
)

// Queue is the listen queue of a unix socket: how many connections wait to be
// accepted, and how many may.
type Queue struct{ Length, Limit int }

// Longer is the one of two queues in which more wait.
func (q Queue) Longer(other Queue) Queue {
	if other.Length > q.Length {
		return other
	}
	return q
}

// From include/uapi/linux/unix_diag.h and sock_diag.h, which x/sys does not have.
const (
	sockDiagByFamily  = 20
	unixDiagName      = 0
	unixDiagRQLen     = 4
	showName          = 1 << 0
	showRQLen         = 1 << 4
	unixDiagMsgLength = 16
	tcpListen         = 10 // unix sockets share TCP's numbers of states
)

// ReadQueue asks the kernel for the listen queue of the unix socket at path.
// uWSGI's own stats always say 0 for unix sockets.
func ReadQueue(path string) (Queue, error) {
	// the kernel goes on calling a socket what it was bound as; and two listen at
	// one path while zergs hold the socket of a dead vassal
	queue, err := sumQueues(func(l listener) bool { return l.name == path || l.name == path+".new" })
	if err == nil && queue.Limit == 0 {
		err = errors.New("nothing listens there")
	}
	if err != nil {
		return Queue{}, fmt.Errorf("read listen queue of %s: %w", path, err)
	}
	return queue, nil
}

// queueHeld is the listen queue of the sockets that a process has open,
// whatever listens at their path by now.
func queueHeld(pid int) (Queue, error) {
	held, err := proc.Sockets(pid)
	if err != nil {
		return Queue{}, fmt.Errorf("read listen queue of process %d: %w", pid, err)
	}
	return sumQueues(func(l listener) bool { return slices.Contains(held, l.inode) })
}

// listener is a unix socket that listens.
type listener struct {
	name  string
	inode uint64
	queue Queue
}

// sumQueues adds up the lengths of those that are meant.
func sumQueues(meant func(listener) bool) (sum Queue, err error) {
	messages, err := dumpListening()
	if err != nil {
		return Queue{}, err
	}
	for _, message := range messages {
		l, err := decodeListening(message.Data)
		if err != nil {
			return Queue{}, err
		}
		if meant(l) {
			sum.Length += l.queue.Length
			sum.Limit = max(sum.Limit, l.queue.Limit)
		}
	}
	return sum, nil
}

func dumpListening() ([]netlink.Message, error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.Execute(netlink.Message{
		Header: netlink.Header{Type: sockDiagByFamily, Flags: netlink.Request | netlink.Dump},
		Data:   listeningRequest(),
	})
}

// listeningRequest is a struct unix_diag_req: family, protocol, padding,
// states, inode, what to show, cookie.
func listeningRequest() []byte {
	request := make([]byte, 24)
	request[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(request[4:], 1<<tcpListen)
	binary.NativeEndian.PutUint32(request[12:], showName|showRQLen)
	return request
}

// decodeListening reads a struct unix_diag_msg: family, type, state, padding,
// inode, cookie; and its attributes.
func decodeListening(data []byte) (l listener, err error) {
	if len(data) < unixDiagMsgLength {
		return l, fmt.Errorf("the kernel's answer has %d bytes, want %d", len(data), unixDiagMsgLength)
	}
	l.inode = uint64(binary.NativeEndian.Uint32(data[4:]))
	attributes, err := netlink.NewAttributeDecoder(data[unixDiagMsgLength:])
	if err != nil {
		return l, err
	}
	for attributes.Next() {
		switch value := attributes.Bytes(); {
		case attributes.Type() == unixDiagName:
			// the address of a path ends with a NUL
			l.name = string(bytes.TrimRight(value, "\x00"))
		case attributes.Type() == unixDiagRQLen && len(value) == 8:
			l.queue.Length = int(binary.NativeEndian.Uint32(value))
			l.queue.Limit = int(binary.NativeEndian.Uint32(value[4:]))
		}
	}
	return l, attributes.Err()
}
