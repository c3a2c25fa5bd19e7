package files_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/files"
)

func TestWrite_LeavesAloneWhatSaysTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")

	for _, step := range []struct {
		data    string
		perm    os.FileMode
		changed bool
	}{
		{"one", 0o600, true},
		{"one", 0o600, false},
		{"two", 0o600, true},
		{"two", 0o644, true},
	} {
		before, _ := os.Lstat(path)
		require.NoError(t, files.Write(path, []byte(step.data), step.perm))
		after, err := os.Lstat(path)
		require.NoError(t, err)
		require.Equal(t, step.changed, before == nil || !os.SameFile(before, after))
		requireFile(t, path, step.data, step.perm)
	}
}

func TestWrite_ReplacesALinkAndNeverWritesThroughIt(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(dir, "outside")
	require.NoError(t, os.WriteFile(outside, []byte("keep"), 0o600))
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(outside, link))

	err := files.Write(link, []byte("new"), 0o644)

	require.NoError(t, err)
	requireFile(t, outside, "keep", 0o600)
	requireFile(t, link, "new", 0o644)
}

func TestWrite_ThatFailsLeavesNoTemporaryFile(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	require.NoError(t, os.MkdirAll(filepath.Join(taken, "child"), 0o755))

	err := files.Write(taken, []byte("x"), 0o644)

	require.ErrorContains(t, err, "write "+taken)
	requireNames(t, dir, "taken")
}

func TestWrite_ReadersNeverSeeHalfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	old, young := make([]byte, 1<<16), make([]byte, 1<<15)
	require.NoError(t, files.Write(path, old, 0o644))

	var writer sync.WaitGroup
	done := make(chan struct{})
	writer.Go(func() {
		defer close(done)
		for i := range 200 {
			_ = files.Write(path, [][]byte{old, young}[i%2], 0o644)
		}
	})
	defer writer.Wait()
	for {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Contains(t, []int{len(old), len(young)}, len(data))
		select {
		case <-done:
			return
		default:
		}
	}
}

func TestSymlink_ReplacesWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "link")

	for _, target := range []string{"a", "a", "b"} {
		require.NoError(t, files.Symlink(target, path))
		now, err := os.Readlink(path)
		require.NoError(t, err)
		require.Equal(t, target, now)
	}
	requireNames(t, filepath.Dir(path), "link")
}

func TestExchange_SwapsTwoNames(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Symlink("1", filepath.Join(dir, "a")))
	require.NoError(t, os.Symlink("2", filepath.Join(dir, "b")))

	require.NoError(t, files.Exchange(dir, "a", "b"))

	now, err := os.Readlink(filepath.Join(dir, "a"))
	require.NoError(t, err)
	require.Equal(t, "2", now)
}

func TestExchange_NeedsBothNames(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Symlink("1", filepath.Join(dir, "a")))

	require.ErrorIs(t, files.Exchange(dir, "a", "b"), os.ErrNotExist)
	requireNames(t, dir, "a")
}

func TestRemove_WantsItGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, nil, 0o600))

	require.NoError(t, files.Remove(path))
	require.NoError(t, files.Remove(path))
	require.NoFileExists(t, path)
}

func requireFile(t *testing.T, path, data string, perm os.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	require.NoError(t, err)
	require.Equal(t, perm, info.Mode())
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, data, string(got))
}

func requireNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.ElementsMatch(t, want, names)
}

func TestAppend_BeginsANewLineAfterATornOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, files.Append(path, []byte("one\n"), 0o640))
	requireFile(t, path, "one\n", 0o640)
	require.NoError(t, files.Append(path, []byte("two"), 0o640))
	require.NoError(t, files.Append(path, []byte("three\n"), 0o640))
	requireFile(t, path, "one\ntwo\nthree\n", 0o640)
}

func TestAppend_FollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(filepath.Join(dir, "outside"), link))

	require.Error(t, files.Append(link, []byte("x\n"), 0o640))

	require.NoFileExists(t, filepath.Join(dir, "outside"))
}

func TestRename_TakesThePlaceOfWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	require.NoError(t, files.Write(from, []byte("new"), 0o600))
	require.NoError(t, files.Write(to, []byte("old"), 0o600))

	require.NoError(t, files.Rename(from, to))

	requireFile(t, to, "new", 0o600)
	require.NoFileExists(t, from)
}

