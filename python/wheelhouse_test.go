package python_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

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

	venv := newVenv(t, house.Python)
	strayEnvironment(t, venv)
	require.NoError(t, house.Install(t.Context(), sum, venv))
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
	require.ErrorIs(t, house.Install(t.Context(), sum, usertest.Dir(t)), python.ErrNoWheels)
}

func TestFill_OfNoRequirementsInstallsNothing(t *testing.T) {
	house := newHouse(t)
	sum, _, err := house.Fill(t.Context(), requirements(t, "# later"))
	require.NoError(t, err)
	venv := usertest.Dir(t)

	require.NoError(t, house.Install(t.Context(), sum, venv))

	usertest.RequireNames(t, venv)
}

func TestInstall_NeedsAFilledWheelhouse(t *testing.T) {
	err := python.Wheelhouse{Dir: t.TempDir()}.Install(t.Context(), "0123456789abcdef", "/srv/a")

	require.ErrorIs(t, err, python.ErrNoWheels)
	require.EqualError(t, err, "install into /srv/a: the wheelhouse does not have these requirements")
}

func must(sum string, err error) string {
	if err != nil {
		panic(err)
	}
	return sum
}
