package site

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/follow"
	"github.com/hadjango/hadjango/internal/lines"
)

// checkCode looks at the code of a build before anything runs it for visitors.
func (m *making) checkCode(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return m.step(ctx, "compile", m.compile) })
	if m.config.Settings != "" {
		group.Go(func() error { return m.step(ctx, "check", m.djangoCheck) })
	}
	return group.Wait()
}

// compile saves the workers, who may not write here, compiling at each start.
// What is installed is compiled already. A file that does not compile fails
// where it is imported, if it is: projects carry templates of code, and code of
// other Pythons. So it is only named.
func (m *making) compile(ctx context.Context, _ Step) (string, bool, error) {
	all := false
	out, err := m.logged(func() (err error) {
		all, err = m.python.Compile(ctx, m.dir, "lib/python3")
		return err
	})
	if all || err != nil {
		return "", false, err
	}
	for _, wrong := range uncompiled(out) {
		m.reporter.Note(fmt.Sprintf("%s: %s: whatever imports it will fail", m.name, wrong))
	}
	return "not all", false, nil
}

var (
	uncompiledFile = regexp.MustCompile(`^  File "(?:\./)?([^/"][^"]*)", line (\d+)`)
	compileError   = regexp.MustCompile(`^\s*((Syntax|Indentation|Tab)Error: .*)$`)
)

// uncompiled names each file that compileall complains about.
func uncompiled(out []string) (all []string) {
	place := ""
	for _, line := range out {
		if found := uncompiledFile.FindStringSubmatch(line); found != nil {
			place = fmt.Sprintf("%s line %s", found[1], found[2])
		}
		if found := compileError.FindStringSubmatch(line); found != nil && place != "" {
			all = append(all, place+" does not compile: "+found[1])
			place = ""
		}
	}
	return all
}

// djangoCheck lets Django check the project as for production: an error refuses
// the build, warnings are counted. The database may be away, or not made yet.
func (m *making) djangoCheck(ctx context.Context, _ Step) (string, bool, error) {
	out, err := m.logged(func() error {
		return m.runInBuild(ctx, m.name, m.manifest.Tag, config.Command{"python", "-m", "django", "check", "--deploy"})
	})
	var failed *command.Error
	if found := djangoErrors(out); errors.As(err, &failed) && found != "" {
		failed.Tail = found
	}
	warnings := djangoWarnings(out)
	if err != nil || len(warnings) == 0 {
		return "", false, err
	}
	return fmt.Sprintf("Django warns of %s, see %s", strings.Join(warnings, " "), m.buildLog(m.name)), false, nil
}

var djangoWarning = regexp.MustCompile(`\(([a-z_A-Z0-9.]+\.W\d+)\)`)

// djangoErrors are what stands before the warnings, which may be many.
func djangoErrors(out []string) string {
	const errorLines = 15
	text := strings.Join(out, "\n")
	for _, heading := range []string{"CRITICALS:\n", "ERRORS:\n"} {
		if _, found, ok := strings.Cut(text, heading); ok {
			found, _, _ = strings.Cut(found, "\n\n")
			return lines.First(found, errorLines)
		}
	}
	return ""
}

func djangoWarnings(out []string) []string {
	var ids []string
	for _, found := range djangoWarning.FindAllStringSubmatch(strings.Join(out, "\n"), -1) {
		ids = append(ids, found[1])
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// logged runs something and returns what was written to the build's log
// meanwhile, by others too.
func (m *making) logged(run func() error) ([]string, error) {
	log, err := follow.Open(m.buildLog(m.name), 0)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	failed := run()
	out, err := log.Lines()
	return out, errors.Join(failed, err)
}
