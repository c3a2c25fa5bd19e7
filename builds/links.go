package builds

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// checkLinks refuses links that lead out of the tree, or would in dst.
func (t *sourceTree) checkLinks(dst string) error {
	before, err := linksBelow(dst)
	if err != nil {
		return err
	}
	links := t.linksOver(before)
	for _, file := range t.files {
		if file.link != "" && leadsOut(links, file.path) {
			return &FileError{file.path, fmt.Sprintf("is a symbolic link that leads out of the tree, to %q: put a copy in its place", file.link)}
		}
	}
	return checkOldLinks(before, links)
}

// linksOver returns the links that dst will have once the tree is laid over those it has.
func (t *sourceTree) linksOver(before map[string]string) map[string]string {
	links := make(map[string]string, len(before))
	for name, target := range before {
		links[name] = target
	}
	for _, file := range t.files {
		delete(links, file.path)
		if file.link != "" {
			links[file.path] = file.link
		}
	}
	return links
}

// checkOldLinks finds links of an earlier layer that lead somewhere else now:
// "a -> d/b/../x" stays inside until an overlay makes d/b a link to "..".
func checkOldLinks(before, after map[string]string) error {
	for name, target := range before {
		if after[name] == target && leadsOut(after, name) && !leadsOut(before, name) {
			return &FileError{name, fmt.Sprintf("is a symbolic link in the destination, to %q, that would lead out of it through links of the source", target)}
		}
	}
	return nil
}

func linksBelow(root string) (map[string]string, error) {
	links := map[string]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if name == root && errors.Is(err, fs.ErrNotExist) {
			return fs.SkipAll
		}
		if err != nil || entry.Type() != fs.ModeSymlink || name == root {
			return err
		}
		below, _ := pathBelow(root, name)
		links[below], err = os.Readlink(name)
		return err
	})
	return links, err
}

// maxFollows is where a chain of links counts as a loop, which leads nowhere.
// The kernel gives up at 40.
const maxFollows = 255

// leadsOut tells whether a link, followed through the tree's other links,
// leaves the tree, be it only to come back: the copy has other surroundings.
// The links are by path; what is not among them counts as a directory.
func leadsOut(links map[string]string, link string) bool {
	var at []string
	follows := 0
	for todo := strings.Split(link, "/"); len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch {
		case part == "" || part == ".":
			continue
		case part == ".." && len(at) == 0:
			return true
		case part == "..":
			at = at[:len(at)-1]
			continue
		}
		target, isLink := links[path.Join(append(at, part)...)]
		if !isLink {
			at = append(at, part)
			continue
		}
		if follows++; follows > maxFollows {
			return false
		}
		if path.IsAbs(target) {
			return true
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return false
}
