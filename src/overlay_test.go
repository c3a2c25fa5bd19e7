package src_test

import (
	"cmp"
	"io/fs"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/src"
)

// The list is spelled out so that neither a file that uWSGI needs gets lost nor anything else gets into every build.
func TestFiles(t *testing.T) {
	var names []string
	err := fs.WalkDir(src.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	require.NoError(t, err)
	require.Equal(t, []string{
		"hadjango/__init__.py",
		"hadjango/build.py",
		"hadjango/database.py",
		"hadjango/failures.py",
		"hadjango/settings.py",
		"hadjango/testrun.py",
		"hadjango/uwsgi/__init__.py",
		"hadjango/uwsgi/process.py",
		"hadjango/uwsgi/wsgi.py",
		"hadjango/warm.py",
	}, names)
}

// TestPython runs the overlay's own tests. Those that need Django pass over where the interpreter has none;
// HADJANGO_TEST_PYTHON names one that has.
func TestPython(t *testing.T) {
	python, err := exec.LookPath(cmp.Or(os.Getenv("HADJANGO_TEST_PYTHON"), "python3"))
	if err != nil {
		t.Skip("no Python: ", err)
	}
	command := exec.CommandContext(t.Context(), python, "-B", "-m", "unittest", "discover", "--start-directory", "tests")
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
	t.Logf("%s", output)
}
