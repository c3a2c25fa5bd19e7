package site

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/python"
	"github.com/hadjango/hadjango/stack"
)

func (p patient) room(context.Context) []Finding {
	if err := p.writable(); err != nil {
		return []Finding{{
			Severity: Problem, What: first(err), Where: p.deploy, Why: "no task can change anything",
			Mend: "mount -o remount,rw " + shellquote.Join(p.deploy),
		}}
	}
	dir := p.root
	if _, err := os.Stat(p.deploy); err == nil {
		dir = p.deploy
	}
	left, err := freeRoom(dir)
	if err != nil {
		return nil
	}
	need, as := p.nextTakes()
	f := Finding{Severity: Warning, Where: dir, Why: "the next build could not be made", Mend: p.makeRoom(need)}
	f.What = fmt.Sprintf("%s left for builds, and one takes %s as %s", left, need, as)
	switch {
	case !left.holds(need):
		f.Severity = Problem
	case left.holds(need.times(2)):
		return nil
	}
	return []Finding{f}
}

// makeRoom says what to remove.
func (s *Site) makeRoom(need room, but ...builds.Name) string {
	if commands := s.removable(but...); commands != "" {
		return commands
	}
	return fmt.Sprintf("free %s on the file system of %s", need, s.deploy)
}

// pointers looks at what live and stage name.
func (p patient) pointers(context.Context) []Finding {
	if len(p.names) == 0 {
		return []Finding{{Severity: Problem, What: "nothing is deployed yet", Where: p.root, Why: "there is no build to serve", Mend: "mage init"}}
	}
	var found []Finding
	for _, pointer := range []builds.Pointer{builds.Live, builds.Stage} {
		found = append(found, p.pointer(pointer)...)
	}
	live, err := p.store.Pointed(builds.Live)
	stage, err2 := p.store.Pointed(builds.Stage)
	if errors.Join(err, err2) == nil && live == stage {
		found = append(found, Finding{
			Severity: Problem, What: fmt.Sprintf("live and stage both name %s", live), Where: p.builds(),
			Why: "a swap would change nothing, and there is no way back", Mend: p.stageAnother(),
		})
	}
	return found
}

func (p patient) pointer(pointer builds.Pointer) []Finding {
	f := Finding{
		Severity: Problem, Where: p.store.PointerPath(pointer), Why: fmt.Sprintf("%s answers nobody", pointer), Mend: "mage init",
	}
	if pointer == builds.Stage {
		f.Mend = p.stageAnother()
	}
	name, err := p.store.Pointed(pointer)
	target, _ := os.Readlink(f.Where)
	switch {
	case err != nil && target == "":
		f.What = fmt.Sprintf("%s names no build", pointer)
	case err != nil:
		f.What = fmt.Sprintf("%s names %s, which is no build", pointer, target)
	case !p.isComplete(name):
		f.What = fmt.Sprintf("%s names %s, which is not complete", pointer, name)
		f.Why = "it must not be started, and does not come back after a restart"
		if pointer == builds.Live {
			f.Mend = "mage swapLive"
		}
	default:
		return nil
	}
	return []Finding{f}
}

// journaled compares what live and stage name with what they named when the last
// task ended. A task that ends meanwhile makes that old: then there is nothing to say.
func (p patient) journaled(context.Context) []Finding {
	last, known := p.lastEnded()
	now := p.snapshot()
	if again, _ := p.lastEnded(); !known || again.ID != last.ID {
		return nil
	}
	was := *last.After
	other := func(now, was builds.Name) bool { return now != "" && now != was }
	if !other(now.Live, was.Live) && !other(now.Stage, was.Stage) {
		return nil
	}
	return []Finding{{
		Severity: Warning, Where: p.journal.Path(), Mend: p.pointBack(now, was),
		What: fmt.Sprintf("live is %s and stage is %s; %s left live %s and stage %s", orNone(now.Live), orNone(now.Stage), last.Title(), orNone(was.Live), orNone(was.Stage)),
		Why:  "no task has changed that, so nobody has looked whether what is served now can be; any task that ends well, such as mage up, takes it as it is",
	}}
}

// lastEnded is the task that was begun last, if it has ended and says what it left.
func (p patient) lastEnded() (last builds.Record, known bool) {
	records, err := p.journal.Read(1)
	if err != nil || len(records) == 0 {
		return builds.Record{}, false
	}
	return records[0], records[0].After != nil
}

func orNone(name builds.Name) string { return or(string(name), "none") }

