package builds

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/usertest"
)

func revisionOf(t *testing.T, src string) Revision {
	t.Helper()
	revision, err := SourceRevision(t.Context(), src)
	require.NoError(t, err)
	return revision
}

func headOf(t *testing.T, dir string) plumbing.Hash {
	t.Helper()
	repo, _ := openGit(t, dir)
	head, err := repo.Head()
	require.NoError(t, err)
	return head.Hash()
}

// tagHead makes light tags, or annotated ones.
func tagHead(t *testing.T, dir string, annotated bool, names ...string) {
	t.Helper()
	repo, _ := openGit(t, dir)
	for _, name := range names {
		var opts *git.CreateTagOptions
		if annotated {
			opts = &git.CreateTagOptions{Message: name, Tagger: &object.Signature{Name: "test", When: time.Now()}}
		}
		_, err := repo.CreateTag(name, headOf(t, dir), opts)
		require.NoError(t, err)
	}
}

func TestSourceRevision_NamesTheCommit(t *testing.T) {
	src := gitTree(t, map[string]string{"project/x": "x"})
	for _, dir := range []string{src, filepath.Join(src, "project")} {
		revision := revisionOf(t, dir)
		require.Equal(t, Revision{Commit: headOf(t, src).String(), Tag: headOf(t, src).String()[:7]}, revision)
		require.Equal(t, revision.Commit[:7], revision.String())
	}
}

func TestSourceRevision_NamesTheTag(t *testing.T) {
	for _, annotated := range []bool{false, true} {
		src := gitTree(t, map[string]string{"x": "x"})
		tagHead(t, src, annotated, "v1.0")
		commitAll(t, src)
		require.Equal(t, headOf(t, src).String()[:7], revisionOf(t, src).Tag, "a tag of another commit")
		tagHead(t, src, annotated, "v1.9", "v1.10", "v1.10-rc1", "deploy/now")
		require.Equal(t, "v1.10", revisionOf(t, src).Tag)
	}
}

func TestSourceRevision_NamesAPackedTag(t *testing.T) {
	for _, annotated := range []bool{false, true} {
		src := gitTree(t, map[string]string{"x": "x"})
		tagHead(t, src, annotated, "v1.9", "v1.10")
		runGit(t, src, "pack-refs", "--all")
		require.Equal(t, "v1.10", revisionOf(t, src).Tag)
		tagHead(t, src, annotated, "v2")
		require.Equal(t, "v2", revisionOf(t, src).Tag, "beside packed ones")
	}
}

func TestParsePackedTags_KnowsWhereAnnotatedTagsLead(t *testing.T) {
	light, tag, commit := strings.Repeat("1", 40), strings.Repeat("2", 40), strings.Repeat("3", 40)
	lines := light + " refs/heads/main\n" + light + " refs/tags/light\n" + tag + " refs/tags/deep/annotated\n"
	require.Equal(t, map[string]tagRef{
		"light":          {plumbing.NewHash(light), true},
		"deep/annotated": {plumbing.NewHash(commit), true},
	}, parsePackedTags("# pack-refs with: peeled fully-peeled sorted \n"+lines+"^"+commit+"\n"))
	require.Equal(t, map[string]tagRef{
		"light":          {plumbing.NewHash(light), false},
		"deep/annotated": {plumbing.NewHash(tag), false},
	}, parsePackedTags(lines), "a file that does not say")
	require.Empty(t, parsePackedTags(""))
}

func TestSourceRevision_DoesNotMindABrokenRef(t *testing.T) {
	src := gitTree(t, map[string]string{"x": "x"})
	tagHead(t, src, false, "v1")
	putFiles(t, src, map[string]string{".git/refs/heads/broken": "", ".git/refs/tags/empty": "", ".git/refs/tags/odd": "hello\n"})
	require.Equal(t, "v1", revisionOf(t, src).Tag)
}

func TestSourceRevision_IsUntrackedWithoutACommit(t *testing.T) {
	require.Equal(t, Revision{}, revisionOf(t, plainTree(t, map[string]string{"x": "x"})))
	require.Equal(t, "untracked", Revision{}.String())

	unborn := realTempDir(t)
	_, err := git.PlainInit(unborn, false)
	require.NoError(t, err)
	require.Equal(t, Revision{}, revisionOf(t, unborn))
	putFiles(t, unborn, map[string]string{"x": "x"})
	stageAll(t, unborn)
	require.Equal(t, Revision{Dirty: true}, revisionOf(t, unborn))
	require.Equal(t, "untracked", revisionOf(t, unborn).String())
}

func TestSourceRevision_ReadsALinkedWorktree(t *testing.T) {
	main := gitTree(t, map[string]string{"x": "x"})
	work := linkWorktree(t, main)
	putFiles(t, work, map[string]string{"x": "x"})
	tagHead(t, main, true, "v3")
	commitAll(t, main)
	require.Equal(t, "v3", revisionOf(t, work).String())
}

