package builds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/files"
)

// putFiles writes files below dir. A content that begins with "-> " is where a link leads.
func putFiles(tb testing.TB, dir string, files map[string]string) {
	tb.Helper()
	for name, content := range files {
		name = filepath.Join(dir, name)
		require.NoError(tb, os.MkdirAll(filepath.Dir(name), 0o755))
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			require.NoError(tb, os.Symlink(target, name))
		} else {
			require.NoError(tb, os.WriteFile(name, []byte(content), 0o644))
		}
	}
}

// filesIn is the inverse of putFiles; directories count only when empty.
func filesIn(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	files := map[string]string{}
	require.NoError(tb, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		require.NoError(tb, err)
		below, err := filepath.Rel(dir, name)
		require.NoError(tb, err)
		switch entry.Type() {
		case fs.ModeDir:
			entries, err := os.ReadDir(name)
			require.NoError(tb, err)
			if len(entries) == 0 {
				files[below+"/"] = ""
			}
		case fs.ModeSymlink:
			target, err := os.Readlink(name)
			require.NoError(tb, err)
			files[below] = "-> " + target
		default:
			content, err := os.ReadFile(name)
			require.NoError(tb, err)
			files[below] = string(content)
		}
		return nil
	}))
	return files
}

// realTempDir is a temporary directory by its real path, as git prints it.
func realTempDir(tb testing.TB) string {
	tb.Helper()
	dir, err := filepath.EvalSymlinks(tb.TempDir())
	require.NoError(tb, err)
	return dir
}

// gitTree makes a repository in which the files are committed.
func gitTree(tb testing.TB, files map[string]string) string {
	tb.Helper()
	dir := realTempDir(tb)
	_, err := git.PlainInit(dir, false)
	require.NoError(tb, err)
	putFiles(tb, dir, files)
	commitAll(tb, dir)
	return dir
}

func openGit(tb testing.TB, dir string) (*git.Repository, *git.Worktree) {
	tb.Helper()
	repo, err := git.PlainOpen(dir)
	require.NoError(tb, err)
	work, err := repo.Worktree()
	require.NoError(tb, err)
	return repo, work
}

// stageAll is git add --all, without the blobs: go-git's own is quadratic, and
// refuses names that git does not.
func stageAll(tb testing.TB, dir string) {
	tb.Helper()
	idx := &index.Index{Version: 2}
	for name, content := range filesIn(tb, dir) {
		if strings.HasPrefix(name, gitName+"/") || strings.HasSuffix(name, "/") {
			continue
		}
		idx.Entries = append(idx.Entries, stagedEntry(tb, dir, name, content))
	}
	slices.SortFunc(idx.Entries, func(a, b *index.Entry) int { return strings.Compare(a.Name, b.Name) })
	repo, _ := openGit(tb, dir)
	require.NoError(tb, repo.Storer.SetIndex(idx))
}

func stagedEntry(tb testing.TB, dir, name, content string) *index.Entry {
	tb.Helper()
	state, err := statFile(filepath.Join(dir, name))
	require.NoError(tb, err)
	target, _ := strings.CutPrefix(content, "-> ")
	entry := &index.Entry{
		Name: name, Mode: filemode.Regular, Size: uint32(state.size),
		Hash:       plumbing.ComputeHash(plumbing.BlobObject, []byte(target)),
		ModifiedAt: time.Unix(state.mtime.Unix()), CreatedAt: time.Unix(state.ctime.Unix()),
	}
	if state.isType(unix.S_IFLNK) {
		entry.Mode = filemode.Symlink
	} else if state.perm()&0o100 != 0 {
		entry.Mode = filemode.Executable
	}
	return entry
}

func commitAll(tb testing.TB, dir string) plumbing.Hash {
	tb.Helper()
	stageAll(tb, dir)
	_, work := openGit(tb, dir)
	hash, err := work.Commit("all", &git.CommitOptions{
		Author:            &object.Signature{Name: "test", Email: "test@localhost", When: time.Now()},
		AllowEmptyCommits: true,
	})
	require.NoError(tb, err)
	return hash
}

// editIndex changes the index as only odd states of a repository do.
func editIndex(tb testing.TB, dir string, edit func(*index.Index)) {
	tb.Helper()
	repo, _ := openGit(tb, dir)
	idx, err := repo.Storer.Index()
	require.NoError(tb, err)
	edit(idx)
	require.NoError(tb, repo.Storer.SetIndex(idx))
}

// runGit runs the real git, and says so where there is none.
func runGit(tb testing.TB, dir string, args ...string) string {
	tb.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		tb.Skip("NOT COMPARED with the real git: it is not installed")
	}
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+tb.TempDir(),
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@localhost", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@localhost",
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		"GIT_CONFIG_KEY_1=protocol.file.allow", "GIT_CONFIG_VALUE_1=always")
	out, err := cmd.CombinedOutput()
	require.NoError(tb, err, "git %s: %s", args, out)
	return string(out)
}

func copyTree(tb testing.TB, src string) string {
	tb.Helper()
	dst := filepath.Join(realTempDir(tb), "a")
	_, err := CopySource(tb.Context(), src, dst, CopyOptions{})
	require.NoError(tb, err)
	return dst
}

