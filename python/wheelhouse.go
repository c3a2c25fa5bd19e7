package python

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/files"
)

// Wheelhouse keeps the wheels of requirements, one directory for each content
// of the requirements, made once.
type Wheelhouse struct {
	Python Python
	// Dir holds the wheels; Cache is pip's own and a virtualenv for pip.
	Dir, Cache string
}

// Hash is the identity of requirements for this interpreter: of the file, of
// the files it names by -r and -c, and of the interpreter's path.
func (w Wheelhouse) Hash(requirements string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, w.Python.Path)
	if err := eachRequirements(requirements, map[string]bool{}, func(data []byte) { sum.Write(data) }); err != nil {
		return "", fmt.Errorf("hash requirements: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

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
		return hash, true, nil
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

// ErrNoWheels says that the wheelhouse has not been filled for the requirements.
var ErrNoWheels = errors.New("the wheelhouse does not have these requirements")

// Install installs all wheels of a hash into the virtualenv in dir, offline.
// They are exactly what was resolved and verified when they were fetched, so
// there is nothing to resolve again.
func (w Wheelhouse) Install(ctx context.Context, hash, venv string) error {
	wheels, err := filepath.Glob(filepath.Join(w.Dir, hash, "*.whl"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(w.Dir, hash)); err != nil {
		return fmt.Errorf("install into %s: %w", venv, ErrNoWheels)
	}
	if len(wheels) == 0 {
		return nil
	}
	pip, err := w.Python.pip(ctx, filepath.Join(w.Cache, "venv"))
	if err != nil {
		return err
	}
	args := []string{pip, "-m", "pip", "--python", filepath.Join(venv, "bin", "python"), "install",
		"--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--no-warn-script-location"}
	return command.Command{
		Args: append(args, wheels...), Dir: venv, Env: offline(w.Cache), User: w.Python.User, Log: w.Python.Log,
	}.Run(ctx)
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

// eachRequirements visits a requirements file and those it includes.
func eachRequirements(path string, seen map[string]bool, visit func(data []byte)) error {
	if seen[path] {
		return nil
	}
	seen[path] = true
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	visit(data)
	lines := bufio.NewScanner(strings.NewReader(string(data)))
	for lines.Scan() {
		included, ok := includedFile(lines.Text())
		if !ok {
			continue
		}
		if !filepath.IsAbs(included) {
			included = filepath.Join(filepath.Dir(path), included)
		}
		if err := eachRequirements(included, seen, visit); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return lines.Err()
}

var (
	// comment is what pip takes for one.
	comment = regexp.MustCompile(`(^|\s)#.*`)
	// value is that of an option, up to the end of its first word.
	value = regexp.MustCompile(`^\s*=?\s*(?:"([^"]+)"|'([^']+)'|(\S+))`)
)

// includedFile reads the forms pip knows: -r FILE, -rFILE, --requirement FILE,
// --requirement=FILE, quoted or not, and the same for constraints.
func includedFile(line string) (string, bool) {
	line = strings.TrimSpace(comment.ReplaceAllString(line, ""))
	for _, option := range []string{"--requirement", "--constraint", "-r", "-c"} {
		rest, ok := strings.CutPrefix(line, option)
		if match := value.FindStringSubmatch(rest); ok && match != nil {
			return match[1] + match[2] + match[3], true
		}
	}
	return "", false
}
