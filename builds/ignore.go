package builds

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// ignoreRules are the lines of .gitignore files, of which the last that
// matches decides. go-git's matcher is not used: it takes "media/**" for media
// itself, so that "!media/.gitkeep" below it is lost, lets "!logs" bring back
// what other rules ignore in logs, and gives up at a second "**".
type ignoreRules []ignoreRule

type ignoreRule struct {
	base    string   // the directory of the .gitignore
	parts   []string // what the parts of a path below base must match
	keep    bool     // "!"
	dirOnly bool
}

// readIgnoreRules reads a directory's own .gitignore. Like git it does not
// follow one that is a symbolic link.
func readIgnoreRules(src, dir string) (ignoreRules, error) {
	file := filepath.Join(src, dir, ".gitignore")
	if info, err := os.Lstat(file); err != nil || !info.Mode().IsRegular() {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read what git ignores: %w", err)
	}
	return parseIgnoreRules(string(data), dir), nil
}

func parseIgnoreRules(text, base string) ignoreRules {
	var rules ignoreRules
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if rule, ok := parseIgnoreRule(line, base); ok {
			rules = append(rules, rule)
		}
	}
	return rules
}

// gitGlob turns git's negated classes into those of path.Match, and takes an
// escaped slash for the slash it is.
var gitGlob = strings.NewReplacer(`\\`, `\\`, `\[`, `\[`, `\/`, `/`, `[!`, `[^`)

func parseIgnoreRule(line, base string) (ignoreRule, bool) {
	if strings.HasPrefix(line, "#") {
		return ignoreRule{}, false
	}
	rule := ignoreRule{base: base}
	line, rule.keep = strings.CutPrefix(trimIgnoreSpace(line), "!")
	line, rule.dirOnly = strings.CutSuffix(line, "/")
	anchored := strings.Contains(line, "/")
	rule.parts = strings.Split(bytewise(gitGlob.Replace(strings.TrimPrefix(line, "/"))), "/")
	if !anchored {
		rule.parts = []string{"**", rule.parts[0]}
	}
	return rule, line != ""
}

// trimIgnoreSpace drops trailing spaces, except one behind a backslash.
func trimIgnoreSpace(line string) string {
	trimmed := strings.TrimRight(line, " ")
	if len(trimmed) < len(line) && strings.HasSuffix(trimmed, `\`) {
		return trimmed + " "
	}
	return trimmed
}

func (r ignoreRules) ignore(name string, isDir bool) bool {
	for _, rule := range slices.Backward(r) {
		if rule.matches(name, isDir) {
			return !rule.keep
		}
	}
	return false
}

func (r ignoreRule) matches(name string, isDir bool) bool {
	if r.dirOnly && !isDir {
		return false
	}
	if r.base != "." {
		name = strings.TrimPrefix(name, r.base+"/")
	}
	return matchParts(r.parts, strings.Split(bytewise(name), "/"))
}

// bytewise makes a character of each byte: git's "?" and classes match bytes.
func bytewise(text string) string {
	characters := make([]rune, 0, len(text))
	for _, b := range []byte(text) {
		characters = append(characters, rune(b))
	}
	return string(characters)
}

// matchParts matches a path part by part; "**" stands for any number of parts,
// at the end for one or more.
func matchParts(parts, names []string) bool {
	if len(parts) == 0 || len(names) == 0 {
		return len(parts) == len(names)
	}
	if strings.HasPrefix(parts[0], "**") && strings.Trim(parts[0], "*") == "" {
		return len(parts) == 1 || matchParts(parts[1:], names) || matchParts(parts, names[1:])
	}
	ok, err := path.Match(parts[0], names[0])
	return ok && err == nil && matchParts(parts[1:], names[1:])
}