// requireFileError wants the copy of src refused for path, with a message that says all of texts.
func requireFileError(tb testing.TB, err error, path string, texts ...string) {
	tb.Helper()
	var fileError *FileError
	require.ErrorAs(tb, err, &fileError)
	require.Equal(tb, path, fileError.Path)
	for _, text := range texts {
		require.ErrorContains(tb, err, text)
	}
}

func TestCopySource_CopiesWhatGitTracks(t *testing.T) {
	src := gitTree(t, map[string]string{"manage.py": "old", "shop/models.py": "models", "shop/.gitignore": "*.log\n"})
	putFiles(t, src, map[string]string{
		"manage.py":        "edited",
		"added.py":         "staged",
		"notes.txt":        "untracked",
		"shop/kept.log":    "ignored",
		"untracked/x/y.py": "untracked",
	})
	editIndex(t, src, func(idx *index.Index) {
		idx.Entries = append(idx.Entries, stagedEntry(t, src, "added.py", "staged"))
	})

	dst := filepath.Join(t.TempDir(), "deep", "a")
	report, err := CopySource(t.Context(), src, dst, CopyOptions{})
	require.NoError(t, err)
	require.Equal(t, CopyReport{Files: 4, Bytes: 24, Tracked: true}, report)
	require.Equal(t, map[string]string{
		"manage.py":       "edited",
		"added.py":        "staged",
		"shop/models.py":  "models",
		"shop/.gitignore": "*.log\n",
	}, filesIn(t, dst))
}

// oddNames are names that a shell, a terminal or a decoder would stumble over.
var oddNames = map[string]string{
	"-rf":                    "dash",
	"line\nbreak":            "newline",
	"invalid-\xff\xfe-utf8":  "bytes",
	`"quoted" 'it' $HOME`:    "quotes",
	" leading and trailing ": "spaces",
	"ümlaut/日本語.txt":         "utf-8",
	"glob*[a]?/{b}\\c":       "glob",
	"\x1b[31mred":            "escape",
	".gitmodules.d/.github":  "almost git",
	"...":                    "dots",
}

func TestCopySource_KeepsNamesOfAnyBytes(t *testing.T) {
	src := gitTree(t, nil)
	putFiles(t, src, oddNames)
	stageAll(t, src)
	require.Equal(t, oddNames, filesIn(t, copyTree(t, src)))
}

func TestCopySource_KeepsWhatAFileIs(t *testing.T) {
	src := gitTree(t, map[string]string{
		"run.sh": "#!/bin/sh", "secret": "s", "read-only": "r", "dir/file": "f",
		"link": "-> dir/file", "dir/up": "-> ../run.sh", "to-dir": "-> dir", "dangling": "-> not/there",
	})
	modes := map[string]fs.FileMode{"run.sh": 0o755, "secret": 0o600, "read-only": 0o444, "dir": 0o750}
	for name, mode := range modes {
		require.NoError(t, os.Chmod(filepath.Join(src, name), mode))
	}
	when := time.Date(2016, 5, 17, 9, 30, 0, 123456789, time.UTC)
	times := []string{"run.sh", "secret", "read-only", "dir/file", "link", "dangling", "dir", "."}
	for i, name := range times {
		setTime(t, filepath.Join(src, name), when.Add(time.Duration(i)))
	}

	dst := copyTree(t, src)
	require.Equal(t, "-> dir", filesIn(t, dst)["to-dir"])
	require.Equal(t, "-> not/there", filesIn(t, dst)["dangling"])
	for name, mode := range modes {
		info, err := os.Lstat(filepath.Join(dst, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), name)
	}
	for i, name := range times {
		info, err := os.Lstat(filepath.Join(dst, name))
		require.NoError(t, err)
		require.Equal(t, when.Add(time.Duration(i)), info.ModTime().UTC(), name)
	}
}

func setTime(t *testing.T, name string, when time.Time) {
	t.Helper()
	spec, err := unix.TimeToTimespec(when)
	require.NoError(t, err)
	require.NoError(t, unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{spec, spec}, unix.AT_SYMLINK_NOFOLLOW))
}

// An ordinary user cannot write into such a directory; root tests only that it stays one.
func TestCopySource_KeepsReadOnlyDirectories(t *testing.T) {
	src := gitTree(t, map[string]string{"ro/a": "a", "ro/deep/b": "b"})
	setReadOnly(t, filepath.Join(src, "ro/deep"))
	setReadOnly(t, filepath.Join(src, "ro"))

	dst := filepath.Join(realTempDir(t), "a")
	for range 2 { // the second time over what the first has made
		_, err := CopySource(t.Context(), src, dst, CopyOptions{})
		require.NoError(t, err)
		t.Cleanup(func() { _ = files.RemoveAll(dst) })
		for _, name := range []string{"ro", "ro/deep"} {
			info, err := os.Stat(filepath.Join(dst, name))
			require.NoError(t, err)
			require.Equal(t, fs.FileMode(0o555), info.Mode().Perm(), name)
		}
	}
	require.Equal(t, map[string]string{"ro/a": "a", "ro/deep/b": "b"}, filesIn(t, dst))
}

func setReadOnly(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.Chmod(dir, 0o555))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
}

