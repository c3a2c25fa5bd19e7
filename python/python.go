// Package python makes the Python side of a build: the interpreter that uWSGI's
// plugin is linked with, virtualenvs, and a wheelhouse that requirements are
// fetched into once and installed from without an index.
package python

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/files"
)

var libpython = regexp.MustCompile(`^libpython(3\.[0-9]+)\.so`)

// Linked returns the interpreter of the version that a uWSGI plugin is linked
// with: only a virtualenv of that version works under it.
func Linked(plugin string) (string, error) {
	version, err := LinkedVersion(plugin)
	if err != nil {
		return "", err
	}
	return interpreter("python" + version)
}

// LinkedVersion returns that version, such as 3.11.
func LinkedVersion(plugin string) (string, error) {
	file, err := elf.Open(plugin)
	if err != nil {
		return "", fmt.Errorf("python of %s: %w", plugin, err)
	}
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	if err != nil {
		return "", fmt.Errorf("python of %s: %w", plugin, err)
	}
	for _, library := range libraries {
		if match := libpython.FindStringSubmatch(library); match != nil {
			return match[1], nil
		}
	}
	return "", fmt.Errorf("python of %s: it is linked with no libpython", plugin)
}

// interpreter prefers the system's own, which the plugin was built for, to one
// of the same version that comes first in PATH.
func interpreter(name string) (string, error) {
	if path, err := exec.LookPath(filepath.Join("/usr/bin", name)); err == nil {
		return path, nil
	}
	return exec.LookPath(name)
}

// Python is an interpreter and how to run it.
type Python struct {
	// Path is the interpreter.
	Path string
	// User is who everything runs as.
	User account.User
	// Log is a file that gets all that is printed.
	Log string
}

// CanMakeVenv tells whether the interpreter has all that a virtualenv with pip
// needs; Debian keeps it in a package of its own.
func (p Python) CanMakeVenv(ctx context.Context) bool {
	check := command.Command{Args: []string{p.Path, "-c", "import venv, ensurepip"}, Env: environment(), User: p.User, Dir: "/"}
	return check.Run(ctx) == nil
}

// Version is the interpreter's, such as 3.11.
func (p Python) Version(ctx context.Context) (string, error) {
	ask := command.Command{
		Args: []string{p.Path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"}, Env: environment(), User: p.User, Dir: "/",
	}
	out, err := ask.Output(ctx)
	return strings.TrimSpace(string(out)), err
}

var venvVersion = regexp.MustCompile(`(?m)^version *= *([0-9]+\.[0-9]+)`)

// VenvVersion is the version of the interpreter that a virtualenv was made
// with; empty when dir is none.
func VenvVersion(dir string) string {
	text, _ := files.Read(filepath.Join(dir, "pyvenv.cfg"))
	if match := venvVersion.FindSubmatch(text); match != nil {
		return string(match[1])
	}
	return ""
}

// Venv makes a virtualenv without pip in dir, which may hold other files. pip
// installs into it from outside: copying pip into every build takes seconds.
func (p Python) Venv(ctx context.Context, dir string) error {
	return p.run(ctx, "-m", "venv", "--without-pip", dir)
}

// pip makes sure that there is a virtualenv with pip in dir and returns its
// interpreter. An interrupted one, or one of another interpreter, is made again.
func (p Python) pip(ctx context.Context, dir string) (string, error) {
	python, complete := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "complete")
	if of, err := files.Read(complete); err == nil && string(of) == p.Path {
		return python, nil
	}
	if err := p.run(ctx, "-m", "venv", "--clear", dir); err != nil {
		return "", err
	}
	// written by the user, whose directory it is: it could be a link to anywhere by now
	return python, p.run(ctx, "-c", writeNew, complete, p.Path)
}

// writeNew writes a text to a file, whatever had its name: venv leaves a pipe there.
const writeNew = `import os, sys
os.path.lexists(sys.argv[1]) and os.remove(sys.argv[1])
open(sys.argv[1], "x").write(sys.argv[2])`

func (p Python) run(ctx context.Context, args ...string) error {
	return command.Command{Args: append([]string{p.Path}, args...), Dir: "/", Env: environment(), User: p.User, Log: p.Log}.Run(ctx)
}

// environment is this process's without what would lead an interpreter, or pip,
// to another Python than the one that is run.
func environment(more ...string) []string {
	var env []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		switch name {
		case "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "PYENV_VERSION":
		default:
			env = append(env, variable)
		}
	}
	return append(append(env, command.Mark()), more...)
}
