package builds

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/stretchr/testify/require"
)

func stampOf(t *testing.T, dir string) string {
	t.Helper()
	hash, err := Stamp(t.Context(), dir)
	require.NoError(t, err)
	require.Len(t, hash, 40)
	return hash
}

// buildDir is a build with files that a careless git add would take in.
func buildDir(t *testing.T) string {
	t.Helper()
	dir := realTempDir(t)
	putFiles(t, dir, map[string]string{"manage.py": "m", ".gitignore": "*\n", ".gitattributes": "* text eol=crlf\n", "app/x.py": "x"})
	return dir
}

func TestStamp_StaysOnceMade(t *testing.T) {
	dir := buildDir(t)
	hash := stampOf(t, dir)
	before := filesIn(t, dir)
	require.Equal(t, hash, stampOf(t, dir))
	require.Equal(t, before, filesIn(t, dir))
	require.NoError(t, os.Remove(filepath.Join(dir, stampFile)))
	require.Equal(t, hash, stampOf(t, dir), "the file is not the stamp")
}

func TestStamp_DiffersBetweenBuilds(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		seen[stampOf(t, buildDir(t))] = true
	}
	require.Len(t, seen, 20)
}

func TestStamp_CommitsOneRandomFileAndNothingElse(t *testing.T) {
	dir := buildDir(t)
	hash := stampOf(t, dir)
	commit, err := headCommit(dir)
	require.NoError(t, err)
	require.Equal(t, hash, commit.Hash.String())
	require.Zero(t, commit.NumParents())
	require.Equal(t, "hadjango <hadjango@localhost>", commit.Author.String())
	require.Equal(t, commit.Author, commit.Committer)
	require.Empty(t, commit.PGPSignature)

	var names []string
	files, err := commit.Files()
	require.NoError(t, err)
	require.NoError(t, files.ForEach(func(file *object.File) error {
		content, err := file.Contents()
		require.NoError(t, err)
		require.Equal(t, filesIn(t, dir)[file.Name], content)
		require.Len(t, strings.TrimSpace(content), 64)
		names = append(names, file.Name)
		return nil
	}))
	require.Equal(t, []string{".hadjango-stamp"}, names)
	require.NoDirExists(t, filepath.Join(dir, stampBench))
}

func TestStamp_LeavesTheBuildAsItWas(t *testing.T) {
	dir := buildDir(t)
	before := filesIn(t, dir)
	stampOf(t, dir)
	after := filesIn(t, dir)
	for name := range after {
		if name == stampFile || strings.HasPrefix(name, ".git/") {
			delete(after, name)
		}
	}
	require.Equal(t, before, after)
}

func TestStamp_IsTakenByTheRealGit(t *testing.T) {
	dir := buildDir(t)
	hash := stampOf(t, dir)
	require.Equal(t, hash+" hadjango@localhost\n", runGit(t, dir, "log", "--format=%H %ae"))
	require.Empty(t, runGit(t, dir, "status", "--porcelain", "--", stampFile))
	require.Equal(t, stampFile+"\n", runGit(t, dir, "ls-files"))
	require.Empty(t, runGit(t, dir, "fsck", "--strict", "--no-progress"))
	runGit(t, dir, "gc", "-q")
	require.Equal(t, hash, stampOf(t, dir), "after git gc")
}

func TestStamp_IgnoresTheUsersConfiguration(t *testing.T) {
	home := realTempDir(t)
	putFiles(t, home, map[string]string{
		".gitconfig": "[user]\n\tname = somebody\n\temail = somebody@example.org\n\tsigningkey = gone\n" +
			"[commit]\n\tgpgsign = true\n[core]\n\tautocrlf = true\n\thooksPath = " + home + "/hooks\n\texcludesFile = " + home + "/ignore\n" +
			"[init]\n\ttemplateDir = " + home + "/template\n\tdefaultBranch = odd\n[broken\n",
		"hooks/pre-commit": "#!/bin/sh\nexit 1\n",
		"template/odd":     "odd",
		"ignore":           "*\n",
	})
	require.NoError(t, os.Chmod(filepath.Join(home, "hooks/pre-commit"), 0o755))
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("GIT_DIR", filepath.Join(home, "elsewhere"))
	t.Setenv("GIT_AUTHOR_EMAIL", "somebody@example.org")

	dir := buildDir(t)
	stampOf(t, dir)
	commit, err := headCommit(dir)
	require.NoError(t, err)
	require.Equal(t, stampAuthor, commit.Author.Email)
	require.Empty(t, commit.PGPSignature)
	require.NoFileExists(t, filepath.Join(dir, ".git/odd"))
	require.NoDirExists(t, filepath.Join(home, "elsewhere"))
}

