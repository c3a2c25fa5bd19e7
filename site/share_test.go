package site_test

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/otiai10/copy"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/disktest"
	"github.com/hadjango/hadjango/site"
)

// A day of builds that share: no build is touched while another is made, and
// one serves on when what it shared with is gone.
func TestDjango_BuildsShareWhatIsEqual(t *testing.T) {
	s := newDjangoSite(t)
	require.NoError(t, s.Init(t.Context()))
	s.write("addons-server/new.py", "NEW = True\n")

	t.Run("making a build touches no file of another", s.requireUntouchedByCreate)
	t.Run("of the first two one fetches and installs, and a later one nothing", func(t *testing.T) {
		for name, made := range map[string]string{"wheels": "fetched", "install": "installed", "node modules": "fetched"} {
			require.NotEqual(t, s.madeBy("a", name).Reused, s.madeBy("b", name).Reused, name)
			require.Regexp(t, "^"+made+`: [0-9a-f]{7}( reused: [0-9a-f]{7}){2}$`, s.details(name, "a", "b", "c"))
		}
		require.Contains(t, s.madeBy("c", "share").Detail, " were before")
	})
	t.Run("status says what each has alone", func(t *testing.T) {
		for _, b := range s.statuses() {
			// what is left are directories, which no two builds can have in common
			require.Less(t, 4*(b.SizeBytes-b.SharedBytes), b.SizeBytes, "%s has more than a quarter alone", b.Name)
		}
	})
	t.Run("its code and its programs are at its own path", s.requireOwnPaths)
	t.Run("an active build is made incremental and goes on", func(t *testing.T) {
		s.unshare("c")
		before := s.statusOf("c")
		require.NoError(t, s.Activate(t.Context(), "c"))

		saving, err := s.MakeIncrementalBuild(t.Context(), "c", "")

		require.NoError(t, err)
		require.Equal(t, builds.Name("a"), saving.Basis)
		require.Greater(t, saving.Files, 1000)
		require.Regexp(t, `^saved \d+ MB of \d+ MB: \d,\d{3} files are now one with a's$`, saving.String())
		after := s.statusOf("c")
		require.Equal(t, before.SizeBytes-before.SharedBytes-saving.Bytes, after.SizeBytes-after.SharedBytes, "what was saved is what it has less alone")
		again, err := s.MakeIncrementalBuild(t.Context(), "c", "")
		require.NoError(t, err)
		require.Zero(t, again.Bytes)
		require.Regexp(t, `^nothing to save: \d,\d{3} files are one with a's already$`, again.String())
	})
	t.Run("what rm frees is what status called its own", s.requireRmFreesItsOwn)
	t.Run("it serves on when its basis is gone", s.requireServesWithoutBasis)
}

func (s testSite) requireUntouchedByCreate(t *testing.T) {
	watched := []string{"deploy/builds/a", "deploy/builds/b", "deploy/assets/static", "deploy/deps/installed"}
	look := func() (all []map[string]disktest.Inode) {
		for _, dir := range watched {
			all = append(all, disktest.Inodes(t, filepath.Join(s.dir, dir)))
		}
		return all
	}
	before := look()
	made := make(chan error, 1)
	go func() { made <- s.CreateBuild(t.Context(), "c") }()
	looks := 0
	for len(made) == 0 {
		requireKept(t, before, look())
		looks++
	}
	require.NoError(t, <-made)
	require.Greater(t, looks, 3)
	requireKept(t, before, look())
}

// requireKept looks for all that was there; more may have come.
func requireKept(t *testing.T, before, after []map[string]disktest.Inode) {
	t.Helper()
	for i := range before {
		for name, was := range before[i] {
			require.Equal(t, was, after[i][name], name)
		}
	}
}

