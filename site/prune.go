package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/human"
)

// keepUnused is how long wheels, what was installed of them, and node modules
// are kept when no build has them: a branch that is deployed again soon, or a
// test, finds them there.
const keepUnused = 7 * 24 * time.Hour

// prune removes the dependencies that no build has and that nothing has used
// for long. Where one build's manifest cannot be read nothing is removed.
func (s *Site) prune(ctx context.Context) error {
	used, err := s.usedDependencies()
	if err != nil {
		return nil
	}
	unused, err := s.unusedDependencies(used, time.Now().Add(-keepUnused))
	if err != nil || len(unused) == 0 {
		return err
	}
	return s.step(ctx, "remove dependencies that no build has", func(context.Context, Step) (string, error) {
		size, shared := diskUsage(unused...)
		var errs []error
		for _, dir := range unused {
			errs = append(errs, removeWhole(dir))
		}
		return human.Bytes(size-shared) + " freed", errors.Join(errs...)
	})
}

// usedDependencies are the hashes that the builds' manifests name.
func (s *Site) usedDependencies() (map[string]bool, error) {
	names, err := s.store.List()
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, name := range names {
		manifest, err := s.store.Manifest(name)
		if err != nil {
			return nil, fmt.Errorf("what %s uses: %w", name, err)
		}
		used[manifest.Requirements], used[manifest.Node] = true, true
	}
	return used, nil
}

// unusedDependencies are those that were used before the deadline only. What a
// fetch that was cut short has left has no hash for a name and is among them.
func (s *Site) unusedDependencies(used map[string]bool, deadline time.Time) ([]string, error) {
	var unused []string
	for _, dir := range []string{s.wheelhouse(), s.installed(), s.nodeDir()} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, entry := range entries {
			info, err := entry.Info()
			if err == nil && !used[entry.Name()] && info.ModTime().Before(deadline) {
				unused = append(unused, filepath.Join(dir, entry.Name()))
			}
		}
	}
	return unused, nil
}

// removeWhole takes the name away first: half a wheelhouse must not be found.
func removeWhole(dir string) error {
	part := strings.TrimSuffix(dir, partSuffix) + partSuffix
	if part != dir {
		if err := files.RemoveAll(part); err != nil {
			return err
		}
		if err := files.Rename(dir, part); err != nil {
			return err
		}
	}
	return files.RemoveAll(part)
}

// partSuffix marks what is not complete.
const partSuffix = ".part"
