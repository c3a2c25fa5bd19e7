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

	"golang.org/x/sys/unix"

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
	if _, err := os.Stat(dir); err == nil {
		return true, nil
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

// An installed tree: the virtualenv, and what is to be known of it.
const (
	installedVenv = "venv"
	installedFile = "installed.json"
)

// install makes the virtualenv beside its place and moves it there when it is
// complete and on disk, so that one that exists is whole.
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
	if err := syncAll(part); err != nil {
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

// syncAll lets all that was written reach the disk, in one call: a power cut
// must not leave a virtualenv whose files are empty for all builds to come.
func syncAll(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

// installation is what is known of an installed virtualenv.
type installation struct {
	// MadeAt is the path that the files in Own hold: where it was made, which is
	// not where it is.
	MadeAt string `json:"made_at"`
	// Own are the files that each copy needs for itself, with its own path.
	Own []string `json:"own"`
}

// describeVenv looks into every file, once, for the virtualenv's path.
func describeVenv(venv string) (installation, error) {
	about := installation{MadeAt: venv}
	err := filepath.WalkDir(venv, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if below := path[len(venv)+1:]; below == "pyvenv.cfg" || bytes.Contains(data, []byte(venv)) {
			about.Own = append(about.Own, below)
		}
		return err
	})
	return about, err
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
