package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hadjango/hadjango/internal/files"
)

const (
	packageFile = "package.json"
	// settingsFile is the project's own settings of npm.
	settingsFile = ".npmrc"
)

var (
	// npm prefers the first one.
	lockFiles = []string{"npm-shrinkwrap.json", "package-lock.json"}
	// otherLockFiles are those of other programs that fetch modules.
	otherLockFiles = []string{"yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"}
)

// Wanted tells whether the project in dir has modules for npm to fetch: its
// package.json names dependencies, and a package-lock.json or
// npm-shrinkwrap.json says which versions. One with the lock file of yarn, pnpm
// or bun is left to its own commands.
//
// An error says what to do about a project whose modules cannot be fetched
// away from it: there is no lock file, a dependency is a directory, or
// package.json has a script that npm runs when it has installed them.
func Wanted(dir string) (bool, error) {
	given, err := read(dir)
	return given != nil, err
}

// given are the files that npm is given: names below the project, and contents.
type given map[string][]byte

// read returns nil for a project that wants no modules.
func read(dir string) (given, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	files, err := readRoot(root)
	if err != nil {
		return nil, fmt.Errorf("node modules of %s: %w", dir, err)
	}
	return files, nil
}

func readRoot(root *os.Root) (given, error) {
	manifest, err := readManifest(root)
	if err != nil || manifest == nil {
		return nil, err
	}
	dependencies, err := manifest.dependencies()
	if err != nil || (len(dependencies) == 0 && manifest["workspaces"] == nil) {
		return nil, err
	}
	locks := existing(root, lockFiles)
	if len(locks) == 0 {
		return nil, refuseUnlocked(root)
	}
	if err := manifest.check(); err != nil {
		return nil, err
	}
	packages, err := localPackages(dependencies)
	if err != nil {
		return nil, err
	}
	return manifest.gather(root, slices.Concat(locks, existing(root, []string{settingsFile}), packages))
}

func refuseUnlocked(root *os.Root) error {
	if len(existing(root, otherLockFiles)) > 0 {
		return nil
	}
	return errors.New("package.json names dependencies, and no package-lock.json says which versions of them: " +
		"run npm install --package-lock-only there, and git add package-lock.json")
}

func existing(root *os.Root, names []string) []string {
	var found []string
	for _, name := range names {
		if info, err := root.Stat(name); err == nil && info.Mode().IsRegular() {
			found = append(found, name)
		}
	}
	return found
}

// manifest is package.json.
type manifest map[string]json.RawMessage

func readManifest(root *os.Root) (manifest, error) {
	data, err := files.ReadIn(root, packageFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m manifest
	// editors on Windows begin a file with a mark, which npm passes over
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &m); err != nil {
		return nil, fmt.Errorf("%s: %w", packageFile, err)
	}
	return m, nil
}

// dependencies are all that npm installs, of every kind.
func (m manifest) dependencies() (map[string]string, error) {
	all := map[string]string{}
	for _, kind := range []string{"dependencies", "devDependencies", "optionalDependencies", "peerDependencies"} {
		var some map[string]string
		if err := m.field(kind, &some); err != nil {
			return nil, err
		}
		maps.Copy(all, some)
	}
	return all, nil
}

// field reads one field; one that is not there leaves the value as it is.
func (m manifest) field(name string, value any) error {
	if m[name] == nil {
		return nil
	}
	if err := json.Unmarshal(m[name], value); err != nil {
		return fmt.Errorf("%s: %s: %w", packageFile, name, err)
	}
	return nil
}

func (m manifest) check() error {
	if m["workspaces"] != nil {
		return errors.New("package.json has workspaces, which are directories of the project, and node modules are shared by all builds: " +
			"let a command under build fetch them, in a directory of their own that has its package.json and package-lock.json")
	}
	var scripts map[string]json.RawMessage
	if err := m.field("scripts", &scripts); err != nil {
		return err
	}
	for _, name := range []string{"install", "postinstall"} {
		if scripts[name] != nil {
			return fmt.Errorf("package.json has a script %s, which would run without the project's files, because node modules are fetched apart from it and shared by all builds: "+
				"give the script another name, and build a command that runs it, such as [npm, run, setup]", name)
		}
	}
	return nil
}

// gather reads the files that npm is given. The project's own scripts are left
// out: preinstall and prepare are for who develops it.
func (m manifest) gather(root *os.Root, names []string) (given, error) {
	m = maps.Clone(m)
	delete(m, "scripts")
	data, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	all := given{packageFile: data}
	for _, name := range names {
		if all[name], err = files.ReadIn(root, name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// localPackages are the files among the dependencies.
func localPackages(dependencies map[string]string) ([]string, error) {
	var names []string
	for _, dependency := range slices.Sorted(maps.Keys(dependencies)) {
		name, ok := localPath(dependencies[dependency])
		if !ok {
			continue
		}
		if !isArchive(name) {
			return nil, fmt.Errorf("package.json takes %s from the directory %s, and node modules are shared by all builds: "+
				"run npm pack ./%s, and depend on the .tgz that it makes", dependency, name, name)
		}
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("package.json takes %s from %s, which is outside of the project: copy it into the project", dependency, name)
		}
		names = append(names, name)
	}
	return names, nil
}

// localPath reads the forms in which a dependency names a path.
func localPath(dependency string) (string, bool) {
	name, ok := strings.CutPrefix(dependency, "file:")
	if !ok && !strings.HasPrefix(dependency, ".") && !strings.HasPrefix(dependency, "/") && !strings.HasPrefix(dependency, "~/") {
		return "", false
	}
	return path.Clean(name), true
}

func isArchive(name string) bool {
	return slices.ContainsFunc([]string{".tgz", ".tar.gz", ".tar"}, func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

// hash tells apart any two sets of files, and versions of node.
func (g given) hash(version string) string {
	sum := sha256.New()
	fmt.Fprintln(sum, version)
	for _, name := range slices.Sorted(maps.Keys(g)) {
		fmt.Fprintf(sum, "%q %d\n", name, len(g[name]))
		sum.Write(g[name])
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// write lays the files into a new directory. They may hold a registry's token.
func (g given) write(dir string) error {
	for name, data := range g {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