func TestSourceRevision_FailsOverASpoiledRepository(t *testing.T) {
	src := gitTree(t, map[string]string{"x": "x"})
	require.NoError(t, os.RemoveAll(filepath.Join(src, ".git/objects")))
	require.NoError(t, os.Mkdir(filepath.Join(src, ".git/objects"), 0o755))
	_, err := SourceRevision(t.Context(), src)
	require.ErrorIs(t, err, plumbing.ErrObjectNotFound)
}

func TestSourceRevision_StopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := SourceRevision(ctx, gitTree(t, map[string]string{"x": "x"}))
	require.ErrorIs(t, err, context.Canceled)
}

// olderIndex makes the index a minute younger than the files, as it is when
// nobody has just cloned, so that equal times are believed.
func olderIndex(t *testing.T, dir string) {
	t.Helper()
	later := time.Now().Add(time.Minute)
	require.NoError(t, os.Chtimes(filepath.Join(dir, ".git/index"), later, later))
}

func TestSourceRevision_KnowsWhatIsDirty(t *testing.T) {
	write := func(name, content string) func(*testing.T, string) error {
		return func(_ *testing.T, dir string) error {
			return os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644)
		}
	}
	stage := func(edit func(*index.Index)) func(*testing.T, string) error {
		return func(t *testing.T, dir string) error { editIndex(t, dir, edit); return nil }
	}
	for name, row := range map[string]struct {
		change func(t *testing.T, dir string) error
		dirty  bool
	}{
		"nothing":           {func(*testing.T, string) error { return nil }, false},
		"longer":            {write("project/a", "longer"), true},
		"as long":           {write("project/a", "A"), true},
		"written unchanged": {write("project/a", "a"), false},
		"outside":           {write("outside", "changed"), false},
		"untracked":         {write("project/new", "n"), false},
		"removed":           {func(_ *testing.T, dir string) error { return os.Remove(filepath.Join(dir, "project/a")) }, true},
		"made a program":    {func(_ *testing.T, dir string) error { return os.Chmod(filepath.Join(dir, "project/a"), 0o755) }, true},
		"made private":      {func(_ *testing.T, dir string) error { return os.Chmod(filepath.Join(dir, "project/a"), 0o600) }, false},
		"touched": {func(t *testing.T, dir string) error {
			setTime(t, filepath.Join(dir, "project/a"), time.Now())
			return nil
		}, false},
		"made a link":          {relink("project/a", "a"), true},
		"link leads elsewhere": {relink("project/link", "b"), true},
		"link made again":      {relink("project/link", "a"), false},
		"staged addition": {stage(func(idx *index.Index) {
			idx.Entries = append(idx.Entries, &index.Entry{Name: "project/z", Mode: 0o100644})
		}), true},
		"staged outside": {stage(func(idx *index.Index) { idx.Entries = append(idx.Entries, &index.Entry{Name: "z", Mode: 0o100644}) }), false},
		"staged removal": {stage(func(idx *index.Index) { idx.Entries = idx.Entries[:len(idx.Entries)-1] }), true},
		"staged content": {stage(func(idx *index.Index) { idx.Entries[1].Hash = plumbing.ZeroHash }), true},
		"staged mode":    {stage(func(idx *index.Index) { idx.Entries[1].Mode = 0o100755 }), true},
		"unmerged":       {stage(func(idx *index.Index) { idx.Entries[1].Stage = index.OurMode }), true},
		"size not known": {stage(func(idx *index.Index) { idx.Entries[1].Size = 0 }), false},
		"no times known": {stage(func(idx *index.Index) {
			idx.Entries[1].ModifiedAt, idx.Entries[1].CreatedAt = time.Time{}, time.Time{}
		}), false},
	} {
		for _, believed := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				src := gitTree(t, map[string]string{"outside": "o", "project/a": "a", "project/link": "-> a", "project/sub/b": "b"})
				if believed {
					olderIndex(t, src)
				}
				require.NoError(t, row.change(t, src))
				revision := revisionOf(t, filepath.Join(src, "project"))
				require.Equal(t, row.dirty, revision.Dirty)
				require.Equal(t, row.dirty, strings.HasSuffix(revision.String(), "-dirty"))
			})
		}
	}
}

func relink(name, target string) func(*testing.T, string) error {
	return func(_ *testing.T, dir string) error {
		file := filepath.Join(dir, name)
		return errors.Join(os.Remove(file), os.Symlink(target, file))
	}
}

