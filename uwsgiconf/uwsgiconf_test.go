package uwsgiconf_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/golden"
	"github.com/hadjango/hadjango/uwsgiconf"
)

// The units of build a in /srv/shop.

func emperor() uwsgiconf.Emperor {
	return uwsgiconf.Emperor{
		Role:     "zergs",
		Patterns: []string{"/srv/shop/deploy/builds/[a-z]*/zerg.ini", "/srv/shop/deploy/builds/[a-z]*/zerg2.ini"},
		Stats:    "/srv/shop/deploy/run/zergs.stats", PIDFile: "/srv/shop/deploy/run/zergs.pid",
		Grace: 100 * time.Second,
	}
}

func vassal() uwsgiconf.Vassal {
	return uwsgiconf.Vassal{
		Build: "a", Socket: "/srv/shop/deploy/run/a.app.sock", ZergServer: "/srv/shop/deploy/run/a.zerg",
		Stats: "/srv/shop/deploy/run/a.vassal.stats", Log: "/srv/shop/deploy/logs/a.vassal.log",
	}
}

func zerg() uwsgiconf.Zerg {
	return uwsgiconf.Zerg{
		Build: "a", Tag: "20161123-0b5a",
		Dir: "/srv/shop/deploy/builds/a", WSGIFile: "/srv/shop/deploy/builds/a/hadjango/uwsgi/wsgi.py",
		ZergServer: "/srv/shop/deploy/run/a.zerg", Socket: "/srv/shop/deploy/run/a.app.sock",
		Stats: "/srv/shop/deploy/run/a.zerg.stats", FIFO: "/srv/shop/deploy/run/a.zerg.fifo",
		Log: "/srv/shop/deploy/logs/a.zerg.log",
	}
}

func withPorts(v uwsgiconf.Vassal) uwsgiconf.Vassal {
	v.HTTP, v.TCP, v.Backlog, v.Timeout = "127.0.0.1:2000", "127.0.0.1:2001", 64, 29500*time.Millisecond
	return v
}

func text(t testing.TB, err error, rendered *bytes.Buffer) string {
	t.Helper()
	require.NoError(t, err)
	return rendered.String()
}

func renderEmperor(t testing.TB, e uwsgiconf.Emperor) string {
	t.Helper()
	var ini bytes.Buffer
	return text(t, uwsgiconf.RenderEmperor(&ini, e, nil), &ini)
}

func renderVassal(t testing.TB, v uwsgiconf.Vassal) string {
	t.Helper()
	var ini bytes.Buffer
	return text(t, uwsgiconf.RenderVassal(&ini, v, nil), &ini)
}

func renderZerg(t testing.TB, z uwsgiconf.Zerg) string {
	t.Helper()
	var ini bytes.Buffer
	return text(t, uwsgiconf.RenderZerg(&ini, z, nil), &ini)
}

func TestRender_IsWhatWeRead(t *testing.T) {
	preload := zerg()
	preload.Preload, preload.Workers = true, 2
	cheaper := zerg()
	cheaper.Workers, cheaper.Cheaper, cheaper.Timeout = 3, 1, 10*time.Second
	for name, ini := range map[string]string{
		"emperor.ini": renderEmperor(t, emperor()),
		"vassal.ini":  renderVassal(t, vassal()),
		"ports.ini":   renderVassal(t, withPorts(vassal())),
		"zerg.ini":    renderZerg(t, zerg()),
		"preload.ini": renderZerg(t, preload),
		"cheaper.ini": renderZerg(t, cheaper),
	} {
		t.Run(name, func(t *testing.T) { golden.Require(t, name, ini) })
	}
}

func TestRenderZerg_NeverHasFewerWorkersThanItMayFallTo(t *testing.T) {
	z := zerg()
	z.Workers, z.Cheaper = 2, 5

	ini := renderZerg(t, z)

	require.Contains(t, ini, "\nworkers = 2\n")
	require.NotContains(t, ini, "cheaper = ")
}

