package site

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hadjango/hadjango/builds"
)

// withoutPaths is a record of the journal for who may not know this machine.
func (s *Site) withoutPaths(r builds.Record) builds.Record {
	r.Error = s.hidePaths(r.Error)
	r.Args = append([]string(nil), r.Args...)
	for i, arg := range r.Args {
		r.Args[i] = s.hidePaths(arg)
	}
	r.Steps = append([]builds.TaskStep(nil), r.Steps...)
	for i, step := range r.Steps {
		r.Steps[i].Name, r.Steps[i].Error = s.hidePaths(step.Name), s.hidePaths(step.Error)
	}
	return r
}

var absolutePath = regexp.MustCompile(`/[A-Za-z0-9._+@-]+(/[A-Za-z0-9._+@-]+)*/?`)

// hidePaths shortens the paths of this machine in a text: those of the site begin
// in its directory, and of others only the last part is left.
func (s *Site) hidePaths(text string) string {
	text = strings.ReplaceAll(text, s.root+"/", "")
	text = strings.ReplaceAll(text, s.root, ".")
	return absolutePath.ReplaceAllStringFunc(text, func(path string) string {
		top, _, _ := strings.Cut(path[1:], "/")
		if _, err := os.Lstat("/" + top); err != nil {
			return path
		}
		return "…/" + filepath.Base(path)
	})
}
