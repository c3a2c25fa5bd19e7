// Package usertest has what tests need that run programs of other makers: root
// runs those as somebody else.
package usertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/account"
)

// Runner is who runs them: an ordinary user, always.
func Runner(t testing.TB) account.User {
	t.Helper()
	me, err := account.Current()
	if os.Geteuid() == 0 {
		me, err = account.Lookup("nobody")
	}
	require.NoError(t, err)
	return me
}

// Again lets root run the test that calls it once more as an ordinary user, in a
// process of its own, and tells that it did: root is refused nothing.
func Again(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return false
	}
	dir := Dir(t)
	itself, err := os.Executable()
	require.NoError(t, err)
	// by another process: what this one writes, one that it has just forked may have open
	out, err := exec.CommandContext(t.Context(), "install", "-m", "755", "-t", dir, itself).CombinedOutput()
	require.NoError(t, err, string(out))
	again := exec.CommandContext(t.Context(), filepath.Join(dir, filepath.Base(itself)), "-test.v", "-test.run=^"+t.Name()+"$")
	again.Dir, again.Env = dir, append(os.Environ(), "HOME="+dir, "TMPDIR="+dir)
	again.SysProcAttr = &syscall.SysProcAttr{Credential: Runner(t).Credential()}
	out, err = again.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: "+t.Name())
	return true
}

// OpenDir is a directory that everybody may enter, unlike that of t.TempDir.
func OpenDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "open")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// Dir is a directory of the runner's.
func Dir(t testing.TB) string {
	t.Helper()
	dir := OpenDir(t)
	require.NoError(t, Runner(t).Own(dir))
	return dir
}

// RequireNames says what lies in a directory, and that nothing else does.
func RequireNames(t testing.TB, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.ElementsMatch(t, want, names)
}
