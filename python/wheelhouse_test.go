package python_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/usertest"
	"github.com/hadjango/hadjango/python"
)

func hash(t *testing.T, requirements string) string {
	t.Helper()
	sum, err := python.Wheelhouse{Python: python.Python{Path: "/usr/bin/python3"}}.Hash(requirements)
	require.NoError(t, err)
	require.Regexp(t, "^[0-9a-f]{16}$", sum)
	return sum
}

func TestHash_ChangesWithEveryIncludedFile(t *testing.T) {
	for _, line := range []string{
		"-r base.txt", "-rbase.txt", "  -r   base.txt  ", "-r base.txt\r", "-r base.txt # why", "-r base.txt\t# why", "-r 'base.txt'",
		"-r base.txt -c other.txt", "-r ./base.txt", "--requirement base.txt", "--requirement=base.txt", `--requirement="base.txt"`,
		"-c base.txt", "-cbase.txt", "--constraint base.txt", "--constraint=base.txt",
		"-r \\\nbase.txt", "--requirement \\\r\n  base.txt", "-c \\\n base\\\n.txt",
	} {
		t.Run(line, func(t *testing.T) {
			path := requirements(t, "django", line)
			base := filepath.Join(filepath.Dir(path), "base.txt")
			write(t, base, "one")
			before := hash(t, path)
			require.Equal(t, before, hash(t, path))

			write(t, base, "two")

			require.NotEqual(t, before, hash(t, path))
		})
	}
}

func TestHash_FollowsFilesFromWhereTheyAreNamed(t *testing.T) {
	path := requirements(t, "-r sub/one.txt")
	dir := filepath.Dir(path)
	write(t, filepath.Join(dir, "sub/one.txt"), "-r two.txt", "-c "+filepath.Join(dir, "three.txt"))
	write(t, filepath.Join(dir, "sub/two.txt"), "-r ../four.txt")
	last := hash(t, path)
	for _, name := range []string{"sub/one.txt", "sub/two.txt", "three.txt", "four.txt"} {
		file := filepath.Join(dir, name)
		data, _ := os.ReadFile(file)

		write(t, file, string(data), "# changed")

		changed := hash(t, path)
		require.NotEqual(t, last, changed, name)
		last = changed
	}
}

func TestHash_EndsOnFilesThatIncludeEachOther(t *testing.T) {
	path := requirements(t, "-r base.txt", "-r requirements.txt")
	base := filepath.Join(filepath.Dir(path), "base.txt")
	write(t, base, "-r requirements.txt", "one")
	before := hash(t, path)

	write(t, base, "-r requirements.txt", "two")

	require.NotEqual(t, before, hash(t, path))
}

func TestHash_IgnoresFilesThatAreNotNamed(t *testing.T) {
	path := requirements(t, "# -r base.txt", "django # -r base.txt", "--require-hashes", "-r https://example.org/base.txt")
	before := hash(t, path)

	write(t, filepath.Join(filepath.Dir(path), "base.txt"), "one")

	require.Equal(t, before, hash(t, path))
}

func TestHash_IsOfTheInterpreterToo(t *testing.T) {
	path := requirements(t, "django")

	other, err := python.Wheelhouse{Python: python.Python{Path: "/usr/bin/python3.0"}}.Hash(path)

	require.NoError(t, err)
	require.NotEqual(t, hash(t, path), other)
}