// A file that is written twice within one tick of the clock has the size and
// the times that git knows, and other content.
func TestSourceRevision_NoticesARacyChange(t *testing.T) {
	src := gitTree(t, map[string]string{"a": "a"})
	file := filepath.Join(src, "a")
	require.NoError(t, os.WriteFile(file, []byte("A"), 0o644))
	state, err := statFile(file)
	require.NoError(t, err)
	editIndex(t, src, func(idx *index.Index) {
		idx.Entries[0].ModifiedAt, idx.Entries[0].CreatedAt = time.Unix(state.mtime.Unix()), time.Unix(state.ctime.Unix())
	})
	written := time.Unix(state.mtime.Unix())
	require.NoError(t, os.Chtimes(filepath.Join(src, ".git/index"), written, written))
	require.True(t, revisionOf(t, src).Dirty)
}

func TestSourceRevision_ReadsOnlyWhatLooksChanged(t *testing.T) {
	if usertest.Again(t) {
		return // root can read everything, so that a file not read cannot be told
	}
	src := gitTree(t, map[string]string{"a": "a"})
	file := filepath.Join(src, "a")
	require.NoError(t, os.Chmod(file, 0))
	stat := func(idx *index.Index) {
		state, err := statFile(file)
		require.NoError(t, err)
		idx.Entries[0].CreatedAt = time.Unix(state.ctime.Unix())
	}
	editIndex(t, src, stat)
	olderIndex(t, src)
	require.False(t, revisionOf(t, src).Dirty)
}

func TestSourceRevision_IgnoresTheExecBitWhereGitDoes(t *testing.T) {
	src := gitTree(t, map[string]string{"a": "a"})
	require.NoError(t, os.Chmod(filepath.Join(src, "a"), 0o755))
	require.True(t, revisionOf(t, src).Dirty)
	require.NoError(t, os.WriteFile(filepath.Join(src, ".git/config"), []byte("[Core]\n\tfileMode = false\n"), 0o644))
	require.False(t, revisionOf(t, src).Dirty)
}

func TestSourceRevision_LooksIntoSubmodules(t *testing.T) {
	root := gitTree(t, map[string]string{"x": "x"})
	putFiles(t, root, map[string]string{"lib/lib.py": "lib"})
	checkOutSubmodule(t, root, "lib")
	_, work := openGit(t, root)
	_, err := work.Commit("with lib", &git.CommitOptions{Author: &object.Signature{Name: "test", Email: "test@localhost"}})
	require.NoError(t, err)
	require.False(t, revisionOf(t, root).Dirty)

	putFiles(t, root, map[string]string{"lib/lib.py": "LIB"})
	require.True(t, revisionOf(t, root).Dirty, "a file of the submodule")
	putFiles(t, root, map[string]string{"lib/lib.py": "lib"})
	require.False(t, revisionOf(t, root).Dirty)

	editIndex(t, root, func(idx *index.Index) { idx.Entries[0].Hash = plumbing.ZeroHash })
	require.True(t, revisionOf(t, root).Dirty, "another commit of the submodule")
}

func TestRevision_StringIsSafeWhateverTheTag(t *testing.T) {
	for tag, want := range map[string]string{
		"v1.2.3+build_7":       "v1.2.3+build_7",
		"release/2024":         "release-2024",
		"$(reboot)":            "--reboot-",
		"; rm -rf /":           "--rm--rf--",
		"../../etc/passwd":     "_.-..-etc-passwd",
		"-rf":                  "_rf",
		"ünïcode\xff\n\x1b[2J": "-n-code----2J",
	} {
		if strings.HasPrefix(want, "-") {
			want = "_" + want[1:]
		}
		require.Equal(t, want, Revision{Commit: "c", Tag: tag}.String())
		require.Equal(t, want+"-dirty", Revision{Commit: "c", Tag: tag, Dirty: true}.String())
	}
}

func TestVersionLess_OrdersTagsAsVersions(t *testing.T) {
	ordered := []string{
		"release", "v0.9", "v1.0a1", "v1.0rc1", "v1.0", "v1.0.0-rc1", "v1.0.0-rc2", "v1.0.0-rc10", "v1.0.0", "v1.0.1", "v1.9", "v1.10", "v2", "v2.0",
		"v2.0+b1", "v10", "v20160517",
	}
	for i, a := range ordered {
		for j, b := range ordered {
			require.Equal(t, i < j, versionLess(a, b), "%s < %s", a, b)
		}
	}
}

// Both are 5,000 files: when their times are those that git knows, and when
// every file must be read, as after cp -r of the repository.
func BenchmarkSourceRevision(b *testing.B) {
	src := manyFiles(b, 5000)
	for name, when := range map[string]time.Time{"known": time.Now().Add(time.Minute), "hashed": time.Unix(0, 0)} {
		require.NoError(b, os.Chtimes(filepath.Join(src, ".git/index"), when, when))
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := SourceRevision(b.Context(), src)
				require.NoError(b, err)
			}
		})
	}
}
