package builds_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
)

func TestPoint_NamesOnlyCompleteBuilds(t *testing.T) {
	store := newStore(t, "a")
	_, err := store.Create("b")
	require.NoError(t, err)

	require.ErrorIs(t, store.Point(builds.Live, "b"), builds.ErrIncomplete)
	require.ErrorIs(t, store.Point(builds.Live, "c"), builds.ErrNotFound)
	_, err = store.Pointed(builds.Live)
	require.ErrorIs(t, err, builds.ErrNoPointer)

	require.NoError(t, store.Point(builds.Live, "a"))
	live, err := store.Pointed(builds.Live)
	require.NoError(t, err)
	require.Equal(t, builds.Name("a"), live)
}

func TestClear_LeavesThePointerNamingNoBuild(t *testing.T) {
	store := newStore(t, "a")
	require.NoError(t, store.Point(builds.Stage, "a"))

	require.NoError(t, store.Clear(builds.Stage))
	require.NoError(t, store.Clear(builds.Stage), "there is nothing to clear")

	_, err := store.Pointed(builds.Stage)
	require.ErrorIs(t, err, builds.ErrNoPointer)
	require.True(t, store.Exists("a"))
}

func TestPointed_TrustsNoLinkThatLeadsElsewhere(t *testing.T) {
	store := newStore(t, "a")
	for _, target := range []string{"/etc", "../builds", "a/../a", "b", ""} {
		t.Run(target, func(t *testing.T) {
			if target != "" {
				require.NoError(t, os.Symlink(target, store.PointerPath(builds.Live)))
				defer os.Remove(store.PointerPath(builds.Live))
			}
			_, err := store.Pointed(builds.Live)
			require.ErrorIs(t, err, builds.ErrNoPointer)
		})
	}
}

func TestExchange_NeedsBothPointers(t *testing.T) {
	store := newStore(t, "a")
	require.NoError(t, store.Point(builds.Live, "a"))

	_, err := store.Exchange()

	require.ErrorIs(t, err, builds.ErrNoPointer)
	require.ErrorContains(t, err, "stage")
}

// Whoever reads a pointer, or opens a file through one, during 10,000
// exchanges finds a whole build each time.
func TestExchange_IsNeverSeenMissingOrHalf(t *testing.T) {
	store := newStore(t, "a", "b")
	require.NoError(t, store.Point(builds.Live, "a"))
	require.NoError(t, store.Point(builds.Stage, "b"))

	var readers sync.WaitGroup
	done := make(chan struct{})
	seen := make([]map[builds.Name]int, 2)
	for i, p := range []builds.Pointer{builds.Live, builds.Stage} {
		seen[i] = map[builds.Name]int{}
		readers.Go(func() { readUntil(t, done, store, p, seen[i]) })
	}
	for range 10_000 {
		took, err := store.Exchange()
		require.NoError(t, err)
		require.Positive(t, took)
	}
	close(done)
	readers.Wait()
	for _, counts := range seen {
		require.Positive(t, counts["a"])
		require.Positive(t, counts["b"])
		require.Len(t, counts, 2)
	}
	live, err := store.Pointed(builds.Live)
	require.NoError(t, err)
	require.Equal(t, builds.Name("a"), live, "an even number of exchanges changes nothing")
}

func readUntil(t *testing.T, done chan struct{}, store builds.Store, p builds.Pointer, seen map[builds.Name]int) {
	for {
		select {
		case <-done:
			return
		default:
		}
		name, err := store.Pointed(p)
		if err != nil {
			t.Errorf("pointer %s: %v", p, err)
			return
		}
		if _, err := os.ReadFile(filepath.Join(store.PointerPath(p), "build.json")); err != nil {
			t.Errorf("through pointer %s: %v", p, err)
			return
		}
		seen[name]++
	}
}
