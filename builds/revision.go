package builds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"golang.org/x/sys/unix"
)

// shortHash is how many digits of a commit people read.
const shortHash = 7

// Revision is the state of a source: the commit it was checked out from, and
// whether it still is that commit.
type Revision struct {
	// Commit is the full hash; empty where there is no git or no commit yet.
	Commit string `json:"commit,omitempty"`
	// Tag is the git tag at the commit, the highest version if there are more,
	// or the first digits of the commit where there is none.
	Tag string `json:"tag,omitempty"`
	// Dirty says that a tracked file differs from the commit.
	Dirty bool `json:"dirty,omitempty"`
}

// String is the revision as people read it and as the deploy tag: "v1.2",
// "v1.2-dirty", "0beec7b", or "untracked" where there is no commit. It holds
// nothing but A-Z a-z 0-9 . _ + - and begins with none of ".-", whatever the
// repository's tags are called.
func (r Revision) String() string {
	if r.Commit == "" {
		return "untracked"
	}
	name := strings.Map(tagRune, r.Tag)
	if strings.HasPrefix(name, "-") || strings.HasPrefix(name, ".") {
		name = "_" + name[1:]
	}
	if r.Dirty {
		name += "-dirty"
	}
	return name
}

func tagRune(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("._+-", r):
		return r
	}
	return '-'
}

// SourceRevision tells which revision the project at src is. Only files below
// src count for Dirty, and of those only the tracked ones: they are what
// [CopySource] copies. A file that looks changed is compared by its bytes: the
// filters of .gitattributes (LFS, line ends) are not run, so such a file may
// be called dirty until git status has looked at it.
func SourceRevision(ctx context.Context, src string) (Revision, error) {
	revision, err := sourceRevision(ctx, src)
	if err != nil {
		return Revision{}, fmt.Errorf("read revision of %s: %w", src, err)
	}
	return revision, nil
}

func sourceRevision(ctx context.Context, src string) (Revision, error) {
	src, err := realPath(src)
	if err != nil {
		return Revision{}, err
	}
	repo, prefix, err := findRepo(src)
	if err != nil || repo == nil {
		return Revision{}, err
	}
	store := repo.storage()
	defer func() { _ = store.Close() }()
	return (&revisionReader{repo, store, prefix}).read(ctx)
}

// revisionReader compares one repository's commit, index and work tree below prefix.
type revisionReader struct {
	repo   *gitRepo
	store  objectStore
	prefix string
}

type objectStore interface {
	storer.EncodedObjectStorer
	storer.ReferenceStorer
}

func (r *revisionReader) read(ctx context.Context) (Revision, error) {
	head, err := r.head()
	if err != nil {
		return Revision{}, err
	}
	dirty, err := r.dirty(ctx, head)
	if err != nil || head.IsZero() {
		return Revision{Dirty: dirty}, err
	}
	tag, err := r.tag(head)
	if err != nil {
		return Revision{}, err
	}
	return Revision{Commit: head.String(), Tag: tag, Dirty: dirty}, nil
}

// head is zero where nothing was committed yet.
func (r *revisionReader) head() (plumbing.Hash, error) {
	ref, err := storer.ResolveReference(r.store, plumbing.HEAD)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return plumbing.ZeroHash, nil
	}
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("read HEAD: %w", err)
	}
	return ref.Hash(), nil
}

// tag returns the highest tag at head, or head's first digits.
func (r *revisionReader) tag(head plumbing.Hash) (string, error) {
	tags, err := r.repo.tags()
	if err != nil {
		return "", fmt.Errorf("read tags: %w", err)
	}
	best := ""
	for name, ref := range tags {
		if (best == "" || versionLess(best, name)) && r.leadsTo(ref, head) {
			best = name
		}
	}
	if best == "" {
		best = head.String()[:shortHash]
	}
	return best, nil
}

// leadsTo tells whether a tag's object is the commit or, as annotated tags do, names it.
func (r *revisionReader) leadsTo(ref tagRef, commit plumbing.Hash) bool {
	if ref.peeled {
		return ref.hash == commit
	}
	for hash := ref.hash; hash != commit; {
		tag, err := object.GetTag(r.store, hash)
		if err != nil {
			return false
		}
		hash = tag.Target
	}
	return true
}

// tagRef is what a ref below refs/tags holds: a commit, or an annotated tag
// unless it is known that it is peeled, which means a commit.
type tagRef struct {
	hash   plumbing.Hash
	peeled bool
}

