package builds

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/disktest"
	"github.com/hadjango/hadjango/internal/reflink"
)

// onEach runs a test where files become links, on disk and in memory, and
// where they only have their bytes in common.
func onEach(t *testing.T, test func(t *testing.T, dir string, reflinks bool)) {
	t.Run("disk", func(t *testing.T) {
		dir := realTempDir(t)
		test(t, dir, reflink.Possible(dir))
	})
	t.Run("memory", func(t *testing.T) {
		dir, err := os.MkdirTemp("/dev/shm", "builds")
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
		test(t, dir, false)
	})
	t.Run("reflinks", func(t *testing.T) { test(t, disktest.XFS(t), true) })
}

// page is a file of some blocks.
func page(word string) string { return strings.Repeat(word+"\n", 3000) }

func twoBuilds(tb testing.TB, dir string, a, b map[string]string) (basis, build string) {
	tb.Helper()
	basis, build = filepath.Join(dir, "a"), filepath.Join(dir, "b")
	putFiles(tb, basis, a)
	putFiles(tb, build, b)
	return basis, build
}

func shareFiles(tb testing.TB, basis, build string, opts ShareOptions) ShareReport {
	tb.Helper()
	report, err := Share(tb.Context(), basis, build, opts)
	require.NoError(tb, err)
	require.NoDirExists(tb, filepath.Join(build, shareBench))
	return report
}

func sameFile(t *testing.T, a, b, name string) bool {
	t.Helper()
	ofA, err := os.Lstat(filepath.Join(a, name))
	require.NoError(t, err)
	ofB, err := os.Lstat(filepath.Join(b, name))
	require.NoError(t, err)
	return os.SameFile(ofA, ofB)
}

func TestShare_MakesEqualFilesOne(t *testing.T) {
	onEach(t, func(t *testing.T, dir string, reflinks bool) {
		basis, build := twoBuilds(t, dir,
			map[string]string{"app.py": page("app"), "lib/x/y.py": page("y"), "changed.py": page("old!"), "gone.py": page("gone")},
			map[string]string{"app.py": page("app"), "lib/x/y.py": page("y"), "changed.py": page("new!"), "new.py": page("new"), "link": "-> app.py"})
		wantBasis, wantBuild := filesIn(t, basis), filesIn(t, build)

		report := shareFiles(t, basis, build, ShareOptions{})

		require.Equal(t, 2, report.Files)
		require.Zero(t, report.Already)
		require.Positive(t, report.Bytes)
		require.Less(t, report.Bytes, report.Size)
		require.Equal(t, wantBasis, filesIn(t, basis))
		require.Equal(t, wantBuild, filesIn(t, build))
		for name, shared := range map[string]bool{"app.py": true, "lib/x/y.py": true, "changed.py": false} {
			require.Equal(t, shared && !reflinks, sameFile(t, basis, build, name), name)
		}

		again := shareFiles(t, basis, build, ShareOptions{})

		require.Equal(t, ShareReport{Already: 2, Size: again.Size}, again)
		require.Positive(t, again.Size)
	})
}

// A file whose last name is elsewhere frees nothing.
func TestShare_CountsOnlyWhatIsFreed(t *testing.T) {
	basis, build := twoBuilds(t, realTempDir(t), map[string]string{"x": page("x")}, map[string]string{"x": page("x")})
	require.NoError(t, os.Link(filepath.Join(build, "x"), filepath.Join(filepath.Dir(build), "elsewhere")))

	report := shareFiles(t, basis, build, ShareOptions{})

	require.Equal(t, 1, report.Files)
	require.Zero(t, report.Bytes)
}

func TestShare_LeavesWhatIsEachBuildsOwn(t *testing.T) {
	onEach(t, func(t *testing.T, dir string, _ bool) {
		own := map[string]string{
			"build.json": page("{}"), ".DEPLOY_TAG": page("v1"), ".git/config": page("git"), ".hadjango-stamp": page("0"),
			"uwsgi.d/env.json": page("env"), "pyvenv.cfg": page("home"),
		}
		basis, build := twoBuilds(t, dir, own, own)

		report := shareFiles(t, basis, build, ShareOptions{Skip: []string{"uwsgi.d/", "pyvenv.cfg"}})

		require.Zero(t, report.Files)
		for name := range own {
			require.False(t, sameFile(t, basis, build, name), name)
		}
	})
}

// What begins with a name that is skipped is another's.
func TestShare_SkipsWholeNames(t *testing.T) {
	files := map[string]string{"uwsgi.d.py": page("x"), "sub/build.json": page("y")}
	basis, build := twoBuilds(t, realTempDir(t), files, files)

	require.Equal(t, 2, shareFiles(t, basis, build, ShareOptions{Skip: []string{"uwsgi.d"}}).Files)
}

