package nginxconf_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/golden"
	"github.com/hadjango/hadjango/nginxconf"
)

// shop is a site in /srv/shop.
func shop() nginxconf.Site {
	server := func(pointer string, names ...string) nginxconf.Server {
		return nginxconf.Server{
			Names: names, Pointer: "/srv/shop/deploy/builds/_" + pointer, Socket: "/srv/shop/deploy/run/_" + pointer + ".sock",
		}
	}
	return nginxconf.Site{
		Listen: []string{"127.0.0.1:8080"},
		Live:   server("live", "live.localhost", "live.addons"),
		Stage:  server("stage", "stage.localhost"),
		Assets: "/srv/shop/deploy/assets", Pages: "/srv/shop/deploy/etc/pages", Temp: "/srv/shop/deploy/tmp",
		Logs: "/srv/shop/deploy/logs", Dashboard: "/srv/shop/deploy/run/dashboard.sock", PIDFile: "/srv/shop/deploy/run/nginx.pid",
	}
}

func render(t *testing.T, site nginxconf.Site) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, nginxconf.Render(&text, site, nil))
	return text.String()
}

func variants() map[string]nginxconf.Site {
	full := shop()
	full.User, full.MaxBody, full.Timeout, full.HTTPS = "www-data", "1g", 10*time.Second, true
	full.Listen = []string{"*:8081", "[::1]:8080"}
	full.DashboardAllow = []string{"192.0.2.0/24", "2001:db8::/32", "192.0.2.7"}
	reload := shop()
	reload.Live.Upstream = "/srv/shop/deploy/builds/_live/live.conf"
	reload.Stage.Upstream = "/srv/shop/deploy/builds/_stage/stage.conf"
	return map[string]nginxconf.Site{"pointer": shop(), "full": full, "reload": reload}
}

func TestRender_IsWhatWeRead(t *testing.T) {
	for name, site := range variants() {
		t.Run(name, func(t *testing.T) { golden.Require(t, name+".conf", render(t, site)) })
	}
}

func TestRenderUpstream_IsWhatWeRead(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, nginxconf.RenderUpstream(&text, nginxconf.Upstream{Pointer: "live", Server: "127.0.0.1:2001"}, nil))
	golden.Require(t, "live.upstream.conf", text.String())
}

// The golden files are moved to a directory that exists, and given to nginx.
func TestRender_IsAcceptedByNginx(t *testing.T) {
	nginx, err := exec.LookPath("/usr/sbin/nginx")
	if err != nil && os.Getenv("HADJANGO_TEST_ALL") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	for name := range variants() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, sub := range []string{"logs", "tmp", "run", "builds/_live", "builds/_stage"} {
				require.NoError(t, os.MkdirAll(filepath.Join(dir, "deploy", sub), 0o755))
			}
			for _, pointer := range []string{"live", "stage"} {
				upstream := strings.ReplaceAll(read(t, "live.upstream.conf"), "live", pointer)
				write(t, filepath.Join(dir, "deploy/builds/_"+pointer, pointer+".conf"), upstream)
			}
			config := filepath.Join(dir, "nginx.conf")
			write(t, config, strings.ReplaceAll(read(t, name+".conf"), "/srv/shop", dir))

			out, err := exec.Command(nginx, "-t", "-q", "-c", config, "-e", filepath.Join(dir, "error.log")).CombinedOutput()

			require.NoError(t, err, string(out))
			require.Empty(t, string(out))
		})
	}
}

func TestRender_TakesATemplateOfTheProject(t *testing.T) {
	own := fstest.MapFS{"nginx.conf.tmpl": {Data: []byte("{{range .Listen}}{{.}}{{end}} {{(index .Servers 0).Name}}")}}
	var text bytes.Buffer

	require.NoError(t, nginxconf.Render(&text, shop(), own))

	require.Equal(t, "127.0.0.1:8080 live.localhost", text.String())
}

func TestRender_LeavesTheDashboardAwayWhereThereIsNone(t *testing.T) {
	site := shop()
	site.Dashboard = ""

	require.NotContains(t, render(t, site), "/uwsgi/")
}

func TestRender_RefusesAPathTooLongForNginx(t *testing.T) {
	site := shop()
	site.Live.Socket = "/" + strings.Repeat("x", nginxconf.MaxSocketPath)

	require.ErrorContains(t, nginxconf.Render(&bytes.Buffer{}, site, nil), "is 108 bytes long, nginx takes 107")
}

// Whatever is put into a field is refused, or changes no other line of the
// configuration than those the field stands in, and adds none.
func FuzzRender_NothingAddsADirective(f *testing.F) {
	for _, seed := range []string{
		"a.example", "/srv/x", "x; }", "a b", "$host", "\"", "'", "\\", "a\nb", "#", "{", "é", "", "\x00", "127.0.0.1:1", "50m", "a\r",
	} {
		f.Add(seed)
	}
	plain := strings.Count(renderWith(f, func(*nginxconf.Site) {}), "\n")
	fields := []func(*nginxconf.Site, string){
		func(s *nginxconf.Site, v string) { s.User = v },
		func(s *nginxconf.Site, v string) { s.Listen[0] = v },
		func(s *nginxconf.Site, v string) { s.Live.Names[0] = v },
		func(s *nginxconf.Site, v string) { s.Live.Pointer = v },
		func(s *nginxconf.Site, v string) { s.Live.Socket = v },
		func(s *nginxconf.Site, v string) { s.Live.Upstream = v },
		func(s *nginxconf.Site, v string) { s.Assets = v },
		func(s *nginxconf.Site, v string) { s.Pages = v },
		func(s *nginxconf.Site, v string) { s.Temp = v },
		func(s *nginxconf.Site, v string) { s.Logs = v },
		func(s *nginxconf.Site, v string) { s.PIDFile = v },
		func(s *nginxconf.Site, v string) { s.MimeTypes = v },
		func(s *nginxconf.Site, v string) { s.MaxBody = v },
		func(s *nginxconf.Site, v string) { s.Dashboard = "/" + v },
		func(s *nginxconf.Site, v string) { s.DashboardAllow = []string{v} },
	}
	f.Fuzz(func(t *testing.T, value string) {
		for i, set := range fields {
			site := shop()
			set(&site, value)
			var text bytes.Buffer
			if nginxconf.Render(&text, site, nil) != nil {
				continue
			}
			require.False(t, strings.ContainsAny(value, " \t\r\n;{}\"'$\\#\x00"), "field %d took %q", i, value)
			// a user adds the line of its directive, an upstream replaces four lines by one
			require.InDelta(t, plain, strings.Count(text.String(), "\n"), 4)
		}
	})
}

func renderWith(f *testing.F, change func(*nginxconf.Site)) string {
	f.Helper()
	site := shop()
	change(&site)
	var text bytes.Buffer
	require.NoError(f, nginxconf.Render(&text, site, nil))
	return text.String()
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(data)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}
