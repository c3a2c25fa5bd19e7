package builds

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/reflink"
)

// ShareOptions are what [Share] can be told; the zero value shares all that a
// build may share.
type ShareOptions struct {
	// Skip are paths, from the build's root, that stay the build's own with all
	// that lies below them: what is written in place. Default: none.
	Skip []string
}

// ShareReport is what [Share] has done.
type ShareReport struct {
	// Files have become one with the basis's, which freed Bytes on disk.
	Files int
	Bytes int64
	// Already were one with it before.
	Already int
	// Size is what the build took on disk before.
	Size int64
}

// ErrSameBuild says that a build cannot share with itself, or with one inside it.
var ErrSameBuild = errors.New("the basis and the build are one tree")

// Share lets files of the build at dir that are equal to those at the same
// path of the build at basis, another complete one, become one with them on
// disk: regular files with the same bytes, mode and owner. Nothing else
// changes, neither in the basis nor in what a reader of the build finds, so
// both may be in use meanwhile; but nobody may write to them, then or later,
// other than by putting a new file in the place of an old one.
//
// Where the file system can (XFS, Btrfs), the files stay two that have their
// bytes in common. Else they become hard links, with the basis's time; each is
// made beside and renamed over, so the build is whole at every moment. A call
// that was cut short leaves at most .hadjango-share.tmp, and the next one goes
// on where it ended. Files that cannot be shared, on another file system for
// example, are left as they are.
//
// What is each build's own is never shared: the manifest, the tag, the stamp
// and its repository.
func Share(ctx context.Context, basis, dir string, opts ShareOptions) (ShareReport, error) {
	report, err := share(ctx, basis, dir, opts)
	if err != nil {
		return report, fmt.Errorf("share files of %s with %s: %w", dir, basis, err)
	}
	return report, nil
}

// shareBench is where links are made before they are put in place.
const shareBench = ".hadjango-share.tmp"

// EndShare removes what a sharing of the build at dir has left that was cut short.
func EndShare(dir string) error { return os.RemoveAll(filepath.Join(dir, shareBench)) }

// unshared are paths in a build that are its own.
var unshared = []string{manifestFile, tagFile, gitName, stampFile, shareBench}

func share(ctx context.Context, basis, dir string, opts ShareOptions) (ShareReport, error) {
	basis, dir, err := realPair(basis, dir)
	if err != nil {
		return ShareReport{}, err
	}
	s := &sharing{basis: basis, dir: dir, skip: slices.Clone(unshared), reflinks: reflink.Possible(dir)}
	for _, skip := range opts.Skip {
		s.skip = append(s.skip, filepath.Clean(skip))
	}
	pairs, err := s.pairs(ctx)
	if err != nil {
		return s.report, err
	}
	err = s.shareAll(ctx, pairs)
	return s.report, errors.Join(err, os.RemoveAll(s.bench()))
}

// realPair resolves both, and refuses two that are not apart.
func realPair(basis, dir string) (realBasis, realDir string, err error) {
	if realBasis, err = realPath(basis); err != nil {
		return "", "", err
	}
	if realDir, err = realPath(dir); err != nil {
		return "", "", err
	}
	_, inBasis := pathBelow(realBasis, realDir)
	_, inDir := pathBelow(realDir, realBasis)
	if inBasis || inDir {
		return "", "", ErrSameBuild
	}
	return realBasis, realDir, nil
}

// sharing is one call of Share.
type sharing struct {
	basis, dir string
	skip       []string
	reflinks   bool

	mu     sync.Mutex
	report ShareReport
}

func (s *sharing) bench() string { return filepath.Join(s.dir, shareBench) }

// sharePair is a file of the build and the one of the basis that it may be equal to.
type sharePair struct {
	path       string
	basis, own fs.FileInfo
}

// pairs finds the files that may be equal, without opening any.
func (s *sharing) pairs(ctx context.Context) ([]sharePair, error) {
	if err := os.RemoveAll(s.bench()); err != nil {
		return nil, err
	}
	var basis, own map[string]fs.FileInfo
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { basis, _, err = s.regularFiles(ctx, s.basis); return err })
	group.Go(func() (err error) { own, s.report.Size, err = s.regularFiles(ctx, s.dir); return err })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var pairs []sharePair
	for path, info := range own {
		switch there := basis[path]; {
		case there == nil || info.Size() == 0 || s.skips(path) || !alike(there, info):
		case os.SameFile(there, info):
			s.report.Already++
		default:
			pairs = append(pairs, sharePair{path, there, info})
		}
	}
	return pairs, nil
}

// regularFiles are those of a tree by their path in it; size is what all of it
// takes on disk.
func (s *sharing) regularFiles(ctx context.Context, root string) (found map[string]fs.FileInfo, size int64, err error) {
	found = map[string]fs.FileInfo{}
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		size += onDisk(info)
		if info.Mode().IsRegular() {
			found[name[len(root)+1:]] = info
		}
		return nil
	})
	return found, size, err
}

func (s *sharing) skips(path string) bool {
	return slices.ContainsFunc(s.skip, func(skip string) bool {
		rest, below := strings.CutPrefix(path, skip)
		return below && (rest == "" || rest[0] == '/')
	})
}

