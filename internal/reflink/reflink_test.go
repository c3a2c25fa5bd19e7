package reflink_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/disktest"
	"github.com/hadjango/hadjango/internal/reflink"
)

// file is one of some blocks, which is on disk when the test goes on.
func file(t *testing.T, dir, name string, content []byte) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, name))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	_, err = f.Write(content)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	return f
}

func blocks(size int) []byte { return bytes.Repeat([]byte("hadjango"), size/8) }

func content(t *testing.T, f *os.File) []byte {
	t.Helper()
	data, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	return data
}

func TestClone_HasTheBytesAndStaysItself(t *testing.T) {
	dir := disktest.XFS(t)
	from, to := file(t, dir, "from", blocks(50_000)), file(t, dir, "to", nil)
	require.Zero(t, reflink.Shared(from))

	require.NoError(t, reflink.Clone(to, from))

	require.Equal(t, blocks(50_000), content(t, to))
	require.True(t, reflink.Same(from, to))
	require.EqualValues(t, 53_248, reflink.Shared(from), "in blocks of the file system")
	_, err := to.WriteAt([]byte("X"), 0)
	require.NoError(t, err)
	require.Equal(t, blocks(50_000), content(t, from))
}

func TestDedupe_TakesOnlyWhatIsEqual(t *testing.T) {
	dir := disktest.XFS(t)
	// more than the kernel compares at once, and an end within a block
	size := 40_000_000
	other := blocks(size)
	other[size-1] = 'X'
	from, equal, differs := file(t, dir, "a", blocks(size)), file(t, dir, "b", blocks(size)), file(t, dir, "c", other)
	require.False(t, reflink.Same(from, equal))

	same, err := reflink.Dedupe(equal, from, int64(size))
	require.NoError(t, err)
	require.True(t, same)
	require.True(t, reflink.Same(from, equal))
	require.Equal(t, blocks(size), content(t, equal))

	same, err = reflink.Dedupe(differs, from, int64(size))
	require.NoError(t, err)
	require.False(t, same)
	require.Equal(t, other, content(t, differs))
}

// Extents of a file in many pieces do not fit into one answer of the kernel.
func TestShared_CountsAllPieces(t *testing.T) {
	dir := disktest.XFS(t)
	const block, pieces = 4096, 200
	from := file(t, dir, "from", nil)
	for i := range pieces {
		_, err := from.WriteAt(blocks(block), int64(i)*2*block)
		require.NoError(t, err)
	}
	require.NoError(t, from.Sync())
	to := file(t, dir, "to", nil)

	require.NoError(t, reflink.Clone(to, from))

	require.True(t, reflink.Same(from, to))
	require.EqualValues(t, pieces*block, reflink.Shared(to))
}

func TestClone_SaysWhereItCannot(t *testing.T) {
	shm, err := os.MkdirTemp("/dev/shm", "reflink")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(shm)) })
	from, to := file(t, shm, "from", blocks(8)), file(t, shm, "to", blocks(8))

	require.ErrorIs(t, reflink.Clone(to, from), reflink.ErrUnsupported)
	_, err = reflink.Dedupe(to, from, 8)
	require.ErrorIs(t, err, reflink.ErrUnsupported)
	require.False(t, reflink.Possible(shm))
	require.False(t, reflink.Same(from, to))
	require.Zero(t, reflink.Shared(from))
}

func TestPossible_OnXFS(t *testing.T) {
	require.True(t, reflink.Possible(disktest.XFS(t)))
	require.False(t, reflink.Possible("/nonexistent"))
}
