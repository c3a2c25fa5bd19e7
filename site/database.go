package site

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/files"
)

// Person is who a verb asks before it does what they may not want.
type Person interface {
	// Confirm asks a question that is answered by yes or no.
	Confirm(ctx context.Context, question string) (bool, error)
	// Type asks for a text and returns what was typed.
	Type(ctx context.Context, question string) (string, error)
}

// DatabaseOptions say what [Site.Init] and [Site.InitializeDB] may do.
type DatabaseOptions struct {
	// Reset empties a database that has been made before, once its name was
	// typed.
	Reset bool
	// Yes takes every question for answered, that for the name too.
	Yes bool
}

var (
	// ErrDeclined says that a person was asked and did not agree.
	ErrDeclined = errors.New("as you decided")
	// ErrNoPerson says that a question had to be asked and nobody was there.
	ErrNoPerson = errors.New("there is no terminal to ask at")
	// ErrNotDjango says that a verb needs a Django project.
	ErrNotDjango = errors.New("the project is not Django's: settings in " + ConfigFile + " is empty")
)

// InitializeDB makes the project's database: it runs the commands of database
// in the configuration and makes a superuser. A database that was made before
// is left alone, unless it is to be reset.
func (s *Site) InitializeDB(ctx context.Context, name builds.Name, options DatabaseOptions) error {
	return s.changing(ctx, "initializeDB "+string(name), func(ctx context.Context) error {
		b, err := s.djangoIn(name)
		if err == nil {
			err = b.makeDatabase(ctx, options)
		}
		if err != nil {
			return fmt.Errorf("initialize database: %w", err)
		}
		return nil
	})
}

// PopulateData runs the commands of populate in the configuration, which fill
// the site with something to look at.
func (s *Site) PopulateData(ctx context.Context, name builds.Name) error {
	return s.changing(ctx, "populateData "+string(name), func(ctx context.Context) error {
		manifest, err := s.complete(name)
		if err != nil {
			return fmt.Errorf("populate: %w", err)
		}
		if len(s.config.Populate) == 0 {
			s.reporter.Note("populate: nothing to do, " + ConfigFile + " names no commands")
		}
		for _, step := range (inBuild{s, name, manifest.Tag}).commands("populate", s.config.Populate) {
			if err := step.do(ctx); err != nil {
				return fmt.Errorf("populate: %w", err)
			}
		}
		return nil
	})
}

// inBuild is one build, to run the project's commands in.
type inBuild struct {
	*Site
	name builds.Name
	tag  string
}

func (s *Site) djangoIn(name builds.Name) (inBuild, error) {
	if s.config.Settings == "" {
		return inBuild{}, ErrNotDjango
	}
	manifest, err := s.complete(name)
	return inBuild{s, name, manifest.Tag}, err
}

// database is what the project tells of its default database.
type database struct {
	Vendor   string `json:"vendor"`
	Name     string `json:"name"`
	Migrated bool   `json:"migrated"`
	// Superuser tells whether there is one; nil where there can be none.
	Superuser *bool `json:"superuser"`
	// SuperuserFields are what one is made of, each as its variable ends.
	SuperuserFields []string `json:"superuser_fields"`
}

func (d database) String() string { return d.Name + " (" + d.Vendor + ")" }

// describe asks the project. It takes the last line: settings may print too.
func (b inBuild) describe(ctx context.Context) (d database, err error) {
	out, err := b.inBuild(b.name, b.tag, config.Command{"python", "-m", "hadjango.database"}).Output(ctx)
	if err != nil {
		return d, err
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &d); err != nil {
		return d, fmt.Errorf("ask the project about its database: %w", err)
	}
	return d, nil
}

// databaseStep is one step of making a database. Its name says where to go on
// after an interruption.
type databaseStep struct {
	name string
	do   func(context.Context) error
}

func (b inBuild) commands(what string, list []config.Command) []databaseStep {
	var steps []databaseStep
	for i, c := range list {
		name := what + ": " + commandName(c)
		if len(list) > 1 {
			name += fmt.Sprintf(" (%d of %d)", i+1, len(list))
		}
		steps = append(steps, databaseStep{what + ": " + strings.Join(c, " "), func(ctx context.Context) error {
			return b.command(ctx, name, c)
		}})
	}
	return steps
}