// A package beside the project is part of the requirements, in every form that
// pip takes for a path.
func TestHash_ChangesWithALocalPackage(t *testing.T) {
	for _, line := range []string{
		"./pkg", "./pkg[extra]", "-e ./pkg", "-e./pkg", "--editable=./pkg", "pkg @ ./pkg", "./pkg ; python_version > '3'", "sub/../pkg", "./pkg \\\n  # why",
		"DIR/pkg", "file:DIR/pkg", "file://DIR/pkg", "pkg @ file://DIR/pkg", "-e file://DIR/pkg", "./pkg/shop-1.0.tar.gz", "-r more/local.txt",
	} {
		t.Run(line, func(t *testing.T) {
			path := requirements(t, "django")
			dir := filepath.Dir(path)
			write(t, path, strings.ReplaceAll(line, "DIR", dir))
			// pip takes paths from where it runs, not from the file that names them
			write(t, filepath.Join(dir, "more/local.txt"), "./pkg")
			for _, name := range []string{"shop-1.0.tar.gz", "src/shop.py"} {
				write(t, filepath.Join(dir, "pkg", name), "one")
			}
			before := hash(t, path)
			for _, made := range []string{"build/lib/shop.py", "src/shop.egg-info/PKG-INFO", "src/__pycache__/shop.pyc", ".git/HEAD"} {
				write(t, filepath.Join(dir, "pkg", made), "made")
			}
			require.Equal(t, before, hash(t, path), "what installing leaves there")

			write(t, filepath.Join(dir, "pkg/shop-1.0.tar.gz"), "two")

			require.NotEqual(t, before, hash(t, path))
		})
	}
}

func TestHash_TakesNoPackageForAPath(t *testing.T) {
	lines := []string{"django==5.2", "shop[extra] @ https://example.org/shop.zip", "git+https://example.org/pkg", "--find-links ./pkg", "-e git+ssh://git@example.org/pkg"}
	path := requirements(t, lines...)
	before := hash(t, path)

	for _, name := range []string{"django", "shop", "pkg", "example.org/pkg", "https:/example.org/shop.zip"} {
		write(t, filepath.Join(filepath.Dir(path), name, "setup.py"), "two")
	}

	require.Equal(t, before, hash(t, path))
}

// A project that is its own package holds the wheelhouse, and the builds beside it.
func TestHash_DoesNotReadWhatWeMake(t *testing.T) {
	path := requirements(t, "-e .")
	house := python.Wheelhouse{Dir: filepath.Join(filepath.Dir(path), "deploy/deps/wheelhouse")}
	before := must(house.Hash(path))

	write(t, filepath.Join(filepath.Dir(path), "deploy/builds/a/setup.py"), "made")
	require.Equal(t, before, must(house.Hash(path)))

	write(t, filepath.Join(filepath.Dir(path), "setup.py"), "new")
	require.NotEqual(t, before, must(house.Hash(path)))
}

func TestHash_FollowsALinkToTheInterpreter(t *testing.T) {
	path := requirements(t, "django")
	dir := t.TempDir()
	link := filepath.Join(dir, "python3")
	house := python.Wheelhouse{Python: python.Python{Path: link}}
	hashes := map[string]bool{}
	for _, version := range []string{"python3.11", "python3.12"} {
		write(t, filepath.Join(dir, version), version)
		require.NoError(t, files.Symlink(version, link))
		hashes[must(house.Hash(path))] = true
	}

	require.Len(t, hashes, 2)
}

func TestHash_OfAMissingFileIsAnError(t *testing.T) {
	_, err := python.Wheelhouse{}.Hash("/nonexistent/requirements.txt")

	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "hash requirements: ")
}

func TestFill_FetchesOnceWhatInstallInstalls(t *testing.T) {
	house := newHouse(t)
	wheels := shopWheels(t)
	path := requirements(t, "--no-index", "--find-links "+wheels, "shop==1.0")

	sum, reused, err := house.Fill(t.Context(), path)
	require.NoError(t, err)
	require.False(t, reused)
	require.Equal(t, sum, must(house.Hash(path)))
	usertest.RequireNames(t, house.Dir, sum)
	usertest.RequireNames(t, filepath.Join(house.Dir, sum), "shop-1.0-py3-none-any.whl", "shop_prices-1.0-py3-none-any.whl")

	// nobody looks there again
	require.NoError(t, os.RemoveAll(wheels))
	again, reused, err := house.Fill(t.Context(), path)
	require.NoError(t, err)
	require.True(t, reused)
	require.Equal(t, sum, again)

	venv := t.TempDir()
	strayEnvironment(t, venv)
	requireInstalls(t, house, sum)
	venv = place(t, house, sum)
	require.Equal(t, "42", run(t, venv, "import shop; print(shop.total())"))
}

