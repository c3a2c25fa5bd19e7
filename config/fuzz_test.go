package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzParse holds Parse to its promises: it never panics, it points into the file, and what it accepts obeys the rules,
// which are written here a second time and more roughly.
func FuzzParse(f *testing.F) {
	seed, err := os.ReadFile(reference)
	require.NoError(f, err)
	f.Add(seed)
	for _, test := range badFiles {
		f.Add([]byte(test.file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		began := time.Now()
		c, err := Parse("x.yml", data)
		require.Less(t, time.Since(began), 30*time.Second)
		if err != nil {
			requirePlaces(t, data, err)
			return
		}
		require.NoError(t, c.Validate())
		requireHarmless(t, c)
	})
}

func requirePlaces(t *testing.T, data []byte, err error) {
	t.Helper()
	lines := strings.Count(string(data), "\n") + 1
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		if e, ok := err.(*Error); ok {
			require.True(t, 1 <= e.Line && e.Line <= lines && 1 <= e.Column && e.Column <= len(data)+1, "%v", e)
			require.NotContains(t, e.Error(), "\n")
		}
	}
}

// harmless is what may stand in a configuration of nginx or uWSGI without quotes.
var harmless = regexp.MustCompile(`^[A-Za-z0-9._/:@+*\[\]-]*$`)

func requireHarmless(t *testing.T, c Config) {
	t.Helper()
	paths := []string{c.Project, c.Overlay, c.Requirements, c.Tests.Requirements, c.Run, c.Python}
	words := []string{c.Settings, c.WSGI, c.User, string(c.MaxBody), string(c.Switch), string(c.Tests.Runner)}
	for _, word := range slices.Concat(paths, words, c.Live, c.Stage, c.Listen, c.Dashboard.Allow) {
		require.Regexp(t, harmless, word)
		require.NotRegexp(t, `^-|(^|/)\.\.(/|$)`, word)
	}
	for _, path := range slices.Concat(c.Warmup.Paths, []string{c.Health}) {
		require.Regexp(t, `^/[^\s;{}"'\\$#]*$`, path)
	}
	for _, command := range slices.Concat(c.Build, c.Database, c.Populate) {
		require.NotRegexp(t, `^(-|/|$)|\.\./`, command[0])
		require.NotContains(t, strings.Join(command, ""), "\x00")
	}
	for name, value := range c.Env {
		require.NotContains(t, name+value, "\x00")
		require.NotRegexp(t, `^(PATH$|LD_|HADJANGO_|UWSGI_)|[^A-Za-z0-9_]`, name)
	}
}
