package composetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hadjango/hadjango/internal/command"
)

// suite is that of the base image, and installed are the packages that the
// Dockerfile installs: its apt-get finds them there, since it has no network.
const suite = "bookworm"

var installed = []string{"ca-certificates", "nginx", "uwsgi-core", "uwsgi-plugin-python3", "python3-venv"}

// pluginSuite is the first of Debian that has version 2 of compose.
const pluginSuite = "trixie"

// prepare makes in dir what the images are imported from, and compiles the tasks.
func prepare(ctx context.Context, dir string) error {
	steps := []func(context.Context, string) error{debian, tasks, modules}
	for _, step := range steps {
		if err := step(ctx, dir); err != nil {
			return err
		}
	}
	if err := plugin(ctx, dir); err != nil {
		fmt.Println("there is no docker compose to test with:", err)
	}
	return nil
}

// keptFor is how long an archive is kept: Debian's updates are to come in.
const keptFor = 30 * 24 * time.Hour

// cache is the directory for what takes minutes to make.
func cache() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "hadjango-composetest"), err
}

// kept lets path be a file that make makes once, in the cache.
func kept(path, name string, make func(path string) error) error {
	dir, err := cache()
	if err != nil {
		return err
	}
	file := filepath.Join(dir, name)
	if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) < keptFor {
		return os.Symlink(file, path)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := make(file + ".part"); err != nil {
		return err
	}
	if err := os.Rename(file+".part", file); err != nil {
		return err
	}
	return os.Symlink(file, path)
}

// debian makes the base image with debootstrap.
func debian(ctx context.Context, dir string) error {
	list := strings.Join(installed, ",")
	sum := sha256.Sum256([]byte(suite + list))
	return kept(filepath.Join(dir, "debian.tar"), hex.EncodeToString(sum[:8])+".tar", func(path string) error {
		tree := filepath.Join(dir, "debian")
		fmt.Println("debootstrap", suite)
		if err := run(ctx, "debootstrap", "--variant=minbase", "--include="+list, suite, tree); err != nil {
			return err
		}
		return run(ctx, "tar", "-C", tree, "--exclude=./var/cache/apt/archives/*.deb", "-cf", path, ".")
	})
}

// plugin makes docker compose, version 2, a plugin of the docker program for who
// has pluginConfig for its configuration.
func plugin(ctx context.Context, dir string) error {
	plugins := filepath.Join(dir, pluginConfig, "cli-plugins")
	if err := os.MkdirAll(plugins, 0o755); err != nil {
		return err
	}
	return kept(filepath.Join(plugins, "docker-compose"), "docker-compose-"+pluginSuite, func(path string) error {
		tree := filepath.Join(dir, pluginSuite)
		fmt.Println("debootstrap", pluginSuite, "for docker compose")
		if err := run(ctx, "debootstrap", "--variant=minbase", "--download-only", "--include=docker-compose", pluginSuite, tree); err != nil {
			return err
		}
		packages, _ := filepath.Glob(filepath.Join(tree, "var/cache/apt/archives/docker-compose_*.deb"))
		if len(packages) != 1 {
			return fmt.Errorf("%d packages docker-compose in %s", len(packages), pluginSuite)
		}
		if err := run(ctx, "dpkg-deb", "-x", packages[0], filepath.Join(tree, "unpacked")); err != nil {
			return err
		}
		return run(ctx, "cp", filepath.Join(tree, "unpacked/usr/libexec/docker/cli-plugins/docker-compose"), path)
	})
}

// pluginConfig is docker's configuration with the plugin.
const pluginConfig = "with-plugin"

// modules puts this machine's Go, the modules that the tasks are made of, and what
// was compiled of them, into an archive: the base of the image's first stage.
func modules(ctx context.Context, dir string) error {
	goroot, err := goEnv(ctx, "GOROOT")
	if err != nil {
		return err
	}
	known, err := goEnv(ctx, "GOMODCACHE")
	if err != nil {
		return err
	}
	caches, err := cache()
	if err != nil {
		return err
	}
	own := filepath.Join(dir, "modules")
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o777); err != nil {
		return err
	}
	download := command.Command{
		Args: []string{"go", "mod", "download"}, Dir: repository(),
		Env: append(os.Environ(), "GOMODCACHE="+own, "GOFLAGS=-modcacherw", "GOSUMDB=off", "GOPROXY=file://"+filepath.Join(known, "cache", "download")),
	}
	if err := download.Run(ctx); err != nil {
		return err
	}
	up, name := filepath.Split(goroot)
	return run(ctx, "tar", "--dereference", "-cf", filepath.Join(dir, "go.tar"),
		// one after the other, on what the one before has made
		"--transform", "s,^"+name+"/,usr/local/go/,", "--transform", "s,^modules,go/pkg/mod,", "--transform", "s,^"+compiled+",go/cache,",
		"-C", dir, "tmp", "modules", "-C", caches, compiled, "-C", up, name+"/bin", name+"/pkg", name+"/src", name+"/go.env", name+"/VERSION")
}

func goEnv(ctx context.Context, name string) (string, error) {
	out, err := command.Command{Args: []string{"go", "env", name}, Dir: repository()}.Output(ctx)
	return strings.TrimSpace(string(out)), err
}

// compiled is Go's cache of what the tasks are compiled of: the images compile the
// same again, and would begin with nothing each time.
const compiled = "compiled"

// tasks compiles what a person outside of the containers runs.
func tasks(ctx context.Context, dir string) error {
	caches, err := cache()
	if err != nil {
		return err
	}
	return command.Command{
		Args: []string{"go", "tool", "mage", "-compile", filepath.Join(dir, "hadjango")}, Dir: repository(),
		Env: append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -buildvcs=false", "GOCACHE="+filepath.Join(caches, compiled)),
	}.Run(ctx)
}

func run(ctx context.Context, args ...string) error {
	return command.Command{Args: args, Dir: "/"}.Run(ctx)
}