// pointBack is how live and stage become what they were, as far as there is
// something to point to.
func (p patient) pointBack(now, was builds.State) string {
	switch {
	case now.Live == was.Stage && now.Stage == was.Live:
		return "mage swapLive"
	case now.Live != was.Live && p.isComplete(was.Live):
		return fmt.Sprintf("mage swapLive -build=%s", was.Live)
	case now.Stage != was.Stage && p.isComplete(was.Stage):
		return fmt.Sprintf("mage stage %s", was.Stage)
	}
	return "mage up"
}

// stageAnother is how stage gets a build that it can have.
func (p patient) stageAnother() string {
	live, _ := p.store.Pointed(builds.Live)
	stage, _ := p.store.Pointed(builds.Stage)
	for _, name := range p.names {
		if name != live && name != stage && p.isComplete(name) {
			return fmt.Sprintf("mage stage %s", name)
		}
	}
	free, _ := p.store.Free()
	return fmt.Sprintf("mage createBuild %s && mage stage %s", free, free)
}

func (s *Site) isComplete(name builds.Name) bool {
	manifest, err := s.store.Manifest(name)
	return err == nil && manifest.Complete
}

// pythons compares the interpreters with the one that uWSGI's plugin holds.
func (p patient) pythons(ctx context.Context) []Finding {
	linked, err := stack.PluginPython()
	if err != nil {
		return nil
	}
	found := p.configuredPython(ctx, linked)
	for _, name := range p.names {
		other := p.otherPython(name)
		if other == "" || !p.isComplete(name) {
			continue
		}
		found = append(found, Finding{
			Severity: Problem, What: fmt.Sprintf("build %s %s", name, other), Where: p.store.Path(name),
			Why: "its packages are not found, or do not load", Mend: p.anew(name),
		})
	}
	return found
}

func (p patient) configuredPython(ctx context.Context, linked string) []Finding {
	if p.config.Python == "" {
		return nil
	}
	me, err := account.Current()
	if err != nil {
		return nil
	}
	version, err := python.Python{Path: p.config.Python, User: me}.Version(ctx)
	if err != nil || version == linked {
		return nil
	}
	return []Finding{{
		Severity: Problem, What: fmt.Sprintf("python is %s, and uWSGI's plugin is linked with %s", version, linked), Where: ConfigFile,
		Why: "builds would be made that cannot be started", Mend: fmt.Sprintf("set python in %s to a Python %s, or remove it", ConfigFile, linked),
	}}
}

// anew is how a build's place gets one that is made now.
func (p patient) anew(name builds.Name) string {
	pointer, pointed := p.store.PointerTo(name)
	free, _ := p.store.Free()
	switch {
	case !pointed:
		return fmt.Sprintf("mage rm %s && mage createBuild %s", name, name)
	case pointer == builds.Live:
		return fmt.Sprintf("mage createBuild %s && mage swapLive -build=%s", free, free)
	}
	return fmt.Sprintf("mage createBuild %s && mage stage %s", free, free)
}

func (p patient) incomplete(context.Context) []Finding {
	var found []Finding
	for _, name := range p.names {
		if _, pointed := p.store.PointerTo(name); p.busy || pointed || p.isComplete(name) {
			continue
		}
		found = append(found, Finding{
			Severity: Warning, What: fmt.Sprintf("build %s is not complete", name), Where: p.store.Path(name),
			Why: "its making was interrupted; it takes room and cannot be started", Mend: fmt.Sprintf("mage rm %s", name),
		})
	}
	return found
}

// leftover is what an interrupted write, removal or sharing leaves.
var leftover = regexp.MustCompile(`^(\..+\.tmp-[0-9]+|\.trash-.+|\.hadjango-share\.tmp)$`)

func (p patient) leftovers(ctx context.Context) []Finding {
	if p.busy {
		return nil
	}
	var paths []string
	roots := []string{p.deploy}
	if !strings.HasPrefix(p.run, p.deploy+"/") {
		roots = append(roots, p.run)
	}
	for _, root := range roots {
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				return nil
			case p.isLeft(path):
				paths = append(paths, path)
				return skipDir(entry)
			case entry.IsDir() && p.isOthers(path):
				return fs.SkipDir
			}
			return nil
		})
	}
	if len(paths) == 0 {
		return nil
	}
	return []Finding{{
		Severity: Warning, What: count(len(paths), "leftover") + " of interrupted tasks: " + p.short(paths[0]), Where: paths[0],
		Why:  "they take room and are nobody's; the next createBuild or rm ends removals and sharings, and no task the rest",
		Mend: "rm -r " + shellquote.Join(paths...),
	}}
}

