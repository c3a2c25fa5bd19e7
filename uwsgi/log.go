package uwsgi

import (
	"bytes"
	"context"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/lines"
	"github.com/hadjango/hadjango/internal/watch"
)

// tail reads what is appended to a log from a moment on.
type tail struct {
	path   string
	offset int64
}

// tailFrom begins at the log's present end; a log that is not there yet begins at 0.
func tailFrom(path string) *tail {
	info, err := os.Stat(path)
	if err != nil {
		return &tail{path: path}
	}
	return &tail{path, info.Size()}
}

// maxTail is as much of a log as is looked at in one go.
const maxTail = 1 << 20

// rest returns what was appended since the last call, up to the last whole line.
func (t *tail) rest() string {
	f, err := files.Open(t.path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() < t.offset {
		t.offset = 0 // emptied meanwhile
	}
	data, _ := io.ReadAll(io.NewSectionReader(f, t.offset, maxTail))
	if end := bytes.LastIndexByte(data, '\n') + 1; end > 0 || len(data) < maxTail {
		data = data[:end]
	}
	t.offset += int64(len(data))
	return string(data)
}

// await returns the first match that the log gets, and leaves what follows it
// for the next reader.
func (t *tail) await(ctx context.Context, pattern *regexp.Regexp) (string, error) {
	var match string
	err := watch.Until(ctx, poll, func() (bool, error) {
		text := t.rest()
		at := pattern.FindStringIndex(text)
		if at == nil {
			return false, nil
		}
		match = text[at[0]:at[1]]
		t.offset -= int64(len(text) - at[1])
		return true, nil
	})
	return match, err
}

// lastPart is the end of a log.
func lastPart(path string) string {
	const part = 16 << 10
	log := tailFrom(path)
	log.offset = max(0, log.offset-part)
	return log.rest()
}

const (
	tracebackStart = "Traceback (most recent call last):"
	causeLines     = 12
)

// explain picks from a log what says why an instance did not start: the last
// traceback, else the last lines.
func explain(log string) string {
	parts := strings.Split(log, tracebackStart)
	passedOver := false
	for i := len(parts) - 1; i > 0; i-- {
		text, ok := traceback(tracebackStart + parts[i])
		if passedOver = !ok || passedOver && leadsOn(parts[i]); !passedOver {
			return lines.Last(text, causeLines)
		}
	}
	return lines.Last(log, causeLines)
}

// leadsOn tells whether the traceback is only the context of the next one.
func leadsOn(text string) bool {
	text = strings.TrimRight(text, "\n")
	return strings.HasSuffix(text, "another exception occurred:") || strings.HasSuffix(text, "direct cause of the following exception:")
}

// exception is how the last line of a traceback begins.
var exception = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*(:|$)`)

// traceback returns the text up to the exception, its first line that is not
// indented. It is not ok when that is no exception, because another process
// wrote between, or when it only says that uWSGI ended a worker for the sake
// of another one's failure.
func traceback(text string) (upToException string, ok bool) {
	all := strings.Split(text, "\n")
	for i, line := range all[1:] {
		if line != "" && !strings.HasPrefix(line, " ") {
			ok = exception.MatchString(line) && !strings.HasPrefix(line, "KeyboardInterrupt")
			return strings.Join(all[:i+2], "\n"), ok
		}
	}
	return "", false
}

// Mark is a place in an instance's log.
type Mark struct{ log *tail }

// MarkLog returns the present end of an instance's log.
func MarkLog(u Unit) Mark { return Mark{tailFrom(u.Log)} }

// Cause picks from what was written after the mark, and since the last call,
// what says why something went wrong: the last traceback, else the last lines.
func (m Mark) Cause() string { return explain(m.log.rest()) }