func TestRender_TakesATemplateOfTheProject(t *testing.T) {
	own := fstest.MapFS{
		"emperor.ini.tmpl": {Data: []byte("{{.Role}} {{.Grace}}\n")},
		"vassal.ini.tmpl":  {Data: []byte("{{.Build}} {{.Backlog}} {{.Timeout}}\n")},
		"zerg.ini.tmpl":    {Data: []byte("{{.Build}} {{.Workers}} {{.Cheaper}} {{.Plugins}}\n")},
	}
	var text bytes.Buffer

	require.NoError(t, uwsgiconf.RenderEmperor(&text, emperor(), own))
	require.NoError(t, uwsgiconf.RenderVassal(&text, vassal(), own))
	require.NoError(t, uwsgiconf.RenderZerg(&text, zerg(), own))

	require.Equal(t, "zergs 100\na 100 90\na 1 1 python3,cheaper_busyness\n", text.String())
}

func TestRender_RefusesASocketPathTooLongForUWSGI(t *testing.T) {
	for name, field := range sockets() {
		t.Run(name, func(t *testing.T) {
			path := "/" + strings.Repeat("x", uwsgiconf.MaxSocketPath-1)
			require.NoError(t, field(path, io.Discard))

			err := field(path+"x", io.Discard)

			var tooLong *uwsgiconf.PathTooLongError
			require.ErrorAs(t, err, &tooLong)
			require.ErrorContains(t, err, "is 103 bytes long, uWSGI takes 102")
		})
	}
}

func TestRender_LeavesRoomForTheNameAVassalBindsFirst(t *testing.T) {
	v := vassal()
	v.Socket = "/" + strings.Repeat("x", uwsgiconf.MaxSocketPath-len("/.new"))
	require.NoError(t, uwsgiconf.RenderVassal(io.Discard, v, nil))
	v.Socket += "x"
	require.ErrorContains(t, uwsgiconf.RenderVassal(io.Discard, v, nil), "x.new is 103 bytes long, uWSGI takes 102")
}

// A path with a colon is an address for uWSGI, or names a command.
func TestRender_RefusesAColonInAPath(t *testing.T) {
	for name, field := range paths() {
		t.Run(name, func(t *testing.T) {
			for _, value := range []string{"/srv/a:b/x", "exec:///srv/x", "127.0.0.1:2000"} {
				var wrong *uwsgiconf.ValueError
				require.ErrorAs(t, field(value, io.Discard), &wrong)
				require.Equal(t, value, wrong.Value)
				require.Equal(t, ':', wrong.Char)
			}
		})
	}
}

func TestRender_SaysWhichUnitAndWhichValueIsWrong(t *testing.T) {
	v := vassal()
	v.Log = "/srv/@(exec://id)"

	err := uwsgiconf.RenderVassal(io.Discard, v, nil)

	require.ErrorContains(t, err, `render vassal of a: "/srv/@(exec://id)" holds '('`)
}

// Whatever is put into a field is refused, or has nothing that uWSGI expands,
// and adds no line.
func FuzzRender_NothingAddsADirective(f *testing.F) {
	for _, seed := range []string{
		"a", "/srv/x", "%d", "%(build)", "$(HOME)", "@(/etc/passwd)", "@(exec://id)", "exec:///srv/x", "@abstract",
		"127.0.0.1:1", "[::1]:80", "é", "\xff", "",
	} {
		f.Add(seed)
	}
	// plugins are a list
	const list, forbidden = ",", " \t\r\n\v\f%$(){}\"'`\\;#=|&<>!\x00"
	for _, char := range forbidden + list {
		f.Add("a" + string(char) + "b")
	}
	fields, most := fields(), map[string]int{}
	for name, field := range fields {
		var ini bytes.Buffer
		require.NoError(f, field("a", &ini))
		most[name] = lines(ini)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for name, field := range fields {
			var ini bytes.Buffer
			if field(value, &ini) != nil {
				continue
			}
			require.False(t, strings.ContainsAny(value, forbidden), "%s took %q", name, value)
			require.False(t, strings.Contains(value, list) && name != "zerg plugins", "%s took %q", name, value)
			require.LessOrEqual(t, lines(ini), most[name], "%s took %q", name, value)
		}
	})
}

