package proc_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/proc"
)

func TestFlock_NamesWhoTookItAndWhoHasIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	_, held := proc.FlockHolder(path)
	require.False(t, held, "there is no such file")
	f, err := os.Create(path)
	require.NoError(t, err)
	_, held = proc.FlockHolder(path)
	require.False(t, held)
	require.NoError(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
	child := start(t, func(cmd *exec.Cmd) { cmd.ExtraFiles = []*os.File{f} })

	pid, held := proc.FlockHolder(path)

	require.True(t, held)
	require.Equal(t, os.Getpid(), pid)
	require.NoError(t, f.Close())
	_, held = proc.FlockHolder(path)
	require.True(t, held, "the child has inherited it")
	have, err := proc.Flockers(path)
	require.NoError(t, err)
	require.Len(t, have, 1)
	require.Equal(t, child.Process.Pid, have[0].PID)
}

// btrfs gives each subvolume a device that the list of locks does not know; an
// overlay's files may have others than the overlay.
func TestFlock_IsFoundOnAnOverlay(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root mounts")
	}
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, name) }
	mount := func(kind, dir, options string) {
		if err := unix.Mount(kind, at(dir), kind, 0, options); err != nil {
			t.Skipf("cannot mount here: %v", err)
		}
		t.Cleanup(func() { require.NoError(t, unix.Unmount(at(dir), 0)) })
	}
	require.NoError(t, os.MkdirAll(at("lower"), 0o755))
	require.NoError(t, os.MkdirAll(at("other"), 0o755))
	require.NoError(t, os.MkdirAll(at("merged"), 0o755))
	require.NoError(t, os.WriteFile(at("lower/lock"), nil, 0o644))
	mount("tmpfs", "other", "size=64k")
	require.NoError(t, os.MkdirAll(at("other/upper"), 0o755))
	require.NoError(t, os.MkdirAll(at("other/work"), 0o755))
	mount("overlay", "merged", "lowerdir="+at("lower")+",upperdir="+at("other/upper")+",workdir="+at("other/work"))
	f, err := os.OpenFile(at("merged/lock"), os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))

	_, held := proc.FlockHolder(at("merged/lock"))

	require.True(t, held)
}
