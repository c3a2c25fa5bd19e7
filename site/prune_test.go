package site_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
)

// What builds had is kept for a week after the last of them, and for as long as
// it is not known what a build has.
func TestRemove_PrunesDependenciesThatNobodyUses(t *testing.T) {
	s := newTestSite(t, "")
	long, lately := time.Now().AddDate(0, 0, -8), time.Now().AddDate(0, 0, -6)
	lay := func(name string, used time.Time) (dir string) {
		dir = filepath.Join(s.dir, "deploy/deps", name)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), make([]byte, 5000), 0o644))
		require.NoError(t, os.Chtimes(dir, used, used))
		return dir
	}
	for _, name := range []builds.Name{"b", "c", "d"} {
		require.NoError(t, s.CreateBuild(t.Context(), name))
	}
	manifest := s.manifest("d")
	manifest.Requirements = "76543210fedcba98"
	require.NoError(t, manifest.Write(filepath.Join(s.dir, "deploy/builds/d")))
	used := lay("installed/"+manifest.Requirements, long)
	recent := lay("node/0123456789abcdef", lately)
	gone := []string{
		lay("wheelhouse/0123456789abcdef", long), lay("installed/0123456789abcdef", long),
		lay("node/89abcdef01234567", long), lay("node/fedcba9876543210.part", long),
	}

	whole := s.read("deploy/builds/d/build.json")
	s.write("deploy/builds/d/build.json", "torn")
	require.NoError(t, s.Remove(t.Context(), "b"))
	for _, dir := range gone {
		require.DirExists(t, dir, "what d has is not known")
	}
	s.write("deploy/builds/d/build.json", whole)
	require.NoError(t, s.Remove(t.Context(), "c"))

	for _, dir := range gone {
		require.NoDirExists(t, dir)
	}
	require.DirExists(t, used)
	require.DirExists(t, recent)
	require.Contains(t, s.notes.String(), "remove dependencies that no build has")
}
