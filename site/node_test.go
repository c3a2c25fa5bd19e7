package site_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/npmtest"
)

// bundle is a program of the project's node modules that makes a style sheet.
const bundle = `
const text = "a { color: " + process.argv[2] + " }\n"
require("fs").writeFileSync("assets/static/" + process.argv[2] + ".css", text.repeat(100))
`

func newNodeSite(t *testing.T, build string) testSite {
	t.Helper()
	npmtest.Need(t)
	s := newTestSite(t, "build: "+build)
	npmtest.WriteProject(t, filepath.Join(s.dir, "project"), bundle)
	return s
}

func (s testSite) manifest(name builds.Name) builds.Manifest {
	s.t.Helper()
	manifest, err := builds.ReadManifest(filepath.Join(s.dir, "deploy/builds", string(name)))
	require.NoError(s.t, err)
	return manifest
}

func TestNode_ToolsOfTheProjectMakeItsAssets(t *testing.T) {
	s := newNodeSite(t, "[[shop-bundle, red], [npm, run, build]]")
	require.NoError(t, s.Init(t.Context()))

	for _, name := range []string{"red", "from-npm"} {
		header, body := s.fetch("live.localhost", "/static/a/"+name+".css", "gzip")
		require.Equal(t, "gzip", header.Get("Content-Encoding"))
		require.Contains(t, gunzip(t, body), "a { color: "+name+" }")
	}
	a, b := s.manifest("a"), s.manifest("b")
	require.NotEmpty(t, a.Node)
	require.Equal(t, a.Node, b.Node)
	require.NotEqual(t, step(a, "node modules").Reused, step(b, "node modules").Reused, "of two made side by side one fetches")
	link, err := os.Readlink(filepath.Join(s.dir, "deploy/builds/a/node_modules"))
	require.NoError(t, err)
	require.Equal(t, filepath.Join(s.dir, "deploy/deps/node", a.Node, "node_modules"), link)
	_, build, _ := s.get("live.localhost", "/node_modules/shop-bundle/package.json")
	require.Equal(t, "a", build, "modules are no part of what nginx serves")

	t.Run("the next build fetches nothing", func(t *testing.T) {
		require.NoError(t, s.CreateBuild(t.Context(), "c"))
		require.True(t, step(s.manifest("c"), "node modules").Reused)
	})
	t.Run("the servers start without npm's files", func(t *testing.T) {
		require.NoError(t, os.Remove(filepath.Join(s.dir, "project/package-lock.json")))
		require.NoError(t, s.Down(t.Context()))
		require.NoError(t, s.Up(t.Context()))
		status, _, _ := s.get("live.localhost", "/")
		require.Equal(t, http.StatusOK, status)
	})
}

// What cannot work is refused before anything is made.
func TestNode_RefusesEarly(t *testing.T) {
	s := newNodeSite(t, "[[shop-bundle, red]]")
	lock := s.read("project/package-lock.json")
	require.NoError(t, os.Remove(filepath.Join(s.dir, "project/package-lock.json")))
	require.ErrorContains(t, s.CreateBuild(t.Context(), "a"), "npm install --package-lock-only")
	require.ErrorContains(t, s.Init(t.Context()), "npm install --package-lock-only")
	s.write("project/package-lock.json", lock)

	config := s.read("hadjango.yml")
	for _, command := range []string{"[npm, ci]", "[npm, install, left-pad]"} {
		s.reopen(strings.Replace(config, "[shop-bundle, red]", command, 1))
		err := s.CreateBuild(t.Context(), "a")
		require.ErrorContains(t, err, "build in hadjango.yml: "+command)
		require.ErrorContains(t, err, "remove it")
	}
	require.NoDirExists(t, filepath.Join(s.dir, "deploy/builds/a"))

	s.reopen(strings.Replace(config, "[shop-bundle, red]", "[npm, install, --prefix, sub]", 1))
	s.write("project/sub/package.json", "{}")
	require.NoError(t, s.CreateBuild(t.Context(), "a"), "elsewhere it may do what it likes")
}

func TestNode_ModulesOfTheProjectsOwnAreRefused(t *testing.T) {
	s := newNodeSite(t, "[]")
	s.write("project/node_modules/left/index.js", "")

	err := s.CreateBuild(t.Context(), "a")

	require.ErrorContains(t, err, "has a node_modules of its own")
	require.ErrorContains(t, err, "git rm -r --cached node_modules")
	s.write("project/.gitignore", "node_modules/\n")
	require.NoError(t, s.CreateBuild(t.Context(), "a"))
}

// A project with modules that it fetches itself finds their programs too.
func TestNode_ProgramsOfModulesThatTheProjectBrings(t *testing.T) {
	s := newTestSite(t, "build: [[mark, assets/static/made.txt]]")
	s.write("project/package.json", `{"dependencies": {"mark": "1"}}`)
	s.write("project/yarn.lock", "")
	s.write("project/node_modules/.bin/mark", "#!/bin/sh\necho made > $1\n")
	require.NoError(t, os.Chmod(filepath.Join(s.dir, "project/node_modules/.bin/mark"), 0o755))

	require.NoError(t, s.CreateBuild(t.Context(), "a"))

	require.Equal(t, "made\n", s.read("deploy/assets/static/a/made.txt"))
	require.Empty(t, s.manifest("a").Node)
}
