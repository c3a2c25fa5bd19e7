package python

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hadjango/hadjango/internal/files"
)

// requirementsReader reads all that decides what a requirements file installs.
type requirementsReader struct {
	visit io.Writer
	seen  map[string]bool
	// dir is where pip runs: paths of packages count from there.
	dir string
	// except is no part of any package, nor is a directory around it: there lies
	// what we make ourselves.
	except string
}

// file reads a requirements file and those it includes.
func (r requirementsReader) file(path string) error {
	if r.seen[path] {
		return nil
	}
	r.seen[path] = true
	data, err := files.Read(path)
	if err != nil {
		return err
	}
	_, _ = r.visit.Write(data)
	lines := bufio.NewScanner(strings.NewReader(continued.ReplaceAllString(string(data), "")))
	for lines.Scan() {
		if err := r.line(filepath.Dir(path), strings.TrimSpace(comment.ReplaceAllString(lines.Text(), ""))); err != nil {
			return err
		}
	}
	return lines.Err()
}

// line follows what a line names; what is not there is for pip to refuse.
func (r requirementsReader) line(dir, line string) error {
	var err error
	if included, ok := includedFile(line); ok {
		err = r.file(from(dir, included))
	} else if local, ok := localPackage(line); ok {
		err = r.tree(from(r.dir, local))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func from(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// tree reads a package: an archive, or a directory of source.
func (r requirementsReader) tree(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (isMade(entry.Name()) || strings.HasPrefix(r.except, path+"/")):
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		data, err := files.Read(path)
		fmt.Fprintf(r.visit, "\n%s %d\n%s", strings.TrimPrefix(path, root), len(data), data)
		return err
	})
}

// isMade tells whether a directory is one that tools leave in a source.
func isMade(name string) bool {
	switch name {
	case "build", "dist", "node_modules", "__pycache__":
		return true
	}
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".egg-info")
}

var (
	// continued is the end of a line that goes on in the next.
	continued = regexp.MustCompile(`\\\r?\n`)
	// comment is what pip takes for one.
	comment = regexp.MustCompile(`(^|\s)#.*`)
	// value is that of an option, up to the end of its first word.
	value = regexp.MustCompile(`^\s*=?\s*(?:"([^"]+)"|'([^']+)'|(\S+))`)
	// local is a path, with extras or not, after -e, after a name and @, or alone.
	local = regexp.MustCompile(`^(?:-e\s*|--editable[\s=]+|[\w.\-\[\],]+\s*@\s*)?(?:file:(?://)?)?(\.{0,2}/[^\s;\[]*|\.|[\w.\-]+(?:/[^\s;\[]*)+|[^\s;/]+\.(?:whl|zip|tar\.gz))(?:\[|;|\s|$)`)
)

// includedFile reads the forms pip knows: -r FILE, -rFILE, --requirement FILE,
// --requirement=FILE, quoted or not, and the same for constraints.
func includedFile(line string) (string, bool) {
	for _, option := range []string{"--requirement", "--constraint", "-r", "-c"} {
		rest, ok := strings.CutPrefix(line, option)
		if match := value.FindStringSubmatch(rest); ok && match != nil {
			return match[1] + match[2] + match[3], true
		}
	}
	return "", false
}

// localPackage reads the forms in which a line names a package by its path.
func localPackage(line string) (string, bool) {
	match := local.FindStringSubmatch(line)
	if match == nil {
		return "", false
	}
	return match[1], true
}
