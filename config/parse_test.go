package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/token"
	"github.com/stretchr/testify/require"
)

// keysOf is every key of s, sections and what is in them.
func keysOf(s section, prefix string) []string {
	var keys []string
	for _, field := range s {
		key := join(prefix, field.key)
		keys = append(keys, key)
		if inner, ok := field.value.(section); ok {
			keys = append(keys, keysOf(inner, key)...)
		}
	}
	return keys
}

const reference = "../hadjango.yml"

func TestReference_IsTheDefault(t *testing.T) {
	c, err := Load(reference)
	require.NoError(t, err)
	require.Equal(t, Default(), c)
}

func TestReference_HasEveryKey(t *testing.T) {
	data, err := os.ReadFile(reference)
	require.NoError(t, err)
	r := &report{at: map[string]place{}}
	var c Config
	schema(&c).read(r, "", r.document(data))
	require.NoError(t, r.err())
	for _, key := range keysOf(schema(&c), "") {
		require.True(t, r.has(key), "%s is not in %s", key, reference)
	}
}

// leaves is the number of fields of a struct, those of inner structs included and these themselves not.
func leaves(s reflect.Type) int {
	n := 0
	for field := range s.Fields() {
		if field.Type.Kind() == reflect.Struct {
			n += leaves(field.Type)
			continue
		}
		n++
	}
	return n
}

func TestSchema_ReachesEveryField(t *testing.T) {
	var c Config
	sections := 5 // tests, dashboard, workers, timeouts, warmup
	require.Equal(t, leaves(reflect.TypeFor[Config]()), len(keysOf(schema(&c), ""))-sections)
}

func TestParse_EmptyIsTheDefault(t *testing.T) {
	for _, empty := range []string{"", "\n", "# nothing\n", "---\n", "{}", "\ufeff", "\r\n"} {
		c, err := Parse("hadjango.yml", []byte(empty))
		require.NoError(t, err, "%q", empty)
		require.Equal(t, Default(), c, "%q", empty)
	}
}

func TestParse_Everything(t *testing.T) {
	c, err := Parse("hadjango.yml", []byte(`
project: ./shop/
overlay: ""
settings: shop.settings.production
requirements: requirements/live.txt
build:
  - [npm, run, build]
  - [tools/prepare.py, --level, 3, --all, true, ""]
database: []
populate: [[manage.py, seed]]
tests: {runner: pytest, requirements: requirements/tests.txt}
env: {DEBUG: false, LEVEL: 010, EMPTY: "", TEXT: "a: b\n", _x1: 1.50}
live: [WWW.Example.org, "*.example.org"]
stage:
  - stage.example.org
listen: ["*:80", "0.0.0.0:81", "[::1]:0443", 10.0.0.1:8080]
https: true
dashboard: {queries: true, allow: [192.0.2.0/24, "2001:DB8::/32", 192.0.2.7]}
health: /health/~x%20y?full=1&a=%7E
max_body: 1G
user: _shop-1
run: /run/shop/
switch: reload
port: 55000
workers: {min: 2, max: 8, preload: false}
backlog: 65535
timeouts: {request: 1m30s, start: 24h, drain: 90s, switch: 1s}
watch: 0
warmup:
  concurrency: 1
  requests: 100000
  paths: [/, /a?b=c]
python: /usr/bin/python3.12
`))
	require.NoError(t, err)
	require.Equal(t, Config{
		Project:      "shop",
		Settings:     "shop.settings.production",
		Requirements: "requirements/live.txt",
		Build:        []Command{{"npm", "run", "build"}, {"tools/prepare.py", "--level", "3", "--all", "true", ""}},
		Database:     []Command{},
		Populate:     []Command{{"manage.py", "seed"}},
		Tests:        Tests{Runner: RunnerPytest, Requirements: "requirements/tests.txt"},
		Env:          Env{"DEBUG": "false", "LEVEL": "010", "EMPTY": "", "TEXT": "a: b\n", "_x1": "1.50"},
		Live:         []string{"www.example.org", "*.example.org"},
		Stage:        []string{"stage.example.org"},
		Listen:       []string{"*:80", "*:81", "[::1]:443", "10.0.0.1:8080"},
		HTTPS:        true,
		Health:       "/health/~x%20y?full=1&a=%7E",
		MaxBody:      "1g",
		Dashboard:    Dashboard{Queries: true, Allow: []string{"192.0.2.0/24", "2001:db8::/32", "192.0.2.7"}},
		User:         "_shop-1",
		Run:          "/run/shop",
		Switch:       SwitchReload,
		Port:         55000,
		Workers:      Workers{Min: 2, Max: 8},
		Backlog:      65535,
		Timeouts:     Timeouts{90 * time.Second, 24 * time.Hour, 90 * time.Second, time.Second},
		Warmup:       Warmup{1, 100000, []string{"/", "/a?b=c"}},
		Python:       "/usr/bin/python3.12",
	}, c)
	require.NoError(t, c.Validate())
}

