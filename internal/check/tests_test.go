package check

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// suite has a test for each end that one can have.
const suite = `package suite
import "testing"
func TestPasses(t *testing.T) { t.Log("nobody wants to know") }
func TestFails(t *testing.T) { t.Run("inside", func(t *testing.T) { t.Error("this is wrong") }) }
func TestIsSkipped(t *testing.T) { t.Skip("no mounts\nhere") }
func TestDies(t *testing.T) { panic("out of order") }
`

func TestTests_ShowWhatFailsAndRememberWhatWasSkipped(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module suite\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "suite_test.go"), []byte(suite), 0o644))
	var out bytes.Buffer
	tests := tests{out: &out, words: map[string]string{}}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", ".")
	cmd.Dir, cmd.Stdout = dir, &tests

	require.Error(t, cmd.Run())

	require.Contains(t, out.String(), "suite_test.go:4: this is wrong\n")
	require.Contains(t, out.String(), "--- FAIL: TestFails")
	require.Contains(t, out.String(), "panic: out of order")
	require.Contains(t, out.String(), "FAIL\tsuite\t")
	require.NotContains(t, out.String(), "nobody")
	require.NotContains(t, out.String(), "===")
	require.Equal(t, []string{"skipped: suite.TestIsSkipped: suite_test.go:5: no mounts here"}, tests.skipped)
}

func TestTests_ShowWhatDoesNotCompile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module suite\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "suite_test.go"), []byte("package suite\nvar x = y\n"), 0o644))
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", ".")
	cmd.Dir, cmd.Stdout = dir, &tests{out: &out, words: map[string]string{}}

	require.Error(t, cmd.Run())

	require.Contains(t, out.String(), "undefined: y")
}
