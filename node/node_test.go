package node_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/npmtest"
	"github.com/hadjango/hadjango/internal/usertest"
	"github.com/hadjango/hadjango/node"
)

const script = `console.log("bundled")`

// newModules has no registry to ask.
func newModules(t *testing.T) node.Modules {
	t.Helper()
	npm := npmtest.Need(t)
	t.Setenv("npm_config_registry", "http://127.0.0.1:9/")
	t.Setenv("npm_config_fetch_retries", "0")
	return node.Modules{
		NPM: npm, User: usertest.Runner(t), Log: filepath.Join(t.TempDir(), "log"), Dir: usertest.OpenDir(t), Cache: usertest.Dir(t),
	}
}

func newProject(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	npmtest.WriteProject(t, dir, script)
	return dir
}

// stub is an npm that fails and says what it was asked for.
func stub(t *testing.T) string {
	t.Helper()
	path := filepath.Join(usertest.OpenDir(t), "npm")
	npmtest.Write(t, path, "#!/bin/sh\necho \"asked for $*\" >&2\nexit 1\n")
	require.NoError(t, os.Chmod(path, 0o755))
	return path
}

// run runs a program of the modules.
func run(t *testing.T, m node.Modules, hash, name string) string {
	t.Helper()
	out, err := command.Command{Args: []string{filepath.Join(m.Path(hash), ".bin", name)}, Dir: "/", User: m.User}.Output(t.Context())
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

func TestFill_FetchesOnce(t *testing.T) {
	m, project := newModules(t), newProject(t)
	// those who build need the tools that a server does not
	t.Setenv("NODE_ENV", "production")

	hash, reused, err := m.Fill(t.Context(), project)
	require.NoError(t, err)
	require.False(t, reused)
	require.Regexp(t, "^[0-9a-f]{16}$", hash)
	usertest.RequireNames(t, m.Dir, hash)
	require.Equal(t, "bundled", run(t, m, hash, "shop-bundle"))
	require.FileExists(t, filepath.Join(m.Path(hash), "shop-bundle/installed"))

	// npm is not asked again
	m.NPM = stub(t)
	again, reused, err := m.Fill(t.Context(), project)
	require.NoError(t, err)
	require.True(t, reused)
	require.Equal(t, hash, again)
}

// What the next build runs cannot be changed by what serves meanwhile, and a
// token lies nowhere that it did not lie before.
func TestFill_TakesTheModulesBack(t *testing.T) {
	m, project := newModules(t), newProject(t)
	npmtest.Write(t, filepath.Join(project, ".npmrc"), "//registry.example/:_authToken=secret\n")

	hash, _, err := m.Fill(t.Context(), project)

	require.NoError(t, err)
	usertest.RequireNames(t, filepath.Join(m.Dir, hash), "node_modules", "package.json", "package-lock.json", "vendor")
	if os.Geteuid() == 0 {
		for _, path := range []string{"", "node_modules", "node_modules/shop-bundle/bundle.js", "node_modules/.bin/shop-bundle"} {
			require.False(t, m.User.Owns(filepath.Join(m.Dir, hash, path)), path)
		}
	}
}

func TestFill_BeginsAnewAfterAnInterruption(t *testing.T) {
	m, project := newModules(t), newProject(t)
	broken := m
	broken.NPM = stub(t)
	_, _, err := broken.Fill(t.Context(), project)
	require.ErrorContains(t, err, "asked for ci ")
	left, err := filepath.Glob(filepath.Join(m.Dir, "*.part"))
	require.NoError(t, err)
	require.Len(t, left, 1)
	npmtest.Write(t, filepath.Join(left[0], "node_modules/half/package.json"), "{")

	hash, reused, err := m.Fill(t.Context(), project)

	require.NoError(t, err)
	require.False(t, reused)
	usertest.RequireNames(t, m.Dir, hash)
	usertest.RequireNames(t, m.Path(hash), "shop-bundle", ".bin", ".package-lock.json")
}

func TestFill_EndsWithItsContext(t *testing.T) {
	m, project := newModules(t), newProject(t)
	m.NPM = filepath.Join(usertest.OpenDir(t), "npm")
	npmtest.Write(t, m.NPM, "#!/bin/sh\nsleep 600\n")
	require.NoError(t, os.Chmod(m.NPM, 0o755))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()

	_, _, err := m.Fill(ctx, project)

	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// A package that is not what the lock file says is not installed.
func TestFill_ThatFailsShowsWhatNpmSaid(t *testing.T) {
	m, project := newModules(t), newProject(t)
	lock := filepath.Join(project, "package-lock.json")
	data, err := os.ReadFile(lock)
	require.NoError(t, err)
	npmtest.WriteProject(t, project, "forged")
	npmtest.Write(t, lock, string(data))

	_, reused, err := m.Fill(t.Context(), project)

	require.False(t, reused)
	require.ErrorContains(t, err, "fetch node modules of "+project)
	require.ErrorContains(t, err, "EINTEGRITY")
	require.ErrorContains(t, err, "the whole log: "+m.Log)
	built, err := filepath.Glob(filepath.Join(m.Dir, "????????????????"))
	require.NoError(t, err)
	require.Empty(t, built)
}

func TestFill_SaysThatTheUserCannotReachNode(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("an ordinary user runs its own npm")
	}
	m, project := newModules(t), newProject(t)
	m.NPM = stub(t)
	home := filepath.Dir(m.NPM)
	require.NoError(t, os.Chmod(home, 0o700))

	_, _, err := m.Fill(t.Context(), project)

	require.ErrorContains(t, err, "user nobody may not enter "+home)
	require.ErrorContains(t, err, "Debian's package npm")
}

func TestFill_ChangesWithWhatNpmIsGiven(t *testing.T) {
	m, project := newModules(t), newProject(t)
	first, _, err := m.Fill(t.Context(), project)
	require.NoError(t, err)
	seen := map[string]bool{first: true}
	for _, change := range []struct{ file, old, new string }{
		{"package.json", `"name": "shop"`, `"name": "store"`},
		{"package-lock.json", `"requires": true`, `"requires": false`},
		{".npmrc", "", "fund=false\n"},
	} {
		path := filepath.Join(project, change.file)
		data, _ := os.ReadFile(path)
		npmtest.Write(t, path, strings.Replace(string(data), change.old, change.new, 1))

		hash, reused, err := m.Fill(t.Context(), project)

		require.NoError(t, err)
		require.False(t, reused, change.file)
		require.NotContains(t, seen, hash)
		seen[hash] = true
	}
}

// A script of the project's does not make its modules others.
func TestFill_IsTheSameWhateverTheProjectsScripts(t *testing.T) {
	m, project := newModules(t), newProject(t)
	_, _, err := m.Fill(t.Context(), project)
	require.NoError(t, err)
	path := filepath.Join(project, "package.json")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	npmtest.Write(t, path, strings.Replace(string(data), "from-npm", "otherwise", 1))

	_, reused, err := m.Fill(t.Context(), project)

	require.NoError(t, err)
	require.True(t, reused)
}

func TestFill_OfAProjectWithoutModules(t *testing.T) {
	hash, reused, err := node.Modules{}.Fill(t.Context(), t.TempDir())

	require.NoError(t, err)
	require.False(t, reused)
	require.Empty(t, hash)
}
