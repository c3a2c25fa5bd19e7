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

func TestFirst_KeepsTheBeginning(t *testing.T) {
	require.Equal(t, "a\nb", lines.First("a\nb\nc", 2))
	require.Equal(t, "a", lines.First("a", 2))
}

func TestClip_SaysThatThereIsMore(t *testing.T) {
	require.Equal(t, "äb…", lines.Clip("äbc", 2))
	require.Equal(t, "äb", lines.Clip("äb", 2))
}

func TestIndent_MovesEveryLine(t *testing.T) {
	require.Equal(t, "    a\n    b", lines.Indent("a\nb"))
}
