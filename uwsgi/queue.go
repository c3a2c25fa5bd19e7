package uwsgi

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Queue is the listen queue of a unix socket: how many connections wait to be
// accepted, and how many may.
type Queue struct{ Length, Limit int }

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
	messages, err := dumpListening()
	if err != nil {
		return Queue{}, fmt.Errorf("read listen queue of %s: %w", path, err)
	}
	found, sum := false, Queue{}
	for _, message := range messages {
		name, queue, err := decodeListening(message.Data)
		if err != nil {
			return Queue{}, fmt.Errorf("read listen queue of %s: %w", path, err)
		}
		if name == path {
			// two listen at one path while zergs hold the socket of a dead vassal
			found, sum.Limit = true, queue.Limit
			sum.Length += queue.Length
		}
	}
	if !found {
		return Queue{}, fmt.Errorf("read listen queue of %s: nothing listens there", path)
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

func decodeListening(data []byte) (name string, queue Queue, err error) {
	if len(data) < unixDiagMsgLength {
		return "", Queue{}, fmt.Errorf("the kernel's answer has %d bytes, want %d", len(data), unixDiagMsgLength)
	}
	attributes, err := netlink.NewAttributeDecoder(data[unixDiagMsgLength:])
	if err != nil {
		return "", Queue{}, err
	}
	for attributes.Next() {
		switch value := attributes.Bytes(); {
		case attributes.Type() == unixDiagName:
			// the address of a path ends with a NUL
			name = string(bytes.TrimRight(value, "\x00"))
		case attributes.Type() == unixDiagRQLen && len(value) == 8:
			queue.Length = int(binary.NativeEndian.Uint32(value))
			queue.Limit = int(binary.NativeEndian.Uint32(value[4:]))
		}
	}
	return name, queue, attributes.Err()
}