const tagPrefix = "refs/tags/"

// tags reads all tags by name. It does so itself, because go-git fails over
// any ref that is broken, and opens the object of every annotated tag, though
// packed-refs says where each leads.
func (r *gitRepo) tags() (map[string]tagRef, error) {
	packed, err := os.ReadFile(filepath.Join(r.common, "packed-refs"))
	if err = ignoreMissing(err); err != nil {
		return nil, err
	}
	tags := parsePackedTags(string(packed))
	root := filepath.Join(r.common, tagPrefix) + "/"
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return ignoreMissing(err)
		}
		line, err := os.ReadFile(file)
		if hash := strings.TrimSpace(string(line)); plumbing.IsHash(hash) {
			tags[strings.TrimPrefix(file, root)] = tagRef{hash: plumbing.NewHash(hash)}
		}
		return ignoreMissing(err)
	})
	return tags, err
}

// ignoreMissing is for what may not be there, or be packed while we look.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// parsePackedTags reads the tags of packed-refs: lines "hash name", each
// followed by "^hash" where it is an annotated tag, if the header says "peeled".
func parsePackedTags(text string) map[string]tagRef {
	tags := map[string]tagRef{}
	header, _, _ := strings.Cut(text, "\n")
	peeled := slices.Contains(strings.Fields(header), "peeled")
	name := ""
	for line := range strings.Lines(text) {
		hash, ref, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if target, ok := strings.CutPrefix(hash, "^"); ok && name != "" {
			tags[name] = tagRef{plumbing.NewHash(target), true}
		} else if name, ok = strings.CutPrefix(ref, tagPrefix); ok {
			tags[name] = tagRef{plumbing.NewHash(hash), peeled}
		} else {
			name = ""
		}
	}
	return tags
}

// versionLess orders tags as versions: v1.9 before v1.10, and v2.0-rc1 and
// v2.0rc1 before v2.0, which itself comes before v2.0.1.
func versionLess(a, b string) bool {
	for a != "" || b != "" {
		partA, restA := versionPart(a)
		partB, restB := versionPart(b)
		if partA != partB {
			return versionRank(partA) < versionRank(partB)
		}
		a, b = restA, restB
	}
	return false
}

// versionPart splits off a number, or a single byte.
func versionPart(version string) (part, rest string) {
	if version == "" {
		return "", ""
	}
	digits := len(version) - len(strings.TrimLeft(version, "0123456789"))
	digits = max(digits, 1)
	return version[:digits], version[digits:]
}

// versionRank is such that ranks compare as the parts do: what announces a
// version, its end, what continues it, numbers by their length first.
func versionRank(part string) string {
	switch {
	case part == "":
		return "1"
	case part == "." || part == "+":
		return "2" + part
	case part[0] >= '0' && part[0] <= '9':
		number := strings.TrimLeft(part, "0")
		return fmt.Sprintf("3%08d%s %s", len(number), number, part)
	}
	return "0" + part
}

// dirty compares the commit with the index, then the index with the work tree.
func (r *revisionReader) dirty(ctx context.Context, head plumbing.Hash) (bool, error) {
	idx, err := r.repo.index()
	if err != nil {
		return false, err
	}
	entries := entriesBelow(idx, r.prefix)
	staged, err := r.staged(head, entries)
	if err != nil || staged {
		return staged, err
	}
	return r.changed(ctx, entries, idx.ModTime)
}

func entriesBelow(idx *index.Index, prefix string) []*index.Entry {
	var entries []*index.Entry
	for _, entry := range idx.Entries {
		if strings.HasPrefix(entry.Name, prefix) {
			entries = append(entries, entry)
		}
	}
	return entries
}

// staged tells whether a commit of the index would differ from head.
func (r *revisionReader) staged(head plumbing.Hash, entries []*index.Entry) (bool, error) {
	committed := map[string]committedFile{}
	if !head.IsZero() {
		commit, err := object.GetCommit(r.store, head)
		if err != nil {
			return false, fmt.Errorf("read commit %s: %w", head, err)
		}
		if err := r.readTree(commit.TreeHash, "", committed); err != nil {
			return false, err
		}
	}
	for _, entry := range entries {
		if committed[entry.Name] != (committedFile{entry.Hash, entry.Mode}) || isUnmerged(entry) || entry.IntentToAdd {
			return true, nil
		}
	}
	return len(entries) != len(committed), nil
}

