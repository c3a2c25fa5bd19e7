package site

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/lines"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/uwsgi"
	"github.com/hadjango/hadjango/warmup"
)

// BuildError says that a build is not fit to serve, and what to do next.
type BuildError struct {
	Name builds.Name
	Err  error
	// Next is what to do.
	Next string
}

func (e *BuildError) Error() string { return fmt.Sprintf("%v\n%s", e.Err, e.Next) }

func (e *BuildError) Unwrap() error { return e.Err }

// unfit adds what to do next to the error of a complete build that does not
// start, or does not answer as it should. Other errors stay what they are.
func (s *Site) unfit(name builds.Name, err error) error {
	var start *uwsgi.StartError
	var answer *warmup.Error
	if !errors.As(err, &start) && !errors.As(err, &answer) {
		return err
	}
	next := fmt.Sprintf("no pointer was moved. If the cause lies outside of the build, mend it and run the task again; "+
		"else mend the project, then: mage rm %s, mage createBuild %s", name, name)
	return &BuildError{name, err, s.missingPackage(name, err) + next}
}

// unmade is unfit for a build that could not be made.
func (s *Site) unmade(name builds.Name, err error) error {
	return &BuildError{name, err, s.missingPackage(name, err) + fmt.Sprintf("next: mend that, then mage createBuild %s", name)}
}

var missingModule = regexp.MustCompile(`ModuleNotFoundError: No module named '([A-Za-z0-9_]+)`)

// missingPackage names the file of requirements when what is missing is none
// of the project's own modules.
func (s *Site) missingPackage(name builds.Name, err error) string {
	found := missingModule.FindStringSubmatch(err.Error())
	if found == nil || s.config.Requirements == "" {
		return ""
	}
	for _, own := range []string{found[1], found[1] + ".py"} {
		if _, err := os.Stat(filepath.Join(s.store.Path(name), own)); err == nil {
			return ""
		}
	}
	return fmt.Sprintf("nothing that %s asks for has the module %s: add its package there\n",
		filepath.Join(s.config.Project, s.config.Requirements), found[1])
}

// witnessed runs something that asks a build, and adds to its error what the
// build's own log says of it meanwhile.
func (s *Site) witnessed(unit uwsgi.Unit, ask func() error) error {
	mark, killed := uwsgi.MarkLog(unit), proc.OutOfMemory()
	err := ask()
	var answer *warmup.Error
	if !errors.As(err, &answer) || answer.Status != 0 && answer.Status < http.StatusInternalServerError {
		return err
	}
	if cause := strings.TrimSpace(mark.Cause()); cause != "" {
		err = fmt.Errorf("%w\nits log says:\n%s", err, lines.Indent(cause))
	}
	if proc.OutOfMemory() > killed {
		err = fmt.Errorf("%w\nthe kernel has ended a process for want of memory meanwhile: dmesg says which", err)
	}
	return fmt.Errorf("%w\nthe whole log: %s", err, unit.Log)
}