// isLeft tells whether an interrupted task has left a file or directory. What
// is fetched has a suffix until it is whole.
func (p patient) isLeft(path string) bool {
	switch dir, name := filepath.Split(path); filepath.Clean(dir) {
	case p.wheelhouse(), p.installed(), p.nodeDir():
		return strings.HasSuffix(name, partSuffix)
	default:
		return leftover.MatchString(name)
	}
}

// isOthers tells whether a directory is large, and written by others than tasks:
// uploads, the application's data, node modules, and what pip and npm keep, but
// for the mark beside pip.
func (p patient) isOthers(dir string) bool {
	pip := filepath.Join(p.cache(), "venv")
	switch filepath.Dir(dir) {
	case p.nodeDir(), pip:
		return true
	case p.cache():
		return dir != pip
	}
	return dir == p.media() || dir == p.data()
}

func skipDir(entry fs.DirEntry) error {
	if entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// short is a path as seen from the site's directory.
func (p patient) short(path string) string {
	if relative, err := filepath.Rel(p.root, path); err == nil {
		return relative
	}
	return path
}

// halfDone asks the journal.
func (p patient) halfDone(context.Context) []Finding {
	half, err := p.Site.halfDone()
	switch {
	case p.busy || err == nil && half == nil:
		return nil
	case err != nil:
		return []Finding{{
			Severity: Problem, What: "the journal cannot be read: " + err.Error(), Where: p.journal.Path(),
			Why: "a task that was cut short would not be noticed", Mend: "let " + p.user.Name + " read it",
		}}
	}
	next := "mage resume"
	if half.Undo {
		next += ", or mage undo"
	}
	return []Finding{{
		Severity: Problem, What: half.String(), Where: p.journal.Path(), Why: "the site may be neither as it was nor as it should be", Mend: next,
	}}
}

func (p patient) databaseMark(context.Context) []Finding {
	mark, begun := p.databaseBegun()
	if p.busy || !begun {
		return nil
	}
	f := Finding{
		Severity: Problem, What: "the database was begun and not finished", Where: p.Site.databaseMark(),
		Why: mark.String() + ": tables or data are missing", Mend: "mage " + or(mark.Task, "init"),
	}
	switch {
	case mark.emptying():
		f.Mend = "mage initializeDB -reset"
	case p.servedSince(mark):
		f.Why += ", and the site has been live since: finish it by hand and remove the file, or lose all it holds"
		f.Mend = "mage initializeDB -reset"
	}
	return []Finding{f}
}

// clockSlack is how far file times may be ahead: some file systems keep
// another machine's time.
const clockSlack = 5 * time.Second

// clock finds a system time that cannot be right: things were made after it.
func (p patient) clock(context.Context) []Finding {
	latest, where := time.Time{}, ""
	for _, name := range p.names {
		if m, err := p.store.Manifest(name); err == nil && m.Created.After(latest) {
			latest, where = m.Created, p.store.Path(name)
		}
	}
	files, _ := filepath.Glob(p.etc("*"))
	for _, file := range append(files, builds.LockRecord(p.lockFile())) {
		if info, err := os.Lstat(file); err == nil && info.ModTime().After(latest) {
			latest, where = info.ModTime(), file
		}
	}
	ahead := time.Until(latest)
	if ahead < clockSlack {
		return nil
	}
	return []Finding{{
		Severity: Problem, What: fmt.Sprintf("the clock is wrong: %s is of %s from now", p.short(where), ahead.Round(time.Second)), Where: where,
		Why: "what changed last is told by times of files", Mend: "timedatectl set-ntp true",
	}}
}

// modes looks for what others may read or write that they should not, and for
// directories that are gone.
func (p patient) modes(ctx context.Context) []Finding {
	complete := slices.DeleteFunc(slices.Clone(p.names), func(name builds.Name) bool { return !p.isComplete(name) })
	var found []Finding
	for _, l := range locations {
		for _, path := range p.paths(l, complete) {
			found = append(found, p.mode(l, path)...)
		}
	}
	found = append(found, p.obeyed()...)
	return append(found, p.eachSideBySide(func(name builds.Name) []Finding {
		if !slices.Contains(complete, name) {
			return nil
		}
		return p.changeable(ctx, name)
	})...)
}

func (p patient) mode(l location, path string) []Finding {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return p.missing(l, path, err)
	}
	owner, perm := uint32(os.Geteuid()), p.perm(l)
	if l.owner == users {
		owner = p.user.UID
	}
	f := Finding{Severity: Problem, Where: path, Why: "others could read or replace what the site relies on"}
	switch mode := fs.FileMode(stat.Mode).Perm(); {
	case stat.Uid != owner && !l.givenAway():
		f.What = fmt.Sprintf("%s belongs to user %d and not to %d", p.short(path), stat.Uid, owner)
		f.Mend = fmt.Sprintf("chown %d %s", owner, shellquote.Join(path))
	case mode&^perm&^l.spared() != 0:
		f.What = fmt.Sprintf("%s is open to more than it should be (%03o, not %03o)", p.short(path), mode, perm)
		f.Mend = fmt.Sprintf("chmod %03o %s", perm, shellquote.Join(path))
		if l.owner == shared && !p.user.IsMe() && stat.Gid != p.user.GID {
			// closed to others, it would be closed to the user too
			f.Mend = fmt.Sprintf("chgrp %d %s && %s", p.user.GID, shellquote.Join(path), f.Mend)
		}
	default:
		return nil
	}
	return []Finding{f}
}

