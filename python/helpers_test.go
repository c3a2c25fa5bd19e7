package python_test

import (
	"archive/zip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/usertest"
	"github.com/hadjango/hadjango/python"
)

const plugin = "/usr/lib/uwsgi/plugins/python3_plugin.so"

// linked returns the interpreter of uWSGI's plugin. Where there is none it
// skips; "mage check" installs it, and tells tests by this variable that
// nothing may be skipped.
func linked(t *testing.T) python.Python {
	t.Helper()
	path, err := python.Linked(plugin)
	p := python.Python{Path: path, User: usertest.Runner(t)}
	if err == nil && !p.CanMakeVenv(t.Context()) {
		err = fmt.Errorf("%s cannot make a virtualenv: python3-venv is missing", path)
	}
	if err != nil && os.Getenv("HADJANGO_TEST_ALL") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	return p
}

// cache is one for all tests, because making a virtualenv with pip takes
// seconds. It begins with what an interruption has left of one, and what somebody
// who is hostile may have put there: a pipe that nobody writes to.
var cache struct {
	sync.Once
	dir string
}

func TestMain(m *testing.M) {
	status := m.Run()
	if cache.dir != "" {
		_ = os.RemoveAll(cache.dir)
	}
	os.Exit(status)
}

// newHouse returns a wheelhouse that is empty.
func newHouse(t *testing.T) python.Wheelhouse {
	t.Helper()
	p := linked(t)
	cache.Do(func() {
		var err error
		cache.dir, err = os.MkdirTemp("", "python")
		require.NoError(t, err)
		write(t, filepath.Join(cache.dir, "venv/bin/python"), "half a file")
		require.NoError(t, unix.Mkfifo(filepath.Join(cache.dir, "venv/complete"), 0o644))
		require.NoError(t, os.Chmod(cache.dir, 0o755))
		require.NoError(t, p.User.Own(cache.dir))
		house := python.Wheelhouse{Python: p, Dir: usertest.Dir(t), Cache: cache.dir, Installed: usertest.OpenDir(t)}
		_, _, err = house.Fill(t.Context(), requirements(t, "# nothing"))
		require.NoError(t, err)
	})
	p.Log = filepath.Join(t.TempDir(), "log")
	return python.Wheelhouse{Python: p, Dir: usertest.Dir(t), Cache: cache.dir, Installed: usertest.OpenDir(t)}
}

func requirements(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(usertest.Dir(t), "requirements.txt")
	write(t, path, lines...)
	return path
}

func write(t *testing.T, path string, lines ...string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}

// shopWheels returns a directory with two wheels: shop needs shop_prices,
// shop.total() is 42, and a program shop-total prints it.
func shopWheels(t *testing.T) string {
	t.Helper()
	dir := usertest.Dir(t)
	writeWheel(t, dir, "shop_prices", "PRICES = [40, 2]\n", "")
	writeWheel(t, dir, "shop", shopModule, "Requires-Dist: shop_prices\n",
		[2]string{"shop-1.0.dist-info/entry_points.txt", "[console_scripts]\nshop-total = shop:main\n"})
	return dir
}

const shopModule = `import shop_prices

def total():
    return sum(shop_prices.PRICES)

def main():
    print(total())
`

// writeWheel writes version 1.0 of a package of one module.
func writeWheel(t *testing.T, dir, name, module, metadata string, more ...[2]string) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, name+"-1.0-py3-none-any.whl"))
	require.NoError(t, err)
	defer file.Close()
	info := name + "-1.0.dist-info/"
	wheel := zip.NewWriter(file)
	for _, f := range append([][2]string{
		{name + ".py", module},
		{info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n" + metadata},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: hadjango\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", name + ".py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	}, more...) {
		w, err := wheel.Create(f[0])
		require.NoError(t, err)
		_, err = w.Write([]byte(f[1]))
		require.NoError(t, err)
	}
	require.NoError(t, wheel.Close())
}

// newVenv returns a virtualenv without pip.
func newVenv(t *testing.T, p python.Python) string {
	t.Helper()
	dir := usertest.Dir(t)
	require.NoError(t, p.Venv(t.Context(), dir))
	return dir
}

// run runs Python code in a virtualenv and returns what it prints.
func run(t *testing.T, venv, code string) string {
	t.Helper()
	out, err := command.Command{
		Args: []string{filepath.Join(venv, "bin/python"), "-c", code}, Dir: "/", Env: []string{}, User: usertest.Runner(t),
	}.Output(t.Context())
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}
