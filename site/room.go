package site

import (
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/human"
)

// room is what a tree takes on disk, or what a file system has left.
type room struct{ bytes, files int64 }

func (r room) plus(other room) room { return room{r.bytes + other.bytes, r.files + other.files} }

func (r room) times(n int64) room { return room{r.bytes * n, r.files * n} }

// holds tells whether there is room for what is needed.
func (r room) holds(need room) bool { return r.bytes >= need.bytes && r.files >= need.files }

func (r room) String() string {
	if r.files == math.MaxInt64 {
		return human.Bytes(r.bytes)
	}
	return fmt.Sprintf("%s and %d files", human.Bytes(r.bytes), r.files)
}

// freeRoom is what an ordinary user may still write on the file system of dir.
func freeRoom(dir string) (room, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return room{}, fmt.Errorf("free room in %s: %w", dir, err)
	}
	left := room{int64(stat.Bavail) * stat.Bsize, int64(stat.Ffree)}
	if stat.Files == 0 {
		// it makes inodes as they are needed
		left.files = math.MaxInt64
	}
	return left, nil
}

// measure is what trees take; a file with several names in one counts once.
// What vanishes meanwhile, and what lies below skip, is passed over.
func measure(roots []string, skip ...string) room {
	var sum room
	for _, root := range roots {
		seen := map[uint64]bool{}
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if slices.Contains(skip, path) {
				return filepath.SkipDir
			}
			info, err := entry.Info()
			if err != nil {
				return nil
			}
			if stat, ok := info.Sys().(*syscall.Stat_t); ok && !seen[stat.Ino] {
				seen[stat.Ino] = stat.Nlink > 1
				sum = sum.plus(room{stat.Blocks * blockSize, 1})
			}
			return nil
		})
	}
	return sum
}

// takes is what a build takes, static files included, while it is made: files
// are copied before those that are equal to another build's are shared with it.
// What is given to it as it is, installed packages and node modules, is not made
// and takes nothing.
func (s *Site) takes(name builds.Name) room {
	dir := s.store.Path(name)
	given := []string{filepath.Join(dir, "lib"), filepath.Join(dir, "node_modules")}
	made := measure([]string{dir, s.static(name)})
	_, shared := diskUsage(given...)
	made.bytes -= shared
	made.files -= linkedFiles(given...)
	return made
}

// linkedFiles counts the files that have names elsewhere.
func linkedFiles(roots ...string) (n int64) {
	for _, root := range roots {
		_ = filepath.WalkDir(root, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return nil
			}
			if info, err := entry.Info(); err == nil && info.Sys().(*syscall.Stat_t).Nlink > 1 {
				n++
			}
			return nil
		})
	}
	return n
}

// What the first build is taken to need beside the source: a virtualenv, and
// the wheels of what is required.
var (
	emptyVenv    = room{2 << 20, 100}
	requirements = room{100 << 20, 4000}
)

// nextTakes says what the next build is expected to take, and how we know:
// what live takes, else the youngest that is complete, else a guess.
func (s *Site) nextTakes() (need room, as string) {
	name, err := s.store.Pointed(builds.Live)
	if err != nil {
		name = s.youngest()
	}
	if name == "" {
		project := filepath.Join(s.root, s.config.Project)
		need = measure([]string{project}, s.deploy, filepath.Join(project, ".git")).plus(emptyVenv)
		if s.requirements() != "" {
			need = need.plus(requirements)
		}
		return need, "the first build is expected to"
	}
	return s.takes(name), fmt.Sprintf("%s does", name)
}

// youngest is the complete build that was made last; empty when there is none.
func (s *Site) youngest() builds.Name {
	var found builds.Manifest
	names, _ := s.store.List()
	for _, name := range names {
		if m, err := s.store.Manifest(name); err == nil && m.Complete && m.Created.After(found.Created) {
			found = m
		}
	}
	return found.Name
}

// removable names the commands that make room: builds that nothing needs, with
// what each would free.
func (s *Site) removable(but ...builds.Name) string {
	var commands []string
	names, _ := s.store.List()
	for _, name := range names {
		if _, pointed := s.store.PointerTo(name); pointed || len(s.linked(name)) > 0 || slices.Contains(but, name) {
			continue
		}
		size, shared := diskUsage(s.store.Path(name), s.static(name))
		commands = append(commands, fmt.Sprintf("mage rm %s (%s)", name, human.Bytes(size-shared)))
	}
	return strings.Join(commands, ", ")
}
