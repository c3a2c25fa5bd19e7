package site

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/python"
	"github.com/hadjango/hadjango/stack"
)

// Suite is a choice of a project's own tests.
type Suite string

// The suites, each named as its task. What a runner of the configuration makes
// of them is in [Site.Test].
const (
	// TDD stops at the first test that fails, in the debugger.
	TDD Suite = "tdd"
	// RunAll has all tests.
	RunAll Suite = "runAll"
	// ES has the tests that touch search, marked es_tests.
	ES Suite = "es"
	// NoES has all tests but those.
	NoES Suite = "noEs"
	// Failed has the tests that failed when they were run last.
	Failed Suite = "failed"
	// ForceDB has all tests, on a test database that is made anew.
	ForceDB Suite = "forceDb"
)

// suites are the arguments that each runner takes for a suite. pytest keeps a
// database only where the project says so (--reuse-db); Django's runner asks
// before it removes one, unless it is told not to.
var suites = map[config.Runner]map[Suite][]string{
	config.RunnerPytest: {
		TDD: {"-x", "--pdb"}, RunAll: {}, ES: {"-m", "es_tests"}, NoES: {"-m", "not es_tests"},
		Failed: {"--last-failed"}, ForceDB: {"--create-db"},
	},
	config.RunnerDjango: {
		TDD: {"--failfast", "--pdb"}, RunAll: {}, ES: {"--tag", "es_tests"}, NoES: {"--exclude-tag", "es_tests"},
		ForceDB: {"--noinput"},
	},
}

// Test is the project's own tests in a build. What only the tests need is
// fetched first, where that has not been done, and is no part of the build. The
// tests find no data directory, and none for uploads, but those of their own.
func (s *Site) Test(ctx context.Context, name builds.Name, suite Suite, args ...string) (Attached, error) {
	runner := s.config.Tests.Runner
	chosen, ok := suites[runner][suite]
	if !ok {
		return Attached{}, fmt.Errorf("test %s: %s keeps no record of what failed; pytest does (tests.runner in %s)", name, runner, ConfigFile)
	}
	packages, err := s.testPackages(ctx)
	if err != nil {
		return Attached{}, fmt.Errorf("test %s: %w", name, err)
	}
	scratch := s.testScratch()
	media := filepath.Join(scratch, "media")
	if err := errors.Join(s.users(scratch, 0o700), s.users(media, 0o700)); err != nil {
		return Attached{}, fmt.Errorf("test %s: %w", name, err)
	}
	program := config.Command{"python", "-m", "hadjango.testrun", "manage", "test"}
	if runner == config.RunnerPytest {
		// a build is a virtualenv too, and the tests of its packages are not the project's
		program = config.Command{
			"python", "-m", "hadjango.testrun", "pytest", "-o", "cache_dir=" + filepath.Join(scratch, "pytest"),
			"--ignore-glob=lib/python3*", "--ignore-glob=lib64/python3*",
		}
	}
	return s.attach(name, append(append(program, chosen...), args...),
		"HADJANGO_TEST_PACKAGES="+packages, "HADJANGO_DATA="+scratch, "HADJANGO_MEDIA="+media, "PYTHONDONTWRITEBYTECODE=1")
}

// testPackages is where Python finds what only the tests need; empty when that
// is nothing. It is made once for each content of the requirements.
func (s *Site) testPackages(ctx context.Context) (dir string, err error) {
	requirements := s.inProject(s.config.Tests.Requirements)
	if requirements == "" {
		return "", nil
	}
	programs, err := stack.FindPrograms(ctx, s.config.Python)
	if err != nil {
		return "", err
	}
	p := python.Python{Path: programs.Python, User: s.user, Log: s.log("wheels.log")}
	house := s.wheelhouseFor(p)
	hash, err := house.Hash(requirements)
	if err != nil {
		return "", err
	}
	if dir, err := house.Packages(hash); err == nil {
		return dir, nil
	}
	if err := s.makeTestPackages(ctx, house, requirements); err != nil {
		return "", err
	}
	return house.Packages(hash)
}

func (s *Site) makeTestPackages(ctx context.Context, house python.Wheelhouse, requirements string) error {
	return s.changing(ctx, "test", func(ctx context.Context) error {
		return s.step(ctx, "packages of the tests", func(ctx context.Context, _ Step) (string, error) {
			hash, _, err := house.Fill(ctx, requirements)
			if err != nil {
				return "", err
			}
			_, err = house.Install(ctx, hash)
			return hash, err
		})
	})
}
