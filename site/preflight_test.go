package site_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/servertest"
	"github.com/hadjango/hadjango/site"
)

// newMountedSite is a site whose deploy directory is a file system of its own.
func newMountedSite(t *testing.T, config string) testSite {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	s := newTestSite(t, config)
	require.NoError(t, os.Mkdir(s.deploy(), 0o755))
	user, err := account.Lookup("www-data")
	require.NoError(t, err)
	s.mount("tmpfs", "tmpfs", 0, fmt.Sprintf("size=64m,nr_inodes=4000,mode=750,gid=%d", user.GID))
	return s
}

func (s testSite) deploy() string { return filepath.Join(s.dir, "deploy") }

// mount mounts something on the deploy directory; it is gone with the test.
func (s testSite) mount(source, kind string, flags uintptr, options string) {
	s.t.Helper()
	if err := unix.Mount(source, s.deploy(), kind, flags, options); err != nil {
		s.t.Skipf("mount %s: %v", kind, err)
	}
	s.t.Cleanup(func() {
		require.NoError(s.t, s.Down(context.Background()))
		require.NoError(s.t, unix.Unmount(s.deploy(), unix.MNT_DETACH))
	})
}

// leave fills the file system until only so much is left, and returns what
// empties it again.
func (s testSite) leave(bytes, files int64) (empty func()) {
	s.t.Helper()
	ballast := filepath.Join(s.deploy(), "ballast")
	require.NoError(s.t, os.Mkdir(ballast, 0o755))
	left := s.left()
	for range int64(left.Ffree) - files - 1 {
		require.NoError(s.t, unix.Mknod(filepath.Join(ballast, strconv.Itoa(int(files))), unix.S_IFREG, 0))
		files++
	}
	file, err := os.Create(filepath.Join(ballast, "bytes"))
	require.NoError(s.t, err)
	defer file.Close()
	left = s.left()
	if fill := int64(left.Bavail)*left.Bsize - bytes; fill > 0 {
		require.NoError(s.t, unix.Fallocate(int(file.Fd()), 0, 0, fill))
	}
	return func() { require.NoError(s.t, os.RemoveAll(ballast)) }
}

func (s testSite) left() (stat unix.Statfs_t) {
	s.t.Helper()
	require.NoError(s.t, unix.Statfs(s.deploy(), &stat))
	return stat
}

func TestPreflight_OfAFullDiskSaysWhatToRemove(t *testing.T) {
	s := newMountedSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))
	empty := s.leave(4096, 1000)

	for _, try := range []func() error{
		func() error { return s.CreateBuild(t.Context(), "d") }, func() error { return s.Activate(t.Context(), "c") },
	} {
		var short *site.RoomError
		require.ErrorAs(t, try(), &short)
		require.Regexp(t, `^mage rm c \([\d.]+ kB\)$`, short.Mend)
		require.Equal(t, s.deploy(), short.Dir)
	}
	require.NoDirExists(t, filepath.Join(s.deploy(), "builds/d"))
	require.ErrorContains(t, s.Restart(t.Context(), "a"), "needed, as a does with its logs; make room: mage rm c (")
	require.Contains(t, s.awaits(t, "left for builds, and one takes").Mend, "mage rm c")

	empty()
	empty = s.leave(0, 0)
	_, err := s.SwapLive(t.Context(), "")
	require.NoError(t, err, "going back needs no room")
	s.requireServes("live.localhost", "b")
	require.NoError(t, s.Remove(t.Context(), "c"), "a full disk is no obstacle to making room")
	require.NoDirExists(t, filepath.Join(s.deploy(), "builds/c"))
	empty()
	empty = s.leave(0, 0)
	require.NoError(t, s.Down(t.Context()))
	empty()
	require.NoError(t, s.Up(t.Context()))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))
	s.awaitWell(t)
}

// A disk that fills while a build is made, wherever that is, leaves what serves
// as it is, the error says so, and a later run ends well.
func TestCreateBuild_WhenTheDiskFillsMeanwhile(t *testing.T) {
	s := newMountedSite(t, "build: [[cp, app.py, new.py], [sh, -c, 'cp -r many many2 2>/dev/null || test ! -d many']]")
	require.NoError(t, s.Init(t.Context()))
	s.write("project/many/large", string(bytes.Repeat([]byte("x"), 4<<20)))
	for i := range 150 {
		s.write(fmt.Sprintf("project/many/%d.py", i), "")
	}
	const mb, plenty = 1 << 20, 2000

	failed := 0
	for _, left := range []struct{ bytes, files int64 }{
		{1 * mb, plenty}, {3 * mb, plenty}, {5 * mb, plenty}, {7 * mb, plenty}, {9 * mb, plenty},
		{32 * mb, 120}, {32 * mb, 200}, {32 * mb, 300}, {32 * mb, 400},
	} {
		empty := s.leave(left.bytes, left.files)
		err := s.CreateBuild(t.Context(), "c")
		if err != nil {
			failed++
			require.ErrorContains(t, err, "create build c: ", left)
			require.ErrorContains(t, err, "not enough room in "+s.deploy(), left)
			require.NotEqual(t, site.Stopped, s.state("c"), left)
		}
		s.requireServes("live.localhost", "a")
		s.requireServes("stage.localhost", "b")
		empty()
		require.NoError(t, s.Remove(t.Context(), "c"))
	}
	require.GreaterOrEqual(t, failed, 6)
	require.Contains(t, s.notes.String(), "✗ c: copy")
	require.Contains(t, s.notes.String(), "✗ c: sh")

	require.NoError(t, s.CreateBuild(t.Context(), "c"))
	require.NoError(t, s.Stage(t.Context(), "c"))
	s.requireServes("stage.localhost", "c")
	s.awaitWell(t)
}

