package tasks

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

func TestVisible_LeavesNothingThatATerminalObeys(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"✓ a: copy · 0.1 s\n\tindent": "✓ a: copy · 0.1 s\n\tindent",
		"\x1b]0;pwned\a\x1b[2J":       `\u001b]0;pwned\u0007\u001b[2J`,
		"over\rwritten, erased\b\x7f": `over\u000dwritten, erased\u0008\u007f`,
		"a line of DOS\r\n":           "a line of DOS\n",
		"\u009b2J \x9b2J":             `\u009b2J ` + "\ufffd2J",
		"\x00":                        `\u0000`,
	} {
		require.Equal(t, want, visible(text))
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("\x1b]0;pwned\a\x1b[2J")
	f.Add("\xc2\x9b2J\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		shown := visible(text)
		require.False(t, strings.ContainsFunc(shown, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }))
		require.Equal(t, shown, visible(shown))
	})
}

// A program that reads -json gets what was there.
func TestScreen_KeepsTheMeaningOfJSON(t *testing.T) {
	const text = "\x1b[2J \u009b \x7f \r\n <é>"
	var out strings.Builder
	encoder := json.NewEncoder(screen{&out})
	encoder.SetEscapeHTML(false)

	require.NoError(t, encoder.Encode(text))

	var got string
	require.NoError(t, json.Unmarshal([]byte(out.String()), &got))
	require.Equal(t, text, got)
	require.Equal(t, `"\u001b[2J \u009b \u007f \r\n <é>"`+"\n", out.String())
}

func TestSaid_IsTheErrorItWas(t *testing.T) {
	err := said(errors.Join(fs.ErrNotExist, errors.New("\x1b[2J")))

	require.ErrorIs(t, err, fs.ErrNotExist)
	require.EqualError(t, err, "file does not exist\n"+`\u001b[2J`)
	require.NoError(t, said(nil))
}