func (s testSite) requireOwnPaths(t *testing.T) {
	dir := filepath.Join(s.dir, "deploy/builds/c")
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "bin/python"), "-c",
		"import django.core.management as m, sys; print(m.execute_from_command_line.__code__.co_filename, sys.prefix)").Output()
	require.NoError(t, err)
	require.Regexp(t, "^"+dir+`/lib/python[0-9.]+/site-packages/django/core/management/__init__\.py `+dir+"\n$", string(out))
	out, err = exec.CommandContext(t.Context(), filepath.Join(dir, "bin/django-admin"), "version").Output()
	require.NoError(t, err)
	require.Regexp(t, `^[0-9.]+\n$`, string(out))
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		require.False(t, bytes.Contains(data, []byte("deps/installed")), path)
		require.False(t, bytes.Contains(data, []byte("deploy/builds/a")), path)
		return err
	}))
}

func (s testSite) requireRmFreesItsOwn(t *testing.T) {
	require.NoError(t, s.CreateBuild(t.Context(), "d"))
	status := s.statusOf("d")
	before := s.diskUsage()

	require.NoError(t, s.Remove(t.Context(), "d"))

	require.Equal(t, status.SizeBytes-status.SharedBytes, before-s.diskUsage())
}

// diskUsage is what du finds where builds lie.
func (s testSite) diskUsage() int64 {
	du := exec.CommandContext(s.t.Context(), "du", "-s", "-c", "-B1", "builds", "assets", "deps")
	du.Dir = filepath.Join(s.dir, "deploy")
	out, err := du.Output()
	require.NoError(s.t, err)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	total, _, _ := strings.Cut(lines[len(lines)-1], "\t")
	n, err := strconv.ParseInt(total, 10, 64)
	require.NoError(s.t, err)
	return n
}

func (s testSite) requireServesWithoutBasis(t *testing.T) {
	require.NoError(t, s.Stage(t.Context(), "c"))
	_, err := s.SwapLive(t.Context(), "")
	require.NoError(t, err)
	require.NoError(t, s.Stage(t.Context(), "b"))

	require.NoError(t, s.Remove(t.Context(), "a"))

	s.requirePage("live.localhost", "build c")
	require.NoError(t, s.Restart(t.Context(), "c"))
	s.requirePage("live.localhost", "build c")
	_, _, page := s.get("live.localhost", "/en-US/firefox/")
	path := regexp.MustCompile(`/static/c-[0-9a-f]{7}/[^"]+\.css`).FindString(page)
	require.NotEmpty(t, path)
	status, _, body := s.get("live.localhost", path)
	require.Equal(t, http.StatusOK, status)
	require.NotEmpty(t, body)
	status, _, _ = s.get("live.localhost", "/admin/login/")
	require.Equal(t, http.StatusOK, status)
}

func TestMakeIncrementalBuild_RefusesEarly(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.CreateBuild(t.Context(), "c"))
	_, err := s.MakeIncrementalBuild(t.Context(), "c", "")
	require.ErrorIs(t, err, builds.ErrNoPointer)
	require.ErrorContains(t, err, "name a build with -basis=NAME")
	require.NoError(t, s.Init(t.Context()))
	_, err = builds.OpenStore(filepath.Join(s.dir, "deploy/builds")).Create("d")
	require.NoError(t, err)
	s.unshare("c")
	before := disktest.Inodes(t, filepath.Join(s.dir, "deploy/builds"))

	for _, c := range []struct {
		name, basis builds.Name
		is          error
		says        string
	}{
		{"q", "", builds.ErrNotFound, "makeIncrementalBuild q: build q: there is no such build"},
		{"d", "", builds.ErrIncomplete, "makeIncrementalBuild d: the build is not complete: make it anew"},
		{"c", "q", builds.ErrNotFound, "makeIncrementalBuild c: basis q: build q: there is no such build"},
		{"c", "d", builds.ErrIncomplete, "makeIncrementalBuild c: basis d: the build is not complete"},
		{"c", "c", builds.ErrSameBuild, "name another build with -basis=NAME"},
		{"a", "c", nil, "makeIncrementalBuild a: it is live: swap first"},
		{"b", "c", nil, "makeIncrementalBuild b: it is stage: stage another first"},
	} {
		_, err := s.MakeIncrementalBuild(t.Context(), c.name, c.basis)
		require.ErrorContains(t, err, c.says)
		if c.is != nil {
			require.ErrorIs(t, err, c.is)
			continue
		}
		var pointed *site.PointedError
		require.ErrorAs(t, err, &pointed)
	}
	require.Equal(t, before, disktest.Inodes(t, filepath.Join(s.dir, "deploy/builds")))
}

