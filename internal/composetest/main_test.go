package composetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/command"
)

const (
	// asked says that these tests are to run.
	asked = "HADJANGO_TEST_COMPOSE"
	// workshop is the directory with all that was made before the process went
	// where no network is; it is set in that process only.
	workshop = "HADJANGO_TEST_WORKSHOP"
)

// TestMain runs the tests as the first process of namespaces of its own: what
// they start ends with it, and nothing of the engine's network is left behind.
// What takes the outer network is made before.
func TestMain(m *testing.M) {
	code, err := start(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func start(m *testing.M) (code int, err error) {
	if os.Getenv(workshop) != "" {
		if err := settle(); err != nil {
			return 1, err
		}
		return m.Run(), nil
	}
	if os.Getenv(asked) == "" {
		return m.Run(), nil // which says what it skips
	}
	// who asks for a test is not told that it has passed when it has not run
	if err := mayRun(); err != nil {
		return 1, fmt.Errorf("the containers cannot be tested here, as %s asks: %w", asked, err)
	}
	return apart()
}

// mayRun tells why the tests cannot run here.
func mayRun() error {
	if os.Geteuid() != 0 {
		return errors.New("an engine needs root")
	}
	for _, program := range []string{"dockerd", "docker", "docker-compose", "debootstrap", "tar"} {
		if command.Look(program) == "" {
			return fmt.Errorf("%s is missing: apt-get install docker.io docker-compose debootstrap", program)
		}
	}
	return nil
}

// apart prepares what needs the network, and runs this program again without it.
// What it has made is removed when it is told to end, too.
func apart() (code int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	dir, err := os.MkdirTemp("", "hjc")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if err := prepare(ctx, dir); err != nil {
		return 1, err
	}
	again := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.Env = append(os.Environ(), workshop+"="+dir)
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	var ended *exec.ExitError
	if err := again.Run(); err != nil && !errors.As(err, &ended) {
		return 1, err
	}
	return again.ProcessState.ExitCode(), context.Cause(ctx)
}

// settle makes the namespaces usable: mounts that nobody else sees, the
// processes of this one, and loopback.
func settle() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return raiseLoopback()
}

func raiseLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}

// repository is the root of this one.
func repository() string {
	root, _ := filepath.Abs("../..")
	return root
}
