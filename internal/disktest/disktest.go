// Package disktest has what tests need that look at the disk.
package disktest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/usertest"
)

// XFS returns a directory on a file system of its own whose files can have
// bytes in common. The test is skipped where nobody may mount one; where
// xfsprogs is missing only if nothing says, as "mage check" does, that nothing
// may be skipped.
func XFS(t testing.TB) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a file system")
	}
	if _, err := exec.LookPath("mkfs.xfs"); err != nil && os.Getenv("HADJANGO_TEST_ALL") == "" {
		t.Skip("no file system with reflinks: ", err)
	}
	base := usertest.OpenDir(t)
	image, dir := filepath.Join(base, "image"), filepath.Join(base, "xfs")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	// the least that mkfs.xfs takes; the file is sparse
	require.NoError(t, os.Truncate(image, 320<<20))
	out, err := exec.CommandContext(t.Context(), "mkfs.xfs", "-q", "-m", "reflink=1", image).CombinedOutput()
	require.NoError(t, err, string(out))
	mount(t, image, dir)
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

func mount(t testing.TB, image, dir string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "mount", "-t", "xfs", "-o", "loop", image, dir).CombinedOutput()
	for _, denied := range []string{"permission denied", "not permitted", "must be superuser", "failed to setup loop device"} {
		if err != nil && strings.Contains(string(out), denied) {
			t.Skip("this machine lets nobody mount a file system: ", string(out))
		}
	}
	require.NoError(t, err, string(out))
	t.Cleanup(func() {
		out, err := exec.Command("umount", dir).CombinedOutput()
		require.NoError(t, err, string(out))
	})
}

// Inode is who a file belongs to and what may be done with it.
type Inode struct {
	Number   uint64
	UID, GID uint32
	Mode     fs.FileMode
}

// Inodes returns those of all regular files below root, by their path from there.
func Inodes(t testing.TB, root string) map[string]Inode {
	t.Helper()
	found := map[string]Inode{}
	require.NoError(t, filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		below, err := filepath.Rel(root, name)
		found[below] = Inode{stat.Ino, stat.Uid, stat.Gid, info.Mode()}
		return err
	}))
	return found
}

// Snapshot is all that lies below root, but for some of it: modes, owners,
// times and contents.
func Snapshot(t testing.TB, root string, but ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.Contains(but, path) && entry.IsDir() {
			return fs.SkipDir
		}
		if slices.Contains(but, path) {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		all[path] = fmt.Sprintf("%s %d %d %s", info.Mode(), stat.Uid, stat.Gid, info.ModTime().Format(time.RFC3339Nano))
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			all[path] += fmt.Sprintf(" %x", sha256.Sum256(data))
			return err
		}
		return nil
	}))
	return all
}