// alike tells whether two files could be one: that they differ in nothing but
// their bytes and times.
func alike(a, b fs.FileInfo) bool {
	ofA, ofB := statOf(a), statOf(b)
	return a.Size() == b.Size() && a.Mode() == b.Mode() &&
		ofA.Dev == ofB.Dev && ofA.Uid == ofB.Uid && ofA.Gid == ofB.Gid
}

func (s *sharing) shareAll(ctx context.Context, pairs []sharePair) error {
	if len(pairs) == 0 {
		return nil
	}
	if err := s.prepare(); err != nil {
		return err
	}
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(copyWorkers())
	for i, pair := range pairs {
		if running.Err() != nil {
			break
		}
		group.Go(func() error { return s.shareFile(pair, filepath.Join(s.bench(), strconv.Itoa(i))) })
	}
	return errors.Join(group.Wait(), ctx.Err())
}

// prepare makes the bench. Before the kernel compares two files it writes them
// to the disk: that is quicker done for all at once.
func (s *sharing) prepare() error {
	if !s.reflinks {
		return os.Mkdir(s.bench(), 0o700)
	}
	dir, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	return errors.Join(unix.Syncfs(int(dir.Fd())), os.Mkdir(s.bench(), 0o700))
}

func (s *sharing) shareFile(pair sharePair, temp string) error {
	basis, err := openUnchanged(filepath.Join(s.basis, pair.path), pair.basis)
	if err != nil {
		return err
	}
	defer basis.Close()
	own, err := openUnchanged(filepath.Join(s.dir, pair.path), pair.own)
	if err != nil {
		return err
	}
	defer own.Close()
	if s.reflinks {
		if err := s.dedupe(own, basis, pair); !errors.Is(err, reflink.ErrUnsupported) {
			return err
		}
	}
	if equal, err := sameBytes(own, basis); err != nil || !equal {
		return err
	}
	return s.link(pair, temp)
}

// openUnchanged opens the file that was found before, and no other. It neither
// follows a link nor waits for the other end of a pipe.
func openUnchanged(name string, was fs.FileInfo) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	now, err := f.Stat()
	if err == nil && !unchanged(was, now) {
		err = changedMeanwhile(name)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func unchanged(was, now fs.FileInfo) bool {
	return os.SameFile(was, now) && was.Size() == now.Size() && was.Mode() == now.Mode() && was.ModTime().Equal(now.ModTime())
}

func changedMeanwhile(name string) error {
	return fmt.Errorf("%q changed meanwhile: nothing may write to a complete build", name)
}

func statOf(info fs.FileInfo) *syscall.Stat_t { return info.Sys().(*syscall.Stat_t) }

// onDisk is what a file takes; the unit of st_blocks is 512 bytes everywhere.
func onDisk(info fs.FileInfo) int64 { return statOf(info).Blocks * 512 }

func (s *sharing) dedupe(own, basis *os.File, pair sharePair) error {
	if reflink.Same(own, basis) {
		s.note(func(r *ShareReport) { r.Already++ })
		return nil
	}
	before := reflink.Shared(own)
	equal, err := reflink.Dedupe(own, basis, pair.own.Size())
	if err != nil || !equal {
		return err
	}
	s.note(func(r *ShareReport) { r.Files, r.Bytes = r.Files+1, r.Bytes+max(0, onDisk(pair.own)-before) })
	return nil
}

// link puts another name of the basis's file in the place of the build's.
func (s *sharing) link(pair sharePair, temp string) error {
	if err := os.Link(filepath.Join(s.basis, pair.path), temp); err != nil {
		return forgive(err)
	}
	own := filepath.Join(s.dir, pair.path)
	for name, was := range map[string]fs.FileInfo{temp: pair.basis, own: pair.own} {
		if now, err := os.Lstat(name); err != nil || !unchanged(was, now) {
			return errors.Join(changedMeanwhile(name), err)
		}
	}
	if err := os.Rename(temp, own); err != nil {
		return errors.Join(forgive(err), os.Remove(temp))
	}
	s.note(func(r *ShareReport) {
		r.Files++
		if statOf(pair.own).Nlink == 1 {
			r.Bytes += onDisk(pair.own)
		}
	})
	return nil
}

// forgive is nil for what only says that this file cannot be a link here: it
// has too many names, the file system knows none, the directory is read-only.
func forgive(err error) error {
	for _, says := range []error{unix.EMLINK, unix.EPERM, unix.EACCES, unix.EXDEV, unix.EOPNOTSUPP} {
		if errors.Is(err, says) {
			return nil
		}
	}
	return err
}

func (s *sharing) note(change func(*ShareReport)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.report)
}

const compareSize = 64 << 10

var compareBuffers = sync.Pool{New: func() any { return new([2 * compareSize]byte) }}

// sameBytes compares what two files hold from where they are read.
func sameBytes(a, b io.Reader) (bool, error) {
	buffers := compareBuffers.Get().(*[2 * compareSize]byte)
	defer compareBuffers.Put(buffers)
	for {
		n, errA := io.ReadFull(a, buffers[:compareSize])
		m, errB := io.ReadFull(b, buffers[compareSize:])
		if !bytes.Equal(buffers[:n], buffers[compareSize:compareSize+m]) {
			return false, nil
		}
		if err := errors.Join(notEnd(errA), notEnd(errB)); err != nil {
			return false, err
		}
		if errA != nil {
			return true, nil
		}
	}
}

func notEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
