package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// tests reads what "go test -json" writes, and shows what "go test" would. It
// remembers which tests were skipped and why: some need what not every machine
// lets them have, such as mounts, and nobody would see that they prove nothing.
type tests struct {
	out     io.Writer
	rest    []byte
	words   map[string]string
	skipped []string
}

// event is one line of it.
type event struct{ Action, Package, Test, Output string }

func (t *tests) Write(data []byte) (int, error) {
	t.rest = append(t.rest, data...)
	for {
		line, rest, whole := bytes.Cut(t.rest, []byte("\n"))
		if !whole {
			return len(data), nil
		}
		t.rest = rest
		t.see(line)
	}
}

func (t *tests) see(line []byte) {
	var e event
	switch {
	case json.Unmarshal(line, &e) != nil:
		fmt.Fprintf(t.out, "%s\n", line)
	case e.Test == "":
		t.seePackage(e)
	default:
		t.seeTest(e, e.Package+"."+e.Test)
	}
}

func (t *tests) seePackage(e event) {
	if e.Output != "PASS\n" {
		_, _ = io.WriteString(t.out, e.Output)
	}
	if e.Action != "fail" {
		return
	}
	// a test that has not ended, because all were ended, is told too
	for name, words := range t.words {
		if strings.HasPrefix(name, e.Package+".") {
			_, _ = io.WriteString(t.out, words)
			delete(t.words, name)
		}
	}
}

func (t *tests) seeTest(e event, name string) {
	switch {
	case e.Action == "output" && !strings.HasPrefix(e.Output, "=== "):
		t.words[name] += e.Output
		return
	case e.Action == "fail":
		_, _ = io.WriteString(t.out, t.words[name])
	case e.Action == "skip":
		why, _, _ := strings.Cut(t.words[name], "--- SKIP")
		t.skipped = append(t.skipped, fmt.Sprintf("skipped: %s: %s", name, strings.Join(strings.Fields(why), " ")))
	case e.Action != "pass":
		return
	}
	delete(t.words, name)
}
