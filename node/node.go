// Package node makes the node side of a build: the modules that a project's
// lock file names, fetched once by npm and shared by all builds.
//
//	modules := node.Modules{NPM: "/usr/bin/npm", User: user, Dir: "/srv/shop/deploy/deps/node", Cache: "/srv/shop/deploy/deps/cache"}
//	hash, reused, err := modules.Fill(ctx, "/srv/shop/shop")
//	err = os.Symlink(modules.Path(hash), "/srv/shop/deploy/builds/a/node_modules")
//
// The modules are fetched away from the project, so that they can be shared:
// npm sees package.json without its scripts, the lock file, .npmrc, and the
// packages that package.json names by file:. A project for which that is not
// enough is refused: see [Wanted].
package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/files"
)

// Modules keeps the node modules of projects, one directory for each content
// of what npm is given, made once and never changed.
type Modules struct {
	// NPM is npm; node is the one in the PATH, as for npm itself.
	NPM string
	// User is who everything runs as.
	User account.User
	// Log is a file that gets all that is printed.
	Log string
	// Dir holds the modules and is not the user's; Cache is, for npm's own
	// cache and for those of the packages' install scripts.
	Dir, Cache string
}

// Path is the node_modules of a hash.
func (m Modules) Path(hash string) string { return filepath.Join(m.Dir, hash, "node_modules") }

// Fill makes sure that the modules of the project in dir are there and returns
// their hash, and whether they were there already; the hash is empty for a
// project that wants none. It is that of what npm is given and of node's major
// version. npm's own settings (registry, proxy, tokens) are honoured.
func (m Modules) Fill(ctx context.Context, dir string) (hash string, reused bool, err error) {
	given, err := read(dir)
	if err != nil || given == nil {
		return "", false, err
	}
	version, err := m.version(ctx)
	if err != nil {
		return "", false, err
	}
	hash = given.hash(version)
	if _, err := os.Stat(filepath.Join(m.Dir, hash)); err == nil {
		return hash, true, files.Touch(filepath.Join(m.Dir, hash))
	}
	if err := m.fill(ctx, given, filepath.Join(m.Dir, hash)); err != nil {
		return "", false, fmt.Errorf("fetch node modules of %s: %w", dir, err)
	}
	return hash, false, nil
}

// fill fetches the modules beside their place and moves them there when they
// are complete, so that those that exist are whole.
func (m Modules) fill(ctx context.Context, given given, place string) error {
	part := place + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := given.write(part); err != nil {
		return err
	}
	if err := m.User.Own(part); err != nil {
		return err
	}
	if err := m.run(part, m.NPM, "ci", "--no-audit", "--no-fund", "--no-progress", "--no-update-notifier",
		"--cache", filepath.Join(m.Cache, "npm")).Run(ctx); err != nil {
		return err
	}
	return m.finish(part, place)
}

// finish takes the modules back from the user: what the next build runs must
// not be changed by what serves meanwhile.
func (m Modules) finish(part, place string) error {
	if err := m.User.Seal(part); err != nil {
		return err
	}
	// it may hold a token, and has done its work
	if err := files.Remove(filepath.Join(part, settingsFile)); err != nil {
		return err
	}
	// there is none where no module is for this machine
	if err := os.MkdirAll(filepath.Join(part, "node_modules"), 0o755); err != nil {
		return err
	}
	if err := files.SyncFS(part); err != nil {
		return err
	}
	if err := os.Rename(part, place); err != nil {
		return err
	}
	return files.SyncDir(filepath.Dir(place))
}

// version is node's major one, for which modules may be compiled.
func (m Modules) version(ctx context.Context) (string, error) {
	if err := m.reachable(); err != nil {
		return "", err
	}
	out, err := m.run("/", "node", "--version").Output(ctx)
	if err != nil {
		return "", err
	}
	major, _, _ := strings.Cut(strings.TrimSpace(string(out)), ".")
	return major, nil
}

// reachable explains what would be a mere "permission denied": version managers
// put node into a home directory.
func (m Modules) reachable() error {
	npm, err := filepath.EvalSymlinks(m.NPM)
	if err != nil {
		return err
	}
	if closed, ok := m.User.CanEnter(filepath.Dir(npm)); !ok {
		return fmt.Errorf("npm is %s, and user %s may not enter %s: install node where everybody may run it, such as Debian's package npm", npm, m.User.Name, closed)
	}
	return nil
}

func (m Modules) run(dir string, args ...string) command.Command {
	return command.Command{Args: args, Dir: dir, Env: m.environment(), User: m.User, Log: m.Log}
}

// environment is this process's without what would make npm leave out the
// modules that a build is made with, or lead node to others.
func (m Modules) environment() []string {
	var env []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if name != "NODE_ENV" && name != "NODE_PATH" {
			env = append(env, variable)
		}
	}
	// install scripts fetch compilers and browsers, and may not write in every home
	return append(env, "HOME="+m.User.SettingsDir(), "XDG_CACHE_HOME="+m.Cache, command.Mark())
}