func TestVerbs_OnAReadOnlyFileSystem(t *testing.T) {
	s := newMountedSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	// a bind mount, because files are open for writing below it
	require.NoError(t, unix.Mount(s.deploy(), s.deploy(), "", unix.MS_BIND, ""))
	require.NoError(t, unix.Mount("", s.deploy(), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))

	for _, err := range []error{s.CreateBuild(t.Context(), "c"), s.Restart(t.Context(), "a"), s.Down(t.Context())} {
		require.ErrorIs(t, err, unix.EROFS)
		require.ErrorContains(t, err, "what runs goes on")
	}
	s.requireServes("live.localhost", "a")
	require.Equal(t, site.Active, s.state("a"))
	require.Contains(t, s.awaits(t, "read-only file system").Mend, "mount -o remount,rw ")

	require.NoError(t, unix.Unmount(s.deploy(), unix.MNT_DETACH))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))
}

func TestPreflight_OfAPortThatIsTaken(t *testing.T) {
	s := newTestSite(t, "")
	take := func(address string) net.Listener {
		listener, err := net.Listen("tcp", address)
		require.NoError(t, err)
		return listener
	}
	free := func(taken net.Listener) {
		require.NoError(t, taken.Close())
		// a process that another test has just forked has it too, for a moment
		s.eventually(func(testSite) bool {
			conn, err := net.Dial("tcp", taken.Addr().String())
			if err == nil {
				_ = conn.Close()
			}
			return errors.Is(err, unix.ECONNREFUSED)
		})
	}
	mine := fmt.Sprintf("process %d (", os.Getpid())
	nginx := take(s.address)
	err := s.Init(t.Context())
	require.ErrorContains(t, err, "listen on "+s.address+": address already in use; "+mine)
	require.ErrorContains(t, err, "or set listen in hadjango.yml")
	require.Empty(t, s.processes(), "nothing was started")
	free(nginx)
	require.NoError(t, s.Init(t.Context()))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))

	for name, try := range map[builds.Name]func(context.Context, builds.Name) error{"c": s.Activate, "d": s.CreateBuild} {
		port, err := builds.Endpoint{Build: name}.Port(s.Config().Port)
		require.NoError(t, err)
		taken := take(fmt.Sprintf("127.0.0.1:%d", port))
		err = try(t.Context(), name)
		require.ErrorContains(t, err, fmt.Sprintf(":%d: address already in use; %s", port, mine))
		require.ErrorContains(t, err, "or set port in hadjango.yml")
		free(taken)
		require.NoError(t, try(t.Context(), name))
	}
}

// What a build that serves is expected to write is what live has written.
func TestPreflight_OfRoomForLogs(t *testing.T) {
	s := newMountedSite(t, "")
	s.call("init", "createBuild c")
	s.write("deploy/logs/a.zerg.log", strings.Repeat("x", 8<<20))
	empty := s.leave(4<<20, 1000)

	err := s.Activate(t.Context(), "c")
	require.Regexp(t, `^activate c: not enough room in \S+: 4\.\d MB and \d+ files left, and 9\.\d MB and \d+ files needed, as a does with its logs; make room: mage rm c `, err.Error())
	require.Equal(t, site.Stopped, s.state("c"))

	empty()
	s.call("activate c")
}

// Builds that were made later than the clock says are no reason to end what
// serves, and to begin nothing.
func TestPreflight_OfAWrongClock(t *testing.T) {
	s := newTestSite(t, "")
	s.call("init", "createBuild c")
	madeIn := func(name builds.Name, ahead time.Duration) {
		manifest := s.manifest(name)
		manifest.Created = time.Now().Add(ahead)
		require.NoError(t, manifest.Write(filepath.Join(s.deploy(), "builds", string(name))))
	}
	refused := func(says string) {
		t.Helper()
		for _, err := range []error{s.CreateBuild(t.Context(), "d"), s.Activate(t.Context(), "c"), s.Restart(t.Context(), "a")} {
			require.Regexp(t, `the clock is wrong: it says 20\S+ \S+, and build [bc] was made (999|1000)h`, err.Error())
			require.ErrorContains(t, err, says)
		}
		require.NoDirExists(t, filepath.Join(s.deploy(), "builds/d"))
		require.Equal(t, site.Stopped, s.state("c"))
	}

	madeIn("c", 1000*time.Hour)
	refused(" later: set it, for example with timedatectl set-ntp true; if it was wrong then, mage rm c")
	_, err := s.SwapLive(t.Context(), "")
	require.NoError(t, err, "going back is always possible")
	s.call("activate a", "up")
	madeIn("c", 30*time.Minute)
	s.call("createBuild d", "rm d")
	madeIn("b", 1000*time.Hour)
	refused(`if it was wrong then, correct "created" in ` + filepath.Join(s.deploy(), "builds/b/build.json"))
	madeIn("b", -time.Hour)
	s.call("createBuild d", "activate c")
}

