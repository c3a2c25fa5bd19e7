package tasks

import (
	"context"
	"fmt"

	"github.com/kballard/go-shellquote"
	"github.com/magefile/mage/mg"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/site"
)

// Manage runs a command of manage.py in a build, such as: mage manage migrate -args="--plan catalogue".
func Manage(
	ctx context.Context,
	command string,
	// what follows the command, quoted as for a shell
	args *string,
	// the build (default: live)
	build *string,
) error {
	return inside(ctx, build, args, func(_ context.Context, s *site.Site, name builds.Name, args []string) (site.Attached, error) {
		return s.Manage(name, append([]string{command}, args...)...)
	})
}

// Djshell opens Django's shell in a build.
func Djshell(
	ctx context.Context,
	// the build (default: live)
	build *string,
) error {
	return inside(ctx, build, nil, func(_ context.Context, s *site.Site, name builds.Name, _ []string) (site.Attached, error) {
		return s.Manage(name, "shell")
	})
}

// Shell opens a shell in a build, with its virtualenv and its environment.
func Shell(
	ctx context.Context,
	// the build (default: live)
	build *string,
	// with HADJANGO_HOST=compose: another service than web, such as nginx
	server *string,
) error {
	if server != nil && *server != webService {
		return shellIn(ctx, *server, build)
	}
	return inside(ctx, build, nil, func(_ context.Context, s *site.Site, name builds.Name, _ []string) (site.Attached, error) {
		return s.Shell(name)
	})
}

// Test has the tasks that run the project's own tests in a build.
type Test mg.Namespace

// Tdd runs the tests up to the first that fails, which opens the debugger.
func (Test) Tdd(
	ctx context.Context,
	// the build (default: live)
	build *string,
	// more for the test runner, quoted as for a shell
	args *string,
) error {
	return test(ctx, site.TDD, build, args)
}

// RunAll runs all tests of the project.
func (Test) RunAll(
	ctx context.Context,
	// the build (default: live)
	build *string,
	// more for the test runner, quoted as for a shell
	args *string,
) error {
	return test(ctx, site.RunAll, build, args)
}

// Es runs the tests that touch search, those marked es_tests.
func (Test) Es(
	ctx context.Context,
	// the build (default: live)
	build *string,
	// more for the test runner, quoted as for a shell
	args *string,
) error {
	return test(ctx, site.ES, build, args)
}

// NoEs runs all tests but those marked es_tests.
func (Test) NoEs(
	ctx context.Context,
	// the build (default: live)
	build *string,
	// more for the test runner, quoted as for a shell
	args *string,
) error {
	return test(ctx, site.NoES, build, args)
}

// Failed runs the tests that failed the last time.
func (Test) Failed(
	ctx context.Context,
	// the build (default: live)
	build *string,
	// more for the test runner, quoted as for a shell
	args *string,
) error {
	return test(ctx, site.Failed, build, args)
}

// ForceDb runs all tests on a test database that is made anew.
//
//lint:ignore ST1003 the task is called test:forceDb
func (Test) ForceDb(
	ctx context.Context,
	// the build (default: live)
	build *string,
	// more for the test runner, quoted as for a shell
	args *string,
) error {
	return test(ctx, site.ForceDB, build, args)
}

func test(ctx context.Context, suite site.Suite, build, args *string) error {
	return inside(ctx, build, args, func(ctx context.Context, s *site.Site, name builds.Name, args []string) (site.Attached, error) {
		return s.Test(ctx, name, suite, args...)
	})
}

// inside lets a program that works in a build take the place of the task, once
// all else that the task has begun is over.
func inside(
	ctx context.Context, build, args *string,
	choose func(context.Context, *site.Site, builds.Name, []string) (site.Attached, error),
) error {
	var program site.Attached
	err := with(ctx, func(ctx context.Context, s *site.Site) error {
		name, err := buildOr(s, build, builds.Live)
		if err != nil {
			return err
		}
		words, err := split(args)
		if err != nil {
			return err
		}
		program, err = choose(ctx, s, name, words)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(stderr, "·", program)
	return said(program.Exec(markOfCall()...))
}

// split reads words the way a shell does, without its expansions: mage hands on
// one text where others hand on a list.
func split(args *string) ([]string, error) {
	if args == nil {
		return nil, nil
	}
	words, err := shellquote.Split(*args)
	if err != nil {
		return nil, fmt.Errorf("-args=%q: %w", *args, err)
	}
	return words, nil
}
