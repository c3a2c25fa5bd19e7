package command_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/command"
)

// typist tries to put a character into the input of its terminal: as the
// C library does it, with a request whose upper half the kernel does not look
// at, by the calls of 32-bit programs and by those of x32.
const typist = `
import ctypes, errno, fcntl, mmap, os, platform, termios
libc = ctypes.CDLL(None, use_errno=True)

def tried(what, do):
    try:
        do()
        print(what, "done", flush=True)
    except OSError as e:
        print(what, errno.errorcode[e.errno], flush=True)

def call(number, request):
    if libc.syscall(number, 0, ctypes.c_ulong(request), b"x") < 0:
        raise OSError(ctypes.get_errno(), "")

def old_call():
    child = os.fork()
    if child == 0:
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(bytes.fromhex("b814000000cd80c3")) # getpid by int 0x80
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        os._exit(0 if ctypes.CFUNCTYPE(ctypes.c_int)(address)() == -errno.ENOSYS else 1)
    _, status = os.waitpid(child, 0)
    # a kernel that has no such calls kills who tries
    if os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0:
        raise OSError(errno.ENOSYS, "")

tried("open", lambda: os.close(os.open("/dev/tty", os.O_RDWR)))
tried("TIOCSTI", lambda: fcntl.ioctl(0, termios.TIOCSTI, b"x"))
tried("TIOCLINUX", lambda: fcntl.ioctl(0, 0x541c, b"\x03"))
tried("TCGETS", lambda: fcntl.ioctl(0, termios.TCGETS, bytes(64)))
if platform.machine() == "x86_64":
    tried("upper", lambda: call(16, 1 << 32 | termios.TIOCSTI))
    tried("x32", lambda: call(1 << 30 | 514, termios.TIOCSTI))
    tried("int80", old_call)
raise SystemExit(7)
`

// atTerminalVariable tells this program, which is then a task at a terminal, by
// which method to run the typist.
const atTerminalVariable = "HADJANGO_TEST_AT_TERMINAL"

func TestMain(m *testing.M) {
	if how := os.Getenv(atTerminalVariable); how != "" {
		os.Exit(runTypist(how))
	}
	os.Exit(m.Run())
}

func runTypist(how string) int {
	user, err := runner()
	if err != nil {
		panic(err)
	}
	c := command.Command{Args: []string{"/usr/bin/python3", "-c", typist}, Dir: "/", User: user}
	switch how {
	case "Run":
		err = c.Run(context.Background())
	case "RunAttached":
		err = c.RunAttached(context.Background())
	case "Exec":
		err = c.Exec()
	}
	var failed *command.Error
	var status *exec.ExitError
	if !errors.As(err, &failed) || !errors.As(err, &status) {
		panic(err)
	}
	fmt.Println(failed.Tail)
	return status.ExitCode()
}

// runner is another user for root.
func runner() (account.User, error) {
	if os.Geteuid() == 0 {
		return account.Lookup("nobody")
	}
	return account.Current()
}

// atTerminal runs the typist on a terminal of its own and returns what became
// of each try.
func atTerminal(t *testing.T, how string) (tries map[string]string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), atTerminalVariable+"="+how)
	terminal, err := pty.Start(cmd)
	require.NoError(t, err)
	defer terminal.Close()
	// the end of a terminal is an error
	out, _ := io.ReadAll(terminal)
	err = cmd.Wait()
	var status *exec.ExitError
	require.ErrorAs(t, err, &status, string(out))
	require.Equal(t, 7, status.ExitCode(), string(out))
	tries = map[string]string{}
	for line := range strings.Lines(string(out)) {
		if what, became, found := strings.Cut(strings.TrimSpace(line), " "); found {
			tries[what] = became
		}
	}
	return tries
}

// A program of another user's that could type would give commands to root's
// shell.
func TestRun_HasNoTerminal(t *testing.T) {
	tries := atTerminal(t, "Run")

	require.Equal(t, "ENXIO", tries["open"], tries)
}

func TestAttached_HasTheTerminalAndCannotType(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root's commands are another user's")
	}
	for _, how := range []string{"RunAttached", "Exec"} {
		t.Run(how, func(t *testing.T) {
			tries := atTerminal(t, how)

			want := map[string]string{"open": "done", "TCGETS": "done", "TIOCSTI": "EPERM", "TIOCLINUX": "EPERM"}
			if runtime.GOARCH == "amd64" {
				want["upper"], want["x32"], want["int80"] = "EPERM", "ENOSYS", "ENOSYS"
			}
			require.Equal(t, want, tries)
		})
	}
}
