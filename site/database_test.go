package site_test

import (
	"context"
	"os"
	"path/filepath"
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
	require.ErrorIs(t, s.Init(t.Context()), site.ErrDeclined, "a person may say no")
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
	require.Contains(t, decided.asked[0], "The database shop.sqlite3 (sqlite) loses ALL it holds")
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

// What was done before an interruption is not done twice, and what is half
// done is never taken for done.
func TestDatabase_IsGoneOnWithWhereInitWasInterrupted(t *testing.T) {
	s := newShop(t)
	s.write("forbidden-third", "")
	require.ErrorContains(t, s.Init(t.Context()), "third is forbidden")
	require.NoError(t, os.Remove(filepath.Join(s.dir, "forbidden-third")))

	require.NoError(t, s.Init(t.Context()))

	s.requireShop("groups: first second third, users: 0")
	s.write("deploy/data/database-unfinished", "")
	require.ErrorContains(t, s.Init(t.Context()), "the site has been live since")
}