func TestCopySource_NeverMakesASetUserIDProgram(t *testing.T) {
	src := gitTree(t, map[string]string{"tool": "x", "shared/file": "y"})
	require.NoError(t, os.Chmod(filepath.Join(src, "tool"), 0o755|fs.ModeSetuid|fs.ModeSetgid))
	require.NoError(t, os.Chmod(filepath.Join(src, "shared"), 0o755|fs.ModeSetgid))
	dst := copyTree(t, src)
	for _, name := range []string{"tool", "shared"} {
		info, err := os.Stat(filepath.Join(dst, name))
		require.NoError(t, err)
		require.Zero(t, info.Mode()&(fs.ModeSetuid|fs.ModeSetgid), name)
	}
}

func TestCopySource_CopiesASubdirectoryOfARepository(t *testing.T) {
	root := gitTree(t, map[string]string{"project/app.py": "app", "project/sub/x": "x", "project-2/other": "o", "README": "r"})
	require.Equal(t, map[string]string{"app.py": "app", "sub/x": "x"}, filesIn(t, copyTree(t, filepath.Join(root, "project"))))
}

func TestCopySource_FollowsALinkToTheSource(t *testing.T) {
	root := gitTree(t, map[string]string{"project/app.py": "app"})
	link := filepath.Join(t.TempDir(), "current")
	require.NoError(t, os.Symlink(filepath.Join(root, "project"), link))
	require.Equal(t, map[string]string{"app.py": "app"}, filesIn(t, copyTree(t, link)))
}

// linkWorktree does by hand what git worktree add does.
func linkWorktree(t *testing.T, main string) string {
	t.Helper()
	work, dir := realTempDir(t), filepath.Join(main, ".git/worktrees/second")
	data, err := os.ReadFile(filepath.Join(main, ".git/index"))
	require.NoError(t, err)
	repo, _ := openGit(t, main)
	head, err := repo.Head()
	require.NoError(t, err)
	putFiles(t, dir, map[string]string{
		"HEAD": head.Hash().String() + "\n", "commondir": "../..\n", "gitdir": work + "/.git\n", "index": string(data),
	})
	putFiles(t, work, map[string]string{".git": "gitdir: " + dir + "\n"})
	return work
}

func TestCopySource_ReadsALinkedWorktree(t *testing.T) {
	main := gitTree(t, map[string]string{"app.py": "main"})
	work := linkWorktree(t, main)
	putFiles(t, work, map[string]string{"app.py": "second", "untracked": "u"})
	require.Equal(t, map[string]string{"app.py": "second"}, filesIn(t, copyTree(t, work)))
}

func addSubmodule(t *testing.T, root, name string, hash plumbing.Hash) {
	t.Helper()
	editIndex(t, root, func(idx *index.Index) {
		idx.Entries = append(idx.Entries, &index.Entry{Name: name, Mode: filemode.Submodule, Hash: hash})
	})
}

// checkOutSubmodule moves the git directory of a repository below root to
// where git keeps a submodule's, and leaves a .git file.
func checkOutSubmodule(t *testing.T, root, name string) {
	t.Helper()
	_, err := git.PlainInit(filepath.Join(root, name), false)
	require.NoError(t, err)
	hash := commitAll(t, filepath.Join(root, name))
	modules := filepath.Join(root, ".git/modules")
	require.NoError(t, os.MkdirAll(modules, 0o755))
	require.NoError(t, os.Rename(filepath.Join(root, name, ".git"), filepath.Join(modules, filepath.Base(name))))
	up := strings.Repeat("../", strings.Count(name, "/")+1)
	putFiles(t, root, map[string]string{name + "/.git": "gitdir: " + up + ".git/modules/" + filepath.Base(name) + "\n"})
	addSubmodule(t, root, name, hash)
}

func TestCopySource_CopiesSubmodules(t *testing.T) {
	root := gitTree(t, map[string]string{"app.py": "app"})
	putFiles(t, root, map[string]string{"vendor/lib/lib.py": "lib", "vendor/lib/skipped": "s", "vendor/lib/link": "-> ../../app.py"})
	checkOutSubmodule(t, root, "vendor/lib")
	putFiles(t, root, map[string]string{"vendor/lib/untracked": "u"})

	dst := filepath.Join(t.TempDir(), "a")
	_, err := CopySource(t.Context(), root, dst, CopyOptions{Skip: []string{"vendor/lib/skipped"}})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"app.py": "app", "vendor/lib/lib.py": "lib", "vendor/lib/link": "-> ../../app.py"}, filesIn(t, dst))

	_, err = CopySource(t.Context(), filepath.Join(root, "vendor/lib"), filepath.Join(t.TempDir(), "b"), CopyOptions{})
	requireFileError(t, err, "link", "leads out of the tree")
}

func TestCopySource_RefusesASubmoduleThatIsNotCheckedOut(t *testing.T) {
	root := gitTree(t, map[string]string{"project/app.py": "app"})
	require.NoError(t, os.MkdirAll(filepath.Join(root, "project/lib/inner"), 0o755))
	addSubmodule(t, root, "project/lib", plumbing.ComputeHash(plumbing.CommitObject, nil))
	for src, path := range map[string]string{
		"project": "lib", "project/lib": "project/lib", "project/lib/inner": "project/lib",
	} {
		_, err := CopySource(t.Context(), filepath.Join(root, src), filepath.Join(t.TempDir(), "a"), CopyOptions{})
		requireFileError(t, err, path, "git submodule update --init")
	}
}

