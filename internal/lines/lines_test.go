package lines_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/lines"
)

func TestLast_KeepsTheEnd(t *testing.T) {
	require.Equal(t, "b\nc", lines.Last("a\nb\nc\n\n", 2))
	require.Equal(t, "a", lines.Last("a\n", 2))
	require.Empty(t, lines.Last("", 2))
}

func TestIndent_MovesEveryLine(t *testing.T) {
	require.Equal(t, "    a\n    b", lines.Indent("a\nb"))
}

func TestBytes_AsAPersonSaysThem(t *testing.T) {
	for n, want := range map[int64]string{
		512: "0.5 kB", 10 << 10: "10 kB", 1<<20 - 1: "1024 kB", 3 << 20: "3.0 MB", 5 << 40: "5120 GB",
	} {
		require.Equal(t, want, lines.Bytes(n))
	}
}
