package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hadjango/hadjango/internal/lines"
)

// maxShown is how many problems of one file are reported: the rest are rarely more than echoes of these.
const maxShown = 20

// An Error is one problem of a configuration. [Parse] and [Config.Validate] return all they find, joined as by
// [errors.Join].
type Error struct {
	File         string // as given to Parse; "" from Validate
	Line, Column int    // from 1, in characters; 0 from Validate
	Key          string // such as timeouts.drain or build[0][1]; "" when no key is at fault
	Problem      string // what was found and what was expected; never a value of env
}

func (e *Error) Error() string {
	text := e.Problem
	if e.Key != "" {
		text = e.Key + ": " + text
	}
	if e.Line > 0 {
		text = fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, text)
	}
	return text
}

// A place is where something stands in the file, from 1; the zero place is nowhere.
type place struct{ line, column int }

// A report gathers the problems of one configuration.
type report struct {
	file     string
	at       map[string]place // every key and list item that the file holds
	problems []*Error
}

// fail records a problem of the value of key.
func (r *report) fail(key, format string, args ...any) {
	r.failAt(r.at[key], key, format, args...)
}

func (r *report) failAt(p place, key, format string, args ...any) {
	r.problems = append(r.problems, &Error{r.file, p.line, p.column, key, fmt.Sprintf(format, args...)})
}

// failed tells whether key, or what it is a part of, has a problem: then its value is not what the file says.
func (r *report) failed(key string) bool {
	return slices.ContainsFunc(r.problems, func(e *Error) bool {
		rest, found := strings.CutPrefix(key, e.Key)
		return found && e.Key != "" && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// err returns the problems in the order of the file, or nil.
func (r *report) err() error {
	slices.SortStableFunc(r.problems, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	var errs []error
	for _, e := range r.problems[:min(len(r.problems), maxShown)] {
		errs = append(errs, e)
	}
	if more := len(r.problems) - len(errs); more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}

// quote shows a text of the file in an error: no control character reaches the terminal, and no novel.
func quote(text string) string { return strconv.Quote(clip(text)) }

func clip(text string) string { return lines.Clip(text, 60) }

// nearest returns the one of words that word is most likely a misspelling of, or "".
func nearest(word string, words []string) string {
	if len(word) > 40 {
		return ""
	}
	best := slices.MinFunc(words, func(a, b string) int {
		return cmp.Compare(edits(word, a), edits(word, b))
	})
	if edits(word, best) > max(1, len(best)/3) {
		return ""
	}
	return best
}

// edits is the number of letters to insert, delete, replace or swap with their neighbour to turn a into b.
func edits(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	// to[i][j] is the number for a[:i] and b[:j].
	to := make([][]int, len(a)+1)
	for i := range to {
		to[i] = make([]int, len(b)+1)
		for j := range to[i] {
			to[i][j] = step(to, a, b, i, j)
		}
	}
	return to[len(a)][len(b)]
}

func step(to [][]int, a, b string, i, j int) int {
	if i == 0 || j == 0 {
		return i + j
	}
	replace := to[i-1][j-1]
	if a[i-1] != b[j-1] {
		replace++
	}
	least := min(to[i-1][j]+1, to[i][j-1]+1, replace)
	if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
		least = min(least, to[i-2][j-2]+1)
	}
	return least
}
