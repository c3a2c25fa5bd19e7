// Package precompress lays a compressed copy beside each static file that
// shrinks well, for a web server that sends the copy as it is (nginx's
// gzip_static). It compresses harder than a server does in passing, and once.
package precompress

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/hadjango/hadjango/internal/human"
)

// Suffix is what the name of a copy adds to that of its file.
const Suffix = ".gz"

// minSize is that of a file which fits into one packet compressed or not.
const minSize = 512

// maxSize is more than a page loads; a file of holes would take for ever.
const maxSize = 64 << 20

// extensions are those of formats that are not compressed already.
var extensions = map[string]bool{
	".css": true, ".js": true, ".mjs": true, ".cjs": true, ".map": true, ".json": true, ".webmanifest": true, ".geojson": true,
	".html": true, ".htm": true, ".xml": true, ".rss": true, ".txt": true, ".md": true, ".csv": true,
	".svg": true, ".ico": true, ".bmp": true, ".ttf": true, ".otf": true, ".eot": true, ".wasm": true,
}

// Report is what [Dir] has made.
type Report struct {
	// Files have a copy now; Before and After are their bytes and the copies'.
	Files         int
	Before, After int64
}

func (r Report) String() string {
	if r.Files == 0 {
		return "no file that shrinks"
	}
	return fmt.Sprintf("%d files, %s → %s", r.Files, human.Bytes(r.Before), human.Bytes(r.After))
}

// Dir compresses what lies in dir, side by side on all cores. A copy that is
// there already stays, and one that would not be smaller is not made. Links are
// not followed, and nothing is written outside of dir whatever lies in it. The
// same file always gives the same copy, with the file's own time and permissions.
func Dir(ctx context.Context, dir string) (Report, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Report{}, fmt.Errorf("precompress: %w", err)
	}
	defer root.Close()
	found, err := compressible(root.FS())
	if err != nil {
		return Report{}, fmt.Errorf("precompress %s: %w", dir, err)
	}
	report, err := compressAll(ctx, root, found)
	if err != nil {
		return Report{}, fmt.Errorf("precompress %s: %w", dir, err)
	}
	return report, nil
}

type file struct {
	name string
	info fs.FileInfo
}

// compressible lists the largest files first, lest one of them is left for a
// single core in the end.
func compressible(dir fs.FS) ([]file, error) {
	var found []file
	err := fs.WalkDir(dir, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !extensions[strings.ToLower(path.Ext(name))] {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Size() >= minSize && info.Size() <= maxSize {
			found = append(found, file{name, info})
		}
		return err
	})
	slices.SortFunc(found, func(a, b file) int { return cmp.Compare(b.info.Size(), a.info.Size()) })
	return found, err
}

func compressAll(ctx context.Context, root *os.Root, found []file) (Report, error) {
	var mu sync.Mutex
	var report Report
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, f := range found {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			size, err := compress(root, f)
			mu.Lock()
			defer mu.Unlock()
			report.add(f.info.Size(), size)
			return err
		})
	}
	return report, group.Wait()
}

func (r *Report) add(before, after int64) {
	if after > 0 {
		r.Files, r.Before, r.After = r.Files+1, r.Before+before, r.After+after
	}
}

// compress makes the copy of a file and returns its size, zero where there is
// none of ours.
func compress(root *os.Root, f file) (int64, error) {
	source, err := root.Open(f.name)
	if err != nil {
		return 0, err
	}
	defer source.Close()
	name := f.name + Suffix
	target, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENAMETOOLONG) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	size, err := fill(target, source)
	if err = errors.Join(err, dress(target, f.info), target.Close()); err != nil || size >= f.info.Size() {
		return 0, errors.Join(err, root.Remove(name))
	}
	// a browser that asks again compares times, whichever of the two it has
	return size, root.Chtimes(name, f.info.ModTime(), f.info.ModTime())
}

// writers are kept, because each has a megabyte of tables.
var writers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestCompression)
	return w
}}

// fill uses the standard library: klauspost/compress, measured on the files of
// Django's admin, Bootstrap and ECharts, is faster by nothing to a half, and
// the files get smaller by half a percent.
func fill(target, source *os.File) (size int64, err error) {
	w := writers.Get().(*gzip.Writer)
	defer writers.Put(w)
	w.Reset(target)
	_, err = io.Copy(w, source)
	if err = errors.Join(err, w.Close()); err != nil {
		return 0, err
	}
	return target.Seek(0, io.SeekCurrent)
}

// dress gives the copy to those who may read the file.
func dress(target *os.File, source fs.FileInfo) error {
	now, err := target.Stat()
	if err != nil {
		return err
	}
	if gid := source.Sys().(*syscall.Stat_t).Gid; now.Sys().(*syscall.Stat_t).Gid != gid {
		err = target.Chown(-1, int(gid))
	}
	return errors.Join(err, target.Chmod(source.Mode().Perm()&^0o111))
}
