package builds

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
)

const (
	stampFile   = ".hadjango-stamp"
	stampBench  = ".hadjango-stamp.tmp"
	stampAuthor = "hadjango@localhost"
	// stampMark is the description of a stamp's repository. It tells one that a
	// power failure has spoiled from one that somebody works in.
	stampMark = "The stamp of a hadjango build: its one commit makes the build's hash unique.\n"
)

var (
	// ErrForeignRepository says that a directory holds a git repository that is
	// no stamp. It is left alone.
	ErrForeignRepository = errors.New("a git repository is there that is not a stamp")

	errNoStamp = errors.New("no stamp")
)

// Stamp makes the throw-away git repository in the build at dir, whose only
// commit, of one random file, gives the build a hash that no other build has.
// Where there is a stamp already, its hash is returned and nothing changes.
//
// Nothing of dir but that file is committed, and no git configuration outside
// of dir counts. The repository becomes dir/.git in one step: a try that was
// cut short leaves at most .hadjango-stamp.tmp, and the next call starts over.
func Stamp(ctx context.Context, dir string) (hash string, err error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("stamp %s: %w", dir, err)
	}
	hash, err = readStamp(dir)
	if errors.Is(err, errNoStamp) {
		hash, err = makeStamp(dir)
	}
	if err != nil {
		return "", fmt.Errorf("stamp %s: %w", dir, err)
	}
	return hash, nil
}

// readStamp returns the hash of the stamp in dir; errNoStamp where there is
// none, or only what an interrupted try has left.
func readStamp(dir string) (string, error) {
	dotGit := filepath.Join(dir, gitName)
	info, err := os.Lstat(dotGit)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errNoStamp
	}
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", ErrForeignRepository
	}
	commit, err := headCommit(dir)
	if err != nil {
		return "", unfinished(dotGit)
	}
	if commit.Author.Email != stampAuthor || commit.NumParents() != 0 {
		return "", ErrForeignRepository
	}
	return commit.Hash.String(), nil
}

func headCommit(dir string) (*object.Commit, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	repo, err := git.PlainOpen(absolute)
	if err != nil {
		return nil, err
	}
	head, err := repo.Head()
	if err != nil {
		return nil, err
	}
	return repo.CommitObject(head.Hash())
}

// unfinished is errNoStamp if a git directory without a readable commit may be
// deleted: it is marked as a stamp, or nobody has committed to it yet.
func unfinished(dotGit string) error {
	mark, err := os.ReadFile(filepath.Join(dotGit, "description"))
	if err == nil && string(mark) == stampMark {
		return errNoStamp
	}
	if hasRefs(dotGit) {
		return ErrForeignRepository
	}
	return errNoStamp
}

func hasRefs(dotGit string) bool {
	found := false
	_ = filepath.WalkDir(filepath.Join(dotGit, "refs"), func(_ string, entry fs.DirEntry, err error) error {
		found = found || err == nil && !entry.IsDir()
		return nil
	})
	_, err := os.Lstat(filepath.Join(dotGit, "packed-refs"))
	return found || err == nil
}

// makeStamp makes the repository on a bench of its own below dir, where there
// is nothing else to be added, and then puts it in place. The rename of .git
// comes last: with it the stamp exists.
func makeStamp(dir string) (string, error) {
	bench := filepath.Join(dir, stampBench)
	if err := os.RemoveAll(bench); err != nil {
		return "", err
	}
	if err := os.Mkdir(bench, 0o755); err != nil {
		return "", err
	}
	hash, err := commitStamp(bench)
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(filepath.Join(dir, gitName)); err != nil {
		return "", err
	}
	for _, name := range []string{stampFile, gitName} {
		if err := os.Rename(filepath.Join(bench, name), filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	return hash, os.Remove(bench)
}

func commitStamp(dir string) (string, error) {
	repo, err := git.PlainInit(dir, false)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, gitName, "description"), []byte(stampMark), 0o644); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, stampFile), randomLine(), 0o644); err != nil {
		return "", err
	}
	work, err := repo.Worktree()
	if err != nil {
		return "", err
	}
	if _, err := work.Add(stampFile); err != nil {
		return "", err
	}
	// Who signs is given in full, lest go-git ask the user's configuration.
	hash, err := work.Commit("Stamp of a hadjango build", &git.CommitOptions{
		Author: &object.Signature{Name: "hadjango", Email: stampAuthor, When: time.Now()},
	})
	return hash.String(), err
}

func randomLine() []byte {
	var random [32]byte
	_, _ = rand.Read(random[:])
	return []byte(hex.EncodeToString(random[:]) + "\n")
}
