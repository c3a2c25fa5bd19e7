package site

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/command"
)

// Attached is a program that somebody works with in a build: it gets the
// terminal of this process, and takes its place.
type Attached struct{ command command.Command }

// Exec starts the program in place of this process, as the site's user, with more
// variables, each written NAME=value. It returns only when that fails.
func (a Attached) Exec(env ...string) error {
	a.command.Env = append(a.command.Env, env...)
	return a.command.Exec()
}

// String names the program and where it runs.
func (a Attached) String() string {
	return fmt.Sprintf("%s in build %s as %s", filepath.Base(a.command.Args[0]), filepath.Base(a.command.Dir), a.command.User.Name)
}

// Manage is a command of manage.py in a build, with the build's virtualenv and
// environment.
func (s *Site) Manage(name builds.Name, args ...string) (Attached, error) {
	if _, err := s.djangoIn(name); err != nil {
		return Attached{}, fmt.Errorf("manage.py in %s: %w", name, err)
	}
	return s.attach(name, append(config.Command{"manage.py"}, args...))
}

// Shell is the person's own shell in a build, with the build's virtualenv and
// environment.
func (s *Site) Shell(name builds.Name) (Attached, error) {
	return s.attach(name, config.Command{userShell()}, "PS1="+string(name)+":\\w$ ")
}

// userShell is that of who deploys: Debian's www-data has none.
func userShell() string {
	for _, shell := range []string{os.Getenv("SHELL"), "/bin/bash"} {
		if path, err := exec.LookPath(shell); err == nil {
			return path
		}
	}
	return "/bin/sh"
}

// attach takes what is printed to the terminal alone: it may be a secret.
func (s *Site) attach(name builds.Name, c config.Command, env ...string) (Attached, error) {
	if s.foreign != nil {
		return Attached{}, s.foreign
	}
	manifest, err := s.complete(name)
	if err != nil {
		return Attached{}, err
	}
	in := s.inBuild(name, manifest.Tag, c)
	in.Env, in.Log = append(in.Env, env...), ""
	return Attached{in}, nil
}
