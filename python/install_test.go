package python_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/disktest"
	"github.com/hadjango/hadjango/internal/usertest"
	"github.com/hadjango/hadjango/python"
)

// requireInstalls installs what is not installed yet.
func requireInstalls(t *testing.T, house python.Wheelhouse, hash string) {
	t.Helper()
	reused, err := house.Install(t.Context(), hash)
	require.NoError(t, err)
	require.False(t, reused)
}

// place makes a new virtualenv, as a build is made.
func place(t *testing.T, house python.Wheelhouse, hash string) string {
	t.Helper()
	dir := usertest.OpenDir(t)
	placeIn(t, house, hash, dir)
	return dir
}

func placeIn(t *testing.T, house python.Wheelhouse, hash, dir string) {
	t.Helper()
	require.NoError(t, house.Place(t.Context(), hash, dir))
	require.NoError(t, house.Python.User.Own(dir))
	require.NoError(t, house.Python.User.Seal(dir))
}

// libName is python3.11 for Python 3.11.
func libName(t *testing.T, p python.Python) string {
	t.Helper()
	out, err := command.Command{Args: []string{p.Path, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"}, Dir: "/"}.Output(t.Context())
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// shopHouse has the shop's wheels installed.
func shopHouse(t *testing.T) (house python.Wheelhouse, hash string) {
	t.Helper()
	house = newHouse(t)
	hash = fillShop(t, house)
	requireInstalls(t, house, hash)
	return house, hash
}

func fillShop(t *testing.T, house python.Wheelhouse) string {
	t.Helper()
	hash, _, err := house.Fill(t.Context(), requirements(t, "--no-index", "--find-links "+shopWheels(t), "shop==1.0"))
	require.NoError(t, err)
	return hash
}

func TestInstall_IsDoneOnce(t *testing.T) {
	house, hash := shopHouse(t)
	venv := filepath.Join(house.Installed, hash, "venv")
	before := disktest.Inodes(t, venv)

	for range 2 {
		reused, err := house.Install(t.Context(), hash)

		require.NoError(t, err)
		require.True(t, reused)
		require.Equal(t, before, disktest.Inodes(t, venv))
	}
}

// A power cut empties files that had not reached the disk. Whether they had is
// known from the second use on.
func TestInstall_TrustsNothingThatAPowerCutMayHaveSpoiled(t *testing.T) {
	for name, used := range map[string]bool{"never used again": false, "used again before": true} {
		t.Run(name, func(t *testing.T) {
			house, hash := shopHouse(t)
			if used {
				_, err := house.Install(t.Context(), hash)
				require.NoError(t, err)
			}
			about := filepath.Join(house.Installed, hash, "installed.json")
			data, err := os.ReadFile(about)
			require.NoError(t, err)
			boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
			require.NoError(t, err)
			another := bytes.ReplaceAll(data, bytes.TrimSpace(boot), []byte("another"))
			require.NoError(t, os.WriteFile(about, another, 0o644))

			reused, err := house.Install(t.Context(), hash)

			require.NoError(t, err)
			require.Equal(t, used, reused)
			requireScriptsRun(t, place(t, house, hash))
			usertest.RequireNames(t, house.Installed, hash)
		})
	}
}

// What many builds have in common nobody may write to, least of all their code.
func TestInstall_IsSealed(t *testing.T) {
	house, _ := shopHouse(t)

	for name, inode := range disktest.Inodes(t, house.Installed) {
		require.EqualValues(t, os.Geteuid(), inode.UID, name)
		writable := fs.FileMode(0o022)
		if house.Python.User.IsMe() && !strings.HasSuffix(name, "installed.json") {
			writable = 0o222
		}
		require.Zero(t, inode.Mode&writable, name)
	}
}

func TestPlace_MakesAVirtualenvThatIsItsOwn(t *testing.T) {
	house, hash := shopHouse(t)
	a, b := place(t, house, hash), place(t, house, hash)

	for _, dir := range []string{a, b} {
		require.Equal(t, dir, run(t, dir, "import sys; print(sys.prefix)"))
		require.Equal(t, "42", run(t, dir, "import shop; print(shop.total())"))
		requireScriptsRun(t, dir)
		requireNoWord(t, dir, house.Installed)
	}
	requireNoWord(t, b, a)
}

// requireScriptsRun runs every program of the virtualenv's own.
func requireScriptsRun(t *testing.T, dir string) {
	t.Helper()
	out, err := command.Command{Args: []string{filepath.Join(dir, "bin/shop-total")}, Dir: "/", Env: []string{}, User: usertest.Runner(t)}.Output(t.Context())
	require.NoError(t, err)
	require.Equal(t, "42\n", string(out))
	out, err = exec.CommandContext(t.Context(), "/bin/sh", "-c", `. "$1/bin/activate" && echo "$VIRTUAL_ENV" && command -v shop-total`, "sh", dir).Output()
	require.NoError(t, err)
	require.Equal(t, dir+"\n"+dir+"/bin/shop-total\n", string(out))
}

// requireNoWord looks into every file and link for a text.
func requireNoWord(t *testing.T, root, word string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if target, err := os.Readlink(path); err == nil {
			require.NotContains(t, target, word, path)
			return nil
		}
		data, err := os.ReadFile(path)
		require.False(t, bytes.Contains(data, []byte(word)), "%s holds %s", path, word)
		return err
	}))
}

