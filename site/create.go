package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/precompress"
	"github.com/hadjango/hadjango/python"
	"github.com/hadjango/hadjango/src"
	"github.com/hadjango/hadjango/stack"
)

// FindFreeBuild returns the first name that no build has.
func (s *Site) FindFreeBuild() (builds.Name, error) { return s.store.Free() }

// CreateBuild makes a complete build: the project's tracked files with the
// overlay over them, the stamp, a virtualenv with the requirements, the
// project's build commands, and its own configuration. An incomplete build of
// that name is made anew; a complete one is [builds.ErrExists].
func (s *Site) CreateBuild(ctx context.Context, name builds.Name) error {
	return s.changing(ctx, "createBuild "+string(name), func(ctx context.Context) error {
		s.sweep()
		if _, err := s.complete(name); err == nil && taskOf(ctx).finishes() {
			return nil
		}
		programs, err := s.findForBuild(ctx)
		if err != nil {
			return fmt.Errorf("create build %s: %w", name, err)
		}
		return s.createBuild(ctx, programs, name)
	})
}

// making is a build while it is made.
type making struct {
	*Site
	name     builds.Name
	dir      string
	manifest builds.Manifest
	python   python.Python
	// npm is empty for a project without node modules.
	npm   string
	diary diary
}

func (s *Site) createBuild(ctx context.Context, programs stack.Programs, name builds.Name) error {
	if err := s.mayCreate(ctx, name); err != nil {
		return fmt.Errorf("create build %s: %w", name, err)
	}
	if err := s.clearIncomplete(name); err != nil {
		return err
	}
	dir, err := s.store.Create(name)
	if err != nil {
		return err
	}
	m := &making{
		Site: s, name: name, dir: dir,
		manifest: builds.Manifest{Name: name, Created: time.Now().UTC()},
		python:   python.Python{Path: programs.Python, User: s.user, Log: s.buildLog(name)},
		npm:      programs.NPM,
	}
	err = m.run(ctx)
	if err != nil && ctx.Err() == nil {
		return s.unmade(name, fmt.Errorf("create build %s: %w", name, err))
	}
	if err != nil {
		return fmt.Errorf("create build %s: %w", name, err)
	}
	return nil
}

// clearIncomplete makes the name free when what bears it was never completed.
func (s *Site) clearIncomplete(name builds.Name) error {
	if !s.store.Exists(name) {
		return nil
	}
	// a manifest that cannot be read is no complete build's
	manifest, _ := s.store.Manifest(name)
	if manifest.Complete {
		free, err := s.store.Free()
		return errors.Join(fmt.Errorf("create build %s: %w; the next free name is %s", name, builds.ErrExists, free), err)
	}
	s.reporter.Note(fmt.Sprintf("build %s was not complete: it is made anew", name))
	return s.store.Remove(name)
}

// run does the steps; what needs nothing of another runs beside it. The
// project's own code, and pip's, runs as the user, to whom the build belongs
// meanwhile. Before and after it is ours.
func (m *making) run(ctx context.Context) error {
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return m.source(inner) })
	group.Go(func() error { return m.dependencies(inner) })
	group.Go(func() error { return m.nodeModules(inner) })
	if err := group.Wait(); err != nil {
		return err
	}
	if err := errors.Join(m.linkModules(), m.linkStatic()); err != nil {
		return err
	}
	// the project's settings ask it who they are
	if err := m.manifest.Write(m.dir); err != nil {
		return err
	}
	if err := m.foreignCode(ctx); err != nil {
		return err
	}
	if err := m.refuseMadeLast(); err != nil {
		return err
	}
	// whatever the project's commands have put in its place
	if err := m.manifest.Write(m.dir); err != nil {
		return err
	}
	if err := m.step(ctx, "precompress", m.precompress); err != nil {
		return err
	}
	if err := m.step(ctx, "share", m.shareWithNewest); err != nil {
		return err
	}
	if err := m.step(ctx, "configuration", m.configure); err != nil {
		return err
	}
	m.manifest.Steps, m.manifest.Complete = m.diary.steps, true
	return m.manifest.Write(m.dir)
}

func (m *making) source(ctx context.Context) error {
	if err := m.step(ctx, "copy", m.copySource); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return m.step(ctx, "stamp", m.stamp) })
	group.Go(func() error { return m.step(ctx, "assets", m.linkAssets) })
	return group.Wait()
}

func (m *making) dependencies(ctx context.Context) error {
	if err := m.step(ctx, "wheels", m.wheels); err != nil {
		return err
	}
	return m.step(ctx, "install", m.install)
}

