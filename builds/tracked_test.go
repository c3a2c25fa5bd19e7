package builds

import (
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/stretchr/testify/require"
)

// lsFiles is what the real git lists in dir.
func lsFiles(t *testing.T, dir string, args ...string) []string {
	t.Helper()
	out := runGit(t, dir, append([]string{"ls-files", "-z"}, args...)...)
	files := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	slices.Sort(files)
	return files
}

func listed(t *testing.T, src string) []string {
	t.Helper()
	list, err := listSource(t.Context(), src, nil, nil)
	require.NoError(t, err)
	return list.files
}

func TestListSource_ListsWhatGitLists(t *testing.T) {
	for name, prepare := range map[string][]string{
		"index version 2":   {"update-index", "--index-version=2"},
		"index version 4":   {"update-index", "--index-version=4"},
		"intent to add":     {"add", "-N", "later.txt"},
		"untracked cache":   {"update-index", "--untracked-cache"},
		"skipped work tree": {"update-index", "--skip-worktree", "...", "-rf"},
		"assume unchanged":  {"update-index", "--assume-unchanged", "..."},
		"removed":           {"rm", "-q", "--cached", "..."},
		"worktree config":   {"config", "extensions.worktreeConfig", "true"},
		"odd config":        {"config", "alias.x", "!f() { \"a;b#c\"\\\n; }; f"},
	} {
		t.Run(name, func(t *testing.T) {
			src := gitTree(t, nil)
			putFiles(t, src, oddNames)
			putFiles(t, src, map[string]string{"later.txt": "l", "project/a/b.py": "b", "project/c.py": "c"})
			runGit(t, src, "add", "--", "project", "ümlaut", ".gitmodules.d", "...", "-rf", "line\nbreak", "invalid-\xff\xfe-utf8")
			if i := slices.Index(prepare, "-rf"); i > 0 {
				prepare = slices.Insert(slices.Clone(prepare), 2, "--")
			}
			runGit(t, src, prepare...)
			for _, dir := range []string{"", "project", "project/a", "ümlaut"} {
				require.Equal(t, lsFiles(t, filepath.Join(src, dir)), listed(t, filepath.Join(src, dir)), dir)
			}
		})
	}
}

func TestListSource_ListsWhatGitListsInWorktreesAndClones(t *testing.T) {
	files := map[string]string{"project/a.py": "a", "project/b/c.py": "c"}
	main := realTempDir(t)
	runGit(t, main, "init", "-q")
	putFiles(t, main, files)
	runGit(t, main, "add", ".")
	runGit(t, main, "commit", "-q", "-m", "all")
	out := realTempDir(t)
	for name, args := range map[string][]string{
		"worktree": {"worktree", "add", "-q", filepath.Join(out, "worktree")},
		"clone":    {"clone", "-q", main, filepath.Join(out, "clone")},
		"shared":   {"clone", "-q", "--shared", main, filepath.Join(out, "shared")},
		"partial":  {"clone", "-q", "--filter=blob:none", "file://" + main, filepath.Join(out, "partial")},
		"shallow":  {"clone", "-q", "--depth=1", "file://" + main, filepath.Join(out, "shallow")},
		"sepdir":   {"clone", "-q", "--separate-git-dir", filepath.Join(out, "git"), main, filepath.Join(out, "sepdir")},
		"super":    {"init", "-q", filepath.Join(out, "super")},
	} {
		runGit(t, main, args...)
		dir := filepath.Join(out, name)
		if name == "super" {
			runGit(t, dir, "submodule", "--quiet", "add", main, "lib")
		}
		require.Equal(t, lsFiles(t, dir, "--recurse-submodules"), listed(t, dir), name)
		revision, err := SourceRevision(t.Context(), dir)
		require.NoError(t, err)
		require.Equal(t, name == "super", revision.Dirty, name)
	}
}

func TestListSource_RefusesWhatItCannotRead(t *testing.T) {
	for name, row := range map[string]struct {
		files map[string]string
		text  string
	}{
		"sha256":           {map[string]string{".git/config": "[extensions]\n\tobjectFormat = sha256\n"}, `its object format is "sha256"`},
		"reftable":         {map[string]string{".git/config": "[extensions]\n\trefStorage = reftable\n"}, `refs are stored as "reftable"`},
		"split index":      {map[string]string{".git/index": "DIRC\x00\x00\x00\x02\x00\x00\x00\x00link\x00\x00\x00\x00" + strings.Repeat("\x00", 20)}, "--no-split-index"},
		"spoiled index":    {map[string]string{".git/index": "DIRC"}, "read git's index"},
		"worktree unknown": {map[string]string{".git": "gitdir: /gone/.git/worktrees/x\n"}, "leads to /gone/.git/worktrees/x, where no repository is"},
		"not a git file":   {map[string]string{".git": "hello"}, "does not say where the git directory is"},
	} {
		t.Run(name, func(t *testing.T) {
			src := gitTree(t, map[string]string{"x": "x"})
			for file := range row.files {
				require.NoError(t, os.RemoveAll(filepath.Join(src, file)))
			}
			putFiles(t, src, row.files)
			_, err := listSource(t.Context(), src, nil, nil)
			require.ErrorContains(t, err, row.text)
		})
	}
}

