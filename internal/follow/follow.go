// Package follow reads what is appended to a log, also while the log is renamed
// and begun anew: its writer goes on in the renamed file until it is told.
package follow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Log is a log from some place on. It is for one goroutine.
type Log struct {
	path  string
	files []*file
}

// Open begins at the log's last bytes, as many as are asked for; the first line
// may be the end of one. A log that is not there yet begins with its first line.
func Open(path string, last int64) (*Log, error) {
	l := &Log{path: path}
	if err := l.look(); err != nil || len(l.files) == 0 {
		return l, err
	}
	info, err := l.files[0].Stat()
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.files[0].offset = max(0, info.Size()-last)
	return l, nil
}

// Lines returns the whole lines that were written since the last call.
func (l *Log) Lines() ([]string, error) {
	if err := l.look(); err != nil {
		return nil, err
	}
	var all []string
	for _, f := range l.files {
		lines, err := f.lines()
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", l.path, err)
		}
		all = append(all, lines...)
	}
	return all, nil
}

// look opens what bears the log's name now, if that is another file than before.
func (l *Log) look() error {
	info, err := os.Stat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // between its renaming and its beginning
	}
	if err != nil {
		return err
	}
	for _, f := range l.files {
		if known, err := f.Stat(); err == nil && os.SameFile(info, known) {
			return nil
		}
	}
	opened, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	l.files = append(l.files, &file{File: opened})
	return nil
}

// Close closes all that was opened.
func (l *Log) Close() error {
	var errs []error
	for _, f := range l.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// file is one of those that have had the log's name.
type file struct {
	*os.File
	offset int64
}

// most is how much is read at once; what is more is there the next time.
const most = 4 << 20

func (f *file) lines() ([]string, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < f.offset {
		f.offset = 0 // emptied, and written to again
	}
	data, err := io.ReadAll(io.NewSectionReader(f, f.offset, most))
	if err != nil {
		return nil, err
	}
	end := bytes.LastIndexByte(data, '\n') + 1
	if end == 0 && len(data) == most {
		f.offset += most // no line is that long: it is a hole
	}
	f.offset += int64(end)
	if end == 0 {
		return nil, nil
	}
	return strings.Split(string(data[:end-1]), "\n"), nil
}
