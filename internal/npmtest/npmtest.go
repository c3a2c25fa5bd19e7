// Package npmtest has what tests need that run npm: a project whose only
// dependency lies beside it, so that nothing is fetched over a network.
package npmtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Need returns npm's path, and skips the test where it or node is not
// installed. "mage check" installs them, and says by a variable that nothing
// may be skipped.
func Need(t testing.TB) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err == nil {
		_, err = exec.LookPath("node")
	}
	if err != nil && os.Getenv("HADJANGO_TEST_ALL") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	return npm
}

// WriteProject writes package.json, package-lock.json and the file of the
// package shop-bundle, which has a program of that name that runs script, and
// leaves a file called installed when it is installed.
func WriteProject(t testing.TB, dir, script string) {
	t.Helper()
	sum := writePackage(t, filepath.Join(dir, "vendor/shop-bundle-1.0.0.tgz"), script)
	const dependencies = `"devDependencies": {"shop-bundle": "file:vendor/shop-bundle-1.0.0.tgz"}`
	Write(t, filepath.Join(dir, "package.json"), fmt.Sprintf(`{"name": "shop", "scripts": {"build": "shop-bundle from-npm", "prepare": "false"}, %s}`, dependencies))
	Write(t, filepath.Join(dir, "package-lock.json"), fmt.Sprintf(`{
  "name": "shop", "lockfileVersion": 3, "requires": true,
  "packages": {
    "": {"name": "shop", %s},
    "node_modules/shop-bundle": {
      "version": "1.0.0", "resolved": "file:vendor/shop-bundle-1.0.0.tgz", "integrity": "sha512-%s",
      "dev": true, "hasInstallScript": true, "bin": {"shop-bundle": "bundle.js"}
    }
  }
}
`, dependencies, sum))
}

// writePackage returns the hash that a lock file has of the package.
func writePackage(t testing.TB, path, script string) string {
	t.Helper()
	var data bytes.Buffer
	zip := gzip.NewWriter(&data)
	archive := tar.NewWriter(zip)
	for _, file := range [][2]string{
		{"package/package.json", `{"name": "shop-bundle", "version": "1.0.0", "bin": {"shop-bundle": "bundle.js"},
			"scripts": {"postinstall": "node -e \"require('fs').writeFileSync('installed', '')\""}}`},
		{"package/bundle.js", "#!/usr/bin/env node\n" + script},
	} {
		require.NoError(t, archive.WriteHeader(&tar.Header{Name: file[0], Mode: 0o755, Size: int64(len(file[1]))}))
		_, err := archive.Write([]byte(file[1]))
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	require.NoError(t, zip.Close())
	Write(t, path, data.String())
	sum := sha512.Sum512(data.Bytes())
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Write writes a file, and the directories above it.
func Write(t testing.TB, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}