func TestCopySource_RefusesAnUnmergedFile(t *testing.T) {
	src := gitTree(t, map[string]string{"a.py": "a", "b.py": "b"})
	editIndex(t, src, func(idx *index.Index) { idx.Entries[1].Stage = index.OurMode })
	_, err := CopySource(t.Context(), src, filepath.Join(t.TempDir(), "a"), CopyOptions{})
	requireFileError(t, err, "b.py", "unmerged")
}

func TestCopySource_RefusesAForgedIndex(t *testing.T) {
	for _, name := range []string{"../out", ".git/hooks/pre-commit", "a/.git", "a/../../b", "a//b", "/etc/passwd"} {
		src := gitTree(t, map[string]string{"a.py": "a"})
		editIndex(t, src, func(idx *index.Index) { idx.Entries[0].Name = name })
		_, err := CopySource(t.Context(), src, filepath.Join(t.TempDir(), "a"), CopyOptions{})
		requireFileError(t, err, name)
	}
}

func TestCopySource_RefusesAMissingFile(t *testing.T) {
	for _, gone := range []string{"shop/models.py", "shop"} {
		src := gitTree(t, map[string]string{"manage.py": "m", "shop/models.py": "models"})
		require.NoError(t, os.RemoveAll(filepath.Join(src, gone)))
		_, err := CopySource(t.Context(), src, filepath.Join(t.TempDir(), "a"), CopyOptions{})
		requireFileError(t, err, gone, "missing from the work tree")
	}
}

func TestCopySource_RefusesAFileThatBecameADirectory(t *testing.T) {
	src := gitTree(t, map[string]string{"conf": "c"})
	require.NoError(t, os.Remove(filepath.Join(src, "conf")))
	putFiles(t, src, map[string]string{"conf/x": "x"})
	_, err := CopySource(t.Context(), src, filepath.Join(t.TempDir(), "a"), CopyOptions{})
	requireFileError(t, err, "conf", "missing from the work tree")
}

func TestCopySource_RefusesALinkedDirectory(t *testing.T) {
	src := gitTree(t, map[string]string{"assets/css/a.css": "a", "elsewhere/css/a.css": "b"})
	require.NoError(t, os.RemoveAll(filepath.Join(src, "assets")))
	require.NoError(t, os.Symlink("elsewhere", filepath.Join(src, "assets")))
	_, err := CopySource(t.Context(), src, filepath.Join(t.TempDir(), "a"), CopyOptions{})
	requireFileError(t, err, "assets", "symbolic link", "git tracks files below it")
}

func TestCopySource_RefusesSpecialFiles(t *testing.T) {
	kinds := map[string]func(string) error{
		"pipe": func(name string) error { return unix.Mkfifo(name, 0o644) },
		"socket": func(name string) error {
			listener, err := net.Listen("unix", name)
			if err == nil {
				t.Cleanup(func() { _ = listener.Close() })
			}
			return err
		},
	}
	if os.Geteuid() == 0 {
		kinds["device"] = func(name string) error { return unix.Mknod(name, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))) }
	}
	for kind, create := range kinds {
		for _, src := range []string{gitTree(t, map[string]string{kind: "", "x": "x"}), plainTree(t, map[string]string{"x": "x"})} {
			_ = os.Remove(filepath.Join(src, kind))
			require.NoError(t, create(filepath.Join(src, kind)))
			_, err := CopySource(t.Context(), src, filepath.Join(t.TempDir(), "a"), CopyOptions{})
			requireFileError(t, err, kind, "a pipe, a socket or a device")
		}
	}
}

func TestCopySource_RefusesAFileOfHolesThatDoesNotFit(t *testing.T) {
	src, dst := plainTree(t, map[string]string{"small": "x", "huge": ""}), filepath.Join(t.TempDir(), "a")
	if err := os.Truncate(filepath.Join(src, "huge"), 8<<40); err != nil {
		t.Skip("the file system has no file of that size: ", err)
	}

	_, err := CopySource(t.Context(), src, dst, CopyOptions{})

	requireFileError(t, err, "huge", "has 8796093022208 bytes, and the tree more than what is left on the disk")
	require.NoDirExists(t, dst)
}

// Nothing that is done to the project later reaches a build.
func TestCopySource_CopiesFilesThatHaveSeveralNames(t *testing.T) {
	src, dst := plainTree(t, map[string]string{"one": "text"}), filepath.Join(t.TempDir(), "a")
	require.NoError(t, os.Link(filepath.Join(src, "one"), filepath.Join(src, "two")))

	_, err := CopySource(t.Context(), src, dst, CopyOptions{})

	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(src, "one"), []byte("else"), 0o644))
	require.Equal(t, map[string]string{"one": "text", "two": "text"}, filesIn(t, dst))
}

// A tree may be deeper than any path the kernel takes.
func TestCopySource_CopiesADeepTreeOrRefusesIt(t *testing.T) {
	for levels, refused := range map[int]bool{1000: false, 3000: true} {
		src, dst := plainTree(t, map[string]string{"x": "x"}), filepath.Join(t.TempDir(), "a")
		dig(t, src, levels)

		report, err := CopySource(t.Context(), src, dst, CopyOptions{})

		if refused {
			require.ErrorIs(t, err, unix.ENAMETOOLONG)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, 2, report.Files)
	}
}

