package python_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/usertest"
	"github.com/hadjango/hadjango/python"
)

func TestLinked_IsTheInterpreterOfUWSGIsPlugin(t *testing.T) {
	p := linked(t)

	library, err := command.Command{
		Args: []string{p.Path, "-c", "import sysconfig; print(sysconfig.get_config_var('INSTSONAME'))"}, User: p.User, Dir: "/",
	}.Output(t.Context())

	require.NoError(t, err)
	data, err := os.ReadFile(plugin)
	require.NoError(t, err)
	require.Contains(t, string(data), string(library[:len(library)-1])+"\x00")
}

func TestLinked_SaysWhyThereIsNoInterpreter(t *testing.T) {
	text := filepath.Join(t.TempDir(), "plugin.so")
	write(t, text, "this is no ELF file")
	for path, want := range map[string]string{
		text:           "bad magic number",
		"/bin/true":    "it is linked with no libpython",
		text + ".gone": "no such file or directory",
	} {
		_, err := python.Linked(path)

		require.ErrorContains(t, err, "python of "+path+": ")
		require.ErrorContains(t, err, want)
	}
}

func TestCanMakeVenv_IsNoForWhatIsNoPython(t *testing.T) {
	for _, path := range []string{"/bin/false", "/nonexistent/python"} {
		require.False(t, python.Python{Path: path}.CanMakeVenv(t.Context()))
	}
}

func TestVenv_LeavesWhatIsThere(t *testing.T) {
	p := linked(t)
	dir := usertest.Dir(t)
	write(t, filepath.Join(dir, "manage.py"), "project")
	write(t, filepath.Join(dir, "lib/project.py"), "project")
	require.NoError(t, p.User.Own(dir))

	require.NoError(t, p.Venv(t.Context(), dir))

	require.FileExists(t, filepath.Join(dir, "manage.py"))
	require.FileExists(t, filepath.Join(dir, "lib/project.py"))
	require.Equal(t, dir, run(t, dir, "import sys; print(sys.prefix)"))
	require.Equal(t, "None", run(t, dir, "import importlib.util; print(importlib.util.find_spec('pip'))"))
}

func TestVenv_IsNotLedAstrayByTheEnvironment(t *testing.T) {
	p := linked(t)
	elsewhere := t.TempDir()
	for _, name := range []string{"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"} {
		t.Setenv(name, elsewhere)
	}

	dir := newVenv(t, p)

	require.Equal(t, dir, run(t, dir, "import sys; print(sys.prefix)"))
	require.True(t, p.CanMakeVenv(t.Context()))
}

func TestVenv_ThatFailsShowsWhatPythonSaid(t *testing.T) {
	me, err := account.Current()
	require.NoError(t, err)
	log := filepath.Join(t.TempDir(), "log")

	err = python.Python{Path: stub(t), User: me, Log: log}.Venv(t.Context(), "/srv/a")

	require.ErrorContains(t, err, "asked for -m venv --without-pip /srv/a")
	require.ErrorContains(t, err, "the whole log: "+log)
}

// The virtualenv that holds pip is used again only for the interpreter that it
// was made of, and only when it was finished.
func TestFill_MakesPipsVirtualenvAgain(t *testing.T) {
	me, err := account.Current()
	require.NoError(t, err)
	for name, complete := range map[string]string{
		"interrupted": "", "of another interpreter": "/usr/bin/python3.0",
	} {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			venv := filepath.Join(cache, "venv")
			require.NoError(t, os.Mkdir(venv, 0o755))
			if complete != "" {
				require.NoError(t, os.WriteFile(filepath.Join(venv, "complete"), []byte(complete), 0o644))
			}
			house := python.Wheelhouse{Python: python.Python{Path: stub(t), User: me}, Dir: t.TempDir(), Cache: cache}

			_, _, err := house.Fill(t.Context(), requirements(t))

			require.ErrorContains(t, err, "asked for -m venv --clear "+venv)
			usertest.RequireNames(t, house.Dir)
		})
	}
}

// stub is an interpreter that fails and says what it was asked for.
func stub(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "python3")
	write(t, path, "#!/bin/sh", `echo "asked for $*" >&2`, "exit 1")
	require.NoError(t, os.Chmod(path, 0o755))
	return path
}