// Who may open few files has servers that cannot work: nothing is begun.
func TestPreflight_OfOpenFiles(t *testing.T) {
	s := newTestSite(t, "")
	refused := func(title string) {
		t.Helper()
		task := exec.CommandContext(t.Context(), "/bin/sh", "-c", `ulimit -n 512 && exec "$0"`, executable(t))
		task.Env = append(os.Environ(), killSite+"="+s.dir, killTask+"="+title)
		out, err := task.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), title+": at most 512 files may be open, and the servers need 1024: raise the hard limit")
	}
	refused("init")
	require.Empty(t, s.processes(), "nothing was started")
	require.NoDirExists(t, filepath.Join(s.deploy(), "builds/a"))
	s.call("init", "createBuild c")
	refused("activate c")
	require.Equal(t, site.Stopped, s.state("c"))
}

// What this machine has can only be taken from a process that sees another
// machine: the test runs once more in a mount namespace of its own.
func TestPreflight_OfMemoryAndPrograms(t *testing.T) {
	const inside = "HADJANGO_TEST_NAMESPACE"
	if os.Geteuid() != 0 {
		t.Skip("only root can have another mount namespace")
	}
	if os.Getenv(inside) == "" {
		again := exec.CommandContext(t.Context(), lookPath(t, "unshare"), "--mount", executable(t), "-test.run=^TestPreflight_OfMemoryAndPrograms$", "-test.v")
		again.Env = append(os.Environ(), inside+"=1")
		out, err := again.CombinedOutput()
		if bytes.Contains(out, []byte("unshare failed")) {
			t.Skipf("unshare: %s", out)
		}
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS: TestPreflight_OfMemoryAndPrograms")
		return
	}
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))
	require.NoError(t, s.CreateBuild(t.Context(), "d"))
	require.NoError(t, s.Activate(t.Context(), "d"))

	info, err := os.ReadFile("/proc/meminfo")
	require.NoError(t, err)
	s.write("meminfo", regexp.MustCompile(`MemAvailable: +\d+`).ReplaceAllString(string(info), "MemAvailable: 2048"))
	require.NoError(t, unix.Mount(filepath.Join(s.dir, "meminfo"), "/proc/meminfo", "", unix.MS_BIND, ""))
	err = s.Activate(t.Context(), "c")
	require.Regexp(t, `^activate c: not enough memory: 2\.0 MB available, and \d+ MB needed, as live \(a\) does; end what is not needed: mage stop d \(\d+ MB\)$`, err.Error())
	require.Equal(t, site.Stopped, s.state("c"))
	require.NoError(t, s.Activate(t.Context(), "a"), "what runs needs no more")
	err = s.CreateBuild(t.Context(), "e")
	require.Regexp(t, `^create build e: not enough memory: 2\.0 MB available, and \d+ MB needed, as a worker of live \(a\) does; end what is not needed: mage stop d `, err.Error())
	require.NoDirExists(t, filepath.Join(s.deploy(), "builds/e"))
	err = s.Restart(t.Context(), "a")
	require.Regexp(t, `^restart a: not enough memory: 2\.0 MB available, and \d+ MB needed, as [abd] does; `, err.Error())
	require.FileExists(t, filepath.Join(s.deploy(), "builds/a/zerg.ini"))
	require.NoFileExists(t, filepath.Join(s.deploy(), "builds/a/zerg2.ini"))
	require.NoError(t, unix.Unmount("/proc/meminfo", 0))

	require.NoError(t, unix.Mount("tmpfs", "/usr/lib/uwsgi/plugins", "tmpfs", 0, ""))
	require.ErrorContains(t, s.Activate(t.Context(), "c"), "missing: uwsgi-plugin-python3; as root run: apt-get install")
	require.ErrorContains(t, s.CreateBuild(t.Context(), "e"), "missing: uwsgi-plugin-python3")
	require.NoDirExists(t, filepath.Join(s.deploy(), "builds/e"))
	require.Contains(t, s.awaits(t, "packages are missing: uwsgi-plugin-python3").Mend, "apt-get install")
	s.requireServes("live.localhost", "a")
	require.NoError(t, unix.Unmount("/usr/lib/uwsgi/plugins", 0))
	require.NoError(t, s.Activate(t.Context(), "c"))
}

func lookPath(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		servertest.Missing(t, err)
	}
	return path
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}
