package uwsgiconf

import (
	"fmt"
	"strings"
)

// ValueError says that a value must not stand in uWSGI's configuration.
type ValueError struct {
	Value string
	// Char is the first character that may not stand there.
	Char rune
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%q holds %q, which uWSGI may expand, or take for an address or a directive: "+
		"use only letters, digits and . _ / + @ * [ ] -, and : in what is no path", e.Value, e.Char)
}

// PathTooLongError says that the path of a unix socket is too long for uWSGI.
type PathTooLongError struct{ Path string }

func (e *PathTooLongError) Error() string {
	return fmt.Sprintf("the path of the unix socket %s is %d bytes long, uWSGI takes %d", e.Path, len(e.Path), MaxSocketPath)
}

// checker remembers the first thing that is wrong.
type checker struct{ err error }

func (c *checker) values(values ...string) {
	for _, value := range values {
		for _, char := range value {
			if c.err == nil && !harmless(char) {
				c.err = &ValueError{value, char}
			}
		}
	}
}

// paths refuses colons: uWSGI binds a socket whose path has one to TCP, sends
// a log there by UDP, and runs the program that a path after exec:// names.
func (c *checker) paths(paths ...string) {
	c.values(paths...)
	for _, path := range paths {
		if c.err == nil && strings.Contains(path, ":") {
			c.err = &ValueError{path, ':'}
		}
	}
}

func (c *checker) sockets(paths ...string) {
	c.paths(paths...)
	for _, path := range paths {
		if c.err == nil && len(path) > MaxSocketPath {
			c.err = &PathTooLongError{path}
		}
	}
}

// harmless leaves out %, $, ( and ), without which nothing is expanded, and
// white space. An @ alone expands nothing. * [ and ] are for patterns.
func harmless(char rune) bool {
	switch {
	case 'a' <= char && char <= 'z', 'A' <= char && char <= 'Z', '0' <= char && char <= '9':
		return true
	}
	switch char {
	case '.', '_', '/', ':', '+', '@', '*', '[', ']', '-':
		return true
	}
	return false
}
