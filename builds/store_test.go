package builds_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
)

func TestStore_GivesTheFirstFreeName(t *testing.T) {
	store := newStore(t, "a", "b", "d")

	name, err := store.Free()
	require.NoError(t, err)
	require.Equal(t, builds.Name("c"), name)

	names, err := store.List()
	require.NoError(t, err)
	require.Equal(t, []builds.Name{"a", "b", "d"}, names)
}

func TestStore_ThatDoesNotExistYetIsEmpty(t *testing.T) {
	store := builds.OpenStore(filepath.Join(t.TempDir(), "none"))

	names, err := store.List()
	require.NoError(t, err)
	require.Empty(t, names)
	name, err := store.Free()
	require.NoError(t, err)
	require.Equal(t, builds.Name("a"), name)
	require.NoError(t, store.Sweep())
}

func TestStore_ListsInTheOrderOfTheNames(t *testing.T) {
	store := newStore(t, "aa", "z", "b", "ab")

	names, err := store.List()
	require.NoError(t, err)
	require.Equal(t, []builds.Name{"b", "z", "aa", "ab"}, names)
}

func TestStore_CreatesABuildOnce(t *testing.T) {
	store := newStore(t)

	dir, err := store.Create("a")
	require.NoError(t, err)
	require.DirExists(t, dir)
	_, err = store.Create("a")
	require.ErrorIs(t, err, builds.ErrExists)
}

func TestManifest_IsIncompleteUntilItSaysOtherwise(t *testing.T) {
	store := newStore(t)
	dir, err := store.Create("a")
	require.NoError(t, err)

	manifest, err := store.Manifest("a")
	require.NoError(t, err)
	require.False(t, manifest.Complete)

	want := builds.Manifest{
		Name: "a", Tag: "v1", Stamp: "s", Created: time.Unix(1, 0).UTC(), Complete: true,
		Steps: []builds.Step{{Name: "copy", Millis: 7}},
	}
	require.NoError(t, want.Write(dir))
	got, err := store.Manifest("a")
	require.NoError(t, err)
	require.Equal(t, want, got)
	tag, err := os.ReadFile(filepath.Join(dir, ".DEPLOY_TAG"))
	require.NoError(t, err)
	require.Equal(t, "v1\n", string(tag))
}

func TestManifest_OfNoBuildIsNotFound(t *testing.T) {
	_, err := newStore(t).Manifest("a")
	require.ErrorIs(t, err, builds.ErrNotFound)
}

func TestRemove_RefusesWhatAPointerNames(t *testing.T) {
	store := newStore(t, "a", "b", "c")
	require.NoError(t, store.Point(builds.Live, "a"))
	require.NoError(t, store.Point(builds.Stage, "b"))

	require.ErrorIs(t, store.Remove("a"), builds.ErrPointed)
	require.ErrorContains(t, store.Remove("b"), "it is stage")
	require.NoError(t, store.Remove("c"))
	require.ErrorIs(t, store.Remove("c"), builds.ErrNotFound)
	require.Equal(t, []string{"_live", "_stage", "a", "b"}, names(t, store.Dir()))
}

func TestRemove_TakesReadOnlyDirectoriesToo(t *testing.T) {
	store := newStore(t, "a")
	locked := filepath.Join(store.Path("a"), "locked")
	require.NoError(t, os.Mkdir(locked, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(locked, "f"), nil, 0o400))
	require.NoError(t, os.Chmod(locked, 0o500))

	require.NoError(t, store.Remove("a"))
	require.Empty(t, names(t, store.Dir()))
}

func TestSweep_EndsARemovalThatWasCutShort(t *testing.T) {
	store := newStore(t, "a")
	require.NoError(t, os.MkdirAll(filepath.Join(store.Dir(), ".trash-1", "b"), 0o755))

	require.NoError(t, store.Sweep())
	require.Equal(t, []string{"a"}, names(t, store.Dir()))
}

// newStore returns a store in a temporary directory with complete builds of
// the given names.
func newStore(t *testing.T, names ...builds.Name) builds.Store {
	t.Helper()
	store := builds.OpenStore(filepath.Join(t.TempDir(), "builds"))
	for _, name := range names {
		dir, err := store.Create(name)
		require.NoError(t, err)
		require.NoError(t, builds.Manifest{Name: name, Complete: true}.Write(dir))
	}
	return store
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