func TestMakeDir_HasItsNameWhenItIsGiven(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "d")
	given := ""
	give := func(temp string) error {
		require.NoDirExists(t, path)
		info, err := os.Stat(temp)
		require.NoError(t, err)
		require.Equal(t, os.ModeDir|0o711, info.Mode())
		given += "given "
		return nil
	}

	require.NoError(t, files.MakeDir(path, 0o711, give))
	require.NoError(t, files.MakeDir(path, 0o700, give))

	require.Equal(t, "given ", given)
	require.DirExists(t, path)
	requireNames(t, dir, "d")
}

func TestMakeDir_ThatFailsLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	refused := errors.New("not yours")

	err := files.MakeDir(filepath.Join(dir, "d"), 0o755, func(string) error { return refused })

	require.ErrorIs(t, err, refused)
	requireNames(t, dir)
}

// A pipe that nobody writes to would be waited for, for ever.
func TestRead_TakesRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("text"), 0o644))
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	for _, read := range []func(string) ([]byte, error){
		func(name string) ([]byte, error) { return files.Read(filepath.Join(dir, name)) },
		func(name string) ([]byte, error) { return files.ReadIn(root, name) },
	} {
		data, err := read("file")
		require.NoError(t, err)
		require.Equal(t, "text", string(data))
		for _, name := range []string{"pipe", "."} {
			_, err = read(name)
			require.ErrorContains(t, err, "not a regular file")
		}
		_, err = read("missing")
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

// A file of holes takes no room on the disk, and all the memory of who reads it.
func TestRead_TakesNoFileThatIsLargerThanAnyIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "holes")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	require.NoError(t, os.Truncate(path, 8<<40))

	_, err := files.Read(path)

	require.ErrorContains(t, err, "larger than 64 MB")
}

func TestOpenOwn_TakesWhatTheOwnerOfTheDirectoryHasAndNoLink(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.WriteFile(outside, []byte("keep"), 0o600))
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, unix.Mkfifo(at("pipe"), 0o600))
	require.NoError(t, os.WriteFile(at("file"), nil, 0o600))
	require.NoError(t, os.Symlink(outside, at("link")))
	require.NoError(t, os.Symlink("pipe", at("link to a pipe")))

	reader, err := files.OpenOwn(at("pipe"), os.O_RDONLY, fs.ModeNamedPipe)
	require.NoError(t, err)
	defer reader.Close()
	writer, err := files.OpenOwn(at("pipe"), os.O_WRONLY, fs.ModeNamedPipe)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	for _, name := range []string{"file", "link", "link to a pipe"} {
		_, err = files.OpenOwn(at(name), os.O_WRONLY, fs.ModeNamedPipe)
		require.ErrorIs(t, err, files.ErrNotOwn, name)
		require.ErrorContains(t, err, at(name))
	}
	_, err = files.OpenOwn(at("missing"), os.O_WRONLY, fs.ModeNamedPipe)
	require.ErrorIs(t, err, os.ErrNotExist)

	t.Run("nor what is another's", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("only root has files of others")
		}
		require.NoError(t, os.Chown(dir, 1, 1))
		_, err = files.OpenOwn(at("pipe"), os.O_WRONLY, fs.ModeNamedPipe)
		require.ErrorIs(t, err, files.ErrNotOwn)
	})
}

// Root may empty a closed directory as it is: its path may be a link to anywhere
// by the time that it would be opened.
func TestRemoveAll_ByRootOpensNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("an ordinary user must open it")
	}
	dir := filepath.Join(t.TempDir(), "tree")
	closed := filepath.Join(dir, "closed")
	require.NoError(t, os.MkdirAll(filepath.Join(closed, "full"), 0o755))
	require.NoError(t, os.Chmod(closed, 0o077))
	held, err := os.Open(closed)
	require.NoError(t, err)
	defer held.Close()

	require.NoError(t, files.RemoveAll(dir))

	require.NoDirExists(t, dir)
	info, err := held.Stat()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o077), info.Mode().Perm())
}

func TestTouch_FollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	outside, link := filepath.Join(dir, "outside"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(outside, nil, 0o644))
	require.NoError(t, os.Symlink(outside, link))
	long := time.Unix(1, 0)
	require.NoError(t, os.Chtimes(outside, long, long))

	require.NoError(t, files.Touch(link))

	info, err := os.Stat(outside)
	require.NoError(t, err)
	require.Equal(t, long, info.ModTime())
	require.NoError(t, files.Touch(outside))
	info, err = os.Stat(outside)
	require.NoError(t, err)
	require.NotEqual(t, long, info.ModTime())
}