func TestShare_KeepsModesAndOwners(t *testing.T) {
	files := map[string]string{"mode": page("mode"), "owner": page("owner"), "group": page("group"), "same": page("same")}
	onEach(t, func(t *testing.T, dir string, _ bool) {
		basis, build := twoBuilds(t, dir, files, files)
		require.NoError(t, os.Chmod(filepath.Join(build, "mode"), 0o755))
		want := 3
		if os.Geteuid() == 0 {
			require.NoError(t, os.Chown(filepath.Join(build, "owner"), 1, -1))
			require.NoError(t, os.Chown(filepath.Join(build, "group"), -1, 1))
			want = 1
		}
		before := disktest.Inodes(t, build)

		require.Equal(t, want, shareFiles(t, basis, build, ShareOptions{}).Files)

		for name, was := range before {
			now := disktest.Inodes(t, build)[name]
			require.Equal(t, was.Mode, now.Mode, name)
			require.Equal(t, [2]uint32{was.UID, was.GID}, [2]uint32{now.UID, now.GID}, name)
		}
	})
}

// Links, pipes and sockets are nothing to share, nor is what lies behind a link.
func TestShare_TakesRegularFilesOnly(t *testing.T) {
	dir := realTempDir(t)
	putFiles(t, dir, map[string]string{"outside/x.py": page("x")})
	basis, build := twoBuilds(t, dir,
		map[string]string{"real/x.py": page("x"), "dir": "-> ../outside", "file": "-> ../outside/x.py"},
		map[string]string{"dir/x.py": page("x"), "file": page("x"), "real": "-> dir"})
	for _, root := range []string{basis, build} {
		require.NoError(t, unix.Mkfifo(filepath.Join(root, "pipe"), 0o644))
	}
	want := filesIn(t, filepath.Join(build, "dir"))

	require.Zero(t, shareFiles(t, basis, build, ShareOptions{}).Files)

	require.Equal(t, want, filesIn(t, filepath.Join(build, "dir")))
	require.FileExists(t, filepath.Join(build, "file"))
}

func TestShare_RefusesOneTree(t *testing.T) {
	dir := realTempDir(t)
	basis, build := twoBuilds(t, dir, map[string]string{"x": "x"}, map[string]string{"x": "x", "inner/x": "x"})
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(basis, link))

	for _, pair := range [][2]string{{basis, basis}, {basis, link}, {build, filepath.Join(build, "inner")}, {filepath.Join(build, "inner"), build}} {
		_, err := Share(t.Context(), pair[0], pair[1], ShareOptions{})
		require.ErrorIs(t, err, ErrSameBuild)
	}
	_, err := Share(t.Context(), filepath.Join(dir, "missing"), build, ShareOptions{})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestShare_LeavesWhatLiesOnAnotherFileSystem(t *testing.T) {
	shm, err := os.MkdirTemp("/dev/shm", "builds")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(shm)) })
	basis, build := filepath.Join(shm, "a"), filepath.Join(realTempDir(t), "b")
	putFiles(t, basis, map[string]string{"x": page("x")})
	putFiles(t, build, map[string]string{"x": page("x")})

	require.Zero(t, shareFiles(t, basis, build, ShareOptions{}).Files)
}

func TestShare_StopsWhenCancelled(t *testing.T) {
	files := map[string]string{"x": page("x")}
	basis, build := twoBuilds(t, realTempDir(t), files, files)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := Share(ctx, basis, build, ShareOptions{})

	require.ErrorIs(t, err, context.Canceled)
	require.False(t, sameFile(t, basis, build, "x"))
}

// A build that serves is read all the time: nobody finds a file missing or other.
func TestShare_IsNotSeenByWhoReads(t *testing.T) {
	onEach(t, func(t *testing.T, dir string, _ bool) {
		files := manyPages(200)
		basis, build := twoBuilds(t, dir, files, files)
		done, result := make(chan struct{}), make(chan error)
		go func() { result <- readAll(build, files, done) }()

		require.Equal(t, len(files), shareFiles(t, basis, build, ShareOptions{}).Files)

		close(done)
		require.NoError(t, <-result)
	})
}

func manyPages(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("dir%d/file%d", i%7, i)] = page(fmt.Sprint("line ", i))
	}
	return files
}

func readAll(root string, files map[string]string, done chan struct{}) error {
	for {
		for name, want := range files {
			got, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				return err
			}
			if string(got) != want {
				return fmt.Errorf("%s is another file", name)
			}
		}
		select {
		case <-done:
			return nil
		default:
		}
	}
}

