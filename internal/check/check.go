// Package check has the task that tests this repository. A project that is
// deployed with hadjango has no use for it.
package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/stack"
)

// Check tests everything: format, go.mod, vet, lint, the magefile, and all tests on real servers.
func Check(
	ctx context.Context,
	// test the containers too, on an engine of its own: as root, with some minutes more
	compose *bool,
) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	containers := compose != nil && *compose
	if err := install(ctx, containers); err != nil {
		return err
	}
	// no program may be missing here
	env := append(os.Environ(), "HADJANGO_TEST_ALL=1")
	binary, err := os.MkdirTemp("", "hadjango-check")
	if err != nil {
		return err
	}
	defer os.RemoveAll(binary)
	for _, args := range [][]string{
		{"gofmt", "-l", "."},
		{"go", "mod", "tidy", "-diff"},
		{"go", "vet", "./..."},
		{"go", "vet", "-tags", "mage", "."},
		{"go", "tool", "staticcheck", "./..."},
		{"go", "tool", "mage", "-compile", filepath.Join(binary, "hadjango")},
		{"go", "test", "-json", "-race", "-timeout", "40m", "./..."},
	} {
		if err := run(ctx, env, args); err != nil {
			return err
		}
	}
	if !containers {
		fmt.Println("skipped: the containers, which go tool mage check -compose tests too, as root on an engine of its own")
		return nil
	}
	// by itself, because of many packages go test shows no test that was skipped
	return run(ctx, append(env, "HADJANGO_TEST_COMPOSE=1"), []string{"go", "test", "-v", "-count", "1", "-timeout", "60m", "./internal/composetest"})
}

// need is a program that the tests run, and the packages of Debian that it comes in.
type need struct {
	program  string
	packages []string
}

var needed = []need{
	{"gcc", []string{"gcc", "libc6-dev"}}, // what the race detector links with
	{"git", []string{"git"}},
	{"mariadb-install-db", []string{"mariadb-server-core", "mariadb-client-core"}}, // mariadb-server would make a database too
	{"postgres", []string{"postgresql"}},
	{"memcached", []string{"memcached"}},
	{"redis-server", []string{"redis-server"}},
	{"chromium", []string{"chromium"}},
}

// neededByCompose is for the containers, and only where they are tested.
var neededByCompose = []need{
	{"dockerd", []string{"docker.io"}},
	{"docker-compose", []string{"docker-compose"}},
	{"debootstrap", []string{"debootstrap"}},
}

// fonts are what Chromium draws text with, wherever they come from.
const fonts = "/usr/share/fonts/truetype/*/*.ttf"

// install brings what the tests need, as far as it is missing.
func install(ctx context.Context, compose bool) error {
	programs := needed
	if compose {
		programs = slices.Concat(needed, neededByCompose)
	}
	packages, err := missing(ctx, programs)
	if err != nil || len(packages) == 0 {
		return err
	}
	if !stack.CanInstall() {
		return &stack.MissingError{Packages: packages}
	}
	fmt.Println("installing", strings.Join(packages, ", "))
	return errors.Join(stack.Install(ctx, packages, ""), rest(ctx, packages))
}

func missing(ctx context.Context, programs []need) (packages []string, err error) {
	var servers *stack.MissingError
	if _, err := stack.FindWithNPM(ctx, ""); errors.As(err, &servers) {
		packages = servers.Packages
	} else if err != nil {
		return nil, err
	}
	for _, need := range programs {
		if command.Look(need.program) == "" {
			packages = append(packages, need.packages...)
		}
	}
	// only root can mount what it makes, a file system whose files share bytes
	if os.Geteuid() == 0 && command.Look("mkfs.xfs") == "" {
		packages = append(packages, "xfsprogs")
	}
	if found, err := filepath.Glob(fonts); err != nil || len(found) == 0 {
		packages = append(packages, "fonts-dejavu-core")
	}
	return packages, nil
}

// starters are packages that start a server as soon as they are installed, and at
// each boot, with that server's name. The tests start their own.
var starters = map[string]string{"postgresql": "postgresql", "memcached": "memcached", "redis-server": "redis-server", "docker.io": "docker"}

func rest(ctx context.Context, packages []string) (err error) {
	for name, server := range starters {
		if slices.Contains(packages, name) {
			err = errors.Join(err,
				command.Command{Args: []string{"service", server, "stop"}, Dir: "/"}.Run(ctx),
				command.Command{Args: []string{"update-rc.d", server, "disable"}, Dir: "/"}.Run(ctx))
		}
	}
	return err
}

// run shows what a command prints. That it prints anything where it should be
// silent is a failure too: gofmt names files and exits 0.
func run(ctx context.Context, env, args []string) error {
	fmt.Println("$", strings.Join(args, " "))
	start := time.Now()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	tests := tests{out: os.Stdout, words: map[string]string{}}
	switch {
	case args[0] == "gofmt":
		cmd.Stdout = &out
	case slices.Contains(args, "-json"):
		cmd.Stdout = &tests
	}
	err := cmd.Run()
	for _, test := range tests.skipped {
		fmt.Println(test)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	if out.Len() > 0 {
		return fmt.Errorf("not formatted with gofmt:\n%s", out.String())
	}
	fmt.Printf("  %.1f s\n", time.Since(start).Seconds())
	return nil
}
