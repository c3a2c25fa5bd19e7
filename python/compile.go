package python

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/hadjango/hadjango/internal/command"
)

// Compile compiles all Python files in dir, but for those whose path there
// begins with except, to files that are the same wherever dir is and whatever
// the times of the sources: an interpreter takes them as they are, so sources
// must not change afterwards. A source that does not compile fails where it is
// imported, if it is; allCompiled tells whether there was none.
func (p Python) Compile(ctx context.Context, dir, except string) (allCompiled bool, err error) {
	dirs, files, err := sources(ctx, dir, except)
	if err != nil || files == 0 {
		return err == nil, err
	}
	args := []string{p.Path, "-m", "compileall", "-q", "-f", "-l", "-j", compilers(files), "--invalidation-mode", "unchecked-hash", "-s", dir}
	compile := command.Command{Args: append(args, dirs...), Dir: "/", Env: environment("PYTHONHASHSEED=0"), User: p.User, Log: p.Log}
	err = compile.Run(ctx)
	var failed *command.Error
	if errors.As(err, &failed) && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}

// compilers is how many processes compile, as compileall is told: one, or as
// many as there are processors. Two do no better than one, and take more.
func compilers(files int) string {
	const manyFiles, manyProcessors = 300, 3
	if files < manyFiles || runtime.NumCPU() < manyProcessors {
		return "1"
	}
	return "0"
}

// sources are the directories that hold Python files: compileall itself would
// go through all that a build has installed. What is removed meanwhile, by
// something that a build command has left behind, needs no compiling.
func sources(ctx context.Context, root, except string) (dirs []string, files int, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != root {
			return nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		below := strings.TrimPrefix(path, root+"/")
		if entry.IsDir() && except != "" && strings.HasPrefix(below, except) {
			return fs.SkipDir
		}
		if entry.Type().IsRegular() && strings.HasSuffix(path, ".py") {
			dirs = append(dirs, filepath.Dir(path))
		}
		return nil
	})
	files = len(dirs)
	slices.Sort(dirs)
	return slices.Compact(dirs), files, err
}