// A site whose parts lie on several file systems works as well: it shares less.
func TestCreateBuild_WhereNothingCanBeShared(t *testing.T) {
	elsewhere, err := os.MkdirTemp("/dev/shm", "hj")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(elsewhere)) })
	require.NoError(t, os.Chmod(elsewhere, 0o755))
	s := newTestSite(t, "")
	require.NoError(t, s.CreateBuild(t.Context(), "a"))
	installed := filepath.Join(s.dir, "deploy/deps/installed")
	require.NoError(t, copy.Copy(installed, filepath.Join(elsewhere, "installed")))
	require.NoError(t, os.RemoveAll(installed))
	require.NoError(t, os.Symlink(filepath.Join(elsewhere, "installed"), installed))

	require.NoError(t, s.CreateBuild(t.Context(), "b"))
	require.NoError(t, s.Up(t.Context()))
	require.NoError(t, s.Activate(t.Context(), "b"))

	require.Equal(t, site.Active, s.state("b"))
}

// Where the file system lets files have their bytes in common, each build has
// files of its own, and they take as little.
func TestSite_OnAFileSystemWithReflinks(t *testing.T) {
	s := newTestSiteIn(t, disktest.XFS(t), "build: [[cp, app.py, assets/static/a.txt]]")
	require.NoError(t, s.Init(t.Context()))
	s.requireServes("live.localhost", "a")

	require.NoError(t, s.CreateBuild(t.Context(), "c"))

	for name := range disktest.Inodes(t, filepath.Join(s.dir, "deploy/builds/c")) {
		info, err := os.Lstat(filepath.Join(s.dir, "deploy/builds/c", name))
		require.NoError(t, err)
		require.EqualValues(t, 1, info.Sys().(*syscall.Stat_t).Nlink, name)
	}
	status := s.statusOf("c")
	require.Positive(t, status.SharedBytes)
	require.Less(t, status.SharedBytes, status.SizeBytes)
	saving, err := s.MakeIncrementalBuild(t.Context(), "c", "b")
	require.NoError(t, err)
	require.Zero(t, saving.Files, "createBuild has shared with the newest already")
	require.Positive(t, saving.Already)
	require.NoError(t, s.Stage(t.Context(), "c"))
	s.requireServes("stage.localhost", "c")
}

// unshare makes every file of a build one of its own again.
func (s testSite) unshare(name builds.Name) {
	s.t.Helper()
	for _, dir := range []string{"deploy/builds", "deploy/assets/static"} {
		dir = filepath.Join(s.dir, dir, string(name))
		for file := range disktest.Inodes(s.t, dir) {
			file = filepath.Join(dir, file)
			require.NoError(s.t, copy.Copy(file, file+".copy", copy.Options{PreserveTimes: true, PreserveOwner: true}))
			require.NoError(s.t, os.Rename(file+".copy", file))
		}
	}
}

func (s testSite) statuses() []site.BuildStatus {
	s.t.Helper()
	status, err := s.Status(s.t.Context())
	require.NoError(s.t, err)
	return status.Builds
}

func (s testSite) statusOf(name builds.Name) site.BuildStatus {
	s.t.Helper()
	for _, b := range s.statuses() {
		if b.Name == name {
			return b
		}
	}
	s.t.Fatal("there is no build ", name)
	return site.BuildStatus{}
}

// details are those of a step in the making of some builds, sorted.
func (s testSite) details(step string, names ...builds.Name) string {
	var all []string
	for _, name := range names {
		all = append(all, s.madeBy(name, step).Detail)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// madeBy is a step of a build's making.
func (s testSite) madeBy(name builds.Name, step string) builds.Step {
	s.t.Helper()
	steps := s.manifest(name).Steps
	i := slices.IndexFunc(steps, func(made builds.Step) bool { return made.Name == step })
	require.GreaterOrEqual(s.t, i, 0, "build %s has no step %s: %v", name, step, steps)
	return steps[i]
}
