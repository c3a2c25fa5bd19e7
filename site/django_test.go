package site_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/otiai10/copy"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/internal/services"
	"github.com/hadjango/hadjango/site"
)

const (
	homePage   = "/en-US/firefox/"
	passphrase = "a long enough pass phrase"
)

// newDjangoSite is a site of the repository's own demo project; the lines are
// added to its hadjango.yml.
func newDjangoSite(t testing.TB, lines ...string) testSite {
	t.Helper()
	s := newTestSite(t, strings.Join(lines, "\n"))
	require.NoError(t, copy.Copy("../addons-server", filepath.Join(s.dir, "addons-server")))
	config := s.read("hadjango.yml")
	config = strings.ReplaceAll(config, "project: project\n", "")
	s.reopen(strings.ReplaceAll(config, "wsgi: app:application\n", "warmup: {paths: [/en-US/firefox/]}\n"))
	return s
}

func TestDjango_FromNothingToASwap(t *testing.T) {
	s := newDjangoSite(t)
	original := s.read("addons-server/catalogue/views.py")
	promise := s.promise()
	require.NoError(t, s.Init(t.Context()))

	t.Run("pages say which build served them, and come from the database that init made", s.requirePages)
	t.Run("static files are the build's own, cacheable for ever", s.requireStatic)
	t.Run("the admin and the health path answer", func(t *testing.T) {
		status, _, _ := s.get("live.localhost", "/admin/login/")
		require.Equal(t, http.StatusOK, status)
		status, _, body := s.get("live.localhost", "/healthz")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "ok a", strings.TrimSpace(body))
	})
	t.Run("a form works, before a swap and after it, in one session", s.requireForm)
	t.Run("processes say what they are", s.requireTitles)
	t.Run("a second init does not touch the database", func(t *testing.T) {
		before := s.read("deploy/data/addons.sqlite3")
		s.notes.forget()
		require.NoError(t, s.Init(t.Context()))
		require.Equal(t, before, s.read("deploy/data/addons.sqlite3"))
	})
	t.Run("the project's own tests pass in a build", s.requireSuite)
	t.Run("each suite has the tests that its name says", func(t *testing.T) { s.requireSuites(t, promise) })
	t.Run("the overlay's own tests pass with this Django", func(t *testing.T) {
		test := exec.CommandContext(t.Context(), filepath.Join(s.dir, "deploy/builds/a/bin/python"),
			"-B", "-m", "unittest", "discover", "--start-directory", "tests")
		test.Dir = "../src"
		out, err := test.CombinedOutput()
		require.NoError(t, err, string(out))
		require.NotContains(t, string(out), "skipped")
	})
	t.Run("a view that is broken makes no build", func(t *testing.T) {
		s.write("addons-server/catalogue/views.py", "syntax error\n")
		require.ErrorContains(t, s.CreateBuild(t.Context(), "c"), "SyntaxError")
		require.Error(t, s.Stage(t.Context(), "c"))
		s.requirePage("stage.localhost", "build a")
	})
	t.Run("a host that Django does not allow is explained", func(t *testing.T) {
		s.reopen(s.read("hadjango.yml") + "env: {DJANGO_ALLOWED_HOSTS: elsewhere.example}\n")
		require.NoError(t, s.Remove(t.Context(), "c"))
		s.write("addons-server/catalogue/views.py", original)
		require.NoError(t, s.CreateBuild(t.Context(), "c"))
		err := s.Stage(t.Context(), "c")
		require.ErrorContains(t, err, "ALLOWED_HOSTS")
		require.ErrorContains(t, err, "live.localhost")
	})
}

