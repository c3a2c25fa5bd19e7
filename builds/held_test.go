package builds_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
)

func TestHeld_NamesTheHolderAndTakesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	_, held := builds.Held(path)
	require.False(t, held, "there is no such file yet")

	unlock, err := builds.Lock(t.Context(), path, builds.Holder{Task: "createBuild c", PID: 7})
	require.NoError(t, err)
	holder, held := builds.Held(path)
	require.True(t, held)
	require.Equal(t, "createBuild c", holder.Task)

	unlock()
	_, held = builds.Held(path)
	require.False(t, held)
}
