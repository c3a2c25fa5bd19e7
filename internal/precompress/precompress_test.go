package precompress_test

import (
	"compress/gzip"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/precompress"
)

var css = strings.Repeat("a { color: red }\n", 100)

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func unzip(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	r, err := gzip.NewReader(file)
	require.NoError(t, err)
	require.Empty(t, r.Name)
	require.True(t, r.ModTime.IsZero())
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(text)
}

func TestDir_CompressesWhatShrinks(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.css", "deep/er/b.JS", "c.min.mjs", "d.svg", "e.wasm", "f.webmanifest"} {
		write(t, filepath.Join(dir, name), css+name)
	}
	noise := make([]byte, 2000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	write(t, filepath.Join(dir, "noise.js"), string(noise))
	write(t, filepath.Join(dir, "small.css"), css[:500])
	for _, name := range []string{"g.woff2", "h.png", "i.webp", "j", "css", "k.gz"} {
		write(t, filepath.Join(dir, name), css)
	}

	report, err := precompress.Dir(t.Context(), dir)

	require.NoError(t, err)
	require.Equal(t, 6, report.Files)
	require.Greater(t, report.Before, 10*report.After)
	require.Regexp(t, `^6 files, 10 kB → 0\.\d kB$`, report.String())
	for _, name := range []string{"a.css", "deep/er/b.JS", "c.min.mjs", "d.svg", "e.wasm", "f.webmanifest"} {
		require.Equal(t, css+name, unzip(t, filepath.Join(dir, name+".gz")))
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.gz"))
	require.NoError(t, err)
	require.Len(t, left, 6, "five of ours, and the project's")
}

// Two builds of the same files have the same copies, so that they can share them.
// A file of holes takes no room, and to compress it takes for ever.
func TestDir_PassesOverWhatIsLargerThanAPage(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "holes.css"), "")
	require.NoError(t, os.Truncate(filepath.Join(dir, "holes.css"), 8<<40))

	report, err := precompress.Dir(t.Context(), dir)

	require.NoError(t, err)
	require.Zero(t, report.Files)
}

func TestDir_GivesTheSameCopyAgain(t *testing.T) {
	one, two := filepath.Join(t.TempDir(), "a.css"), filepath.Join(t.TempDir(), "b.css")
	then := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, path := range []string{one, two} {
		write(t, path, css)
		require.NoError(t, os.Chmod(path, 0o750))
		require.NoError(t, os.Chtimes(path, then, then))
		_, err := precompress.Dir(t.Context(), filepath.Dir(path))
		require.NoError(t, err)
	}

	first, err := os.ReadFile(one + ".gz")
	require.NoError(t, err)
	second, err := os.ReadFile(two + ".gz")
	require.NoError(t, err)
	require.Equal(t, first, second)
	info, err := os.Stat(one + ".gz")
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode())
	require.True(t, info.ModTime().Equal(then))
}

func TestDir_KeepsACopyOfTheProjects(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.css"), css)
	write(t, filepath.Join(dir, "a.css.gz"), "the project's")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "b.css.gz"), 0o755))
	write(t, filepath.Join(dir, "b.css"), css)

	report, err := precompress.Dir(t.Context(), dir)

	require.NoError(t, err)
	require.Equal(t, "no file that shrinks", report.String())
	data, err := os.ReadFile(filepath.Join(dir, "a.css.gz"))
	require.NoError(t, err)
	require.Equal(t, "the project's", string(data))
}

// What a project's own command has put there leads neither reading nor writing
// out of the directory.
func TestDir_FollowsNoLink(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "secret.css"), css)
	write(t, filepath.Join(dir, "c.css"), css)
	for name, target := range map[string]string{
		"a.css": filepath.Join(outside, "secret.css"), "dir": outside,
		"c.css.gz": filepath.Join(outside, "made"), "d.css": "c.css", "e.css": "nowhere",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, name)))
	}

	report, err := precompress.Dir(t.Context(), dir)

	require.NoError(t, err)
	require.Zero(t, report.Files)
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestDir_StopsWhenCancelled(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.css"), css)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := precompress.Dir(ctx, dir)

	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, filepath.Join(dir, "a.css.gz"))
}

func TestDir_ThatIsNotThereIsAnError(t *testing.T) {
	_, err := precompress.Dir(t.Context(), "/nonexistent")

	require.ErrorIs(t, err, os.ErrNotExist)
}
