package python

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/files"
)

// ErrNoWheels says that the wheelhouse has not been filled for the requirements.
var ErrNoWheels = errors.New("the wheelhouse does not have these requirements")

// Install makes sure that there is a virtualenv with all wheels of a hash
// installed and compiled, and tells whether it was there already; of the empty
// hash it is one with nothing in it. It is made offline, by the user, and
// sealed then: builds have its files in common (see Place). pip is told to
// resolve nothing, for the wheels are exactly what was resolved and verified
// when they were fetched.
func (w Wheelhouse) Install(ctx context.Context, hash string) (reused bool, err error) {
	dir := w.installed(hash)
	if there, err := isWhole(dir); err != nil {
		return false, err
	} else if there {
		return true, files.Touch(dir)
	}
	if err := w.install(ctx, hash, dir); err != nil {
		return false, fmt.Errorf("install requirements %s: %w", hash, err)
	}
	return false, nil
}

func (w Wheelhouse) installed(hash string) string {
	if hash == "" {
		hash = endHash(w.beginHash())
	}
	return filepath.Join(w.Installed, hash)
}

// Packages is where Python finds what Install has installed of a hash. The
// error wraps [fs.ErrNotExist] where that has not been done.
func (w Wheelhouse) Packages(hash string) (dir string, err error) {
	found, err := filepath.Glob(filepath.Join(w.installed(hash), installedVenv, "lib", "python3*", "site-packages"))
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("packages of requirements %s: %w", hash, fs.ErrNotExist)
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}

// An installed tree: the virtualenv, and what is to be known of it.
const (
	installedVenv = "venv"
	installedFile = "installed.json"
)

// isWhole tells whether what is installed in dir can be used. What was made
// since the machine started is on disk or in memory, and is brought to the disk
// now, which takes no time then as a rule; what was made before and may have
// been only in memory may have been lost with it.
func isWhole(dir string) (bool, error) {
	about, err := readInstallation(dir)
	switch {
	case err != nil:
		// not there, or spoiled
		return false, nil
	case about.Boot == "":
		return true, nil
	case about.Boot != bootID():
		return false, nil
	}
	if err := files.SyncFS(dir); err != nil {
		return false, err
	}
	about.Boot = ""
	return true, about.write(dir)
}

// bootID names the time since the machine started; empty where nothing does.
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}

// install makes the virtualenv beside its place and moves it there when it is
// complete, so that one that exists is whole.
func (w Wheelhouse) install(ctx context.Context, hash, dir string) error {
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	venv := filepath.Join(part, installedVenv)
	if err := w.makeRoom(part, venv); err != nil {
		return err
	}
	if err := w.Python.Venv(ctx, venv); err != nil {
		return err
	}
	if err := w.pipInstall(ctx, hash, venv); err != nil {
		return err
	}
	if _, err := w.Python.Compile(ctx, venv, ""); err != nil {
		return err
	}
	if err := w.Python.User.Seal(venv); err != nil {
		return err
	}
	about, err := describeVenv(venv)
	if err != nil {
		return err
	}
	if err := about.write(part); err != nil {
		return err
	}
	// what a power cut has spoiled
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Rename(part, dir); err != nil {
		return err
	}
	return files.SyncDir(w.Installed)
}

// makeRoom makes a directory of ours with one of the user's in it.
func (w Wheelhouse) makeRoom(part, venv string) error {
	if err := os.MkdirAll(part, 0o755); err != nil {
		return err
	}
	return errors.Join(os.Chmod(part, 0o755), w.Python.User.MkdirAll(venv, 0o755))
}

func (w Wheelhouse) pipInstall(ctx context.Context, hash, venv string) error {
	if hash == "" {
		return nil
	}
	house := filepath.Join(w.Dir, hash)
	if _, err := os.Stat(house); err != nil {
		return ErrNoWheels
	}
	wheels, err := filepath.Glob(filepath.Join(house, "*.whl"))
	if err != nil || len(wheels) == 0 {
		return err
	}
	pip, err := w.Python.pip(ctx, filepath.Join(w.Cache, "venv"))
	if err != nil {
		return err
	}
	args := []string{pip, "-m", "pip", "--python", filepath.Join(venv, "bin", "python"), "install", "--no-compile",
		"--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--no-warn-script-location"}
	return command.Command{
		Args: append(args, wheels...), Dir: venv, Env: offline(w.Cache), User: w.Python.User, Log: w.Python.Log,
	}.Run(ctx)
}

// installation is what is known of an installed virtualenv.
type installation struct {
	// MadeAt is the path that the files in Own hold: where it was made, which is
	// not where it is.
	MadeAt string `json:"made_at"`
	// Own are the files that each copy needs for itself, with its own path.
	Own []string `json:"own"`
	// Boot names the machine's start since which the files may be only in
	// memory; empty once they are on disk. A first build need not wait for that.
	Boot string `json:"boot,omitempty"`
}

// describeVenv finds the files that hold the virtualenv's path. They are among
// those that are written when it is made; the others are the wheels' own, which
// know nothing of it, and what is compiled names no path.
func describeVenv(venv string) (installation, error) {
	about := installation{MadeAt: venv, Boot: bootID()}
	err := filepath.WalkDir(venv, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !isWritten(path[len(venv)+1:]) {
			return err
		}
		data, err := files.Read(path)
		if errors.Is(err, files.ErrTooLarge) {
			return nil // no script is
		}
		if below := path[len(venv)+1:]; below == "pyvenv.cfg" || bytes.Contains(data, []byte(venv)) {
			about.Own = append(about.Own, below)
		}
		return err
	})
	return about, err
}

func isWritten(path string) bool {
	dir := filepath.Dir(path)
	return dir == "." || dir == "bin" || filepath.Ext(dir) == ".dist-info"
}

func (about installation) write(dir string) error {
	data, err := json.MarshalIndent(about, "", "  ")
	if err != nil {
		return err
	}
	return files.Write(filepath.Join(dir, installedFile), append(data, '\n'), 0o644)
}

func readInstallation(dir string) (about installation, err error) {
	data, err := os.ReadFile(filepath.Join(dir, installedFile))
	if err != nil {
		return about, err
	}
	return about, json.Unmarshal(data, &about)
}
