package builds_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

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

// Two file systems number their files alike.
func TestHeld_IsNotAnotherFileSystemsFileOfTheSameNumber(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root mounts")
	}
	locks := [2]string{}
	for i := range locks {
		dir := t.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
			t.Skipf("cannot mount here: %v", err)
		}
		t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
		locks[i] = filepath.Join(dir, "lock")
		require.NoError(t, os.WriteFile(locks[i], nil, 0o600))
	}
	unlock, err := builds.Lock(t.Context(), locks[0], builds.Holder{Task: "up", PID: 7})
	require.NoError(t, err)
	defer unlock()
	var one, other unix.Stat_t
	require.NoError(t, errors.Join(unix.Stat(locks[0], &one), unix.Stat(locks[1], &other)))
	require.Equal(t, one.Ino, other.Ino)

	_, held := builds.Held(locks[0])
	require.True(t, held)
	_, held = builds.Held(locks[1])
	require.False(t, held)
}