// foreignCode runs what is not ours: the project's build commands. The
// virtualenv is there before the build is the user's: Own leaves alone what
// the build has in common with others.
func (m *making) foreignCode(ctx context.Context) error {
	if err := m.step(ctx, "virtualenv", m.virtualenv); err != nil {
		return err
	}
	if err := m.user.Own(m.dir); err != nil {
		return err
	}
	for _, c := range m.config.Build {
		err := m.step(ctx, commandName(c), func(ctx context.Context, _ Step) (string, bool, error) {
			return "", false, m.runInBuild(ctx, m.name, m.manifest.Tag, c)
		})
		if err != nil {
			return err
		}
	}
	if err := m.checkCode(ctx); err != nil {
		return err
	}
	return errors.Join(m.user.Seal(m.dir), m.user.Seal(m.static(m.name)))
}

// step is a step of the site that goes into the manifest too.
func (m *making) step(ctx context.Context, name string, do func(context.Context, Step) (detail string, reused bool, err error)) error {
	start := time.Now()
	return m.Site.step(ctx, fmt.Sprintf("%s: %s", m.name, name), func(ctx context.Context, step Step) (string, error) {
		detail, reused, err := do(ctx, step)
		m.diary.note(name, start, detail, reused)
		return detail, err
	})
}

func (m *making) copySource(ctx context.Context, _ Step) (string, bool, error) {
	project := m.project()
	revision, err := builds.SourceRevision(ctx, project)
	if err != nil {
		return "", false, err
	}
	m.manifest.Source, m.manifest.Tag = revision, revision.String()
	report, err := builds.CopySource(ctx, project, m.dir, builds.CopyOptions{Skip: []string{m.deploy}})
	if err != nil {
		return "", false, err
	}
	if err := m.refuseReserved(); err != nil {
		return "", false, err
	}
	if err := m.layOver(ctx); err != nil {
		return "", false, err
	}
	return fmt.Sprintf("%d files at %s", report.Files, revision), false, nil
}

// layOver copies the overlay that every build has, and then the project's own.
func (m *making) layOver(ctx context.Context) error {
	if err := builds.CopyFS(ctx, src.Files, m.dir); err != nil {
		return err
	}
	overlay := filepath.Join(m.root, m.config.Overlay)
	if _, err := os.Stat(overlay); m.config.Overlay == "" || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	_, err := builds.CopySource(ctx, overlay, m.dir, builds.CopyOptions{Skip: []string{m.deploy}})
	return err
}

// reserved are the names in a build that are ours; of these the last ones are
// made when the project's own commands have run.
var (
	reserved = append([]string{"build.json", ".DEPLOY_TAG", "pyvenv.cfg", "assets/static", "assets/media"}, madeLast...)
	madeLast = []string{"vassal.ini", "zerg.ini", "zerg2.ini", "app.sock", "live.conf", "stage.conf", configDir}
)

// refuseMadeLast looks at what the build commands have made: an emperor would
// run what has the name of a unit.
func (m *making) refuseMadeLast() error {
	for _, name := range madeLast {
		if _, err := os.Lstat(filepath.Join(m.dir, name)); err == nil {
			return fmt.Errorf("a command under build has made %s, which is the name of a part of every build: let it choose another", name)
		}
	}
	return nil
}

func (m *making) refuseReserved() error {
	for _, name := range reserved {
		if _, err := os.Lstat(filepath.Join(m.dir, name)); err == nil {
			return fmt.Errorf("the project %s has a file %s, which is the name of a part of every build: rename it in the project", m.config.Project, name)
		}
	}
	if _, err := os.Lstat(filepath.Join(m.dir, modulesDir)); err == nil && m.npm != "" {
		return fmt.Errorf("the project %s has a %s of its own, and a build gets it from the lock file: "+
			"name it in .gitignore, and take it out of git with git rm -r --cached %s", m.config.Project, modulesDir, modulesDir)
	}
	return nil
}

func (m *making) stamp(ctx context.Context, _ Step) (detail string, reused bool, err error) {
	m.manifest.Stamp, err = builds.Stamp(ctx, m.dir)
	if err != nil {
		return "", false, err
	}
	return m.manifest.Stamp[:7], false, nil
}

// wheels fetches the requirements, where the wheelhouse does not have them. Of
// builds made side by side one fetches, and the others find them there.
func (m *making) wheels(ctx context.Context, _ Step) (detail string, reused bool, err error) {
	requirements := m.requirements()
	if requirements == "" {
		return "no requirements", false, nil
	}
	m.installing.Lock()
	defer m.installing.Unlock()
	m.manifest.Requirements, reused, err = m.wheelhouseFor(m.python).Fill(ctx, requirements)
	return origin("fetched", m.manifest.Requirements, reused), reused, err
}

// origin says of what builds share whether it was made just now, and which it is.
func origin(made, hash string, reused bool) string {
	if hash == "" {
		return ""
	}
	if reused {
		made = "reused"
	}
	return made + ": " + hash[:min(len(hash), hashShown)]
}

// hashShown is as much of a hash as tells people two of them apart.
const hashShown = 7