// The test runs itself as one who shares, and ends it the hard way at another
// moment each time.
func TestShare_ThatIsKilledLeavesTheBuildWhole(t *testing.T) {
	if dir := os.Getenv("HADJANGO_TEST_SHARE"); dir != "" {
		_, err := Share(t.Context(), filepath.Join(dir, "a"), filepath.Join(dir, "b"), ShareOptions{})
		require.NoError(t, err)
		return
	}
	dir := realTempDir(t)
	files := manyPages(500)
	basis, build := twoBuilds(t, dir, files, files)
	begun := 0
	for i := range 30 {
		child := exec.Command(os.Args[0], "-test.run=^TestShare_ThatIsKilledLeavesTheBuildWhole$")
		child.Env = append(os.Environ(), "HADJANGO_TEST_SHARE="+dir)
		require.NoError(t, child.Start())
		begun += killOnceBegun(t, child, build, i)
		kept := filesIn(t, build)
		for name := range kept {
			if strings.HasPrefix(name, shareBench) {
				delete(kept, name)
			}
		}
		require.Equal(t, files, kept)
		if i%5 == 4 {
			apart(t, build, files)
		}
	}
	require.Positive(t, begun, "no try was killed on its way")

	shareFiles(t, basis, build, ShareOptions{})

	require.Equal(t, files, filesIn(t, build))
	require.Equal(t, len(files), shareFiles(t, basis, build, ShareOptions{}).Already)
}

// killOnceBegun kills the child some time after it has made its bench, and
// counts whether it was in time.
func killOnceBegun(t *testing.T, child *exec.Cmd, build string, i int) int {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	bench := filepath.Join(build, shareBench)
	require.Eventually(t, func() bool {
		_, err := os.Lstat(bench)
		return err == nil || len(ended) > 0
	}, time.Minute, 100*time.Microsecond)
	time.Sleep(time.Duration(i) * 300 * time.Microsecond)
	_ = child.Process.Kill()
	if <-ended != nil {
		return 1
	}
	return 0
}

// apart makes the files of a build its own again.
func apart(t *testing.T, build string, files map[string]string) {
	t.Helper()
	require.NoError(t, os.RemoveAll(build))
	putFiles(t, build, files)
}

func TestShare_AsOrdinaryUserPassesOverReadOnlyDirectories(t *testing.T) {
	files := map[string]string{"sub/x": page("x"), "y": page("y")}
	basis, build := twoBuilds(t, realTempDir(t), files, files)
	setReadOnly(t, filepath.Join(build, "sub"))
	want := 2
	if os.Geteuid() != 0 {
		want = 1
	}

	require.Equal(t, want, shareFiles(t, basis, build, ShareOptions{}).Files)
}

func ExampleShare() {
	dir, err := os.MkdirTemp("", "builds")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	for build, version := range map[string]string{"a": "1", "b": "2"} {
		build = filepath.Join(dir, build)
		if err := os.Mkdir(build, 0o755); err != nil {
			panic(err)
		}
		for name, text := range map[string]string{"app.py": "import shop\n", "version.py": version} {
			if err := os.WriteFile(filepath.Join(build, name), []byte(text), 0o444); err != nil {
				panic(err)
			}
		}
	}

	report, err := Share(context.Background(), filepath.Join(dir, "a"), filepath.Join(dir, "b"), ShareOptions{})
	if err != nil {
		panic(err)
	}

	fmt.Println("files that are one now:", report.Files)
	// Output: files that are one now: 1
}

// The baseline is cp -al of the basis: links to all its files, without a look
// at what the build holds. Reading both builds is what comparing costs.
func BenchmarkShare(b *testing.B) {
	dir := realTempDir(b)
	files := map[string]string{}
	for i := range 5000 {
		files[fmt.Sprintf("dir%d/sub%d/file%d.py", i%10, i%150, i)] = strings.Repeat(fmt.Sprintf("line %d\n", i), 50+i%500)
	}
	basis, build := twoBuilds(b, dir, files, nil)
	b.Run("hadjango", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			require.NoError(b, os.RemoveAll(build))
			putFiles(b, build, files)
			b.StartTimer()
			require.Equal(b, len(files), shareFiles(b, basis, build, ShareOptions{}).Files)
		}
	})
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			require.Equal(b, len(files), shareFiles(b, basis, build, ShareOptions{}).Already)
		}
	})
	b.Run("cp -al", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			require.NoError(b, exec.Command("cp", "-al", basis, filepath.Join(dir, fmt.Sprint("copy", i))).Run())
		}
	})
}