// dig makes directories in each other, and a file in the last one.
func dig(t *testing.T, dir string, levels int) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	for range levels {
		require.NoError(t, root.Mkdir("d", 0o755))
		below, err := root.OpenRoot("d")
		require.NoError(t, err)
		require.NoError(t, root.Close())
		root = below
	}
	require.NoError(t, root.WriteFile("file", []byte("deep"), 0o644))
	require.NoError(t, root.Close())
}

func TestCopySource_RefusesLinkOutOfTree(t *testing.T) {
	for name, links := range map[string]map[string]string{
		"absolute":               {"link": "-> /etc/passwd"},
		"absolute to the inside": {"link": "-> /proc/self/cwd"},
		"climbs out":             {"link": "-> ../secret"},
		"climbs from below":      {"a/link": "-> ../../secret"},
		"climbs and comes back":  {"link": "-> ../project/x"},
		"through a link":         {"link": "-> dir/up/../../x", "dir/up": "-> deep/er", "dir/deep/er/f": "", "dir/deep/link2": "-> er/../../../.."},
		"through a linked dir":   {"a/b/c": "-> ../../d", "d/f": "", "link": "-> a/b/c/../../x"},
		"the parent itself":      {"link": "-> .."},
		"slashes and dots":       {"link": "-> .//./..//x"},
	} {
		t.Run(name, func(t *testing.T) {
			src := gitTree(t, map[string]string{"x": "x"})
			putFiles(t, src, links)
			stageAll(t, src)
			dst := filepath.Join(t.TempDir(), "a")
			_, err := CopySource(t.Context(), src, dst, CopyOptions{})
			var fileError *FileError
			require.ErrorAs(t, err, &fileError)
			target := strings.TrimPrefix(links[fileError.Path], "-> ")
			require.ErrorContains(t, err, fmt.Sprintf("leads out of the tree, to %q", target))
			require.NoDirExists(t, dst)
		})
	}
}

func TestCopySource_KeepsLinksInside(t *testing.T) {
	files := map[string]string{
		"a/b/up": "-> ../../x", "x": "x", "self": "-> .", "loop": "-> loop", "ping": "-> pong", "pong": "-> ping",
		"here": "-> a/../a/b/../../x", "dangling": "-> gone/../../project/y",
	}
	files["dangling"] = "-> gone/../y"
	require.Equal(t, files, filesIn(t, copyTree(t, gitTree(t, files))))
}

// plainTree makes a tree that is not under git.
func plainTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := realTempDir(t)
	if repo, _, err := findRepo(dir); err != nil || repo != nil {
		t.Skip("temporary directories lie in a git repository here")
	}
	putFiles(t, dir, files)
	return dir
}

func TestCopySource_CopiesAnUntrackedTreeButForWhatItIgnores(t *testing.T) {
	src := plainTree(t, map[string]string{
		".gitignore": "*.pyc\n/media/**\n!/media/.gitkeep\nnode_modules/\n",
		"a.pyc":      "", "app/b.pyc": "", "app/b.py": "b", "app/.gitignore": "local.py\n!keep.pyc\n",
		"app/local.py": "", "app/keep.pyc": "k", "local.py": "l",
		"media/.gitkeep": "", "media/big.png": "",
		"node_modules/x/y": "", "app/node_modules": "a file",
		".git/config": "no repository", "vendor/lib/.git/HEAD": "", "vendor/lib/x": "x", "sub/.git": "gone",
	})
	require.NoError(t, os.Mkdir(filepath.Join(src, "empty"), 0o755))
	dst := filepath.Join(realTempDir(t), "a")
	report, err := CopySource(t.Context(), src, dst, CopyOptions{})
	require.NoError(t, err)
	require.False(t, report.Tracked)
	require.Equal(t, map[string]string{
		".gitignore": "*.pyc\n/media/**\n!/media/.gitkeep\nnode_modules/\n",
		"app/b.py":   "b", "app/.gitignore": "local.py\n!keep.pyc\n", "app/keep.pyc": "k", "local.py": "l",
		"media/.gitkeep": "", "app/node_modules": "a file", "vendor/lib/x": "x",
		"empty/": "", "sub/": "",
	}, filesIn(t, dst))
}

func TestCopySource_LeavesOutItsDestinationAndWhatItIsTold(t *testing.T) {
	files := map[string]string{"app.py": "a", "data/db": "d", "data-2": "kept", "deploy/builds/b/old": "o"}
	plain := plainTree(t, files)
	skip := CopyOptions{Skip: []string{"data", filepath.Join(plain, "deploy"), "/elsewhere"}}
	for range 2 {
		_, err := CopySource(t.Context(), plain, filepath.Join(plain, "deploy/builds/a"), skip)
		require.NoError(t, err)
	}
	require.Equal(t, map[string]string{"app.py": "a", "data-2": "kept"}, filesIn(t, filepath.Join(plain, "deploy/builds/a")))

	_, err := CopySource(t.Context(), plain, filepath.Join(plain, "copy"), CopyOptions{Skip: []string{"deploy"}})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"app.py": "a", "data/db": "d", "data-2": "kept"}, filesIn(t, filepath.Join(plain, "copy")))

	tracked := gitTree(t, files)
	_, err = CopySource(t.Context(), tracked, filepath.Join(tracked, "a"), CopyOptions{Skip: []string{"data", "deploy"}})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"app.py": "a", "data-2": "kept"}, filesIn(t, filepath.Join(tracked, "a")))
}

