package site_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/otiai10/copy"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/site"
)

// newShop is a site of a Django project as startproject makes it, with commands
// for the database and for filling it.
func newShop(t *testing.T) testSite {
	t.Helper()
	s := newTestSite(t, "")
	require.NoError(t, copy.Copy("testdata/shop", filepath.Join(s.dir, "shop")))
	config := strings.ReplaceAll(s.read("hadjango.yml"), "project: project\n", "project: shop\n")
	s.reopen(strings.ReplaceAll(config, "wsgi: app:application\n", `settings: shop.settings
database: [[manage.py, migrate, --noinput], [manage.py, group, first]]
populate: [[manage.py, group, second], [manage.py, group, third]]
env: {SHOP_FORBIDDEN: `+s.dir+"}\n"))
	return s
}

// answers is a person who has made up their mind.
type answers struct {
	yes   bool
	typed string
	asked []string
}

func (a *answers) Confirm(_ context.Context, question string) (bool, error) {
	a.asked = append(a.asked, question)
	return a.yes && strings.HasPrefix(question, "Make the database"), nil
}

func (a *answers) Type(_ context.Context, question string) (string, error) {
	a.asked = append(a.asked, question)
	return a.typed, nil
}

func (s *testSite) withPerson(person site.Person) {
	s.t.Helper()
	var err error
	s.Site, err = site.Open(s.dir, site.Options{Reporter: s.notes, Person: person})
	require.NoError(s.t, err)
}

func (s testSite) requireShop(want string) {
	s.t.Helper()
	_, _, body := s.get("live.localhost", "/")
	require.Equal(s.t, want, body)
}

func TestDatabase_IsMadeOnceAndNeverEmptiedUnasked(t *testing.T) {
	s := newShop(t)

	decided := &answers{}
	s.withPerson(decided)
	declined := s.Init(t.Context())
	require.ErrorIs(t, declined, site.ErrDeclined, "a person may say no")
	require.ErrorContains(t, declined, "shop.sqlite3 (sqlite) was not made, as you decided; builds a and b are there, and mage init goes on from here")
	require.Equal(t, []string{"Make the database shop.sqlite3 (sqlite)?"}, decided.asked)

	decided = &answers{yes: true}
	s.withPerson(decided)
	require.NoError(t, s.Init(t.Context()))
	s.requireShop("groups: first second third, users: 0")
	require.Equal(t, []string{"Make the database shop.sqlite3 (sqlite)?", "Make a superuser, for the admin?"}, decided.asked)

	decided = &answers{yes: true}
	s.withPerson(decided)
	require.NoError(t, s.Init(t.Context()))
	require.NoError(t, s.InitializeDB(t.Context(), "b", site.DatabaseOptions{}))
	require.Empty(t, decided.asked, "what is there is not asked about")
	s.requireShop("groups: first second third, users: 0")

	reset := site.DatabaseOptions{Reset: true}
	decided = &answers{yes: true, typed: "shop"}
	s.withPerson(decided)
	require.ErrorIs(t, s.InitializeDB(t.Context(), "a", reset), site.ErrDeclined, "the name must be typed whole")
	require.Contains(t, decided.asked[0], "The database shop.sqlite3 (sqlite) loses ALL it holds; files that were uploaded stay")
	s.withPerson(nil)
	err := s.InitializeDB(t.Context(), "a", reset)
	require.ErrorIs(t, err, site.ErrNoPerson, "nobody can be asked")
	require.ErrorContains(t, err, "-yes")
	s.requireShop("groups: first second third, users: 0")

	s.withPerson(&answers{typed: "shop.sqlite3"})
	require.NoError(t, s.InitializeDB(t.Context(), "a", reset))
	s.requireShop("groups: first, users: 0")
	require.NoError(t, s.PopulateData(t.Context(), "a"))
	s.requireShop("groups: first second third, users: 0")
	s.withPerson(nil)
	reset.Yes = true
	require.NoError(t, s.InitializeDB(t.Context(), "a", reset))
	s.requireShop("groups: first, users: 0")
	require.Contains(t, s.notes.String(), "superuser: skipped, DJANGO_SUPERUSER_USERNAME")
}

