package composetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hadjango/hadjango/internal/command"
)

// suite is that of the base image, and installed are the packages that the
// Dockerfile installs: its apt-get finds them there, since it has no network.
const suite = "bookworm"

var installed = []string{"ca-certificates", "nginx", "uwsgi-core", "uwsgi-plugin-python3", "python3-venv"}

// prepare makes in dir what the images are imported from, and compiles the tasks.
func prepare(ctx context.Context, dir string) error {
	steps := []func(context.Context, string) error{debian, modules, tasks}
	for _, step := range steps {
		if err := step(ctx, dir); err != nil {
			return err
		}
	}
	return nil
}

// debian makes the base image with debootstrap, once: it takes minutes, and is
// kept where caches are.
func debian(ctx context.Context, dir string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	list := strings.Join(installed, ",")
	sum := sha256.Sum256([]byte(suite + list))
	kept := filepath.Join(cache, "hadjango-composetest", hex.EncodeToString(sum[:8])+".tar")
	if _, err := os.Stat(kept); err != nil {
		if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
			return err
		}
		tree := filepath.Join(dir, "debian")
		fmt.Println("debootstrap", suite)
		if err := run(ctx, "debootstrap", "--variant=minbase", "--include="+list, suite, tree); err != nil {
			return err
		}
		if err := run(ctx, "tar", "-C", tree, "--exclude=./var/cache/apt/archives/*.deb", "-cf", kept+".part", "."); err != nil {
			return err
		}
		if err := os.Rename(kept+".part", kept); err != nil {
			return err
		}
	}
	return os.Symlink(kept, filepath.Join(dir, "debian.tar"))
}

// modules puts this machine's Go, and the modules that the tasks are made of, into
// an archive: the base of the image's first stage.
func modules(ctx context.Context, dir string) error {
	goroot, err := goEnv(ctx, "GOROOT")
	if err != nil {
		return err
	}
	cache, err := goEnv(ctx, "GOMODCACHE")
	if err != nil {
		return err
	}
	own := filepath.Join(dir, "modules")
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o777); err != nil {
		return err
	}
	download := command.Command{
		Args: []string{"go", "mod", "download"}, Dir: repository(),
		Env: append(os.Environ(), "GOMODCACHE="+own, "GOFLAGS=-modcacherw", "GOSUMDB=off", "GOPROXY=file://"+filepath.Join(cache, "cache", "download")),
	}
	if err := download.Run(ctx); err != nil {
		return err
	}
	up, name := filepath.Split(goroot)
	return run(ctx, "tar", "--dereference", "-cf", filepath.Join(dir, "go.tar"),
		// one after the other, on what the one before has made
		"--transform", "s,^"+name+"/,usr/local/go/,", "--transform", "s,^modules,go/pkg/mod,",
		"-C", dir, "tmp", "modules", "-C", up, name+"/bin", name+"/pkg", name+"/src", name+"/go.env", name+"/VERSION")
}

func goEnv(ctx context.Context, name string) (string, error) {
	out, err := command.Command{Args: []string{"go", "env", name}, Dir: repository()}.Output(ctx)
	return strings.TrimSpace(string(out)), err
}

// tasks compiles what a person outside of the containers runs.
func tasks(ctx context.Context, dir string) error {
	return command.Command{
		Args: []string{"go", "tool", "mage", "-compile", filepath.Join(dir, "hadjango")}, Dir: repository(),
		Env: append(os.Environ(), "CGO_ENABLED=0"),
	}.Run(ctx)
}

func run(ctx context.Context, args ...string) error {
	return command.Command{Args: args, Dir: "/"}.Run(ctx)
}