// What the demo project does on SQLite, it does on the databases and caches that
// several machines may share.
func TestDjango_OnOtherDatabases(t *testing.T) {
	t.Parallel()
	for name, given := range map[string]struct {
		database, cache func(testing.TB) string
		// asked for how much it has, the cache answers so
		question, answer string
	}{
		"MariaDB and memcached": {services.MariaDB, services.Memcached, "stats\r\nquit\r\n", `STAT curr_items [1-9]`},
		"PostgreSQL and redis":  {services.PostgreSQL, services.Redis, "DBSIZE\r\nQUIT\r\n", `^:[1-9]`},
	} {
		t.Run(name, func(t *testing.T) {
			cache := given.cache(t)
			s := newDjangoSite(t, fmt.Sprintf("env: {DATABASE_URL: %q, CACHE_URL: %q}", given.database(t), cache))
			require.NoError(t, s.Init(t.Context()))

			t.Run("pages come from the database that init made", s.requirePages)
			t.Run("what is kept is kept in the cache's server", func(t *testing.T) {
				require.Regexp(t, given.answer, askCache(t, cache, given.question))
			})
			t.Run("search finds, and its tests pass", func(t *testing.T) {
				_, _, found := s.get("live.localhost", homePage+"search/?q=a")
				require.Regexp(t, addon, found)
				out, err := s.suite(t, site.ES)
				require.NoError(t, err, out)
				require.Regexp(t, `[1-9][0-9]* passed`, out)
				requireSkipped(t, out, "SEARCH_URL names no server")
			})
			t.Run("a form works, before a swap and after it, in one session", s.requireForm)
			t.Run("a third build goes live", func(t *testing.T) {
				require.NoError(t, s.CreateBuild(t.Context(), "c"))
				_, err := s.SwapLive(t.Context(), "c")
				require.NoError(t, err)
				s.requirePage("live.localhost", "build c")
			})
			t.Run("a second init does not touch the database", func(t *testing.T) {
				require.NoError(t, s.Init(t.Context()))
				require.Contains(t, s.notes.String(), "there already, not touched")
			})
			require.NoFileExists(t, filepath.Join(s.dir, "deploy/data/addons.sqlite3"))
		})
	}
}

// requirePages looks at a page of each build, at a list, and at what is in it.
func (s testSite) requirePages(t *testing.T) {
	for host, build := range map[string]string{"live.localhost": "a", "stage.localhost": "b"} {
		status, _, body := s.get(host, homePage)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, "build "+build)
	}
	_, _, list := s.get("live.localhost", homePage+"browse/")
	page := addon.FindString(list)
	require.NotEmpty(t, page)
	status, _, _ := s.get("live.localhost", page)
	require.Equal(t, http.StatusOK, status)
}

// askCache sends a question to a server of a cache, and returns all that it answers.
func askCache(t *testing.T, cacheURL, question string) string {
	t.Helper()
	server, err := url.Parse(cacheURL)
	require.NoError(t, err)
	conn, err := net.Dial("tcp", server.Host)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte(question))
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	return string(answer)
}

// suite runs a suite of the project's own tests as its task does, and returns what
// it prints.
func (s testSite) suite(t *testing.T, suite site.Suite, args ...string) (out string, err error) {
	t.Helper()
	itself, err := os.Executable()
	require.NoError(t, err)
	again := exec.CommandContext(t.Context(), itself, append([]string{"suite", string(suite), "-rs"}, args...)...)
	again.Env = append(os.Environ(), "HADJANGO_SITE="+s.dir)
	text, err := again.CombinedOutput()
	return string(text), err
}

func (s testSite) requireSuite(t *testing.T) {
	out, err := s.suite(t, site.RunAll)
	require.NoError(t, err, out)
	require.Regexp(t, `[1-9][0-9]* passed`, out)
	requireSkipped(t, out, "SEARCH_URL names no server", "only root can give files away", "a test's SQLite is in memory, where there is but one connection")
}

var skipped = regexp.MustCompile(`(?m)^SKIPPED \[\d+\] [^ ]+: (.*)$`)

// requireSkipped makes sure that tests were skipped for these reasons only.
func requireSkipped(t *testing.T, out string, reasons ...string) {
	t.Helper()
	for _, found := range skipped.FindAllStringSubmatch(out, -1) {
		require.Contains(t, reasons, found[1])
	}
}

const promiseTest = "addons/tests/test_promise.py"

// promise adds a test to the project, which fails while there is a file at the
// path that is returned.
func (s testSite) promise() (broken string) {
	s.t.Helper()
	broken = filepath.Join(s.dir, "broken")
	s.write("addons-server/"+promiseTest, fmt.Sprintf("import os\n\ndef test_kept():\n    assert not os.path.exists(%q)\n", broken))
	return broken
}

func (s testSite) requireSuites(t *testing.T, broken string) {
	passes := func(pattern string, suite site.Suite, args ...string) {
		t.Helper()
		out, err := s.suite(t, suite, args...)
		require.NoError(t, err, out)
		require.Regexp(t, pattern, out)
	}
	fails := func(pattern string, suite site.Suite, args ...string) {
		t.Helper()
		out, err := s.suite(t, suite, args...)
		require.Error(t, err, out)
		require.Regexp(t, pattern, out)
	}
	passes(`[1-9][0-9]* passed.*, 1 deselected`, site.ES, "search/tests", promiseTest)
	passes(`1 passed, [1-9][0-9]* deselected`, site.NoES, "search/tests", promiseTest)
	passes(`1 passed`, site.ForceDB, promiseTest)
	require.NoError(t, os.WriteFile(broken, nil, 0o644))
	fails(`1 failed, [1-9][0-9]* passed`, site.RunAll, "search/tests/test_search.py", promiseTest)
	fails(`(?s)1 item.*1 failed in `, site.Failed, promiseTest)
	fails(`(?s)\(Pdb\).*1 failed`, site.TDD, promiseTest)
	require.NoError(t, os.Remove(broken))
	passes(`1 passed in `, site.Failed, promiseTest)
}

