package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/proc"
)

// runInBuild runs one of the project's commands in a build, with the build's
// virtualenv and environment, as the site's user.
func (s *Site) runInBuild(ctx context.Context, name builds.Name, tag string, c config.Command) error {
	return s.inBuild(name, tag, c).Run(ctx)
}

func (s *Site) inBuild(name builds.Name, tag string, c config.Command) command.Command {
	dir := s.store.Path(name)
	return command.Command{
		Args: resolveProgram(dir, c), Dir: dir, Env: s.environment(name, tag), User: s.user, Log: s.buildLog(name),
	}
}

// resolveProgram gives a Python file to the build's interpreter, and finds a
// program of the build's own before any other.
func resolveProgram(dir string, c config.Command) []string {
	if strings.HasSuffix(c[0], ".py") {
		return append([]string{filepath.Join(dir, "bin", "python")}, c...)
	}
	for _, bin := range programDirs(dir) {
		if own, err := exec.LookPath(filepath.Join(bin, c[0])); err == nil {
			return append([]string{own}, c[1:]...)
		}
	}
	return c
}

// programDirs are where a build has programs: those of its virtualenv, and of
// its node modules.
func programDirs(dir string) []string {
	return []string{filepath.Join(dir, "bin"), filepath.Join(dir, modulesDir, ".bin")}
}

// environment is what a build's code and its commands find. It holds little of
// this process's environment: what the shell of whoever deploys happens to
// export must not reach a migration when it does not reach the workers.
func (s *Site) environment(name builds.Name, tag string) []string {
	dir := s.store.Path(name)
	path := strings.Join(append(programDirs(dir), os.Getenv("PATH")), ":")
	// not every user may write at home, where npm has its cache unless told otherwise
	env := append([]string{"npm_config_cache=" + filepath.Join(s.cache(), "npm")}, baseEnvironment()...)
	// a build is no site of its own, even where it holds a hadjango.yml
	env = append(append(env, s.whereabouts()...), "PATH="+path, "VIRTUAL_ENV="+dir, "HOME="+s.user.Home, command.Mark())
	for key, value := range s.variables(name, tag) {
		env = append(env, key+"="+value)
	}
	return env
}

// orphanLimit bounds waiting for processes that were killed.
const orphanLimit = 5 * time.Second

// endOrphans kills what commands of tasks that were killed have left: a command
// dies with its task, but what it has started itself goes on, and may write
// into the build that is made next.
func (s *Site) endOrphans(ctx context.Context) error {
	records, err := s.journal.Read(0)
	if err != nil {
		return err
	}
	var marks []string
	for _, r := range records {
		if r.Ended.IsZero() && !s.running(r) {
			marks = append(marks, command.MarkOf(r.PID, r.Started))
		}
	}
	orphans, err := proc.WithEnv(marks...)
	if err != nil {
		return err
	}
	for _, p := range orphans {
		s.reporter.Note(fmt.Sprintf("process %d (%s) was left by a task that was killed: it is killed too", p.PID, p.Name()))
		err = errors.Join(err, p.Signal(syscall.SIGKILL))
	}
	ctx, cancel := context.WithTimeout(ctx, orphanLimit)
	defer cancel()
	return errors.Join(err, proc.Wait(ctx, orphans))
}

// Variables that say how to reach the network, how to talk to the person, or
// what a tool that fetches packages should do.
var (
	kept = map[string]bool{
		"LANG": true, "TZ": true, "TERM": true, "TMPDIR": true, "SSL_CERT_FILE": true, "SSL_CERT_DIR": true,
		"REQUESTS_CA_BUNDLE": true, "http_proxy": true, "https_proxy": true, "no_proxy": true,
		"HTTP_PROXY": true, "HTTPS_PROXY": true, "NO_PROXY": true,
	}
	keptPrefixes = []string{"LC_", "PIP_", "npm_config_", "DJANGO_SUPERUSER_"}
)

func baseEnvironment() []string {
	var env []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if kept[name] || slices.ContainsFunc(keptPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			env = append(env, variable)
		}
	}
	return env
}

// commandName is the program and what is likely to be its subcommand: the other
// arguments may be secrets, and a step's name is shown and kept.
func commandName(c config.Command) string {
	if len(c) > 1 && subcommand.MatchString(c[1]) {
		return c[0] + " " + c[1]
	}
	return c[0]
}

var subcommand = regexp.MustCompile(`^[a-z][a-z_:-]*$`)
