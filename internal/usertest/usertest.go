// Package usertest has what tests need that run programs of other makers: root
// runs those as somebody else.
package usertest

import (
	"os"
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
