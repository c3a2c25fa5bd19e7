package site_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/otiai10/copy"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/proc"
)

// newDjangoSite is a site of the repository's own demo project.
func newDjangoSite(t testing.TB) testSite {
	t.Helper()
	s := newTestSite(t, "")
	require.NoError(t, copy.Copy("../addons-server", filepath.Join(s.dir, "addons-server")))
	config := s.read("hadjango.yml")
	config = strings.ReplaceAll(config, "project: project\n", "")
	config = strings.ReplaceAll(config, "wsgi: app:application\n", "warmup: {paths: [/en-US/firefox/]}\n")
	s.reopen(config)
	return s
}

func TestDjango_FromNothingToASwap(t *testing.T) {
	s := newDjangoSite(t)
	original := s.read("addons-server/catalogue/views.py")
	require.NoError(t, s.Init(t.Context()))

	t.Run("each page says which build served it", func(t *testing.T) {
		for host, build := range map[string]string{"live.localhost": "a", "stage.localhost": "b"} {
			status, _, body := s.get(host, "/en-US/firefox/")
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, body, "build "+build)
		}
	})
	t.Run("the list comes from the database that init made", func(t *testing.T) {
		status, _, body := s.get("live.localhost", "/en-US/firefox/addons/")
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, "/en-US/firefox/addon/")
	})
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
	t.Run("the project's own tests pass in a build", func(t *testing.T) {
		dir := filepath.Join(s.dir, "deploy/builds/a")
		test := exec.CommandContext(t.Context(), filepath.Join(dir, "bin/python"), "manage.py", "test", "--noinput")
		test.Dir = dir
		test.Env = []string{"PATH=/usr/bin:/bin", "HADJANGO_DATA=" + t.TempDir()}
		out, err := test.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Regexp(t, `Ran [1-9][0-9]* tests`, string(out))
	})
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

func (s testSite) requirePage(host, text string) {
	s.t.Helper()
	status, _, body := s.get(host, "/en-US/firefox/")
	require.Equal(s.t, http.StatusOK, status)
	require.Contains(s.t, body, text)
}

var stylesheet = regexp.MustCompile(`/static/a/[^"]+\.css`)

func (s testSite) requireStatic(t *testing.T) {
	_, _, body := s.get("live.localhost", "/en-US/firefox/")
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
	browser := s.browser(t)
	page := addon.FindString(browser.get("/en-US/firefox/addons/"))
	form := browser.get(page)
	csrf := token.FindStringSubmatch(form)
	require.NotEmpty(t, csrf)
	_, err := s.SwapLive(t.Context(), "")
	require.NoError(t, err)

	after := browser.post(page, url.Values{"csrfmiddlewaretoken": {csrf[1]}, "useful": {"yes"}})

	require.Contains(t, after, "build b")
	require.NotEqual(t, form, after)
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

// browser follows redirects and keeps cookies, as a person's does.
type browser struct {
	t      *testing.T
	client http.Client
}

func (s testSite) browser(t *testing.T) browser {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return browser{t, http.Client{Jar: jar, Transport: nginxAt{s.address}}}
}

// nginxAt sends every request to one address, whatever its name resolves to.
type nginxAt struct{ address string }

func (n nginxAt) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Host, request.URL.Host = request.URL.Host, n.address
	return http.DefaultTransport.RoundTrip(request)
}

const live = "http://live.localhost:8080"

func (b browser) get(path string) string {
	b.t.Helper()
	response, err := b.client.Get(live + path)
	return b.body(response, err)
}

func (b browser) post(path string, form url.Values) string {
	b.t.Helper()
	response, err := b.client.PostForm(live+path, form)
	return b.body(response, err)
}

func (b browser) body(response *http.Response, err error) string {
	b.t.Helper()
	require.NoError(b.t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	require.Equal(b.t, http.StatusOK, response.StatusCode, string(data))
	return string(data)
}
