package command

import (
	"os/exec"
	"path/filepath"
)

// Look finds the first of the programs that there is. It prefers PATH and falls
// back to where Debian keeps servers, which is not in an ordinary user's PATH.
// It returns "" when there is none.
func Look(names ...string) string {
	for _, name := range names {
		for _, candidate := range candidates(name) {
			if path, err := exec.LookPath(candidate); err == nil {
				return path
			}
		}
	}
	return ""
}

func candidates(name string) []string {
	// PostgreSQL's are in no PATH at all, since several versions may be there
	versions, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	return append([]string{name, "/usr/sbin/" + name, "/usr/bin/" + name}, versions...)
}