func TestParse_WSGIForgetsDjango(t *testing.T) {
	c, err := Parse("hadjango.yml", []byte("wsgi: shop.app:make.application\n"))
	require.NoError(t, err)
	require.Empty(t, c.Settings)
	require.Empty(t, c.Build)
	require.Empty(t, c.Database)
	require.Empty(t, c.Populate)
	require.Equal(t, RunnerPytest, c.Tests.Runner)
	require.NoError(t, c.Validate())

	c, err = Parse("hadjango.yml", []byte("wsgi: shop.app:application\nsettings: ''\nbuild: [[npm, ci]]\n"))
	require.NoError(t, err)
	require.Equal(t, []Command{{"npm", "ci"}}, c.Build)
	require.Empty(t, c.Database)
}

func TestParse_AnotherProjectForgetsTheDemo(t *testing.T) {
	c, err := Parse("hadjango.yml", []byte("settings: shop.settings\n"))
	require.NoError(t, err)
	require.Equal(t, []Command{{"manage.py", "collectstatic", "--noinput"}}, c.Build)
	require.Equal(t, []Command{{"manage.py", "migrate", "--noinput"}}, c.Database)
	require.Empty(t, c.Populate)
	require.Equal(t, RunnerDjango, c.Tests.Runner)

	c, err = Parse("hadjango.yml", []byte("settings: shop.settings\npopulate: [[manage.py, seed]]\ntests: {runner: pytest}\n"))
	require.NoError(t, err)
	require.Equal(t, []Command{{"manage.py", "seed"}}, c.Populate)
	require.Equal(t, RunnerPytest, c.Tests.Runner)
}

func TestParse_WindowsLines(t *testing.T) {
	c, err := Parse("hadjango.yml", []byte("\ufeffport: 3000\r\nhttps: true\r\n"))
	require.NoError(t, err)
	require.Equal(t, 3000, c.Port)
	require.True(t, c.HTTPS)
}

func TestLoad(t *testing.T) {
	name := filepath.Join(t.TempDir(), "hadjango.yml")
	_, err := Load(name)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, name)

	require.NoError(t, os.WriteFile(name, []byte("port: 3000\n"), 0o600))
	c, err := Load(name)
	require.NoError(t, err)
	require.Equal(t, 3000, c.Port)

	_, err = Load(filepath.Dir(name))
	require.ErrorContains(t, err, "read configuration: ")

	require.NoError(t, os.WriteFile(name, make([]byte, 2*maxBytes), 0o600))
	_, err = Load(name)
	require.EqualError(t, err, name+":1:1: the file is too long: expected at most 1048576 bytes")
}

func TestParse_ErrorsAreTyped(t *testing.T) {
	_, err := Parse("x.yml", []byte("timeouts:\n  start: 0s\nprot: 1\n"))
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok)
	require.Equal(t, Error{"x.yml", 2, 10, "timeouts.start", `"0s" is out of range: expected whole seconds from 1s to 24h such as 90s or 1m30s`}, *e)
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok)
	require.Len(t, joined.Unwrap(), 2)
}

func TestParse_ManyProblems(t *testing.T) {
	_, err := Parse("x.yml", []byte(strings.Repeat("x: 1\n", 50)))
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, maxShown+1)
	require.Equal(t, "and 30 more", lines[maxShown])
}

// No rule may put a secret into an error, whatever is wrong with the file around it.
func TestParse_ErrorsKeepSecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, env := range []string{
		"hunter2hunter2", "[hunter2hunter2]", "{A: [hunter2hunter2]}", "{A: {hunter2hunter2: 1}}", "{A=hunter2hunter2}",
		"{A: \"hunter2hunter2\\0\"}", "{A: 'hunter2hunter2}", "{A: \"hunter2hunter2\\z\"}", "{A: !hunter2hunter2}", "{A: &hunter2hunter2 x}",
		"{A: *hunter2hunter2}", "{A: |hunter2hunter2}", "{A: @hunter2hunter2}", "\n  A: x: hunter2hunter2", "{A: %hunter2hunter2}",
		"{A: [}hunter2hunter2", "{A: x}hunter2hunter2", "{PATH: hunter2hunter2}", "{A: 1, A: hunter2hunter2}",
		"{A=hunter2hunter2: 1, A=hunter2hunter2: 1}", "!hunter2hunter2", "hunter2hunter2: x", "|\n hunter2hunter2\n", "\n  - A: hunter2hunter2",
		"{A: hunter2hunter2}\nsettings: addons.settings\nwsgi: a:b", "{DJANGO_SETTINGS_MODULE: hunter2hunter2}", "{? hunter2hunter2 : x}",
		"{A: hunter2hunter2\x01}", "{A: hunter2hunter2\t}", "{A: hunter2hunter2\xff}", "\n  A: hunter2hunter2\n}",
	} {
		_, err := Parse("x.yml", []byte("env: "+env+"\n"))
		require.Error(t, err, env)
		require.NotContains(t, err.Error(), secret, env)
	}
}

