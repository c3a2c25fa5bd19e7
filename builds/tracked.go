package builds

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/config"
	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// ErrNothingToCopy says that the source has no file that would be copied.
var ErrNothingToCopy = errors.New("nothing to copy")

// gitName is the directory, or in worktrees and submodules the file, that a
// build never gets from its source.
const gitName = ".git"

// sourceList names what belongs to a tree: paths below it, with slashes, in
// the order of their bytes. Directories come before what they hold.
type sourceList struct {
	files, dirs []string
	tracked     bool
}

// listSource asks git which files belong to src. A tree that is not under git
// is taken whole but for what its .gitignore files name. The copy lies at own
// if it lies below src.
func listSource(ctx context.Context, src string, own, skip pathSet) (sourceList, error) {
	repo, prefix, err := findRepo(src)
	if err != nil {
		return sourceList{}, err
	}
	if repo == nil {
		return listUntracked(ctx, src, append(own, skip...))
	}
	return listTracked(repo, prefix, own, skip)
}

func listTracked(repo *gitRepo, prefix string, own, skip pathSet) (sourceList, error) {
	files, err := repo.tracked(prefix, skip)
	if err != nil {
		return sourceList{}, err
	}
	if len(files) == 0 {
		return sourceList{}, fmt.Errorf("%w: git tracks no file there: add the project's files with git add", ErrNothingToCopy)
	}
	slices.Sort(files)
	if i := slices.IndexFunc(files, own.has); i >= 0 {
		return sourceList{}, &FileError{files[i], "is tracked by git, but lies in the destination: git rm --cached it"}
	}
	return sourceList{files: files, dirs: parentDirs(files), tracked: true}, nil
}

