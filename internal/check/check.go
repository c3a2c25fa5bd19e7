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
	"strings"
	"syscall"
	"time"

	"github.com/hadjango/hadjango/stack"
)

// Check tests everything: format, go.mod, vet, lint, the magefile, and all tests on real servers.
func Check(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	if err := install(ctx); err != nil {
		return err
	}
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
		{"go", "test", "-race", "-timeout", "30m", "./..."},
	} {
		if err := run(ctx, args); err != nil {
			return err
		}
	}
	return nil
}

// install brings what the tests need: the servers, a C compiler, which the
// race detector links with, and a file system whose files share bytes.
func install(ctx context.Context) error {
	_, err := stack.FindWithNPM(ctx, "")
	var missing *stack.MissingError
	if err != nil && !errors.As(err, &missing) {
		return err
	}
	var packages []string
	if missing != nil {
		packages = missing.Packages
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		packages = append(packages, "gcc", "libc6-dev")
	}
	// only root can mount what it makes
	if _, err := exec.LookPath("mkfs.xfs"); err != nil && os.Geteuid() == 0 {
		packages = append(packages, "xfsprogs")
	}
	if len(packages) == 0 {
		return nil
	}
	if !stack.CanInstall() {
		return &stack.MissingError{Packages: packages}
	}
	fmt.Println("installing", strings.Join(packages, ", "))
	return stack.Install(ctx, packages, "")
}

// run shows what a command prints. That it prints anything where it should be
// silent is a failure too: gofmt names files and exits 0.
func run(ctx context.Context, args []string) error {
	fmt.Println("$", strings.Join(args, " "))
	start := time.Now()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	// nothing may be skipped here
	cmd.Env = append(os.Environ(), "HADJANGO_TEST_ALL=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if args[0] == "gofmt" {
		cmd.Stdout = &out
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	if out.Len() > 0 {
		return fmt.Errorf("not formatted with gofmt:\n%s", out.String())
	}
	fmt.Printf("  %.1f s\n", time.Since(start).Seconds())
	return nil
}
