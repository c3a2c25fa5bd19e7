package site

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/stack"
)

// serversOf is the configuration of all servers of a site with that hadjango.yml,
// by file name.
func serversOf(t testing.TB, c config.Config) map[string]string {
	t.Helper()
	all := map[string]string{}
	me, err := account.Current()
	require.NoError(t, err)
	s := &Site{
		layout: newLayout("/srv/shop", "/srv/shop/deploy", c.Run), config: c, user: me, store: builds.OpenStore("/srv/shop/deploy/builds"),
		output: func(path string, data []byte, _ fs.FileMode) error {
			all[filepath.Base(path)] = string(data)
			return nil
		},
	}
	require.NoError(t, s.renderServerFiles(stack.Programs{MimeTypes: "/etc/nginx/mime.types"}))
	require.NoError(t, s.renderVassal("a"))
	require.NoError(t, s.renderZerg("a", "v1", slots[0]))
	return all
}

// directives are the first words of all statements of an nginx configuration,
// in which a quoted text is no statement, or of all lines of an ini file.
func directives(name, text string) map[string]bool {
	found := map[string]bool{}
	ends := func(r rune) bool { return strings.ContainsRune(";{}", r) }
	if filepath.Ext(name) == ".ini" {
		ends = func(r rune) bool { return r == '\n' }
	}
	for _, statement := range strings.FieldsFunc(unquoted(text), ends) {
		if words := strings.Fields(statement); len(words) > 0 {
			found[words[0]] = true
		}
	}
	return found
}

// unquoted leaves out comments and what stands in quotes.
func unquoted(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") || strings.HasPrefix(line, ";") {
			continue
		}
		for i, part := range strings.FieldsFunc(line, func(r rune) bool { return r == '"' || r == '\'' }) {
			if i%2 == 0 {
				kept.WriteString(part)
			}
		}
	}
	return kept.String()
}

// Whatever hadjango.yml is accepted, the servers' configuration has no
// directive that it has not for every other site.
func FuzzRender_ConfigurationAddsNoDirective(f *testing.F) {
	reference, err := os.ReadFile("../hadjango.yml")
	require.NoError(f, err)
	f.Add(reference)
	for _, seed := range []string{
		"https: true\nswitch: reload", "run: /run/shop", "live: [a.example]\nstage: [b.example]", "listen: ['[::1]:80', '*:81']", "workers: {min: 2, max: 9, preload: false}",
		"live: ['a; }']", "max_body: '1m; }'", "health: /x;y", "user: 'x; }'", "run: 'a b'", "env: {A: '; }'}", "run: '@(x)'", "run: 'a%d'", "wsgi: 'a:b'\nsettings: ''",
	} {
		f.Add([]byte(seed))
	}
	known := map[string]map[string]bool{}
	for _, kind := range []string{"", "https: true\nswitch: reload\nworkers: {min: 1, max: 2, preload: false}", "workers: {min: 2, max: 2}"} {
		c, err := config.Parse("x.yml", []byte(kind))
		require.NoError(f, err)
		for name, text := range serversOf(f, c) {
			for directive := range directives(name, text) {
				if known[name] == nil {
					known[name] = map[string]bool{}
				}
				known[name][directive] = true
			}
		}
	}
	require.True(f, known["nginx.conf"]["uwsgi_pass"] && known["zerg.ini"]["wsgi-file"], "%v", known)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("x.yml", data)
		if err != nil || newLayout("/srv/shop", "/srv/shop/deploy", c.Run).check() != nil {
			return
		}
		for name, text := range serversOf(t, c) {
			if filepath.Ext(name) == ".html" {
				continue
			}
			for directive := range directives(name, text) {
				require.Contains(t, known[name], directive, name)
			}
		}
	})
}
