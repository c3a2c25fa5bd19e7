package command

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// architectures are those that seccomp calls a system call by.
var architectures = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// Where the kernel puts what a filter looks at, struct seccomp_data in
// linux/seccomp.h. Of an ioctl's request it takes the lower half alone, which
// comes first on both architectures.
const (
	callNumber   = 0
	callArch     = 4
	ioctlRequest = 24
)

// x32Bit marks the calls of a third table that amd64 has.
const x32Bit = 0x40000000

// refuseTyping keeps the calling thread, and whatever it starts, from putting
// characters into a terminal's input: whoever reads there next, root's shell,
// would take them for typed. It cannot be taken back. Calls of another table,
// which the filter would have to know too, are not there.
func refuseTyping() error {
	arch, ok := architectures[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("protect the terminal: %w on %s", errors.ErrUnsupported, runtime.GOARCH)
	}
	filter := []unix.SockFilter{
		load(callArch),
		jump(unix.BPF_JEQ, arch, 0, 8),
		load(callNumber),
		jump(unix.BPF_JGE, x32Bit, 6, 0),
		jump(unix.BPF_JEQ, unix.SYS_IOCTL, 0, 3),
		load(ioctlRequest),
		jump(unix.BPF_JEQ, unix.TIOCSTI, 2, 0),
		jump(unix.BPF_JEQ, unix.TIOCLINUX, 1, 0),
		answer(unix.SECCOMP_RET_ALLOW),
		answer(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)),
		answer(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)),
	}
	if err := install(filter); err != nil {
		return fmt.Errorf("protect the terminal: %w", err)
	}
	return nil
}

// install gives up gaining privileges only where root itself may not do
// without, as in a container: a command may need sudo or sendmail.
func install(filter []unix.SockFilter) error {
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	set := func() error {
		_, _, failed := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
		if failed != 0 {
			return os.NewSyscallError("seccomp", failed)
		}
		return nil
	}
	err := set()
	if errors.Is(err, unix.EACCES) {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		err = set()
	}
	return err
}

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

// jump passes over as many instructions as is said of the two cases.
func jump(test uint16, value uint32, equal, unequal uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: value, Jt: equal, Jf: unequal}
}

func answer(action uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
}
