// Package golden compares what a test made with a file in testdata that a
// person has read, or with a section of a document. Run the test with -update to
// write it anew, and read the difference before you commit it.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Updating tells whether golden files are to be written anew.
func Updating() bool { return *update }

// Require fails the test when got is not what testdata/name holds.
func Require(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// RequireSection fails the test when got is not what stands in a document
// between the comments "<!-- name -->" and "<!-- /name -->".
func RequireSection(t *testing.T, path, name, got string) {
	t.Helper()
	before, section, after := cut(t, path, name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+got+after), 0o644))
		return
	}
	require.Equal(t, section, got)
}

// RequireMeasured is RequireSection but for the figures, which are others each
// time. They are written anew only where worth says that they tell enough.
func RequireMeasured(t *testing.T, path, name, got string, worth bool) {
	t.Helper()
	if *update && worth {
		RequireSection(t, path, name, got)
		return
	}
	_, section, _ := cut(t, path, name)
	require.Equal(t, figures.ReplaceAllString(section, "N"), figures.ReplaceAllString(got, "N"))
}

var figures = regexp.MustCompile(`\d[\d,.]*`)

// cut cuts a document into a section and what is around that.
func cut(t *testing.T, path, name string) (before, section, after string) {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, begun := strings.Cut(string(text), begin)
	section, after, ended := strings.Cut(rest, end)
	require.True(t, begun && ended, "%s has no section %s", path, name)
	return before + begin, section, end + after
}
