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

// DatabaseOptions say what [Site.InitializeDB] may do.
type DatabaseOptions struct {
	// Reset empties a database that has been made before, once its name was
	// typed.
	Reset bool
	// Yes takes every question for answered, that for the name too.
	Yes bool
}

var (
	// ErrDeclined says that a person was asked and did not agree.
	ErrDeclined = errors.New("nothing was done, as you decided")
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
	for _, c := range list {
		steps = append(steps, databaseStep{what + ": " + strings.Join(c, " "), func(ctx context.Context) error {
			return b.command(ctx, what+": "+commandName(c), c)
		}})
	}
	return steps
}

func (b inBuild) command(ctx context.Context, name string, c config.Command) error {
	return b.step(ctx, name, func(ctx context.Context, _ Step) (string, error) {
		return "", b.runInBuild(ctx, b.name, b.tag, c)
	})
}

// makeDatabase makes the database where there is none, or anew, and then does
// what init wants done with a new one.
func (b inBuild) makeDatabase(ctx context.Context, options DatabaseOptions, then ...databaseStep) error {
	d, err := b.describe(ctx)
	if err != nil {
		return err
	}
	steps := append(b.commands("database", b.config.Database), databaseStep{"superuser", b.superuser})
	exists := d.Migrated && !b.databaseBegun()
	switch {
	case exists && !options.Reset:
		b.reporter.Note(fmt.Sprintf("database %s: there already, not touched", d))
		return nil
	case d.Migrated && options.Reset:
		steps = slices.Insert(steps, 0, b.reset(d))
		err = b.mayReset(ctx, d, options)
	default:
		err = b.mayMake(ctx, d, options)
	}
	if err != nil {
		return err
	}
	return b.walk(ctx, append(steps, then...))
}

// mayMake asks before a database is made. One that an interrupted init has
// begun was agreed to, but may have been filled since: then it is a person's.
func (b inBuild) mayMake(ctx context.Context, d database, options DatabaseOptions) error {
	if b.databaseBegun() {
		if _, err := b.store.Pointed(builds.Live); err == nil {
			return fmt.Errorf("an earlier task began to make the database %s and did not end, and the site has been live since: "+
				"finish it by hand and remove %s, or let it lose all it holds and begin anew with mage initializeDB -reset", d, b.databaseMark())
		}
		return nil
	}
	if b.person == nil || options.Yes {
		return nil
	}
	return agreed(b.person.Confirm(ctx, fmt.Sprintf("Make the database %s?", d)))
}

func agreed(yes bool, err error) error {
	if err == nil && !yes {
		return ErrDeclined
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
	typed, err := b.person.Type(ctx, fmt.Sprintf("The database %s loses ALL it holds. Type its name to go on:", d))
	if err == nil && typed != d.Name {
		return fmt.Errorf("%w: its name is %q and not %q", ErrDeclined, d.Name, typed)
	}
	return err
}

func (b inBuild) reset(d database) databaseStep {
	name := fmt.Sprintf("empty database %s", d)
	return databaseStep{name, func(ctx context.Context) error {
		return b.command(ctx, name, config.Command{"manage.py", "flush", "--noinput"})
	}}
}

// superuser makes one where there is none: of DJANGO_SUPERUSER_* where those
// are set, as Django's own command takes them, or by asking.
func (b inBuild) superuser(ctx context.Context) error {
	d, err := b.describe(ctx)
	if err != nil || d.Superuser == nil || *d.Superuser {
		return err
	}
	create := config.Command{"manage.py", "createsuperuser"}
	if os.Getenv("DJANGO_SUPERUSER_PASSWORD") != "" {
		return b.command(ctx, "superuser", append(create, "--noinput"))
	}
	if b.person == nil {
		b.reporter.Note("superuser: skipped, DJANGO_SUPERUSER_USERNAME, _EMAIL and _PASSWORD are not set and there is no terminal to ask at; " +
			"later: mage manage createsuperuser")
		return nil
	}
	yes, err := b.person.Confirm(ctx, "Make a superuser, for the admin?")
	if err != nil || !yes {
		return err
	}
	return b.inBuild(b.name, b.tag, create).RunAttached(ctx)
}

// walk does the steps of making a database. While it does there is a mark that
// names the next one, so that a database that was begun and not finished is not
// taken for one that exists, and is gone on with where it was left.
func (b inBuild) walk(ctx context.Context, steps []databaseStep) error {
	for _, step := range steps[b.firstOf(steps):] {
		if err := b.write(b.databaseMark(), []byte(step.name+"\n"), 0o600); err != nil {
			return err
		}
		if err := step.do(ctx); err != nil {
			return err
		}
	}
	return files.Remove(b.databaseMark())
}

// firstOf is the step that the mark names. What the mark of another
// configuration names is none of these: then all are done.
func (b inBuild) firstOf(steps []databaseStep) int {
	mark, _ := files.Read(b.databaseMark())
	named := func(step databaseStep) bool { return step.name+"\n" == string(mark) }
	return max(0, slices.IndexFunc(steps, named))
}

func (s *Site) databaseBegun() bool {
	_, err := os.Stat(s.databaseMark())
	return err == nil
}

func (s *Site) databaseMark() string { return filepath.Join(s.data(), "database-unfinished") }
