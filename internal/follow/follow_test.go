package follow_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/follow"
)

// writer appends to a log, and keeps the file it has opened.
func writer(t *testing.T, path string) func(text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return func(text string) {
		_, err := f.WriteString(text)
		require.NoError(t, err)
	}
}

func open(t *testing.T, path string, last int64) *follow.Log {
	t.Helper()
	log, err := follow.Open(path, last)
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func requireLines(t *testing.T, log *follow.Log, want ...string) {
	t.Helper()
	got, err := log.Lines()
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestLog_BeginsWithItsLastBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write := writer(t, path)
	write("one\ntwo\nthree\n")

	requireLines(t, open(t, path, 8), "o", "three")
	requireLines(t, open(t, path, 100), "one", "two", "three")
	requireLines(t, open(t, path, 0))
}

func TestLog_WaitsForTheEndOfALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log := open(t, path, 0)
	requireLines(t, log)
	write := writer(t, path)

	write("one\ntw")
	requireLines(t, log, "one")
	write("o\n")
	requireLines(t, log, "two")
	requireLines(t, log)
}

// logrotate renames, may make the new file itself, and tells the writer after that.
func TestLog_LosesNothingWhileItIsRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	old := writer(t, path)
	log := open(t, path, 0)
	old("one\n")

	require.NoError(t, os.Rename(path, path+".1"))
	old("two\n")
	requireLines(t, log, "one", "two")
	young := writer(t, path)
	old("three\n")
	young("four\n")
	requireLines(t, log, "three", "four")
	young("five\n")
	old("late\n")
	requireLines(t, log, "late", "five")
}

func TestLog_GoesOnAfterItWasEmptied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write := writer(t, path)
	write("one\n")
	log := open(t, path, 100)
	requireLines(t, log, "one")

	require.NoError(t, os.Truncate(path, 0))
	write("2\n")

	requireLines(t, log, "2")
}

// Who writes the log may make a hole in it that is larger than any line.
func TestLog_GoesOnBehindAHole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write := writer(t, path)
	log := open(t, path, 0)
	write("one\n")
	requireLines(t, log, "one")
	require.NoError(t, os.Truncate(path, 4+8<<20))
	write("\ntwo\n")

	for range 3 {
		lines, err := log.Lines()
		require.NoError(t, err)
		if len(lines) > 0 {
			require.Equal(t, "two", lines[len(lines)-1])
			return
		}
	}
	require.Fail(t, "what is behind the hole was not read")
}