func lines(ini bytes.Buffer) int { return bytes.Count(ini.Bytes(), []byte("\n")) }

// field renders a unit with a value in one of its fields.
type field func(value string, w io.Writer) error

func ofEmperor(set func(*uwsgiconf.Emperor, string)) field {
	return func(value string, w io.Writer) error {
		e := emperor()
		set(&e, value)
		return uwsgiconf.RenderEmperor(w, e, nil)
	}
}

func ofVassal(set func(*uwsgiconf.Vassal, string)) field {
	return func(value string, w io.Writer) error {
		v := withPorts(vassal())
		set(&v, value)
		return uwsgiconf.RenderVassal(w, v, nil)
	}
}

func ofZerg(set func(*uwsgiconf.Zerg, string)) field {
	return func(value string, w io.Writer) error {
		z := zerg()
		set(&z, value)
		return uwsgiconf.RenderZerg(w, z, nil)
	}
}

func sockets() map[string]field {
	return map[string]field{
		"emperor stats":      ofEmperor(func(e *uwsgiconf.Emperor, v string) { e.Stats = v }),
		"vassal zerg server": ofVassal(func(u *uwsgiconf.Vassal, v string) { u.ZergServer = v }),
		"vassal stats":       ofVassal(func(u *uwsgiconf.Vassal, v string) { u.Stats = v }),
		"zerg zerg server":   ofZerg(func(z *uwsgiconf.Zerg, v string) { z.ZergServer = v }),
		"zerg socket":        ofZerg(func(z *uwsgiconf.Zerg, v string) { z.Socket = v }),
		"zerg stats":         ofZerg(func(z *uwsgiconf.Zerg, v string) { z.Stats = v }),
	}
}

func paths() map[string]field {
	paths := sockets()
	paths["vassal socket"] = ofVassal(func(u *uwsgiconf.Vassal, v string) { u.Socket = v })
	paths["emperor pattern"] = ofEmperor(func(e *uwsgiconf.Emperor, v string) { e.Patterns[1] = v })
	paths["emperor pid file"] = ofEmperor(func(e *uwsgiconf.Emperor, v string) { e.PIDFile = v })
	paths["vassal log"] = ofVassal(func(u *uwsgiconf.Vassal, v string) { u.Log = v })
	paths["zerg dir"] = ofZerg(func(z *uwsgiconf.Zerg, v string) { z.Dir = v })
	paths["zerg wsgi file"] = ofZerg(func(z *uwsgiconf.Zerg, v string) { z.WSGIFile = v })
	paths["zerg fifo"] = ofZerg(func(z *uwsgiconf.Zerg, v string) { z.FIFO = v })
	paths["zerg log"] = ofZerg(func(z *uwsgiconf.Zerg, v string) { z.Log = v })
	return paths
}

func fields() map[string]field {
	fields := paths()
	fields["emperor role"] = ofEmperor(func(e *uwsgiconf.Emperor, v string) { e.Role = v })
	fields["vassal build"] = ofVassal(func(u *uwsgiconf.Vassal, v string) { u.Build = v })
	fields["vassal http"] = ofVassal(func(u *uwsgiconf.Vassal, v string) { u.HTTP = v })
	fields["vassal tcp"] = ofVassal(func(u *uwsgiconf.Vassal, v string) { u.TCP = v })
	fields["zerg build"] = ofZerg(func(z *uwsgiconf.Zerg, v string) { z.Build = v })
	fields["zerg tag"] = ofZerg(func(z *uwsgiconf.Zerg, v string) { z.Tag = v })
	fields["zerg plugins"] = ofZerg(func(z *uwsgiconf.Zerg, v string) { z.Plugins = v })
	return fields
}

// Every string field is fuzzed: a new one must be added to fields.
func TestFields_AreAll(t *testing.T) {
	count := 0
	for _, unit := range []any{uwsgiconf.Emperor{}, uwsgiconf.Vassal{}, uwsgiconf.Zerg{}} {
		count += strings.Count(fmt.Sprintf("%#v", unit), `:""`)
	}
	const patterns = 1
	require.Len(t, fields(), count+patterns)
}