// strayEnvironment sets what would make pip install nothing, refuse, or
// install elsewhere.
func strayEnvironment(t *testing.T, venv string) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "pip.conf")
	write(t, config, "[install]", "dry-run = true")
	for name, value := range map[string]string{
		"PIP_CONFIG_FILE": config, "PIP_DRY_RUN": "1", "PIP_REQUIRE_HASHES": "1", "PIP_TARGET": filepath.Join(venv, "elsewhere"),
		"PIP_PYTHON": "/nonexistent/python", "PYTHONHOME": "/nonexistent", "VIRTUAL_ENV": "/nonexistent",
	} {
		t.Setenv(name, value)
	}
}

func TestFill_HonoursPipsOwnSettings(t *testing.T) {
	house := newHouse(t)
	t.Setenv("PIP_NO_INDEX", "1")
	t.Setenv("PIP_FIND_LINKS", shopWheels(t))

	sum, _, err := house.Fill(t.Context(), requirements(t, "shop_prices"))

	require.NoError(t, err)
	usertest.RequireNames(t, filepath.Join(house.Dir, sum), "shop_prices-1.0-py3-none-any.whl")
}

func TestFill_BeginsAnewAfterAnInterruption(t *testing.T) {
	house := newHouse(t)
	path := requirements(t, "--no-index", "--find-links "+shopWheels(t), "shop_prices")
	sum := must(house.Hash(path))
	write(t, filepath.Join(house.Dir, sum+".part", "django-1.0-py3-none-any.whl"), "half a wheel")

	_, reused, err := house.Fill(t.Context(), path)

	require.NoError(t, err)
	require.False(t, reused)
	usertest.RequireNames(t, house.Dir, sum)
	usertest.RequireNames(t, filepath.Join(house.Dir, sum), "shop_prices-1.0-py3-none-any.whl")
}

func TestFill_ThatFailsShowsWhatPipSaidAndLeavesNoWheelhouse(t *testing.T) {
	house := newHouse(t)
	path := requirements(t, "--no-index", "nosuchpackage==1.0")

	sum, reused, err := house.Fill(t.Context(), path)

	require.False(t, reused)
	require.ErrorContains(t, err, "fetch wheels of "+path)
	require.ErrorContains(t, err, "No matching distribution found for nosuchpackage==1.0")
	require.ErrorContains(t, err, "the whole log: "+house.Python.Log)
	require.NoDirExists(t, filepath.Join(house.Dir, sum))
	data, err := os.ReadFile(house.Python.Log)
	require.NoError(t, err)
	require.Contains(t, string(data), "-m pip wheel ")
	_, err = house.Install(t.Context(), sum)
	require.ErrorIs(t, err, python.ErrNoWheels)
}

func TestFill_OfNoRequirementsInstallsNothing(t *testing.T) {
	house := newHouse(t)
	sum, _, err := house.Fill(t.Context(), requirements(t, "# later"))
	require.NoError(t, err)

	requireInstalls(t, house, sum)

	usertest.RequireNames(t, filepath.Join(place(t, house, sum), "lib", libName(t, house.Python), "site-packages"))
}

func TestInstall_NeedsAFilledWheelhouse(t *testing.T) {
	house := newHouse(t)

	_, err := house.Install(t.Context(), "0123456789abcdef")

	require.ErrorIs(t, err, python.ErrNoWheels)
	require.EqualError(t, err, "install requirements 0123456789abcdef: the wheelhouse does not have these requirements")
	require.NoDirExists(t, filepath.Join(house.Installed, "0123456789abcdef"))
	require.ErrorIs(t, house.Place(t.Context(), "0123456789abcdef", t.TempDir()), python.ErrNotInstalled)
}

func must(sum string, err error) string {
	if err != nil {
		panic(err)
	}
	return sum
}

// The cache is the user's, who could put a link in the place of any directory in it.
func TestFill_WritesIntoTheCacheAsItsUser(t *testing.T) {
	house := newHouse(t)

	info, err := os.Stat(filepath.Join(house.Cache, "venv/complete"))

	require.NoError(t, err)
	require.Equal(t, house.Python.User.UID, files.Owner(info))
}
