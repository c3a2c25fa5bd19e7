package uwsgi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const zeroDivision = `Traceback (most recent call last):
  File "/srv/shop/deploy/builds/c/app.py", line 1, in <module>
    1/0
    ~^~
ZeroDivisionError: division by zero`

func TestExplain_PicksTheCause(t *testing.T) {
	for _, c := range []struct{ name, log, want string }{
		{"a traceback", "spawned\n" + zeroDivision + "\nunable to load app 0\n*** no app loaded. GAME OVER ***\n", zeroDivision},
		{"the last of two", zeroDivision + "\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"x\", line 2\nKeyError: 'y'\n", "Traceback (most recent call last):\n  File \"x\", line 2\nKeyError: 'y'"},
		{"not the one of a worker that was ended for it", zeroDivision + "\nTraceback (most recent call last):\n  File \"x\", line 2\nKeyboardInterrupt\n", zeroDivision},
		{"not the one that another process wrote into", zeroDivision + "\nTraceback (most recent call last):\n  File \"x\", line 2\nworker 2 buried after 0 seconds\n", zeroDivision},
		{"not what came before that", zeroDivision + "\n" + tracebackStart + "\n  File \"x\", line 2\nPermissionError: p\n\nDuring handling of the above exception, another exception occurred:\n\n" + tracebackStart + "\n  File \"x\", line 3\nKeyboardInterrupt\n", zeroDivision},
		{"no traceback", "one\ntwo\n", "one\ntwo"},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, explain(c.log)) })
	}
}

func TestExplain_IsShort(t *testing.T) {
	long := tracebackStart + "\n"
	for range 100 {
		long += "  File \"x\", line 1\n"
	}
	require.Equal(t, causeLines, strings.Count(explain(long+"RecursionError: too deep\n"), "\n")+1)
}

func TestTail_ReadsWholeLinesThatWereAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	missing := tailFrom(path)
	require.Empty(t, missing.rest())
	appendTo(t, path, "old\n")
	log := tailFrom(path)

	appendTo(t, path, "new\nha")
	require.Equal(t, "new\n", log.rest())
	appendTo(t, path, "lf\n")
	require.Equal(t, "half\n", log.rest())
	require.Empty(t, log.rest())
	require.Equal(t, "old\nnew\nhalf\n", missing.rest())
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteString(text)
	require.NoError(t, err)
}
