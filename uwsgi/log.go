package uwsgi

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
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
	f, err := os.Open(t.path)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, _ := io.ReadAll(io.NewSectionReader(f, t.offset, maxTail))
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	t.offset += int64(len(data))
	return string(data)
}

const (
	tracebackStart = "Traceback (most recent call last):"
	causeLines     = 12
)

// explain picks from a log what says why an instance did not start: the last
// traceback, else the last lines.
func explain(log string) string {
	parts := strings.Split(log, tracebackStart)
	for i := len(parts) - 1; i > 0; i-- {
		if text, ok := traceback(tracebackStart + parts[i]); ok {
			return lastLines(text, causeLines)
		}
	}
	return lastLines(log, causeLines)
}

// exception is how the last line of a traceback begins.
var exception = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*(:|$)`)

// traceback returns the text up to the exception, its first line that is not
// indented. It is not ok when that is no exception, because another process
// wrote between, or when it only says that uWSGI ended a worker for the sake
// of another one's failure.
func traceback(text string) (upToException string, ok bool) {
	lines := strings.Split(text, "\n")
	for i, line := range lines[1:] {
		if line != "" && !strings.HasPrefix(line, " ") {
			ok = exception.MatchString(line) && !strings.HasPrefix(line, "KeyboardInterrupt")
			return strings.Join(lines[:i+2], "\n"), ok
		}
	}
	return "", false
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(text, "\n", "\n    ")
}