func TestPlace_HasTheFilesInCommon(t *testing.T) {
	house, hash := shopHouse(t)
	a, b := place(t, house, hash), place(t, house, hash)

	ofA, ofB := disktest.Inodes(t, a), disktest.Inodes(t, b)
	shared := 0
	for name, inode := range ofA {
		own := name == "pyvenv.cfg" || strings.HasPrefix(name, "bin/") && !strings.HasSuffix(name, "Activate.ps1")
		require.Equal(t, own, inode.Number != ofB[name].Number, name)
		if !own {
			shared++
		}
	}
	require.Greater(t, shared, 10)
	require.Contains(t, ofA, "lib/"+libName(t, house.Python)+"/site-packages/shop.py")
}

func TestPlace_ClonesWhereTheFileSystemCan(t *testing.T) {
	disk := disktest.XFS(t)
	house := newHouse(t)
	hash := fillShop(t, house)
	house.Installed = filepath.Join(disk, "installed")
	requireInstalls(t, house, hash)
	dir := filepath.Join(disk, "a")
	require.NoError(t, os.Mkdir(dir, 0o755))

	placeIn(t, house, hash, dir)

	requireScriptsRun(t, dir)
	requireNoWord(t, dir, house.Installed)
	for name := range disktest.Inodes(t, dir) {
		info, err := os.Lstat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.EqualValues(t, 1, info.Sys().(*syscall.Stat_t).Nlink, name)
	}
}

func TestPlace_CopiesToAnotherFileSystem(t *testing.T) {
	house, hash := shopHouse(t)
	dir, err := os.MkdirTemp("/dev/shm", "python")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))

	placeIn(t, house, hash, dir)

	requireScriptsRun(t, dir)
}

// Python gives code the path that it is loaded from, and takes it as it is
// compiled: sources that have other times make no difference.
func TestPlace_CompiledCodeNamesItsOwnPath(t *testing.T) {
	house, hash := shopHouse(t)
	dir := place(t, house, hash)
	shop := filepath.Join(dir, "lib", libName(t, house.Python), "site-packages/shop.py")
	require.NoError(t, os.Chtimes(shop, time.Now(), time.Unix(1, 0)))

	said := run(t, dir, `import sys, traceback, shop, shop_prices
shop_prices.PRICES = None
try: shop.total()
except TypeError: traceback.print_exc(file=sys.stdout)
print(shop.__spec__.cached)
print(shop.total.__code__.co_filename)`)

	require.Contains(t, said, `File "`+shop+`", line 4, in total`)
	require.True(t, strings.HasSuffix(said, "\n"+shop))
	compiled, err := filepath.Glob(filepath.Join(filepath.Dir(shop), "__pycache__/shop.*.pyc"))
	require.NoError(t, err)
	require.Len(t, compiled, 1)
	require.Contains(t, said, compiled[0])
	data, err := os.ReadFile(compiled[0])
	require.NoError(t, err)
	require.Equal(t, []byte{1, 0, 0, 0}, data[4:8], "valid by its hash, unchecked")
}

