package site_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/browser"
)

const (
	liveURL  = "http://live.localhost"
	stageURL = "http://stage.localhost"
)

func (s testSite) openBrowser(t *testing.T) *browser.Browser {
	t.Helper()
	return browser.Start(t, s.address, "live.localhost", "stage.localhost")
}

// person uses the demo project at one of its two addresses.
type person struct {
	*browser.Browser
	t   *testing.T
	url string
}

func (p person) opens(path string) {
	p.t.Helper()
	p.Open(p.url + path)
}

// finds walks from the home page through the search to an add-on's page, and
// returns its path.
func (p person) finds() (page string) {
	p.t.Helper()
	p.opens(homePage)
	name, page := p.Text(cardTitle), p.Attribute(cardTitle, "href")
	p.Type(searchField, name)
	p.Enter(searchField)
	require.Contains(p.t, p.Path(), "?q=")
	p.Follow(fmt.Sprintf("main a[href=%q]", page))
	require.Regexp(p.t, addon, p.Path())
	require.Equal(p.t, name, p.Text("main h1"))
	return page
}

const (
	cardTitle   = ".card__title"
	searchField = ".hero form[role=search] input[name=q]"
)

func (p person) signsUp(name string) {
	p.t.Helper()
	p.opens(homePage + "users/signup/")
	p.Type("input[name=username]", name)
	p.Type("input[name=password1]", passphrase)
	p.Type("input[name=password2]", passphrase)
	p.Enter("input[name=password2]")
	require.Contains(p.t, p.Text("main"), name)
}

func (p person) logsIn(name string) {
	p.t.Helper()
	p.opens(homePage + "users/login/")
	p.Type("input[name=username]", name)
	p.Type("input[name=password]", passphrase)
	p.Enter("input[name=password]")
	require.Contains(p.t, p.Text("main"), name)
}

// mayReview tells whether the add-on's page that is open knows who reads it.
func (p person) mayReview() bool {
	p.t.Helper()
	return browser.Eval[bool](p.Browser, "document.querySelector('.review-form') !== null")
}

// reviews writes a review on the page that is open.
func (p person) reviews(text string) {
	p.t.Helper()
	p.Click(".review-form [name=score][value='5']")
	p.Type(".review-form textarea[name=body]", text)
	p.Follow(".review-form [type=submit]")
	require.Contains(p.t, p.Text("main"), text)
}

func (p person) requireServedBy(build string) {
	p.t.Helper()
	const footer = "footer.site-footer"
	require.Equal(p.t, build, p.Attribute(footer, "data-build"))
	require.Contains(p.t, p.Text(footer), "build "+build)
}

// What a person has begun on a page of the one build goes on with the other.
// Cookies are a host's own, so who is known on stage logs in on live; the
// account, like all data, is there.
func TestPerson_GoesOnThroughASwap(t *testing.T) {
	s := newDjangoSite(t)
	require.NoError(t, s.Init(t.Context()))
	tab := s.openBrowser(t)
	stage, live := person{tab, t, stageURL}, person{tab.Tab(), t, liveURL}
	reader := person{tab.Tab(), t, liveURL}
	reader.opens(homePage)
	reader.requireServedBy("a")

	stage.signsUp("ada")
	page := stage.finds()
	stage.requireServedBy("b")
	stage.reviews("Reviewed while it was on stage.")
	_, err := s.SwapLive(t.Context(), "")
	require.NoError(t, err)

	t.Run("live is the build that was looked at, with what was done there", func(t *testing.T) {
		require.Equal(t, page, live.finds())
		live.requireServedBy("b")
		require.Contains(t, live.Text("main"), "Reviewed while it was on stage.")
		require.False(t, live.mayReview())
		live.logsIn("ada")
		live.opens(page)
		require.True(t, live.mayReview())
		live.RequireClean()
	})
	t.Run("a session outlives the swap", func(t *testing.T) {
		stage.opens(page)
		stage.requireServedBy("a")
		require.True(t, stage.mayReview())
		stage.RequireClean()
	})
	t.Run("a page that was open has all its files still, and its links lead on", func(t *testing.T) {
		before := reader.Loaded()
		browser.Eval[bool](reader.Browser, "window.scrollTo(0, document.body.scrollHeight), true")
		require.Eventually(t, func() bool { return len(reader.Loaded()) > len(before) }, time.Minute, time.Millisecond,
			"pictures further down the page are fetched now")
		s.requireStillThere(t, reader.Loaded())
		reader.Follow(cardTitle)
		reader.requireServedBy("b")
		reader.RequireClean()
	})
}

// requireStillThere asks for the static files of build a among what was loaded,
// and for what its stylesheets name.
func (s testSite) requireStillThere(t *testing.T, loaded []string) {
	t.Helper()
	asked := 0
	for _, address := range loaded {
		path := strings.TrimPrefix(address, liveURL)
		if !strings.HasPrefix(path, "/static/a-") {
			continue
		}
		asked++
		for _, named := range s.requireFile(t, path) {
			s.requireFile(t, named)
		}
	}
	require.NotZero(t, asked)
}

var cssURL = regexp.MustCompile(`url\(["']?([^"')]+)["']?\)`)

// requireFile returns the paths that a stylesheet names; of another file none.
func (s testSite) requireFile(t *testing.T, path string) (named []string) {
	t.Helper()
	status, _, body := s.get("live.localhost", path)
	require.Equal(t, http.StatusOK, status, path)
	if !strings.HasSuffix(path, ".css") {
		return nil
	}
	base, err := url.Parse(path)
	require.NoError(t, err)
	for _, found := range cssURL.FindAllStringSubmatch(body, -1) {
		if !strings.HasPrefix(found[1], "data:") {
			target, err := base.Parse(found[1])
			require.NoError(t, err)
			named = append(named, target.Path)
		}
	}
	return named
}
