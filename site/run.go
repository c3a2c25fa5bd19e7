package site

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/command"
)

// runInBuild runs one of the project's commands in a build, with the build's
// virtualenv and environment, as the site's user.
func (s *Site) runInBuild(ctx context.Context, name builds.Name, tag string, c config.Command) error {
	return s.inBuild(name, tag, c).Run(ctx)
}

func (s *Site) inBuild(name builds.Name, tag string, c config.Command) command.Command {
	dir := s.store.Path(name)
	return command.Command{
		Args: resolveProgram(dir, c), Dir: dir, Env: s.environment(name, tag), User: s.user, Log: s.buildLog(name),
	}
}

// resolveProgram gives a Python file to the build's interpreter, and finds a
// program of the build's own before any other.
func resolveProgram(dir string, c config.Command) []string {
	if strings.HasSuffix(c[0], ".py") {
		return append([]string{filepath.Join(dir, "bin", "python")}, c...)
	}
	for _, bin := range programDirs(dir) {
		if own, err := exec.LookPath(filepath.Join(bin, c[0])); err == nil {
			return append([]string{own}, c[1:]...)
		}
	}
	return c
}

// programDirs are where a build has programs: those of its virtualenv, and of
// its node modules.
func programDirs(dir string) []string {
	return []string{filepath.Join(dir, "bin"), filepath.Join(dir, modulesDir, ".bin")}
}

// environment is what a build's code and its commands find. It holds little of
// this process's environment: what the shell of whoever deploys happens to
// export must not reach a migration when it does not reach the workers.
func (s *Site) environment(name builds.Name, tag string) []string {
	dir := s.store.Path(name)
	path := strings.Join(append(programDirs(dir), os.Getenv("PATH")), ":")
	// not every user may write at home, where npm has its cache unless told otherwise
	env := append([]string{"npm_config_cache=" + filepath.Join(s.cache(), "npm")}, baseEnvironment()...)
	env = append(env, "PATH="+path, "VIRTUAL_ENV="+dir, "HOME="+s.user.Home)
	for key, value := range s.variables(name, tag) {
		env = append(env, key+"="+value)
	}
	return env
}

// Variables that say how to reach the network, how to talk to the person, or
// what a tool that fetches packages should do.
var (
	kept = map[string]bool{
		"LANG": true, "TZ": true, "TERM": true, "TMPDIR": true, "SSL_CERT_FILE": true, "SSL_CERT_DIR": true,
		"REQUESTS_CA_BUNDLE": true, "http_proxy": true, "https_proxy": true, "no_proxy": true,
		"HTTP_PROXY": true, "HTTPS_PROXY": true, "NO_PROXY": true,
	}
	keptPrefixes = []string{"LC_", "PIP_", "npm_config_", "DJANGO_SUPERUSER_"}
)

func baseEnvironment() []string {
	var env []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if kept[name] || slices.ContainsFunc(keptPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			env = append(env, variable)
		}
	}
	return env
}

func commandName(c config.Command) string {
	const most = 3
	return strings.Join(c[:min(len(c), most)], " ")
}
