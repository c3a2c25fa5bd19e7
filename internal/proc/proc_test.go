package proc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/internal/usertest"
)

// How many generations of children a child of the tests has.
const descendants = "HADJANGO_TEST_DESCENDANTS"

// The tests run this program as their child: it says that it is ready and ends
// with its standard input, so none outlives the tests.
func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(descendants)); err == nil {
		beChild(n)
		return
	}
	os.Exit(m.Run())
}

func beChild(descend int) {
	if descend > 0 {
		child := exec.Command("/proc/self/exe")
		child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
		child.Env = append(os.Environ(), fmt.Sprint(descendants, "=", descend-1))
		_ = child.Run()
		return
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// start runs a child, changed by the test, until the test ends.
func start(t *testing.T, change func(*exec.Cmd)) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Dir = "/"
	// the race detector would make each end last a second
	cmd.Env = append(os.Environ(), descendants+"=0", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	change(cmd)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	_, err = io.ReadFull(stdout, make([]byte, len("ready")))
	require.NoError(t, err)
	return cmd
}

func plain(*exec.Cmd) {}

func open(t *testing.T, cmd *exec.Cmd) proc.Process {
	t.Helper()
	p, err := proc.Open(cmd.Process.Pid)
	require.NoError(t, err)
	require.Equal(t, cmd.Process.Pid, p.PID)
	return p
}

func TestProcess_IsAliveUntilItEnds(t *testing.T) {
	cmd := start(t, plain)
	p := open(t, cmd)
	require.True(t, p.Alive())

	require.NoError(t, p.Signal(syscall.SIGKILL))
	_ = cmd.Wait()

	require.False(t, p.Alive())
	require.NoError(t, p.Signal(syscall.SIGKILL), "it is no error that it has ended")
	require.Empty(t, p.Name())
	_, err := proc.Open(p.PID)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestProcess_ThatIsAZombieIsNotAlive(t *testing.T) {
	cmd := start(t, plain)
	p := open(t, cmd)

	require.NoError(t, p.Signal(syscall.SIGKILL))

	require.NoError(t, proc.Wait(within(t), []proc.Process{p}))
	again := open(t, cmd)
	require.Equal(t, p, again, "nobody has waited for it, so it still has its pid")
	require.False(t, again.Alive())
}

func TestProcess_OfAnotherUserIsNotSignalled(t *testing.T) {
	if usertest.Again(t) {
		return
	}
	first, err := proc.Open(1)
	require.NoError(t, err)

	require.ErrorIs(t, first.Signal(0), syscall.EPERM)
}

func TestOwnedBy_IsOnlyOfItsUser(t *testing.T) {
	cmd := start(t, plain)
	uid := uint32(os.Geteuid())

	p, ok := proc.OwnedBy(cmd.Process.Pid, uid)
	require.True(t, ok)
	require.Equal(t, open(t, cmd), p)
	_, ok = proc.OwnedBy(cmd.Process.Pid, uid+1)
	require.False(t, ok)

	require.NoError(t, cmd.Process.Kill())
	require.NoError(t, proc.Wait(within(t), []proc.Process{p}))
	_, ok = proc.OwnedBy(cmd.Process.Pid, uid)
	require.False(t, ok, "a zombie")
	_ = cmd.Wait()
	_, ok = proc.OwnedBy(cmd.Process.Pid, uid)
	require.False(t, ok, "nobody")
}

func TestProcess_NameIsItsTitle(t *testing.T) {
	cmd := start(t, func(cmd *exec.Cmd) { cmd.Args = []string{"nginx: worker process", "is shutting down  "} })

	require.Equal(t, "nginx: worker process is shutting down", open(t, cmd).Name())
}

func TestWait_EndsWithTheLast(t *testing.T) {
	one, two := start(t, plain), start(t, plain)
	both := []proc.Process{open(t, one), open(t, two)}
	ended := make(chan error, 1)
	go func() { ended <- proc.Wait(within(t), both) }()

	require.NoError(t, one.Process.Kill())
	_ = one.Wait()
	require.Equal(t, both[1:], proc.Living(both))
	select {
	case <-ended:
		t.Fatal("one is still alive")
	default:
	}

	require.NoError(t, two.Process.Kill())
	require.NoError(t, <-ended)
	require.Empty(t, proc.Living(both))
}

func TestWait_TellsWhyItWasEnded(t *testing.T) {
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	living := []proc.Process{open(t, start(t, plain))}

	require.ErrorIs(t, proc.Wait(ctx, living), reason)
	require.NoError(t, proc.Wait(ctx, nil), "there is nothing to wait for")
}

func TestFamily_HasAllDescendants(t *testing.T) {
	cmd := start(t, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, descendants+"=2") })
	other := open(t, start(t, plain))

	family := proc.Family(cmd.Process.Pid)

	require.Len(t, family, 3)
	require.Equal(t, open(t, cmd), family[0])
	require.Equal(t, family, proc.Living(family))
	require.NotContains(t, family, other)
	require.Equal(t, family[1:], proc.Family(family[1].PID))
	require.Contains(t, proc.Family(os.Getpid()), family[2])
}

func TestFamily_OfNobodyIsEmpty(t *testing.T) {
	cmd := start(t, plain)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()

	require.Empty(t, proc.Family(cmd.Process.Pid))
}

func TestUnder_FindsWhoWorksInTheDirectoryOrHasAFileThere(t *testing.T) {
	dir := resolved(t, t.TempDir())
	sub, sibling := filepath.Join(dir, "site", "sub"), filepath.Join(dir, "site-2")
	site := filepath.Dir(sub)
	require.NoError(t, os.MkdirAll(sub, 0o755))
	require.NoError(t, os.MkdirAll(sibling, 0o755))
	log, err := os.Create(filepath.Join(sub, "log"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	in := func(dir string) proc.Process {
		return open(t, start(t, func(cmd *exec.Cmd) { cmd.Dir = dir }))
	}
	want := []proc.Process{
		in(site), in(sub),
		open(t, start(t, func(cmd *exec.Cmd) { cmd.ExtraFiles = []*os.File{log} })),
	}
	in(sibling)
	in(dir)
	page, err := os.Open(log.Name())
	require.NoError(t, err)
	t.Cleanup(func() { _ = page.Close() })
	start(t, func(cmd *exec.Cmd) { cmd.ExtraFiles = []*os.File{page} }) // only reads there
	me := filepath.Base(executable(t))

	found, err := proc.Under(site, "nosuchprogram", me)
	require.NoError(t, err)
	// this test has the log open too
	found = slices.DeleteFunc(found, func(p proc.Process) bool { return p.PID == os.Getpid() })
	require.ElementsMatch(t, want, found)

	found, err = proc.Under(site, "nosuchprogram")
	require.NoError(t, err)
	require.Empty(t, found)
}

// An upgrade replaces the files of programs that run.
func TestUnder_FindsAProgramWhoseFileIsGone(t *testing.T) {
	dir := resolved(t, t.TempDir())
	server := filepath.Join(dir, "server")
	data, err := os.ReadFile(executable(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(server, data, 0o755))
	p := open(t, start(t, func(cmd *exec.Cmd) { cmd.Path, cmd.Dir = server, dir }))
	require.NoError(t, os.Remove(server))

	found, err := proc.Under(dir, "server")

	require.NoError(t, err)
	require.Equal(t, []proc.Process{p}, found)
}

func TestUnder_LeavesOutTheDead(t *testing.T) {
	dir := resolved(t, t.TempDir())
	cmd := start(t, func(cmd *exec.Cmd) { cmd.Dir = dir })
	require.NoError(t, cmd.Process.Kill())
	require.NoError(t, proc.Wait(within(t), []proc.Process{open(t, cmd)}))

	found, err := proc.Under(dir, filepath.Base(executable(t)))

	require.NoError(t, err)
	require.Empty(t, found)
}

func TestMemory_IsAShareOfWhatIsResident(t *testing.T) {
	cmd := start(t, plain)

	pss, err := proc.Memory(cmd.Process.Pid)

	require.NoError(t, err)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(status), "VmRSS:")
	require.True(t, ok)
	rss, err := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
	require.NoError(t, err)
	rss *= 1024
	// a runtime's own threads change it by a little between the two looks
	require.Less(t, pss, rss+rss/4)
	require.Greater(t, pss, rss/100)
	resident, err := proc.Resident(cmd.Process.Pid)
	require.NoError(t, err)
	require.InEpsilon(t, rss, resident, 0.25)
}

func TestMemory_OfNobodyIsAnError(t *testing.T) {
	cmd := start(t, plain)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()

	_, err := proc.Memory(cmd.Process.Pid)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = proc.Resident(cmd.Process.Pid)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}

// resolved follows links, because the kernel shows processes' files that way.
func resolved(t *testing.T, dir string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	return dir
}

func TestDescendsFrom_KnowsParentsOnly(t *testing.T) {
	child := start(t, plain)

	require.True(t, proc.DescendsFrom(os.Getppid()))
	require.False(t, proc.DescendsFrom(os.Getpid()))
	require.False(t, proc.DescendsFrom(child.Process.Pid))
	require.False(t, proc.DescendsFrom(0))
}

func TestWithEnv_FindsWhatWasStartedWithAnyOfIt(t *testing.T) {
	child := open(t, start(t, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "HADJANGO_TEST_A=1") }))

	found, err := proc.WithEnv("HADJANGO_TEST_A=1", "HADJANGO_TEST_B=2")
	require.NoError(t, err)
	require.Equal(t, []proc.Process{child}, found)
	found, err = proc.WithEnv("HADJANGO_TEST_A=2")
	require.NoError(t, err)
	require.Empty(t, found)
	found, err = proc.WithEnv()
	require.NoError(t, err)
	require.Empty(t, found)
}

// Go catches what may be caught.
func TestCatches_KnowsWhichSignalsEndAProcess(t *testing.T) {
	me, err := proc.Open(os.Getpid())
	require.NoError(t, err)

	require.True(t, me.Catches(syscall.SIGURG))
	require.False(t, me.Catches(syscall.SIGKILL))
	require.False(t, proc.Process{}.Catches(syscall.SIGURG))
}