func TestCopySource_RefusesToCopyIntoItself(t *testing.T) {
	src := gitTree(t, map[string]string{"project/app.py": "a", "project/deploy/a/f": "f"})
	project := filepath.Join(src, "project")
	for _, dst := range []string{project, src} {
		_, err := CopySource(t.Context(), project, dst, CopyOptions{})
		require.ErrorContains(t, err, "the source lies in the destination")
	}
	_, err := CopySource(t.Context(), project, filepath.Join(project, "deploy/a"), CopyOptions{})
	requireFileError(t, err, "deploy/a/f", "lies in the destination")
}

func TestCopySource_RefusesATreeWithoutFiles(t *testing.T) {
	tracked := gitTree(t, map[string]string{"other/x": "x"})
	putFiles(t, tracked, map[string]string{"project/new.py": "n"})
	_, err := CopySource(t.Context(), filepath.Join(tracked, "project"), filepath.Join(t.TempDir(), "a"), CopyOptions{})
	require.ErrorIs(t, err, ErrNothingToCopy)
	require.ErrorContains(t, err, "git add")

	_, err = CopySource(t.Context(), plainTree(t, nil), filepath.Join(t.TempDir(), "a"), CopyOptions{})
	require.ErrorIs(t, err, ErrNothingToCopy)
}

func TestCopySource_RefusesASourceThatIsNoDirectory(t *testing.T) {
	_, err := CopySource(t.Context(), filepath.Join(t.TempDir(), "gone"), t.TempDir(), CopyOptions{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	file := filepath.Join(t.TempDir(), "file")
	putFiles(t, "/", map[string]string{file: ""})
	_, err = CopySource(t.Context(), file, t.TempDir(), CopyOptions{})
	require.ErrorContains(t, err, "is not a directory")
}

func TestCopySource_RefusesADestinationThatIsNoDirectory(t *testing.T) {
	src, out := gitTree(t, map[string]string{"x": "x"}), realTempDir(t)
	putFiles(t, out, map[string]string{"_stage": "-> live", "live/x": "serving", "file": ""})
	for name, text := range map[string]string{"_stage": "a symbolic link", "file": "a file"} {
		_, err := CopySource(t.Context(), src, filepath.Join(out, name), CopyOptions{})
		require.ErrorContains(t, err, text)
	}
	require.Equal(t, "serving", filesIn(t, out)["live/x"])
}

func TestCopySource_StopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, src := range []string{gitTree(t, map[string]string{"x": "x"}), plainTree(t, map[string]string{"x": "x"})} {
		_, err := CopySource(ctx, src, filepath.Join(t.TempDir(), "a"), CopyOptions{})
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestCopySource_StopsWhenCancelledOnTheWay(t *testing.T) {
	src := manyFiles(t, 2000)
	dst := filepath.Join(t.TempDir(), "a")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if entries, _ := os.ReadDir(dst); len(entries) > 3 {
				cancel()
			}
		}
	}()
	_, err := CopySource(ctx, src, dst, CopyOptions{})
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, len(filesIn(t, dst)), 2000)
}

// changeWhile does what CopySource does, with a change at the worst moment.
func changeWhile(t *testing.T, src string, change func()) error {
	t.Helper()
	dst := filepath.Join(realTempDir(t), "a")
	tree, err := readSource(t.Context(), src, dst, CopyOptions{})
	require.NoError(t, err)
	require.NoError(t, tree.settle(t.Context()))
	change()
	if err := tree.copyTo(t.Context(), dst); err != nil {
		return err
	}
	return tree.verify(t.Context(), dst)
}

func TestCopySource_NoticesAFileThatChangesMeanwhile(t *testing.T) {
	for name, change := range map[string]func(file string) error{
		"longer":            func(file string) error { return os.WriteFile(file, []byte("longer than before"), 0o644) },
		"as long":           func(file string) error { return os.WriteFile(file, []byte("BEFORE"), 0o644) },
		"vanishes":          os.Remove,
		"becomes a program": func(file string) error { return os.Chmod(file, 0o755) },
		"as long, old time": func(file string) error {
			info, err := os.Stat(file)
			return errors.Join(err, os.WriteFile(file, []byte("BEFORE"), 0o644), os.Chtimes(file, info.ModTime(), info.ModTime()))
		},
		"is replaced": func(file string) error {
			return errors.Join(os.WriteFile(file+"~", []byte("BEFORE"), 0o644), os.Rename(file+"~", file))
		},
		"becomes a link": func(file string) error { return errors.Join(os.Remove(file), os.Symlink("/etc/passwd", file)) },
		"becomes a pipe": func(file string) error { return errors.Join(os.Remove(file), unix.Mkfifo(file, 0o644)) },
		"becomes a directory": func(file string) error {
			return errors.Join(os.Remove(file), os.Mkdir(file, 0o755), os.WriteFile(file+"/new", nil, 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			src := gitTree(t, map[string]string{"a.py": "a", "b.py": "before"})
			err := changeWhile(t, src, func() { require.NoError(t, change(filepath.Join(src, "b.py"))) })
			var changed *ChangedError
			require.ErrorAs(t, err, &changed)
			require.Equal(t, "b.py", changed.Path)
		})
	}
}

func TestCopySource_NoticesALinkThatChangesMeanwhile(t *testing.T) {
	src := gitTree(t, map[string]string{"x": "x", "y": "y", "link": "-> x"})
	link := filepath.Join(src, "link")
	for _, change := range []func() error{
		func() error { return errors.Join(os.Remove(link), os.Symlink("y", link)) },
		func() error { return os.Remove(link) },
	} {
		var changed *ChangedError
		require.ErrorAs(t, changeWhile(t, src, func() { require.NoError(t, change()) }), &changed)
		require.Equal(t, "link", changed.Path)
	}
}

// A project has files that come and go, of which git knows nothing.
func TestCopySource_DoesNotMindUntrackedFilesThatComeAndGo(t *testing.T) {
	src := manyFiles(t, 300)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			for dir := range 10 {
				journal := filepath.Join(src, fmt.Sprintf("dir%d/db.sqlite3-journal", dir))
				_ = os.WriteFile(journal, nil, 0o644)
				_ = os.Remove(journal)
			}
		}
	}()
	for range 20 {
		copyTree(t, src)
	}
	cancel()
	<-done
}