type committedFile struct {
	hash plumbing.Hash
	mode filemode.FileMode
}

// readTree collects the files below prefix. go-git's own walker takes a tree
// that it cannot read for the end, and refuses names that git does not.
func (r *revisionReader) readTree(hash plumbing.Hash, base string, into map[string]committedFile) error {
	tree, err := object.GetTree(r.store, hash)
	if err != nil {
		return fmt.Errorf("read tree %s: %w", hash, err)
	}
	for _, entry := range tree.Entries {
		name := base + entry.Name
		below := strings.HasPrefix(name+"/", r.prefix)
		switch {
		case entry.Mode == filemode.Dir && (below || strings.HasPrefix(r.prefix, name+"/")):
			if err := r.readTree(entry.Hash, name+"/", into); err != nil {
				return err
			}
		case entry.Mode != filemode.Dir && below:
			into[name] = committedFile{entry.Hash, entry.Mode}
		}
	}
	return nil
}

// changed tells whether a file of the work tree differs from the index.
func (r *revisionReader) changed(ctx context.Context, entries []*index.Entry, indexed time.Time) (bool, error) {
	options, err := r.repo.configSection("core")
	if err != nil {
		return false, err
	}
	work := workTree{
		root:        r.repo.root,
		indexed:     indexed.Unix(),
		ignoresExec: strings.EqualFold(options.Get("filemode"), "false"),
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		changed, err := work.changed(ctx, entry)
		if err != nil || changed {
			return changed, err
		}
	}
	return false, nil
}

type workTree struct {
	root        string
	indexed     int64 // when the index was written, in seconds
	ignoresExec bool
}

func (w *workTree) changed(ctx context.Context, entry *index.Entry) (bool, error) {
	name := filepath.Join(w.root, entry.Name)
	if entry.Mode == filemode.Submodule {
		return submoduleChanged(ctx, name, entry.Hash)
	}
	state, err := statFile(name)
	if err != nil || !w.sameMode(state, entry.Mode) {
		// What is missing has changed.
		return true, nil
	}
	if w.sameStat(state, entry) {
		return false, nil
	}
	hash, err := hashFile(name, state)
	if err != nil {
		return false, fmt.Errorf("compare with the commit: %w", err)
	}
	return hash != entry.Hash, nil
}

// submoduleChanged tells whether a submodule is at another commit than the
// index says, or dirty itself. One that is not checked out is as git left it.
func submoduleChanged(ctx context.Context, root string, want plumbing.Hash) (bool, error) {
	repo, err := openRepo(root)
	if err != nil || repo == nil {
		return false, err
	}
	revision, err := SourceRevision(ctx, root)
	return revision.Dirty || revision.Commit != want.String(), err
}

func (w *workTree) sameMode(state fileState, mode filemode.FileMode) bool {
	if mode == filemode.Symlink {
		return state.isType(unix.S_IFLNK)
	}
	isExec := state.perm()&0o100 != 0
	return state.isType(unix.S_IFREG) && (w.ignoresExec || isExec == (mode == filemode.Executable))
}

// sameStat tells that a file is the one that git has seen, so that its content
// need not be read. A file as young as the index proves nothing: it may have
// been written again since, within the same tick of the clock (git's
// Documentation/technical/racy-git.txt). Seconds are compared, since the file
// and the index may lie on file systems of different precision.
func (w *workTree) sameStat(state fileState, entry *index.Entry) bool {
	return uint32(state.size) == entry.Size &&
		sameTime(state.mtime, entry.ModifiedAt) &&
		sameTime(state.ctime, entry.CreatedAt) &&
		entry.ModifiedAt.Unix() < w.indexed
}

func sameTime(found unix.Timespec, known time.Time) bool {
	return time.Unix(found.Unix()).Equal(known)
}

// hashFile is the hash that git would give the file's content, or a link's target.
func hashFile(name string, state fileState) (plumbing.Hash, error) {
	if state.isType(unix.S_IFLNK) {
		target, err := os.Readlink(name)
		return plumbing.ComputeHash(plumbing.BlobObject, []byte(target)), err
	}
	f, err := os.Open(name)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	defer func() { _ = f.Close() }()
	hasher := plumbing.NewHasher(plumbing.BlobObject, state.size)
	_, err = io.Copy(hasher, f)
	return hasher.Sum(), err
}
