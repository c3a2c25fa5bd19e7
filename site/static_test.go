package site_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/account"
)

var css = strings.Repeat("a { color: red }\n", 100)

// newStaticSite is a site with static files, and three builds: live, stage,
// and c, which is neither.
func newStaticSite(t *testing.T) testSite {
	t.Helper()
	s := newTestSite(t, "build: [[cp, -r, public/., assets/static]]")
	for _, name := range []string{"site.css", "site.js", "module.mjs", "site.css.map", "app.webmanifest", "logo.svg", "font.woff2", "app.wasm"} {
		s.write("project/public/"+name, css)
	}
	s.write("project/public/own.css", css)
	s.write("project/public/own.css.gz", "the project's")
	s.write("project/assets/site.webmanifest", "{}")
	require.NoError(t, s.Init(t.Context()))
	require.NoError(t, s.CreateBuild(t.Context(), "c"))
	return s
}

func TestStatic_IsServedAsItWasCompressed(t *testing.T) {
	s := newStaticSite(t)

	for host, build := range map[string]string{"live.localhost": "a", "stage.localhost": "b", "live.addons": "c"} {
		t.Run(build, func(t *testing.T) {
			path := s.static(builds.Name(build), "site.css")
			header, body := s.fetch(host, path, "gzip")
			require.Equal(t, "gzip", header.Get("Content-Encoding"))
			require.Equal(t, s.read("deploy/assets"+path+".gz"), body, "the file, and not what nginx makes in passing")
			require.Equal(t, css, gunzip(t, body))
			requireStaticHeader(t, header)

			header, body = s.fetch(host, path, "")
			require.Empty(t, header.Get("Content-Encoding"))
			require.Equal(t, css, body)
			requireStaticHeader(t, header)
		})
	}
	t.Run("a copy of the project's own stays", func(t *testing.T) {
		_, body := s.fetch("live.localhost", s.static("a", "own.css"), "gzip")
		require.Equal(t, "the project's", body)
	})
	t.Run("the manifest says what it was", func(t *testing.T) {
		manifest, err := builds.ReadManifest(filepath.Join(s.dir, "deploy/builds/a"))
		require.NoError(t, err)
		require.Regexp(t, `^7 files, 12 kB → 0\.\d kB$`, step(manifest, "precompress").Detail)
	})
	t.Run("browsers are told what it is", s.requireTypes)
	t.Run("only root can change it", s.requireSealed)
}

// static is the path by which the pages of a build name a static file.
func (s testSite) static(build builds.Name, name string) string {
	return fmt.Sprintf("/static/%s-%s/%s", build, s.manifest(build).Stamp[:7], name)
}

// Names of builds come again, and browsers keep static files for a year.
func TestStatic_OfABuildIsNeverTakenForThatOfALaterOneOfItsName(t *testing.T) {
	s := newStaticSite(t)
	before := s.static("c", "site.css")
	s.fetch("live.localhost", before, "")
	require.NoError(t, s.Remove(t.Context(), "c"))
	require.Empty(t, s.found("deploy/assets/static/c*"))

	require.NoError(t, s.CreateBuild(t.Context(), "c"))

	require.NotEqual(t, before, s.static("c", "site.css"))
	s.fetch("live.localhost", s.static("c", "site.css"), "")
	status, _, _ := s.get("live.localhost", before)
	require.Equal(t, http.StatusNotFound, status)
	header, _ := s.fetch("live.localhost", "/static/c/site.css", "")
	require.Equal(t, "public, no-cache", header.Get("Cache-Control"), "who names the build alone asks each time")
}

func (s testSite) found(pattern string) []string {
	found, err := filepath.Glob(filepath.Join(s.dir, pattern))
	require.NoError(s.t, err)
	return found
}

func requireStaticHeader(t *testing.T, header http.Header) {
	t.Helper()
	require.Equal(t, "text/css", header.Get("Content-Type"))
	require.Equal(t, "public, max-age=31536000, immutable", header.Get("Cache-Control"))
	require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
	require.Equal(t, "Accept-Encoding", header.Get("Vary"))
}

// A browser refuses a module, and with nosniff a style sheet, of a wrong type.
func (s testSite) requireTypes(t *testing.T) {
	for path, want := range map[string]string{
		"/static/a/site.js": "application/javascript", "/static/a/module.mjs": "text/javascript",
		"/static/a/site.css.map": "application/json", "/static/a/app.webmanifest": "application/manifest+json",
		"/static/a/logo.svg": "image/svg+xml", "/static/a/font.woff2": "font/woff2", "/static/a/app.wasm": "application/wasm",
		"/site.webmanifest": "application/manifest+json",
	} {
		header, _ := s.fetch("live.localhost", path, "gzip")
		require.Equal(t, want, header.Get("Content-Type"), path)
	}
	header, body := s.fetch("live.localhost", s.static("a", "module.mjs"), "gzip")
	requireForEver(t, header)
	require.Equal(t, css, gunzip(t, body))
	_, build, _ := s.get("live.localhost", "/missing.webmanifest")
	require.Equal(t, "a", build, "what is no file is the application's")
}

func requireForEver(t *testing.T, header http.Header) {
	t.Helper()
	require.Contains(t, header.Get("Cache-Control"), "immutable")
	require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
}

func (s testSite) requireSealed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("an ordinary user owns what is served")
	}
	user, err := account.Lookup("www-data")
	require.NoError(t, err)
	path := filepath.Join(s.dir, "deploy/assets/static/a/site.css.gz")
	require.False(t, user.Owns(path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o644), info.Mode())
}

// fetch asks nginx in the encoding it names, and returns the body as it was sent.
func (s testSite) fetch(host, path, encoding string) (http.Header, string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.address+path, nil)
	require.NoError(s.t, err)
	request.Host = host
	if encoding != "" {
		request.Header.Set("Accept-Encoding", encoding)
	}
	response, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(request)
	require.NoError(s.t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, response.StatusCode, path)
	return response.Header, string(data)
}

func gunzip(t *testing.T, body string) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(text)
}

func step(manifest builds.Manifest, name string) builds.Step {
	for _, step := range manifest.Steps {
		if step.Name == name {
			return step
		}
	}
	return builds.Step{}
}