func TestCompile_MakesEqualFilesOfEqualSources(t *testing.T) {
	p := linked(t)
	var compiled [2][]byte
	for i := range compiled {
		dir := usertest.Dir(t)
		write(t, filepath.Join(dir, "app.py"), `A, B = "x" in {"a", "b", "c", "x"}, lambda: A`)
		write(t, filepath.Join(dir, "lib/python3/left.py"), "pass")
		require.NoError(t, os.Chtimes(filepath.Join(dir, "app.py"), time.Now(), time.Unix(int64(i), 0)))
		require.NoError(t, p.User.Own(dir))

		all, err := p.Compile(t.Context(), dir, "lib/python3")

		require.NoError(t, err)
		require.True(t, all)
		require.NoDirExists(t, filepath.Join(dir, "lib/python3/__pycache__"))
		names, err := filepath.Glob(filepath.Join(dir, "__pycache__/app.*.pyc"))
		require.NoError(t, err)
		require.Len(t, names, 1)
		compiled[i], err = os.ReadFile(names[0])
		require.NoError(t, err)
	}
	require.Equal(t, compiled[0], compiled[1])
}

func TestCompile_GoesOnAfterWhatDoesNotCompile(t *testing.T) {
	p := linked(t)
	dir := usertest.Dir(t)
	write(t, filepath.Join(dir, "bad.py"), "syntax error")
	write(t, filepath.Join(dir, "good.py"), "pass")
	require.NoError(t, p.User.Own(dir))

	all, err := p.Compile(t.Context(), dir, "")

	require.NoError(t, err)
	require.False(t, all)
	names, err := filepath.Glob(filepath.Join(dir, "__pycache__/*"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Compile(ctx, dir, "")
	require.ErrorIs(t, err, context.Canceled)
}

func TestInstall_OfNoRequirementsIsAnEmptyVirtualenv(t *testing.T) {
	house := newHouse(t)
	requireInstalls(t, house, "")
	dir := place(t, house, "")

	require.Equal(t, dir, run(t, dir, "import sys; print(sys.prefix)"))
	require.Equal(t, "None", run(t, dir, "import importlib.util; print(importlib.util.find_spec('pip'))"))
}

// Whatever instant an installation is cut short at, the next one is whole.
func TestInstall_BeginsAnewAfterAnInterruption(t *testing.T) {
	house := newHouse(t)
	hash := fillShop(t, house)
	write(t, filepath.Join(house.Installed, hash+".part/venv/bin/python"), "half a file")
	write(t, filepath.Join(house.Installed, hash, "installed.json"), "half a")
	for _, limit := range []time.Duration{time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		_, err := house.Install(ctx, hash)
		cancel()
		if err != nil {
			require.NoDirExists(t, filepath.Join(house.Installed, hash, "venv"))
		}
	}

	_, err := house.Install(t.Context(), hash)

	require.NoError(t, err)
	usertest.RequireNames(t, house.Installed, hash)
	requireScriptsRun(t, place(t, house, hash))
}

func TestPlace_IntoAProjectThatHasSuchNames(t *testing.T) {
	house, hash := shopHouse(t)
	dir := usertest.OpenDir(t)
	outside := filepath.Join(t.TempDir(), "activate")
	write(t, outside, "outside")
	write(t, filepath.Join(dir, "tools/mine"), "mine")
	write(t, filepath.Join(dir, "tools/python"), "a file where a link comes")
	write(t, filepath.Join(dir, "lib/project.py"), "project")
	require.NoError(t, os.Symlink("tools", filepath.Join(dir, "bin")))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "tools/activate")))

	placeIn(t, house, hash, dir)

	requireScriptsRun(t, dir)
	require.FileExists(t, filepath.Join(dir, "lib/project.py"))
	require.FileExists(t, filepath.Join(dir, "tools/mine"))
	data, err := os.ReadFile(outside)
	require.NoError(t, err)
	require.Equal(t, "outside\n", string(data))
}

func TestPlace_SaysWhatIsInTheWay(t *testing.T) {
	house, hash := shopHouse(t)
	for _, name := range []string{"bin", "bin/shop-total/directory", "lib"} {
		dir := usertest.OpenDir(t)
		write(t, filepath.Join(dir, name), "project")

		err := house.Place(t.Context(), hash, dir)

		require.ErrorIs(t, err, python.ErrInTheWay, name)
		require.ErrorContains(t, err, "make the virtualenv "+dir+": ")
	}
	out := usertest.OpenDir(t)
	require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(out, "lib")))
	require.ErrorContains(t, house.Place(t.Context(), hash, out), "escapes")
}