// parentDirs returns the tree itself and every directory that leads to one of the files.
func parentDirs(files []string) []string {
	seen := map[string]bool{".": true}
	var dirs []string
	for _, file := range files {
		for dir := path.Dir(file); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return append([]string{"."}, dirs...)
}

// gitRepo is a repository with a work tree. It is opened with go-git's parts,
// not with its PlainOpen, which refuses partial clones, sparse checkouts and
// whatever other extension git's config names, though none matters here.
type gitRepo struct {
	root   string // the work tree
	dir    string // its git directory, with HEAD and index
	common string // what linked worktrees share: objects, refs, config
}

// findRepo returns the repository whose work tree holds src, and what the
// index puts before the names of src's files. No repository is no error.
func findRepo(src string) (repo *gitRepo, prefix string, err error) {
	for root := src; ; root = filepath.Dir(root) {
		repo, err := openRepo(root)
		if err != nil || root == filepath.Dir(root) && repo == nil {
			return nil, "", err
		}
		if repo != nil {
			return repo, indexPrefix(root, src), nil
		}
	}
}

func indexPrefix(root, src string) string {
	below, err := filepath.Rel(root, src)
	if err != nil || below == "." {
		return ""
	}
	return filepath.ToSlash(below) + "/"
}

// openRepo returns the repository whose work tree begins at root, nil if there
// is none. As in git, a .git directory that is no repository does not count,
// but a .git file that leads to none is an error.
func openRepo(root string) (*gitRepo, error) {
	dotGit := filepath.Join(root, gitName)
	info, err := os.Stat(dotGit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	if info.IsDir() {
		return newRepo(root, dotGit)
	}
	return followGitFile(root, dotGit, info)
}

// followGitFile opens the repository of a linked worktree or a submodule,
// where .git is a file that names the git directory.
func followGitFile(root, dotGit string, info fs.FileInfo) (*gitRepo, error) {
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("open repository: %s is neither a directory nor a file", dotGit)
	}
	data, err := os.ReadFile(dotGit)
	if err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	target, ok := bytes.CutPrefix(data, []byte("gitdir: "))
	if !ok {
		return nil, fmt.Errorf("open repository: %s does not say where the git directory is", dotGit)
	}
	dir := absoluteFrom(root, string(target))
	repo, err := newRepo(root, dir)
	if err == nil && repo == nil {
		err = fmt.Errorf("open repository: %s leads to %s, where no repository is", dotGit, dir)
	}
	return repo, err
}

// absoluteFrom reads a path from one of git's one-line files.
func absoluteFrom(base, line string) string {
	target := strings.TrimRight(line, "\r\n")
	if filepath.IsAbs(target) {
		return filepath.Clean(target)
	}
	return filepath.Join(base, target)
}

// newRepo is nil where dir is not a git directory by git's own signs.
func newRepo(root, dir string) (*gitRepo, error) {
	repo := &gitRepo{root: root, dir: dir, common: dir}
	if line, err := os.ReadFile(filepath.Join(dir, "commondir")); err == nil {
		repo.common = absoluteFrom(dir, string(line))
	}
	for _, sign := range []string{
		filepath.Join(repo.dir, "HEAD"),
		filepath.Join(repo.common, "objects"),
		filepath.Join(repo.common, "refs"),
	} {
		if _, err := os.Lstat(sign); err != nil {
			return nil, nil
		}
	}
	return repo, repo.checkFormat()
}

// checkFormat refuses what go-git cannot read, before it is read wrongly.
func (r *gitRepo) checkFormat() error {
	options, err := r.configSection("extensions")
	if err != nil {
		return err
	}
	if format := options.Get("objectformat"); format != "" && !strings.EqualFold(format, "sha1") {
		return fmt.Errorf("open repository %s: its object format is %q, only sha1 is supported", r.root, format)
	}
	if refs := options.Get("refstorage"); refs != "" && !strings.EqualFold(refs, "files") {
		return fmt.Errorf("open repository %s: its refs are stored as %q, only files is supported: git refs migrate --ref-format=files", r.root, refs)
	}
	return nil
}

// configSection reads as much of the config as go-git can. It stops at some
// lines that git accepts, and what is asked for here stands at the top.
func (r *gitRepo) configSection(name string) (config.Options, error) {
	data, err := os.ReadFile(filepath.Join(r.common, "config"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read git's config: %w", err)
	}
	parsed := config.New()
	_ = config.NewDecoder(bytes.NewReader(data)).Decode(parsed)
	return parsed.Section(name).Options, nil
}

// storage reads objects and refs. The caller closes it.
func (r *gitRepo) storage() *filesystem.Storage {
	files := dotgit.NewRepositoryFilesystem(osfs.New(r.dir), osfs.New(r.common))
	return filesystem.NewStorageWithOptions(files, cache.NewObjectLRUDefault(), filesystem.Options{
		// One open pack for thousands of trees and tags instead of one each.
		KeepDescriptors: true,
		// A clone that borrows objects names them by absolute paths.
		AlternatesFS: osfs.New("/"),
	})
}

// index reads which files git tracks. A repository without an index tracks none.
func (r *gitRepo) index() (*index.Index, error) {
	file := filepath.Join(r.dir, "index")
	// Looked at before it is read: too old a time only costs hashing.
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &index.Index{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read git's index: %w", err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read git's index: %w", err)
	}
	idx, err := decodeIndex(data)
	if err != nil {
		return nil, fmt.Errorf("read git's index %s: %w", file, err)
	}
	idx.ModTime = info.ModTime()
	return idx, nil
}

func decodeIndex(data []byte) (*index.Index, error) {
	idx := &index.Index{}
	err := index.NewDecoder(bytes.NewReader(withChecksum(data))).Decode(idx)
	if errors.Is(err, index.ErrUnknownExtension) {
		return nil, fmt.Errorf("%w: a split or sparse index: git update-index --no-split-index, git sparse-checkout reapply --no-sparse-index", err)
	}
	return idx, err
}

// withChecksum fills in the sum that git leaves out under index.skipHash
// (which feature.manyFiles sets) and go-git insists on.
func withChecksum(data []byte) []byte {
	body := len(data) - sha1.Size
	if body < 0 || !bytes.Equal(data[body:], make([]byte, sha1.Size)) {
		return data
	}
	sum := sha1.Sum(data[:body])
	return append(slices.Clip(data[:body]), sum[:]...)
}

// tracked lists the files below prefix, named from there, with those of the submodules.
func (r *gitRepo) tracked(prefix string, skip pathSet) ([]string, error) {
	idx, err := r.index()
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range idx.Entries {
		if isSubmoduleAbove(entry, prefix) {
			return nil, submoduleMissing(entry.Name)
		}
		name, ok := strings.CutPrefix(entry.Name, prefix)
		if !ok || skip.has(name) {
			continue
		}
		more, err := r.entryFiles(entry, name, skip)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, nil
}

// entryFiles are the files that one entry of the index, called name below the
// source, stands for: itself, or the files of a submodule.
func (r *gitRepo) entryFiles(entry *index.Entry, name string, skip pathSet) ([]string, error) {
	if !isSafePath(name) {
		return nil, &FileError{name, "is a path that git itself would not check out"}
	}
	if isUnmerged(entry) {
		return nil, &FileError{name, "is unmerged: resolve the conflict and git add it"}
	}
	if entry.Mode != filemode.Submodule {
		return []string{name}, nil
	}
	sub, err := openRepo(filepath.Join(r.root, entry.Name))
	if err != nil {
		return nil, err
	}
	if sub == nil {
		return nil, submoduleMissing(name)
	}
	files, err := sub.tracked("", skip.below(name))
	for i := range files {
		files[i] = name + "/" + files[i]
	}
	return files, err
}

// isUnmerged compares with 0 because go-git's index.Merged is 1, which is no
// stage of a merged file.
func isUnmerged(entry *index.Entry) bool { return entry.Stage != 0 }

// isSubmoduleAbove tells that the source lies in a submodule, or is one, which
// is not checked out: else its own repository would have been found.
func isSubmoduleAbove(entry *index.Entry, prefix string) bool {
	return entry.Mode == filemode.Submodule && strings.HasPrefix(prefix, entry.Name+"/")
}

func submoduleMissing(name string) error {
	return &FileError{name, "is a git submodule that is not checked out: git submodule update --init"}
}

// isSafePath refuses what only a forged index holds: a path that leads out of
// the tree, or into a .git.
func isSafePath(name string) bool {
	return filepath.IsLocal(name) && path.Clean(name) == name && !slices.Contains(strings.Split(name, "/"), gitName)
}

// pathSet is a set of paths below a tree; a directory stands for all it holds.
type pathSet []string

func (s pathSet) has(name string) bool {
	return slices.ContainsFunc(s, func(skipped string) bool { return isWithin(name, skipped) })
}

// below is the set as seen from a directory of the tree.
func (s pathSet) below(dir string) pathSet {
	var set pathSet
	for _, name := range s {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			set = append(set, rest)
		}
	}
	return set
}

// isWithin tells whether name is dir or lies below it.
func isWithin(name, dir string) bool {
	return dir == "." || name == dir || strings.HasPrefix(name, dir+"/")
}

// listUntracked walks a tree that is not under git.
func listUntracked(ctx context.Context, src string, skip pathSet) (sourceList, error) {
	list := sourceList{dirs: []string{"."}}
	if err := list.walk(ctx, src, ".", skip, nil); err != nil {
		return sourceList{}, err
	}
	if len(list.files) == 0 {
		return sourceList{}, fmt.Errorf("%w: there is no file but what .gitignore names", ErrNothingToCopy)
	}
	return list, nil
}

func (l *sourceList) walk(ctx context.Context, src, dir string, skip pathSet, rules ignoreRules) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(src, dir))
	if err != nil {
		return fmt.Errorf("list files: %w", err)
	}
	more, err := readIgnoreRules(src, dir)
	if err != nil {
		return err
	}
	rules = append(slices.Clip(rules), more...)
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		if entry.Name() == gitName || skip.has(name) || rules.ignore(name, entry.IsDir()) {
			continue
		}
		if !entry.IsDir() {
			l.files = append(l.files, name)
			continue
		}
		l.dirs = append(l.dirs, name)
		if err := l.walk(ctx, src, name, skip, rules); err != nil {
			return err
		}
	}
	return nil
}