func TestListSource_LooksForTheRepositoryAsGitDoes(t *testing.T) {
	src := gitTree(t, map[string]string{"project/x": "x"})
	project := filepath.Join(src, "project")
	require.NoError(t, os.Mkdir(filepath.Join(project, ".git"), 0o755))
	require.Equal(t, []string{"x"}, listed(t, project), "an empty .git directory does not count")
}

func TestDecodeIndex_TakesOneWithoutChecksum(t *testing.T) {
	src := gitTree(t, map[string]string{"a": "a", "b/c": "c"})
	data, err := os.ReadFile(filepath.Join(src, ".git/index"))
	require.NoError(t, err)
	body := len(data) - sha1.Size
	idx, err := decodeIndex(append(slices.Clone(data[:body]), make([]byte, sha1.Size)...))
	require.NoError(t, err)
	require.Len(t, idx.Entries, 2)

	data[body-1]++
	_, err = decodeIndex(data)
	require.ErrorIs(t, err, index.ErrInvalidChecksum)
}

// ignorable are paths that the rules below tell apart.
var ignorable = []string{
	"a", "a.log", "b/a", "b/a.log", "b/c/a", "b/c/d/a", "media/x", "media/.gitkeep", "media/deep/x",
	"logs/x.log", "logs/y", "foo/bar/baz", "foo/x/bar/baz", "foo/barx", "x/foo/bar", "#hash", "!bang", "sp ace", "end ",
	"br[a]ck", "brack", "A", "ä", "1", "-", "node_modules/p/q", "src/node_modules/z", "src/a/b/a/b/c", "build", "src/build/o", `back\slash`,
}

var ignoreTexts = []string{
	"a", "/a", "a/", "b/a", "b/", "*.log", "*.log\n!logs", "*.log\n!logs/x.log", "*.log\n!/logs", "logs\n!logs/y",
	"media/**\n!media/.gitkeep", "media/*\n!media/.gitkeep", "/media\n!media/.gitkeep", "media/**", "**/media",
	"foo/**/baz", "****/baz", `foo\/*\/baz`, "foo/*/baz", "foo/bar", "**/foo/bar", "foo/**", "foo**", "f**o/bar", "**", "**/", "/**", "*/", "*/*", "*/a",
	"**/a/b/c", "src/**/a/b/c", "**/a/**", "a/b", "src/**/build/**",
	`\#hash`, "#hash", `\!bang`, "!bang", "*\n!*/\n!a", "/*\n!/foo\n/foo/*\n!/foo/bar", "sp ace", "sp ace  ", `end\ `, "end ",
	"[Aa]", "[!a]", "[^a]", "[a-z]", "[0-9]", `br\[a\]ck`, "br[[]a]ck", "?", "??", "[", "[a", "a\r\n", "\ufeffa", "", "/", "!", "a//b", "./a",
	"node_modules/", "/node_modules", "node_modules\n!src/node_modules", "build/", "/build/", `back\\slash`, `b\uild`, "*", "!*\n*", "*\n!/b\n!/b/c\n!/b/c/a",
}

func TestListUntracked_IgnoresWhatGitIgnores(t *testing.T) {
	files := map[string]string{}
	for _, name := range ignorable {
		files[name] = ""
	}
	compared := realTempDir(t)
	runGit(t, compared, "init", "-q")
	putFiles(t, compared, files)
	plain := plainTree(t, files)
	for _, nested := range []bool{false, true} {
		for _, text := range ignoreTexts {
			rules := map[string]string{".gitignore": text}
			if nested {
				rules = map[string]string{".gitignore": "*.log\nq\n", "src/.gitignore": text, "b/.gitignore": "!a.log\n" + text}
			}
			putFiles(t, compared, rules)
			putFiles(t, plain, rules)
			want := lsFiles(t, compared, "--others", "--exclude-standard")
			require.ElementsMatch(t, want, append([]string{}, listedOrNone(t, plain)...), fmt.Sprintf("%q", rules))
		}
	}
}

func listedOrNone(t *testing.T, src string) []string {
	t.Helper()
	list := sourceList{}
	require.NoError(t, list.walk(t.Context(), src, ".", nil, nil))
	if list.files == nil {
		return []string{""}
	}
	return list.files
}

func TestListUntracked_DoesNotFollowAnIgnoreFile(t *testing.T) {
	src := plainTree(t, map[string]string{"x": "x", "rules": "x\n", ".gitignore": "-> rules"})
	require.Equal(t, []string{".gitignore", "rules", "x"}, listed(t, src))
}
