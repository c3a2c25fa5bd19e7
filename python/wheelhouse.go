package python

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"strings"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/files"
)

// Wheelhouse keeps the wheels of requirements, and the virtualenvs that they
// are installed in, one directory each for each content of the requirements,
// made once.
type Wheelhouse struct {
	Python Python
	// Dir holds the wheels; Cache is pip's own and a virtualenv for pip.
	Dir, Cache string
	// Installed holds the virtualenvs that builds are given theirs from.
	Installed string
}

// Hash is the identity of requirements for this interpreter: of the file, of
// the files it names by -r and -c, of the packages beside it that it names by
// their path, and of the interpreter's path, links followed.
func (w Wheelhouse) Hash(requirements string) (string, error) {
	sum := w.beginHash()
	r := requirementsReader{visit: sum, seen: map[string]bool{}, dir: filepath.Dir(requirements), except: w.Dir}
	if err := r.file(requirements); err != nil {
		return "", fmt.Errorf("hash requirements: %w", err)
	}
	return endHash(sum), nil
}

func (w Wheelhouse) beginHash() hash.Hash {
	sum := sha256.New()
	path := w.Python.Path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	fmt.Fprintln(sum, path)
	return sum
}

func endHash(sum hash.Hash) string { return hex.EncodeToString(sum.Sum(nil))[:16] }

// Fill makes sure that the wheels of the requirements are in the wheelhouse
// and returns their hash, and whether they were there already. pip's own
// settings (index, proxy, find-links) are honoured.
func (w Wheelhouse) Fill(ctx context.Context, requirements string) (hash string, reused bool, err error) {
	hash, err = w.Hash(requirements)
	if err != nil {
		return "", false, err
	}
	dir := filepath.Join(w.Dir, hash)
	if _, err := os.Stat(dir); err == nil {
		return hash, true, files.Touch(dir)
	}
	return hash, false, w.fill(ctx, requirements, dir)
}

// fill makes the wheels beside their place and moves them there when they are
// complete, so that a wheelhouse that exists is whole.
func (w Wheelhouse) fill(ctx context.Context, requirements, dir string) error {
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	pip, err := w.Python.pip(ctx, filepath.Join(w.Cache, "venv"))
	if err != nil {
		return err
	}
	wheel := command.Command{
		Args: []string{pip, "-m", "pip", "wheel", "--disable-pip-version-check", "--progress-bar", "off",
			"--wheel-dir", part, "--requirement", requirements},
		Dir:  filepath.Dir(requirements),
		Env:  environment("PIP_CACHE_DIR="+filepath.Join(w.Cache, "pip"), "HOME="+w.Python.User.SettingsDir()),
		User: w.Python.User, Log: w.Python.Log,
	}
	if err := wheel.Run(ctx); err != nil {
		return fmt.Errorf("fetch wheels of %s: %w", requirements, err)
	}
	// requirements may name nothing at all
	if err := w.Python.User.MkdirAll(part, 0o755); err != nil {
		return err
	}
	if err := os.Rename(part, dir); err != nil {
		return err
	}
	return files.SyncDir(w.Dir)
}

// offline is an environment in which pip has no settings but those on its
// command line.
func offline(home string) []string {
	var env []string
	for _, variable := range environment() {
		if !strings.HasPrefix(variable, "PIP_") {
			env = append(env, variable)
		}
	}
	return append(env, "PIP_CONFIG_FILE="+os.DevNull, "HOME="+home)
}