func TestEnv_NeverPrints(t *testing.T) {
	c := Default()
	c.Env = Env{"B": "hunter2", "A": "hunter2"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		printed := fmt.Sprintf(verb, c)
		require.NotContains(t, printed, "hunter2", verb)
		require.NotContains(t, printed, "68756e7465", verb)
	}
	require.Equal(t, "env[A B]", fmt.Sprint(c.Env))
}

func TestValidate(t *testing.T) {
	require.NoError(t, Default().Validate())
	c := Default()
	c.Project = "../x"
	c.Overlay = "src/"
	c.Build = []Command{{}}
	c.Env = Env{"PATH": "/", "A": "x\x00"}
	c.Live = nil
	c.Stage = []string{"Stage.example.org"}
	c.MaxBody = "1t"
	c.Switch = "magic"
	c.Port = 80
	c.Timeouts.Start = 1500 * time.Millisecond
	c.Timeouts.Drain = 0
	c.Watch = -1
	c.Workers = Workers{Min: 4, Max: 2}
	require.EqualError(t, c.Validate(), strings.Join([]string{
		`project: "../x" leads out of its directory: expected a relative path of letters, digits and . _ / + @ -, such as src or .`,
		`overlay: "src/" is not in its plain form: expected "src"`,
		`build[0]: found an empty list: expected a list of a program and its arguments`,
		`env.A: the value holds a NUL character: expected text`,
		`env: the variable PATH is reserved: expected one that does not decide which programs and modules are run`,
		`live: found an empty list: expected a list of host names`,
		`stage[0]: "Stage.example.org" is not in its plain form: expected "stage.example.org"`,
		`max_body: "1t" is not allowed: expected a size from 1k to 10g such as 50m`,
		`switch: "magic" is not allowed: expected pointer or reload`,
		`port: "80" is out of range: expected a number from 1024 to 55000`,
		`timeouts.start: "1.5s" is not a whole number of seconds: expected whole seconds from 1s to 24h such as 90s or 1m30s`,
		`timeouts.drain: "0s" is out of range: expected whole seconds from 1s to 24h such as 90s or 1m30s`,
		`watch: "-1ns" is out of range: expected whole seconds up to 24h such as 10s, or 0 for not at all`,
		`workers.min: min is 4 and max is 2: expected min to be at most max`,
	}, "\n"))
	require.Error(t, Config{}.Validate())

	c = Default()
	c.Live = []string{strings.Repeat("a.", 130) + "a"}
	require.ErrorContains(t, c.Validate(), "is longer than 253 characters")
	c = Default()
	c.Run = strings.Repeat("a", maxText+1)
	require.ErrorContains(t, c.Validate(), "is longer than 1024 characters")
}

func TestSize_Bytes(t *testing.T) {
	for size, want := range map[Size]int64{
		"1024": 1024, "1k": 1 << 10, "50m": 50 << 20, "10g": 10 << 30,
		"": 0, "m": 0, "5t": 0, "1mk": 0, "99999999999999999999": 0, "9999999999999g": 0,
	} {
		require.Equal(t, want, size.Bytes(), "%q", size)
	}
}

func TestTree_PanicIsAnError(t *testing.T) {
	broken := token.Tokens{{Type: token.StringType}, {Type: token.MappingValueType}} // without positions
	_, err := tree(broken)
	require.ErrorIs(t, err, errGaveUp)

	r := &report{file: "x.yml"}
	r.syntax(err)
	require.ErrorContains(t, r.err(), "x.yml:1:1: not YAML: the parser gave up: ")
}

// A file that is made to be slow is refused about as fast as any other.
func TestParse_HostileFilesAreCheap(t *testing.T) {
	var keys strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&keys, "a_key_of_forty_letters_that_is_wrong_%d: 1\n", i)
	}
	for name, file := range map[string]string{
		"brackets":     strings.Repeat("[", maxBytes/4),
		"maps":         strings.Repeat("{a: ", maxBytes/16),
		"dashes":       strings.Repeat("- ", 4999) + "a",
		"more dashes":  strings.Repeat("- ", maxBytes/8),
		"keys":         strings.Repeat("port: 1\n", maxBytes/32),
		"unknown keys": keys.String(),
		"lines":        "project:\n" + strings.Repeat(" a\n", maxBytes/4),
		"one word":     "project: " + strings.Repeat("a", maxBytes-20),
		"quotes":       "project: \"" + strings.Repeat("\\", maxBytes-20),
		"hosts":        "live: [" + strings.Repeat("a, ", 3000) + "]",
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, err := Parse("x.yml", []byte(file))
			require.Error(t, err)
			require.Less(t, time.Since(began), 20*time.Second)
			require.Less(t, len(err.Error()), 10_000)
		})
	}
}
