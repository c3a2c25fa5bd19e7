// Package conf holds the templates of everything the servers read, and the
// pages nginx shows by itself. They are embedded in the binary; a file of the
// same name in a project's own conf directory takes the place of the embedded
// one.
package conf

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"text/template"
)

// Files holds the embedded templates and pages.
//
//go:embed *.tmpl *.html
var Files embed.FS

// Execute renders the template of that name with data into w. The template
// comes from own where it has one; own may be nil. A field that data does not
// have is an error. text/template escapes nothing: data must have been checked.
func Execute(w io.Writer, own fs.FS, name string, data any) error {
	text, err := Read(own, name)
	if err != nil {
		return err
	}
	parsed, err := template.New(name).Option("missingkey=error").Parse(string(text))
	if err != nil {
		return fmt.Errorf("parse template: %w", err)
	}
	if err := parsed.Execute(w, data); err != nil {
		return fmt.Errorf("render template: %w", err)
	}
	return nil
}

// Read returns the file of that name, from own where it has one.
func Read(own fs.FS, name string) ([]byte, error) {
	if own != nil {
		text, err := fs.ReadFile(own, name)
		if !errors.Is(err, fs.ErrNotExist) {
			return text, err
		}
	}
	return Files.ReadFile(name)
}