func TestCopySource_LaysAnOverlay(t *testing.T) {
	out := realTempDir(t)
	dst := filepath.Join(out, "a")
	putFiles(t, out, map[string]string{"precious": "precious"})
	putFiles(t, dst, map[string]string{
		"settings.py": "project", "urls.py": "urls", "app/views.py": "views",
		"linked": "-> ../precious", "app/link": "-> views.py", "read-only": "r",
	})
	require.NoError(t, os.Chmod(filepath.Join(dst, "read-only"), 0o400))
	require.NoError(t, os.Link(filepath.Join(out, "precious"), filepath.Join(dst, "hard")))
	require.NoError(t, os.Chmod(filepath.Join(dst, "app"), 0o750))

	overlay := gitTree(t, map[string]string{
		"settings.py": "overlay", "app/new.py": "new", "linked": "L", "hard": "H", "app/link": "-> new.py", "read-only": "w",
	})
	_, err := CopySource(t.Context(), overlay, dst, CopyOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"settings.py": "overlay", "urls.py": "urls", "app/views.py": "views", "app/new.py": "new",
		"linked": "L", "hard": "H", "app/link": "-> new.py", "read-only": "w",
	}, filesIn(t, dst))
	require.Equal(t, "precious", filesIn(t, out)["precious"])
	info, err := os.Stat(filepath.Join(dst, "app"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o750), info.Mode().Perm(), "a directory that is there keeps its permissions")
}

func TestCopySource_NeverWritesThroughWhatIsInTheWay(t *testing.T) {
	for name, row := range map[string]struct{ below, above, path, want string }{
		"files behind a link out":    {"-> ../outside", "assets/x", "assets", `is a directory in the source, but %q is a symbolic link`},
		"files behind a link inside": {"-> other", "assets/x", "assets", `is a directory in the source, but %q is a symbolic link`},
		"directory over file":        {"a file", "assets/x", "assets", `is a directory in the source, but %q is a file`},
		"file over directory":        {"", "assets", "assets", `is a file or link in the source, but %q is a directory`},
		"link over directory":        {"", "assets -> other", "assets", `is a file or link in the source, but %q is a directory`},
	} {
		t.Run(name, func(t *testing.T) {
			out := realTempDir(t)
			dst := filepath.Join(out, "a")
			below := map[string]string{"assets": row.below}
			if row.below == "" {
				below = map[string]string{"assets/y": "y"}
			}
			putFiles(t, dst, below)
			putFiles(t, out, map[string]string{"outside/kept": "k", "a/other/kept": "k"})
			before := filesIn(t, out)

			file, target, isLink := strings.Cut(row.above, " -> ")
			content := "overlay"
			if isLink {
				content = "-> " + target
			}
			_, err := CopySource(t.Context(), gitTree(t, map[string]string{file: content}), dst, CopyOptions{})
			requireFileError(t, err, row.path, fmt.Sprintf(row.want, filepath.Join(dst, row.path)))
			require.Equal(t, before, filesIn(t, out))
			if !isLink {
				err = CopyFS(t.Context(), fstest.MapFS{file: {Data: []byte("overlay")}}, dst)
				requireFileError(t, err, row.path, fmt.Sprintf(row.want, filepath.Join(dst, row.path)))
				require.Equal(t, before, filesIn(t, out))
			}
		})
	}
}

// The project's link stays inside on its own, as does the overlay's; together they lead out.
func TestCopySource_RefusesLinksThatLeadOutTogether(t *testing.T) {
	dst := copyTree(t, gitTree(t, map[string]string{"link": "-> dir/sub/../../x", "dir/y": "", "x": ""}))
	_, err := CopySource(t.Context(), gitTree(t, map[string]string{"dir/sub": "-> ../z", "z": ""}), dst, CopyOptions{})
	requireFileError(t, err, "link", "lead out")
}

// A virtualenv's links lead out; they are no layer's business.
func TestCopySource_LeavesOldLinksOutAlone(t *testing.T) {
	dst := copyTree(t, gitTree(t, map[string]string{"x": "x"}))
	putFiles(t, dst, map[string]string{"bin/python": "-> /usr/bin/python3"})
	_, err := CopySource(t.Context(), gitTree(t, map[string]string{"x": "y"}), dst, CopyOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"x": "y", "bin/python": "-> /usr/bin/python3"}, filesIn(t, dst))
}

