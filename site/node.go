package site

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/node"
	"github.com/hadjango/hadjango/stack"
)

// modulesDir is what the build's link to its node modules is called.
const modulesDir = "node_modules"

func (s *Site) project() string { return filepath.Join(s.root, s.config.Project) }

// findForBuild finds what making a build of the project needs, and refuses a
// project whose node modules could not be fetched.
func (s *Site) findForBuild(ctx context.Context) (stack.Programs, error) {
	wanted, err := node.Wanted(s.project())
	if err != nil {
		return stack.Programs{}, err
	}
	if !wanted {
		return stack.FindPrograms(ctx, s.config.Python)
	}
	if err := s.refuseInstall(); err != nil {
		return stack.Programs{}, err
	}
	return stack.FindWithNPM(ctx, s.config.Python)
}

// refuseInstall refuses the command that a project's own script of deployment
// begins with: it would empty what all builds share.
func (s *Site) refuseInstall() error {
	for _, c := range s.config.Build {
		if installs(c) {
			return fmt.Errorf("build in %s: [%s] would change the node modules that builds share; they are fetched before the first command: remove it",
				ConfigFile, strings.Join(c, ", "))
		}
	}
	return nil
}

// installs tells whether npm is to install the modules of the build's own
// package.json; it may do so in another directory.
func installs(c config.Command) bool {
	if len(c) < 2 || c[0] != "npm" || slices.ContainsFunc(c, func(arg string) bool { return strings.HasPrefix(arg, "--prefix") || arg == "-C" }) {
		return false
	}
	return slices.Contains([]string{"ci", "clean-install", "install", "i", "install-ci-test"}, c[1])
}

// nodeModules fetches the node modules that no build before had. Of builds made
// side by side one fetches, and the others find them there.
func (m *making) nodeModules(ctx context.Context) error {
	if m.npm == "" {
		return nil
	}
	return m.step(ctx, "node modules", func(ctx context.Context, _ Step) (detail string, reused bool, err error) {
		m.fetching.Lock()
		defer m.fetching.Unlock()
		m.manifest.Node, reused, err = m.modules().Fill(ctx, m.project())
		return origin("fetched", m.manifest.Node, reused), reused, err
	})
}

func (m *making) modules() node.Modules {
	return node.Modules{NPM: m.npm, User: m.user, Log: m.python.Log, Dir: m.nodeDir(), Cache: m.cache()}
}

func (m *making) linkModules() error {
	if m.manifest.Node == "" {
		return nil
	}
	return files.Symlink(m.modules().Path(m.manifest.Node), filepath.Join(m.dir, modulesDir))
}
