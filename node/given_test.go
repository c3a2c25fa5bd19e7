package node_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/npmtest"
	"github.com/hadjango/hadjango/node"
)

const vite = `{"devDependencies": {"vite": "^7.0.0"}}`

func TestWanted_OnlyWhereNpmHasSomethingToFetch(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  bool
	}{
		"no package.json":    {map[string]string{"package-lock.json": "{}"}, false},
		"no dependencies":    {map[string]string{"package.json": `{"type": "module", "dependencies": {}}`}, false},
		"a lock file":        {map[string]string{"package.json": vite, "package-lock.json": "{}"}, true},
		"a shrinkwrap":       {map[string]string{"package.json": vite, "npm-shrinkwrap.json": "{}"}, true},
		"a mark of Windows":  {map[string]string{"package.json": "\ufeff" + vite, "package-lock.json": "{}"}, true},
		"of yarn":            {map[string]string{"package.json": vite, "yarn.lock": ""}, false},
		"of pnpm":            {map[string]string{"package.json": vite, "pnpm-lock.yaml": ""}, false},
		"of bun":             {map[string]string{"package.json": vite, "bun.lock": ""}, false},
		"of npm and of yarn": {map[string]string{"package.json": vite, "package-lock.json": "{}", "yarn.lock": ""}, true},
		"peers":              {map[string]string{"package.json": `{"peerDependencies": {"vue": "3"}}`, "package-lock.json": "{}"}, true},
		"a file":             {map[string]string{"package.json": `{"dependencies": {"a": "file:a.tgz"}}`, "package-lock.json": "{}", "a.tgz": ""}, true},
		"a prepare script":   {map[string]string{"package.json": `{"dependencies": {"a": "1"}, "scripts": {"prepare": "husky"}}`, "package-lock.json": "{}"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := node.Wanted(projectOf(t, test.files))
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestWanted_RefusesWhatCannotBeFetchedAwayFromTheProject(t *testing.T) {
	for name, test := range map[string]struct{ manifest, err string }{
		"workspaces":        {`{"workspaces": ["frontend"]}`, "has workspaces"},
		"a directory":       {`{"dependencies": {"ui": "file:packages/ui"}}`, "run npm pack ./packages/ui"},
		"a path":            {`{"dependencies": {"ui": "./packages/ui/"}}`, "takes ui from the directory packages/ui"},
		"a file outside":    {`{"dependencies": {"ui": "file:../ui.tgz"}}`, "outside of the project"},
		"an absolute file":  {`{"optionalDependencies": {"ui": "/srv/ui.tgz"}}`, "outside of the project"},
		"a link to outside": {`{"dependencies": {"ui": "file:leaving.tgz"}}`, "escapes"},
		"a missing file":    {`{"dependencies": {"ui": "file:gone.tgz"}}`, "gone.tgz"},
		"postinstall":       {`{"dependencies": {"a": "1"}, "scripts": {"postinstall": "patch-package"}}`, "a script postinstall"},
		"no JSON":           {`{"dependencies"`, "package.json: unexpected end"},
		"no object":         {`{"dependencies": ["vite"]}`, "package.json: dependencies: json: cannot unmarshal array"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := projectOf(t, map[string]string{"package.json": test.manifest, "package-lock.json": "{}"})
			require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(dir, "leaving.tgz")))

			_, err := node.Wanted(dir)

			require.ErrorContains(t, err, "node modules of "+dir)
			require.ErrorContains(t, err, test.err)
		})
	}
}

func TestWanted_NamesTheCommandThatMakesALockFile(t *testing.T) {
	_, err := node.Wanted(projectOf(t, map[string]string{"package.json": vite}))

	require.ErrorContains(t, err, "run npm install --package-lock-only there, and git add package-lock.json")
}

func TestWanted_NotByAProjectThatIsNotThere(t *testing.T) {
	wanted, err := node.Wanted("/nonexistent")

	require.NoError(t, err)
	require.False(t, wanted)
}

func projectOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		npmtest.Write(t, filepath.Join(dir, name), text)
	}
	return dir
}