// install makes what builds take their virtualenvs from, where it is not there
// yet: once, also when two builds are made side by side.
func (m *making) install(ctx context.Context, _ Step) (detail string, reused bool, err error) {
	m.installing.Lock()
	defer m.installing.Unlock()
	reused, err = m.wheelhouseFor(m.python).Install(ctx, m.manifest.Requirements)
	return origin("installed", m.manifest.Requirements, reused), reused, err
}

func (m *making) virtualenv(ctx context.Context, _ Step) (detail string, reused bool, err error) {
	return "", false, m.wheelhouseFor(m.python).Place(ctx, m.manifest.Requirements, m.dir)
}

// precompress works on what the user can no longer change, so that nobody puts
// a link in its way.
func (m *making) precompress(ctx context.Context, _ Step) (string, bool, error) {
	report, err := precompress.Dir(ctx, m.static(m.name))
	return report.String(), false, err
}

// linkAssets leads the build's assets to where nginx finds them.
func (m *making) linkAssets(context.Context, Step) (string, bool, error) {
	static := m.static(m.name)
	if err := m.removeStatic(m.name); err != nil {
		return "", false, err
	}
	assets := filepath.Join(m.dir, "assets")
	return "", false, errors.Join(
		m.user.MkdirAll(static, 0o755),
		os.MkdirAll(assets, 0o755),
		files.Symlink(static, filepath.Join(assets, "static")),
		files.Symlink(m.media(), filepath.Join(assets, "media")),
	)
}

func (m *making) linkStatic() error {
	return files.Symlink(string(m.name), m.staticLink(m.name, m.manifest.Stamp))
}

// configure makes the directory itself: one that the project's code has put
// there could lead anywhere.
func (m *making) configure(context.Context, Step) (string, bool, error) {
	if err := os.Mkdir(filepath.Join(m.dir, configDir), 0o755); err != nil {
		return "", false, err
	}
	return "", false, m.renderBuild(m.name, m.manifest.Tag)
}

// requirements is the project's file of requirements; empty where it has none.
func (s *Site) requirements() string { return s.inProject(s.config.Requirements) }

// inProject is the path of a file of the project's; empty where there is none.
func (s *Site) inProject(name string) string {
	path := filepath.Join(s.root, s.config.Project, name)
	if info, err := os.Stat(path); name == "" || err != nil || info.IsDir() {
		return ""
	}
	return path
}

func (s *Site) wheelhouseFor(p python.Python) python.Wheelhouse {
	return python.Wheelhouse{Python: p, Dir: s.wheelhouse(), Cache: s.cache(), Installed: s.installed()}
}

// BuildWheels fills the wheelhouse with what the project requires. It tells
// whether the wheels were there already.
func (s *Site) BuildWheels(ctx context.Context) (reused bool, err error) {
	err = s.changing(ctx, "buildWheels", func(ctx context.Context) error {
		programs, err := stack.FindPrograms(ctx, s.config.Python)
		if err != nil {
			return fmt.Errorf("build wheels: %w", err)
		}
		reused, err = s.buildWheels(ctx, programs)
		return err
	})
	return reused, err
}

func (s *Site) buildWheels(ctx context.Context, programs stack.Programs) (reused bool, err error) {
	requirements := s.requirements()
	if requirements == "" {
		return false, nil
	}
	house := s.wheelhouseFor(python.Python{Path: programs.Python, User: s.user, Log: s.log("wheels.log")})
	err = s.step(ctx, "wheelhouse", func(ctx context.Context, _ Step) (detail string, err error) {
		hash, there, err := house.Fill(ctx, requirements)
		reused = there
		return origin("fetched", hash, there), err
	})
	return reused, err
}

// Remove deletes a build with its static files, its logs and its sockets. One
// that runs is drained and stopped first. It is refused for live and stage.
func (s *Site) Remove(ctx context.Context, name builds.Name) error {
	return s.changing(ctx, "rm "+string(name), func(ctx context.Context) error {
		s.sweep()
		if taskOf(ctx).finishes() && !s.store.Exists(name) {
			return nil
		}
		if err := s.stop(ctx, "rm", name); err != nil {
			return err
		}
		err := s.step(ctx, fmt.Sprintf("remove %s", name), func(context.Context, Step) (string, error) {
			return "", s.remove(name)
		})
		if err != nil {
			return err
		}
		return s.prune(ctx)
	})
}

// remove takes the build itself last: while it is there, a removal that was
// cut short can be run again. Nothing starts it any more from the first moment.
func (s *Site) remove(name builds.Name) error {
	if err := s.spoil(name); err != nil {
		return err
	}
	errs := []error{s.removeStatic(name), s.removeRunFiles(name)}
	for _, log := range s.buildLogs(name) {
		errs = append(errs, os.RemoveAll(log))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.store.Remove(name)
}

func (s *Site) removeStatic(name builds.Name) error {
	errs := []error{files.RemoveAll(s.static(name))}
	for _, link := range s.staticLinks(name) {
		errs = append(errs, files.Remove(link))
	}
	return errors.Join(errs...)
}