func TestCopyFS_LaysAnEmbeddedTree(t *testing.T) {
	out := realTempDir(t)
	putFiles(t, out, map[string]string{"precious": "p", "a/link": "-> ../precious", "a/kept": "k"})
	dst := filepath.Join(out, "a")
	tree := fstest.MapFS{
		"link":         {Data: []byte("replaced"), Mode: 0o600},
		"conf/uwsgi":   {Data: []byte("ini"), Mode: 0o444},
		"empty.py":     {},
		"ünïcode/file": {Data: []byte("u")},
	}
	for range 2 {
		require.NoError(t, CopyFS(t.Context(), tree, dst))
	}
	require.Equal(t, map[string]string{
		"link": "replaced", "conf/uwsgi": "ini", "empty.py": "", "ünïcode/file": "u", "kept": "k",
	}, filesIn(t, dst))
	require.Equal(t, "p", filesIn(t, out)["precious"])
	for name, mode := range map[string]fs.FileMode{"link": 0o644, "conf": 0o755 | fs.ModeDir, "conf/uwsgi": 0o644} {
		info, err := os.Lstat(filepath.Join(dst, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode(), name)
	}
}

func TestCopyFS_RefusesWhatIsNotARegularFile(t *testing.T) {
	for name, mode := range map[string]fs.FileMode{"link": fs.ModeSymlink, "pipe": fs.ModeNamedPipe} {
		err := CopyFS(t.Context(), fstest.MapFS{"dir/" + name: {Mode: mode | 0o644}}, filepath.Join(t.TempDir(), "a"))
		requireFileError(t, err, "dir/"+name)
	}
	err := CopyFS(t.Context(), fstest.MapFS{".git/config": {}}, filepath.Join(t.TempDir(), "a"))
	requireFileError(t, err, ".git")
}

func TestCopyFS_StopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, CopyFS(ctx, fstest.MapFS{"x": {}}, filepath.Join(t.TempDir(), "a")), context.Canceled)
}

func ExampleCopySource() {
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for name, content := range map[string]string{"manage.py": "import django", "debug.log": "boring", ".gitignore": "*.log"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			panic(err)
		}
	}
	report, err := CopySource(context.Background(), dir, filepath.Join(dir, "deploy/builds/a"), CopyOptions{Skip: []string{"deploy"}})
	fmt.Println(report.Files, "files", report.Bytes, "bytes", err)
	// Output: 2 files 18 bytes <nil>
}

// FuzzLeadsOut builds the links for real. Where none is said to lead out,
// os.Root, which follows links on its own terms, must not find one that does.
func FuzzLeadsOut(f *testing.F) {
	f.Add("d", "a", "d/b/../../x", "d/b", "..")
	f.Add("d/e", "d/l", "../d/e/m", "d/e/m", "../..")
	f.Add("x", "l", "l/../..", "m", "l")
	f.Add("x/y", "x/y/l", ".././../x", "x/m", "/etc")
	f.Fuzz(func(t *testing.T, dir, link1, target1, link2, target2 string) {
		root := filepath.Join(t.TempDir(), "root")
		require.NoError(t, os.Mkdir(root, 0o755))
		_ = os.MkdirAll(filepath.Join(root, filepath.Join("/", dir)), 0o755)
		links := map[string]string{}
		for name, target := range map[string]string{link1: target1, link2: target2} {
			if isSafePath(name) && name != "." && os.Symlink(target, filepath.Join(root, name)) == nil {
				links[name] = target
			}
		}
		for name := range links {
			// A link below another is no file of a tree.
			if dir, err := filepath.EvalSymlinks(filepath.Dir(filepath.Join(root, name))); err != nil || dir != filepath.Dir(filepath.Join(root, name)) {
				t.Skip()
			}
		}
		for name := range links {
			if leadsOut(links, name) {
				return
			}
		}
		tree, err := os.OpenRoot(root)
		require.NoError(t, err)
		defer func() { _ = tree.Close() }()
		for name := range links {
			if _, err := tree.Stat(name); err != nil {
				require.NotContains(t, err.Error(), "escapes", "%s in %q", name, links)
			}
		}
	})
}

// manyFiles makes a repository of n small files in n/30 directories.
func manyFiles(tb testing.TB, n int) string {
	tb.Helper()
	files := map[string]string{}
	for i := range n {
		name := fmt.Sprintf("dir%d/sub%d/file%d.py", i%10, i%(n/30), i)
		files[name] = strings.Repeat(fmt.Sprintf("line %d\n", i), 50+i%500)
	}
	return gitTree(tb, files)
}

// The baseline is cp -a of the same files. It neither asks git what to copy
// nor looks at the files again afterwards, and it copies .git too, which is a
// few dozen files here: being as fast is the aim.
func BenchmarkCopySource(b *testing.B) {
	src := manyFiles(b, 5000)
	b.Run("hadjango", func(b *testing.B) {
		for b.Loop() {
			dst := filepath.Join(b.TempDir(), "a")
			_, err := CopySource(b.Context(), src, dst, CopyOptions{})
			require.NoError(b, err)
		}
	})
	b.Run("cp", func(b *testing.B) {
		cp, err := exec.LookPath("cp")
		if err != nil {
			b.Skip("cp is not installed")
		}
		for b.Loop() {
			require.NoError(b, exec.Command(cp, "-a", src, filepath.Join(b.TempDir(), "a")).Run())
		}
	})
}
