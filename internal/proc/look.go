package proc

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/prometheus/procfs"
)

// MaxOpenFiles is how many files the process may have open at once.
func (p Process) MaxOpenFiles() (uint64, error) {
	fs, err := procfs.NewProc(p.PID)
	if err != nil {
		return 0, err
	}
	limits, err := fs.Limits()
	return limits.OpenFiles, err
}

// Listening returns a process that listens on a TCP port of this machine. An
// ordinary user cannot see those of others.
func Listening(port int) (Process, bool) {
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table)
		for line := range strings.Lines(string(text)) {
			// sl, local address:port and remote in hex, state, …, inode
			fields := strings.Fields(line)
			if len(fields) > 9 && fields[3] == tcpListen && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) {
				sockets["socket:["+fields[9]+"]"] = true
			}
		}
	}
	return holderOf(sockets)
}

// tcpListen is the state of a listening socket, from include/net/tcp_states.h.
const tcpListen = "0A"

func holderOf(sockets map[string]bool) (Process, bool) {
	all, err := procfs.AllProcs()
	if err != nil || len(sockets) == 0 {
		return Process{}, false
	}
	for _, p := range all {
		targets, _ := p.FileDescriptorTargets()
		for _, target := range targets {
			if sockets[target] {
				found, err := Open(p.PID)
				return found, err == nil
			}
		}
	}
	return Process{}, false
}

// String is how a person finds the process: its pid and its title.
func (p Process) String() string {
	const most = 60
	name := []rune(strings.Map(printable, p.Name()))
	return "process " + strconv.Itoa(p.PID) + " (" + string(name[:min(len(name), most)]) + ")"
}

// printable leaves out what a terminal would obey: a process may call itself anything.
func printable(r rune) rune {
	if unicode.IsControl(r) {
		return -1
	}
	return r
}

// OutOfMemory counts the processes that the kernel of this machine has killed
// since it started because there was no memory left, in all or for a group.
func OutOfMemory() (killed uint64) {
	const counter = "oom_kill "
	text, _ := os.ReadFile("/proc/vmstat")
	for line := range strings.Lines(string(text)) {
		if number, ok := strings.CutPrefix(line, counter); ok {
			killed, _ = strconv.ParseUint(strings.TrimSpace(number), 10, 64)
		}
	}
	return killed
}

// AvailableMemory is how much memory can be had on this machine without
// swapping, in bytes.
func AvailableMemory() (uint64, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, err
	}
	info, err := fs.Meminfo()
	if err != nil {
		return 0, err
	}
	if info.MemAvailableBytes == nil {
		return 0, errors.New("the kernel does not say how much memory is available")
	}
	return *info.MemAvailableBytes, nil
}