// A database that this run has made is not emptied, and a person who has said
// yes beforehand is asked nothing.
func TestDatabase_InitMakesItOnceOrAnew(t *testing.T) {
	s := newShop(t)
	decided := &answers{}
	s.withPerson(decided)
	reset := site.DatabaseOptions{Reset: true, Yes: true}

	require.NoError(t, s.Site.Init(t.Context(), reset))

	s.requireShop("groups: first second third, users: 0")
	require.Equal(t, 1, strings.Count(s.notes.String(), "database: manage.py migrate (1 of 2)"))
	require.Equal(t, 1, strings.Count(s.notes.String(), "populate: manage.py group (2 of 2)"))
	require.NotContains(t, s.notes.String(), "empty database")
	require.NoError(t, s.Site.Init(t.Context(), reset))
	s.requireShop("groups: first second third, users: 0")
	require.Contains(t, s.notes.String(), "empty database shop.sqlite3 (sqlite)")
	require.Empty(t, decided.asked)
}

// What was done before an interruption is not done twice, and what is half
// done is never taken for done.
func TestDatabase_IsGoneOnWithWhereInitWasInterrupted(t *testing.T) {
	s := newShop(t)
	reset := site.DatabaseOptions{Reset: true, Yes: true}
	forbid := func(group string) { s.write("forbidden-"+group, "") }
	allow := func(group string) { require.NoError(t, os.Remove(filepath.Join(s.dir, "forbidden-"+group))) }

	forbid("third")
	require.ErrorContains(t, s.Init(t.Context()), "third is forbidden")
	allow("third")
	require.NoError(t, s.Init(t.Context()))
	s.requireShop("groups: first second third, users: 0")

	forbid("first")
	require.ErrorContains(t, s.InitializeDB(t.Context(), "a", reset), "first is forbidden")
	require.ErrorContains(t, s.Init(t.Context()), "finish it with mage initializeDB")
	require.ErrorContains(t, s.InitializeDB(t.Context(), "a", site.DatabaseOptions{}), "first is forbidden")
	allow("first")
	require.NoError(t, s.InitializeDB(t.Context(), "a", site.DatabaseOptions{}))
	s.requireShop("groups: first, users: 0")

	forbid("first")
	require.ErrorContains(t, s.InitializeDB(t.Context(), "a", reset), "first is forbidden")
	require.NoError(t, s.PopulateData(t.Context(), "a"))
	allow("first")
	require.NoError(t, s.InitializeDB(t.Context(), "a", reset), "it is emptied wherever the mark is")
	s.requireShop("groups: first, users: 0")

	for _, mark := range []string{`{"task": "init", "database": "shop.sqlite3 (sqlite)"}`, "of another version\n"} {
		s.write(databaseMark, mark)
		require.ErrorContains(t, s.Init(t.Context()), "the site has been live since")
		require.NoError(t, s.InitializeDB(t.Context(), "a", reset), "as the error says")
	}
	s.write(databaseMark, `{"task": "init", "database": "another.sqlite3 (sqlite)"}`)
	require.NoError(t, s.Init(t.Context()), "the mark is another database's")
	require.FileExists(t, filepath.Join(s.dir, databaseMark))
	s.requireShop("groups: first, users: 0")
}

const databaseMark = "deploy/data/database-unfinished"

// A task that was killed is finished by resume and by the same task, on a live
// site too.
func TestKilled_DatabaseIsFinished(t *testing.T) {
	s := newShop(t)
	// a step is repeated when it was killed as it ended
	s.reopen(strings.ReplaceAll(s.read("hadjango.yml"), "[manage.py, group, ", "[manage.py, group, --again, "))
	s.call("init")
	for title, groups := range map[string]string{"initializeDB a": "first", "populateData a": "first second third"} {
		n := 1
		for ; ; n++ {
			require.NoError(t, os.Remove(filepath.Join(s.dir, "deploy/data/shop.sqlite3")))
			if title == "populateData a" {
				s.call("initializeDB a")
			}
			pid := s.runKilled(title, strconv.Itoa(n))
			if pid == 0 {
				break
			}
			require.Equal(t, title, s.halfDone().Task)
			s.call([]string{title, "resume"}[n%2])
			require.Nil(t, s.halfDone())
			s.requireNoOrphans(pid)
			s.requireShop("groups: " + groups + ", users: 0")
			require.NoFileExists(t, filepath.Join(s.dir, databaseMark))
		}
		require.Greater(t, n, 4, title)
	}

	require.NotZero(t, s.runKilled("reset a", "begin empty database shop.sqlite3 (sqlite)"))
	_, err := s.Resume(t.Context())
	require.ErrorContains(t, err, "begin anew with mage initializeDB -reset", "nothing is emptied by itself")
	s.call("reset a")
	s.requireShop("groups: first, users: 0")
	require.Nil(t, s.halfDone())
}
