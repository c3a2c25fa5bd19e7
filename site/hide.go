package site

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hadjango/hadjango/builds"
)

// redactor takes out of texts what is not for who may not know this machine.
type redactor struct {
	// root finds the directory of the site.
	root    *regexp.Regexp
	queries bool
}

func (s *Site) redactor() redactor {
	return redactor{regexp.MustCompile(regexp.QuoteMeta(s.root) + `($|[` + ends + `])`), s.config.Dashboard.Queries}
}

// record is one of the journal, without what only ways back and other tasks need.
func (d redactor) record(r builds.Record) builds.Record {
	r.PID, r.Started, r.Before = 0, 0, builds.State{}
	r.Error = d.text(r.Error)
	r.Args = append([]string(nil), r.Args...)
	for i, arg := range r.Args {
		r.Args[i] = d.text(arg)
	}
	r.Steps = append([]builds.TaskStep(nil), r.Steps...)
	for i, step := range r.Steps {
		r.Steps[i].Name, r.Steps[i].Error = d.text(step.Name), d.text(step.Error)
	}
	return r
}

func (d redactor) halfDone(h *HalfDone) *HalfDone {
	if h == nil {
		return nil
	}
	redacted := *h
	redacted.Task, redacted.LastStep = d.text(h.Task), d.text(h.LastStep)
	return &redacted
}

func (d redactor) text(text string) string {
	if !d.queries {
		text = query.ReplaceAllString(text, "$1")
	}
	return d.paths(text)
}

const (
	// ends cannot be in a part of a path that nobody has put in quotes; a blank is
	// in one when a word with a slash follows.
	ends = `\s/"'` + "`" + `:,;()\[\]{}<>|?`
	part = `[^` + ends + `]`
)

var (
	// query is what follows the ? of an address, up to what belongs to the sentence.
	query = regexp.MustCompile(`(/[^\s"?]*)\?[^\s"]*[^\s"',;:.)]`)
	// mention is an address, a path that is not absolute, or one that is, in quotes or not.
	mention = regexp.MustCompile(`https?://[^\s"]*` +
		`|\b(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|warm up|redirected from) /[^\s"]*` +
		`|[^=` + ends + `]+(?:/` + part + `*)+` +
		`|"/(?:[^"\\]|\\.)*"|'/[^']*'` +
		`|/` + part + `*(?:(?: ` + part + `+)*/` + part + `*)*`)
)

// paths shortens the paths of this machine in a text: those of the site begin in
// its directory, and of others only the last part is left.
func (d redactor) paths(text string) string {
	text = d.root.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasSuffix(found, "/") {
			return ""
		}
		return d.root.ReplaceAllString(found, ".$1")
	})
	return mention.ReplaceAllStringFunc(text, func(found string) string {
		path := strings.Trim(found, `"'`)
		if !filepath.IsAbs(path) {
			return found
		}
		return strings.Replace(found, path, lastPart(path), 1)
	})
}

// lastPart leaves alone what cannot be a path of this machine, and the names of
// directories that all machines have.
func lastPart(path string) string {
	top, below, _ := strings.Cut(path[1:], "/")
	if _, err := os.Lstat("/" + top); err != nil || below == "" {
		return path
	}
	return "…/" + filepath.Base(path)
}