func (b inBuild) command(ctx context.Context, name string, c config.Command) error {
	return b.step(ctx, name, func(ctx context.Context, _ Step) (string, error) {
		return "", b.runInBuild(ctx, b.name, b.tag, c)
	})
}

// makeDatabase makes the database where there is none, or anew, or goes on with
// one that was begun, and then does what init wants done with a new one. A
// superuser that cannot be made is no reason to leave the rest undone.
func (b inBuild) makeDatabase(ctx context.Context, options DatabaseOptions, then ...databaseStep) error {
	d, err := b.describe(ctx)
	if err != nil {
		return err
	}
	var unmade error
	superuser := databaseStep{"superuser", func(ctx context.Context) error {
		unmade = b.superuser(ctx, options)
		return ctx.Err()
	}}
	all := slices.Concat(b.commands("database", b.config.Database), []databaseStep{superuser}, then)
	mark, steps, err := b.agreed(ctx, d, options, all)
	if err != nil || len(steps) == 0 {
		return err
	}
	if err := b.walk(ctx, mark, steps); err != nil {
		return err
	}
	if unmade != nil {
		return fmt.Errorf("all of the database is made but the superuser; mage manage createsuperuser makes one: %w", unmade)
	}
	return nil
}

// agreed are the steps to do, of all that make a database: none where there is
// one, and only with a person's word where one is to be asked.
func (b inBuild) agreed(ctx context.Context, d database, options DatabaseOptions, all []databaseStep) (mark databaseMark, steps []databaseStep, err error) {
	mark, begun := b.databaseBegun()
	if begun && mark.of(d) && !options.Reset {
		steps, err = b.rest(ctx, mark, all)
		return mark, steps, err
	}
	mark = databaseMark{Database: d.String(), Task: taskOf(ctx).name, Began: time.Now(), Live: b.isLive()}
	switch {
	case !d.Migrated:
		return mark, all, b.mayMake(ctx, d, options)
	case options.Reset:
		return mark, slices.Insert(all, 0, b.reset(d)), b.mayReset(ctx, d, options)
	}
	b.reporter.Note(fmt.Sprintf("database %s: there already, not touched", d))
	return mark, nil, nil
}

// mayMake asks before a database is made.
func (b inBuild) mayMake(ctx context.Context, d database, options DatabaseOptions) error {
	if b.person == nil || options.Yes {
		return nil
	}
	yes, err := b.person.Confirm(ctx, fmt.Sprintf("Make the database %s?", d))
	if err == nil && !yes {
		return fmt.Errorf("the database %s was not made, %w", d, ErrDeclined)
	}
	return err
}

// mayReset has the name typed of a database that is to lose all it holds:
// nothing brings that back.
func (b inBuild) mayReset(ctx context.Context, d database, options DatabaseOptions) error {
	if options.Yes {
		return nil
	}
	if b.person == nil {
		return fmt.Errorf("%w: the database %s would lose all it holds; -yes says that this is meant", ErrNoPerson, d)
	}
	typed, err := b.person.Type(ctx, fmt.Sprintf("The database %s loses ALL it holds; files that were uploaded stay. Type its name to go on:", d))
	if err == nil && typed != d.Name {
		return fmt.Errorf("the database %s was not emptied, %w: its name is %q and not %q", d, ErrDeclined, d.Name, typed)
	}
	return err
}

// emptyStep is the name of the step that empties a database, before the database's.
const emptyStep = "empty database "

func (b inBuild) reset(d database) databaseStep {
	name := emptyStep + d.String()
	return databaseStep{name, func(ctx context.Context) error {
		return b.command(ctx, name, config.Command{"manage.py", "flush", "--noinput"})
	}}
}

// superuser makes one where there is none: of DJANGO_SUPERUSER_* where those
// are set, as Django's own command takes them, or by asking.
func (b inBuild) superuser(ctx context.Context, options DatabaseOptions) error {
	d, err := b.describe(ctx)
	if err != nil || d.Superuser == nil || *d.Superuser {
		return err
	}
	create := config.Command{"manage.py", "createsuperuser"}
	missing := unset(d.SuperuserFields)
	if missing == "" {
		return b.command(ctx, "superuser", append(create, "--noinput"))
	}
	if b.person == nil || options.Yes {
		b.reporter.Note(fmt.Sprintf("superuser: skipped, %s not set and nobody is asked; later: mage manage createsuperuser", missing))
		return nil
	}
	yes, err := b.person.Confirm(ctx, "Make a superuser, for the admin?")
	if err != nil || !yes {
		return err
	}
	return b.inBuild(b.name, b.tag, create).RunAttached(ctx)
}

