package site

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/hadjango/hadjango/conf"
	"github.com/hadjango/hadjango/internal/files"
)

// Unit is a file that systemd reads.
type Unit struct{ Name, Text string }

// Write puts the unit into a directory, for systemd and everybody to read.
func (u Unit) Write(dir string) error {
	return files.Write(filepath.Join(dir, u.Name), []byte(u.Text), 0o644)
}

// cached is how mage names what it has compiled for itself.
var cached = regexp.MustCompile(`^[0-9a-f]{40,}$`)

// SystemdUnit returns the unit that starts the site when the machine starts and
// ends it after the last request: of the whole machine when this process is
// root, else of the user. program is the tasks compiled to one file; when it is
// empty, the file hadjango in the site's directory, else this process's own.
func (s *Site) SystemdUnit(program string) (Unit, error) {
	program, err := s.compiled(program)
	if err != nil {
		return Unit{}, fmt.Errorf("systemd unit: %w", err)
	}
	unit := Unit{Name: "hadjango-" + unitName.ReplaceAllString(filepath.Base(s.root), "-") + ".service"}
	const rest = 30 * time.Second
	data := struct {
		Name, Program, Root, Run, User string
		StartLimit, StopLimit          int
	}{
		Name: unit.Name, Program: program, Root: s.root, Run: s.run,
		StartLimit: int((s.config.Timeouts.Start + rest).Seconds()),
		StopLimit:  int((2*s.config.Timeouts.Drain + rest).Seconds()),
	}
	if os.Geteuid() != 0 {
		data.User = s.user.Name
	}
	var text bytes.Buffer
	if err := conf.Execute(&text, s.templates(), "systemd.service.tmpl", data); err != nil {
		return Unit{}, fmt.Errorf("systemd unit: %w", err)
	}
	unit.Text = text.String()
	return unit, nil
}

// unitName is what may not stand in a unit's name; an @ would make it a template.
var unitName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// compiled is the program's path. What mage has compiled for itself is gone, or
// another's, tomorrow.
func (s *Site) compiled(program string) (string, error) {
	own := filepath.Join(s.root, "hadjango")
	if _, err := exec.LookPath(own); program == "" && err == nil {
		program = own
	}
	if program == "" {
		program, _ = os.Executable()
	}
	if cached.MatchString(filepath.Base(program)) {
		return "", fmt.Errorf("it needs the compiled tasks, which need no Go at boot: run CGO_ENABLED=0 go tool mage -compile %s", own)
	}
	path, err := filepath.Abs(program)
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath(path); err != nil {
		return "", err
	}
	if !safePath.MatchString(path) {
		return "", fmt.Errorf("the path %q holds characters that systemd would take for something else: move the program", strings.TrimSpace(path))
	}
	return path, nil
}