func (s testSite) requirePage(host, text string) {
	s.t.Helper()
	status, _, body := s.get(host, homePage)
	require.Equal(s.t, http.StatusOK, status)
	require.Contains(s.t, body, text)
}

var stylesheet = regexp.MustCompile(`/static/a-[0-9a-f]{7}/[^"]+\.css`)

func (s testSite) requireStatic(t *testing.T) {
	_, _, body := s.get("live.localhost", homePage)
	path := stylesheet.FindString(body)
	require.NotEmpty(t, path)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+path, nil)
	require.NoError(t, err)
	request.Host = "live.localhost"
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "text/css", response.Header.Get("Content-Type"))
	require.Contains(t, response.Header.Get("Cache-Control"), "immutable")
}

var (
	addon = regexp.MustCompile(`/en-US/firefox/addon/[a-z0-9-]+/`)
	token = regexp.MustCompile(`name="csrfmiddlewaretoken" value="([^"]+)"`)
)

// requireForm opens a page, swaps, and sends the form to the other build.
func (s testSite) requireForm(t *testing.T) {
	v := s.visitor(t)
	v.signUp("grace")
	page := addon.FindString(v.get(homePage))
	form := v.get(page)
	swap, err := s.SwapLive(t.Context(), "")
	require.NoError(t, err)
	review := "Begun before the swap to " + string(swap.Live)

	after := v.post(action(t, page, form), url.Values{
		"csrfmiddlewaretoken": {csrf(t, form)}, "score": {"4"}, "body": {review},
	})

	require.Contains(t, after, "build "+string(swap.Live))
	require.Contains(t, after, review)
	require.Contains(t, after, "grace")
}

func csrf(t *testing.T, form string) string {
	t.Helper()
	found := token.FindStringSubmatch(form)
	require.NotEmpty(t, found)
	return found[1]
}

var reviewForm = regexp.MustCompile(`(?s)<form[^>]*class="[^"]*review-form[^>]*>`)

var formAction = regexp.MustCompile(`action="([^"]+)"`)

// action is where the review form of a page is sent to.
func action(t *testing.T, page, body string) string {
	t.Helper()
	form := reviewForm.FindString(body)
	require.NotEmpty(t, form)
	if found := formAction.FindStringSubmatch(form); found != nil {
		return found[1]
	}
	return page
}

func (s testSite) requireTitles(t *testing.T) {
	processes, err := proc.Under(s.dir, "uwsgi", "uwsgi-core")
	require.NoError(t, err)
	var titles []string
	for _, p := range processes {
		titles = append(titles, p.Name())
	}
	for _, build := range []string{"a", "b"} {
		require.Contains(t, titles, fmt.Sprintf("uwsgi worker 1 %s [untracked]", build))
		require.Contains(t, titles, fmt.Sprintf("uwsgi worker 2 %s [untracked]", build))
		require.Contains(t, titles, fmt.Sprintf("uwsgi master %s [untracked]", build))
	}
}

// visitor follows redirects and keeps cookies, as a person's browser does.
type visitor struct {
	t      *testing.T
	client http.Client
}

func (s testSite) visitor(t *testing.T) visitor {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return visitor{t, http.Client{Jar: jar, Transport: nginxAt{s.address}}}
}

// nginxAt sends every request to one address, whatever its name resolves to.
type nginxAt struct{ address string }

func (n nginxAt) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Host, request.URL.Host = request.URL.Host, n.address
	return http.DefaultTransport.RoundTrip(request)
}

const live = "http://live.localhost:8080"

func (v visitor) get(path string) string {
	v.t.Helper()
	response, err := v.client.Get(live + path)
	return v.body(response, err)
}

func (v visitor) post(path string, form url.Values) string {
	v.t.Helper()
	response, err := v.client.PostForm(live+path, form)
	return v.body(response, err)
}

func (v visitor) body(response *http.Response, err error) string {
	v.t.Helper()
	require.NoError(v.t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusOK, response.StatusCode, string(data))
	return string(data)
}

func (v visitor) signUp(name string) {
	v.t.Helper()
	const page = homePage + "users/signup/"
	after := v.post(page, url.Values{
		"csrfmiddlewaretoken": {csrf(v.t, v.get(page))}, "username": {name}, "password1": {passphrase}, "password2": {passphrase},
	})
	require.Contains(v.t, after, name)
}