func TestStamp_RedoesAnInterruptedTry(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"empty .git": func(t *testing.T, dir string) { require.NoError(t, os.Mkdir(filepath.Join(dir, ".git"), 0o755)) },
		"half of .git": func(t *testing.T, dir string) {
			putFiles(t, dir, map[string]string{".git/HEAD": "ref: refs", ".git/objects/12/34": ""})
		},
		"without a commit": func(t *testing.T, dir string) { _, err := git.PlainInit(dir, false); require.NoError(t, err) },
		"only the bench": func(t *testing.T, dir string) {
			putFiles(t, dir, map[string]string{stampBench + "/.git/HEAD": "x", stampBench + "/" + stampFile: "x", stampFile: "x"})
		},
		"commit lost in a power failure": func(t *testing.T, dir string) {
			stampOf(t, dir)
			require.NoError(t, filepath.WalkDir(filepath.Join(dir, ".git/objects"), func(name string, entry fs.DirEntry, err error) error {
				if err == nil && !entry.IsDir() {
					err = os.Remove(name)
				}
				return err
			}))
		},
		"branch lost in a power failure": func(t *testing.T, dir string) {
			stampOf(t, dir)
			require.NoError(t, os.Truncate(filepath.Join(dir, ".git/refs/heads/master"), 0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := buildDir(t)
			spoil(t, dir)
			hash := stampOf(t, dir)
			require.Equal(t, hash, stampOf(t, dir))
			require.Len(t, strings.TrimSpace(filesIn(t, dir)[stampFile]), 64)
			require.NoDirExists(t, filepath.Join(dir, stampBench))
			require.Equal(t, hash+"\n", runGit(t, dir, "log", "--format=%H"))
		})
	}
}

func TestStamp_LeavesAForeignRepositoryAlone(t *testing.T) {
	committed := gitTree(t, map[string]string{"x": "x"})
	continued := buildDir(t)
	stampOf(t, continued)
	commitAll(t, continued)
	spoiled := gitTree(t, map[string]string{"x": "x"})
	require.NoError(t, os.RemoveAll(filepath.Join(spoiled, ".git/objects")))
	packed := realTempDir(t)
	putFiles(t, packed, map[string]string{".git/packed-refs": "# pack-refs\n"})
	for name, dir := range map[string]string{
		"with commits": committed, "a stamp that was committed to": continued, "spoiled": spoiled, "spoiled and packed": packed,
		"linked worktree": linkWorktree(t, committed),
	} {
		before := filesIn(t, dir)
		_, err := Stamp(t.Context(), dir)
		require.ErrorIs(t, err, ErrForeignRepository, name)
		require.Equal(t, before, filesIn(t, dir), name)
	}
}

// The source may track a file of the stamp's name, or a link, which must not be written through.
func TestStamp_ReplacesAFileOfItsName(t *testing.T) {
	out := realTempDir(t)
	putFiles(t, out, map[string]string{"precious": "p", "a/" + stampFile: "-> ../precious"})
	stampOf(t, filepath.Join(out, "a"))
	require.Equal(t, "p", filesIn(t, out)["precious"])
	require.Len(t, strings.TrimSpace(filesIn(t, out)["a/"+stampFile]), 64)
}

func TestStamp_NeedsTheBuild(t *testing.T) {
	_, err := Stamp(t.Context(), filepath.Join(t.TempDir(), "gone"))
	require.ErrorIs(t, err, fs.ErrNotExist)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := buildDir(t)
	_, err = Stamp(ctx, dir)
	require.ErrorIs(t, err, context.Canceled)
	require.NoDirExists(t, filepath.Join(dir, ".git"))
}

// A build below a repository is not that repository.
func TestStamp_IsNotTheRepositoryAround(t *testing.T) {
	root := gitTree(t, map[string]string{"x": "x"})
	dir := filepath.Join(root, "deploy/builds/a")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	before := headOf(t, root)
	require.NotEqual(t, before.String(), stampOf(t, dir))
	require.Equal(t, before, headOf(t, root))
}
