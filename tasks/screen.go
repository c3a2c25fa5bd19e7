package tasks

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
)

// All that tasks say goes through these: it holds texts of the project, of its
// programs and of visitors.
var stdout, stderr = screen{os.Stdout}, screen{os.Stderr}

// screen writes to what may be a terminal.
type screen struct{ out io.Writer }

// Write implements [io.Writer]. It takes whole texts: half a character is none.
func (s screen) Write(text []byte) (int, error) {
	if _, err := io.WriteString(s.out, visible(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// visible shows what a terminal would obey, all control characters but the ends
// of lines and tabs, in the way of JSON: there it means what it did.
func visible(text string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(text, "\r\n", "\n") {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			// a byte that is no character is U+FFFD here
			b.WriteRune(r)
		}
	}
	return b.String()
}

// visibleError is an error that mage may print.
type visibleError struct{ error }

func (e visibleError) Error() string { return visible(e.error.Error()) }

func (e visibleError) Unwrap() error { return e.error }

func said(err error) error {
	if err == nil {
		return nil
	}
	return visibleError{err}
}