// missing is for directories: what else is not there is told by other checks.
func (p patient) missing(l location, path string, err error) []Finding {
	if l.kind != directory || !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return []Finding{{
		Severity: Problem, What: p.short(path) + " is missing", Where: path,
		Why: "what was in it is gone, unless it was moved; the next task makes it anew, empty", Mend: "mage up",
	}}
}

// whoRuns finds root.
func (p patient) whoRuns(context.Context) []Finding {
	if !p.unasked() {
		return nil
	}
	return []Finding{{
		Severity: Problem, What: "the project's code runs as root", Where: p.data(),
		Why:  "whoever finds a fault in it has the machine; the site was begun where " + defaultUser + " may not enter",
		Mend: "make the site anew in another directory, for example below /srv, or set user: root in " + ConfigFile,
	}}
}

// obeyed finds what root does as it is told there, and the served code may
// change. Templates are refused (see [overrides]).
func (p patient) obeyed() []Finding {
	var found []Finding
	for _, path := range []string{p.root, filepath.Join(p.root, ConfigFile)} {
		info, err := os.Stat(path)
		if err != nil || p.user.IsMe() || !p.user.CanWrite(info) {
			continue
		}
		found = append(found, Finding{
			Severity: Problem, What: fmt.Sprintf("%s can be changed by %s, who runs the project's code", path, p.user.Name), Where: path,
			Why: "root does what it says: that code could become root", Mend: fmt.Sprintf("chown root %s && chmod go-w %[1]s", shellquote.Join(path)),
		})
	}
	return found
}

// changeable finds what a finished build's own code, or others, could change in it.
func (p patient) changeable(ctx context.Context, name builds.Name) []Finding {
	var found []Finding
	for _, dir := range []string{p.store.Path(name), p.static(name)} {
		n, example := p.countWritable(ctx, dir)
		if n == 0 {
			continue
		}
		found = append(found, Finding{
			Severity: Problem, What: fmt.Sprintf("%s of %s can be changed by those who should not: %s", count(n, "file"), name, p.short(example)), Where: example,
			Why: "code that is served must not be able to change itself", Mend: p.sealCommand(dir),
		})
	}
	return found
}

func (p patient) sealCommand(dir string) string {
	dir = shellquote.Join(dir)
	if p.user.IsMe() {
		return "chmod -R o-w " + dir
	}
	return fmt.Sprintf("chown -hR %d:%d %s && chmod -R g-w,o-w %s", os.Geteuid(), p.user.GID, dir, dir)
}

func (p patient) countWritable(ctx context.Context, dir string) (n int, example string) {
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil || err != nil {
			return ctx.Err()
		}
		var stat unix.Stat_t
		if unix.Lstat(path, &stat) == nil && p.mayChange(stat) {
			n, example = n+1, or(example, path)
		}
		return nil
	})
	return n, example
}

// mayChange tells whether a file can be written by more than who deploys. An
// ordinary user's builds are the user's, whose umask may give the group more.
func (p patient) mayChange(stat unix.Stat_t) bool {
	write := uint32(0o022)
	if p.user.IsMe() {
		write = 0o002
	}
	link := stat.Mode&unix.S_IFMT == unix.S_IFLNK
	return !link && stat.Mode&write != 0 || !p.user.IsMe() && stat.Uid == p.user.UID
}