// unset names the variables of a superuser that are empty, in words: A, _B and
// _C are. It is empty when none is.
func unset(fields []string) string {
	const prefix = "DJANGO_SUPERUSER"
	var missing []string
	for _, field := range fields {
		if os.Getenv(prefix+"_"+field) == "" {
			missing = append(missing, "_"+field)
		}
	}
	switch last := len(missing) - 1; last {
	case -1:
		return ""
	case 0:
		return prefix + missing[0] + " is"
	default:
		return prefix + strings.Join(missing[:last], ", ") + " and " + missing[last] + " are"
	}
}

// databaseMark says that a database was begun and is not finished, so that it is
// not taken for one that exists, and where to go on.
type databaseMark struct {
	// Database is the one that was begun: since then the configuration may name
	// another.
	Database string    `json:"database"`
	Task     string    `json:"task"`
	Began    time.Time `json:"began"`
	// Live tells whether the site was live by then.
	Live bool `json:"live"`
	// Step is the one that is under way.
	Step string `json:"step"`
}

func (m databaseMark) String() string {
	if m.Task == "" {
		return "a task of another version began to make the database and did not end"
	}
	return fmt.Sprintf("%s began to make the database %s at %s and did not end", m.Task, m.Database, m.Began.Local().Format(time.DateTime))
}

// of tells whether it is a database's mark. One that cannot be read is any's.
func (m databaseMark) of(d database) bool { return m.Database == "" || m.Database == d.String() }

// emptying tells whether it was to lose what it held, and may have.
func (m databaseMark) emptying() bool { return m.Step == emptyStep+m.Database }

// databaseBegun returns the mark, if there is one.
func (s *Site) databaseBegun() (mark databaseMark, begun bool) {
	data, err := files.Read(s.databaseMark())
	if err != nil {
		return mark, false
	}
	if json.Unmarshal(data, &mark) != nil {
		mark = databaseMark{}
	}
	return mark, true
}

// servedSince tells whether a database was begun for a site that had no visitors
// and has them now.
func (s *Site) servedSince(m databaseMark) bool { return s.isLive() && !m.Live }

func (s *Site) isLive() bool {
	_, err := s.store.Pointed(builds.Live)
	return err == nil
}

// rest is what is left to do of a database that was begun. It was agreed to; but
// nothing is emptied without being asked for, and what visitors or another task
// may have filled since is a person's.
func (b inBuild) rest(ctx context.Context, mark databaseMark, steps []databaseStep) ([]databaseStep, error) {
	const letLose = "let it lose all it holds and begin anew with mage initializeDB -reset"
	switch {
	case mark.emptying():
		return nil, fmt.Errorf("%s emptying it: %s, or remove %s and keep what it holds", mark, letLose, b.databaseMark())
	case b.servedSince(mark):
		return nil, fmt.Errorf("%s, and the site has been live since: finish it by hand and remove %s, or %s", mark, b.databaseMark(), letLose)
	case b.isLive() && mark.Task != taskOf(ctx).name:
		return nil, fmt.Errorf("%s: finish it with mage %s, or %s", mark, mark.Task, letLose)
	}
	b.reporter.Note(mark.String() + ": it is finished now")
	// what the mark of another configuration names is none of these: then all are done
	named := func(step databaseStep) bool { return step.name == mark.Step }
	return steps[max(0, slices.IndexFunc(steps, named)):], nil
}

// walk does the steps of making a database, and marks before each that it is
// under way.
func (b inBuild) walk(ctx context.Context, mark databaseMark, steps []databaseStep) error {
	for _, step := range steps {
		mark.Step = step.name
		data, err := json.Marshal(mark)
		if err != nil {
			return err
		}
		if err := b.write(b.databaseMark(), data, 0o600); err != nil {
			return err
		}
		if err := step.do(ctx); err != nil {
			return err
		}
	}
	return files.Remove(b.databaseMark())
}

func (s *Site) databaseMark() string { return filepath.Join(s.data(), "database-unfinished") }
