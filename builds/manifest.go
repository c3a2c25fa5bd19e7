package builds

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/hadjango/hadjango/internal/files"
)

const (
	manifestFile = "build.json"
	tagFile      = ".DEPLOY_TAG"
)

// Manifest is what build.json in a build's directory says of it.
type Manifest struct {
	Name Name `json:"name"`
	// Tag names the source for people and processes: a tag of the source's
	// repository or the first digits of its commit.
	Tag string `json:"tag"`
	// Stamp is the hash that [Stamp] gave: no other build has it.
	Stamp  string   `json:"stamp"`
	Source Revision `json:"source"`
	// Requirements is the hash of what was installed; empty where nothing was.
	Requirements string `json:"requirements,omitempty"`
	// Node is the hash of the node modules; empty where there are none.
	Node    string    `json:"node,omitempty"`
	Created time.Time `json:"created"`
	// Complete is the last thing that becomes true. A build that is not
	// complete must never be started.
	Complete bool   `json:"complete"`
	Steps    []Step `json:"steps,omitempty"`
}

// Step is one step of making a build.
type Step struct {
	Name string `json:"name"`
	// Millis is how long the step took, in milliseconds.
	Millis int64 `json:"ms"`
	// Detail is what there is to say of its result; for people.
	Detail string `json:"detail,omitempty"`
	// Reused says that the step found its result made already.
	Reused bool `json:"reused,omitempty"`
}

// Write puts the manifest, and the tag in a file of its own, into a build's directory.
func (m Manifest) Write(dir string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest of %s: %w", m.Name, err)
	}
	if err := files.Write(filepath.Join(dir, tagFile), []byte(m.Tag+"\n"), 0o644); err != nil {
		return err
	}
	return files.Write(filepath.Join(dir, manifestFile), append(data, '\n'), 0o644)
}

// RemoveManifest makes a build incomplete where there is no room to write that
// it is.
func RemoveManifest(dir string) error { return files.Remove(filepath.Join(dir, manifestFile)) }

// ReadManifest reads the manifest in a build's directory. A directory without
// one is an incomplete build, not an error.
func ReadManifest(dir string) (Manifest, error) {
	path := filepath.Join(dir, manifestFile)
	data, err := files.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Manifest{Name: Name(filepath.Base(dir))}, nil
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("read manifest %s: %w", path, err)
	}
	return m, nil
}