// rendered is a file as the configuration now says it should be.
type rendered struct {
	path string
	data []byte
}

// render returns what a function would write.
func (p patient) render(do func(*Site) error) ([]rendered, error) {
	var all []rendered
	dry, err := newSite(p.root, p.config, Options{Deploy: p.deploy, Nginx: p.elsewhere})
	if err != nil {
		return nil, err
	}
	dry.output = func(path string, data []byte, _ fs.FileMode) error {
		all = append(all, rendered{path, data})
		return nil
	}
	err = do(dry)
	return all, err
}

// configuration compares what runs with what hadjango.yml and the templates say now.
func (p patient) configuration(ctx context.Context) []Finding {
	if p.busy {
		return nil
	}
	found := append(p.emperorsAreOld(), p.nginxIsOld()...)
	return append(found, p.eachSideBySide(p.buildIsOld)...)
}

func (p patient) emperorsAreOld() []Finding {
	servers := p.stack(stack.Programs{})
	var found []Finding
	for _, e := range []struct {
		server stack.Emperor
		family []proc.Process
		render func(*Site) error
	}{
		{servers.Vassals, p.masters.Vassals, func(s *Site) error { return s.renderEmperor("vassals", "vassal") }},
		{servers.Zergs, p.masters.Zergs, func(s *Site) error { return s.renderEmperor("zergs", slots...) }},
	} {
		if len(e.family) == 0 {
			continue
		}
		now, err := p.render(e.render)
		if err != nil {
			return []Finding{cannotRender(err)}
		}
		// it writes its pid file once it has read the configuration
		if differs(now[0]) || younger(e.server.Config, e.server.PIDFile) {
			found = append(found, Finding{
				Severity: Warning, What: "the " + e.server.Name + " runs with an older configuration than " + ConfigFile + " says", Where: e.server.Config,
				Why: "an emperor reads it only when it starts: timeouts, say, are still the old ones", Mend: downAndUp,
			})
		}
	}
	return found
}

func younger(path, than string) bool {
	info, err := os.Stat(path)
	other, err2 := os.Stat(than)
	return errors.Join(err, err2) == nil && info.ModTime().After(other.ModTime())
}

func differs(r rendered) bool {
	now, err := os.ReadFile(r.path)
	return err != nil || !bytes.Equal(now, r.data)
}

func cannotRender(err error) Finding {
	return Finding{
		Severity: Problem, What: "the configuration cannot be written: " + first(err), Where: "conf/",
		Why: "no server can be started with it", Mend: "mend the template in conf/, or the value in " + ConfigFile,
	}
}

func (p patient) nginxIsOld() []Finding {
	programs, err := stack.FindNginx()
	if err != nil || !p.running.Nginx {
		return nil
	}
	all, err := p.render(func(s *Site) error { return s.renderServerFiles(programs) })
	if err != nil {
		return nil // said already
	}
	for _, r := range all {
		emperor := strings.HasSuffix(r.path, ".ini")
		if !emperor && differs(r) || r.path == p.etc("nginx.conf") && differs(rendered{p.loadedConfig(), r.data}) {
			return []Finding{{
				Severity: Warning, What: "nginx runs with an older configuration than " + ConfigFile + " says", Where: r.path,
				Why: "what was changed has no effect yet", Mend: "mage nginxReload",
			}}
		}
	}
	return nil
}

// buildIsOld compares the configuration of a build that runs; one that does
// not gets it anew when it is started.
func (p patient) buildIsOld(name builds.Name) []Finding {
	manifest, err := p.store.Manifest(name)
	linked := p.linked(name)
	if err != nil || !manifest.Complete || len(linked) == 0 {
		return nil
	}
	all, err := p.render(func(s *Site) error {
		return errors.Join(s.renderVassal(name), s.renderZerg(name, manifest.Tag, linked[0]),
			s.renderUpstreams(name), s.renderEnvironment(name, manifest.Tag))
	})
	if err != nil {
		return []Finding{cannotRender(err)}
	}
	for _, r := range all {
		if differs(r) {
			return []Finding{{
				Severity: Warning, What: fmt.Sprintf("%s runs with an older configuration than %s says", name, ConfigFile), Where: r.path,
				Why: "what was changed has no effect on it yet", Mend: fmt.Sprintf("mage restart %s", name),
			}}
		}
	}
	return nil
}
