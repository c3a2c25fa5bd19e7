package site_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/conf"
	"github.com/hadjango/hadjango/internal/golden"
	"github.com/hadjango/hadjango/internal/load"
	"github.com/hadjango/hadjango/site"
	"github.com/hadjango/hadjango/uwsgi"
	"github.com/hadjango/hadjango/warmup"
)

// badBuild is one way in which a build can be bad.
type badBuild struct {
	name string
	// files are written over those of a good project.
	files map[string]string
	// config is put in place of text of the site's configuration, or added to it.
	config, instead string
	// said are parts of the error, and noted of what is told before.
	said  []string
	noted string
	// live and gone are around the time when it was live, if it was.
	live, gone time.Time
	// row is what became of it, for people.
	row string
	// mended makes it good without another build; nil where that cannot be.
	mended func(testSite)
}

const (
	// soon is by far longer than making and refusing a build takes.
	soon = 3 * time.Minute
	// visitors each ask for a page so often: the machine has builds to make.
	visitors   = 4
	visitEvery = 20 * time.Millisecond
	// onlyNow lets a few warm-up requests pass and fails after that.
	onlyNow = "    global served\n    served += 1\n    if served > 100: raise RuntimeError('served enough')\n"
)

// with is the tests' application that does some lines more with each request.
func with(lines string) string { return "served, kept = 0, []\n" + appWith(lines) }

func badApplications() []badBuild {
	application := func(text string) map[string]string { return map[string]string{"project/app.py": text} }
	zerg, err := conf.Read(nil, "zerg.ini.tmpl")
	if err != nil {
		panic(err)
	}
	return []badBuild{
		{name: "a build command fails", config: "build: [[\"false\"]]", said: []string{"false: exit status 1", "c.build.log", "mage createBuild c"}},
		{name: "it raises when it is imported", files: application("1/0\n"), said: []string{"ZeroDivisionError: division by zero", "c.zerg.log", "mage rm c, mage createBuild c"}},
		{
			name: "it raises when it is imported, by each worker for itself", files: application("1/0\n"),
			instead: "max: 2}", config: "max: 2, preload: false}", said: []string{"ZeroDivisionError: division by zero"},
		},
		{
			name: "a package is missing", files: application("import nothing_of_this_name\n"),
			said: []string{"No module named 'nothing_of_this_name'", "nothing that project/requirements.txt asks for has the module nothing_of_this_name"},
		},
		{
			name: "it hangs when it is imported", files: application("import time\ndef wait():\n    time.sleep(1000)\nwait()\n"),
			config: "timeouts: {start: 20s}", said: []string{"not within 20s (timeouts.start in hadjango.yml)", "it hangs here, the innermost call first:", `app.py", line 3 in wait`},
		},
		{
			name: "it hangs when it is imported, by each worker for itself", files: application("import time\ntime.sleep(1000)\n"),
			instead: "max: 2}", config: "max: 2, preload: false}\ntimeouts: {start: 20s}", said: []string{"not within 20s", `app.py", line 2 in <module>`},
		},
		{name: "a page fails", files: application(with("    raise RuntimeError('broken page')\n")), said: []string{"RuntimeError: broken page", "c.zerg.log"}},
		{
			name:  "it answers that it is not healthy",
			files: application(strings.Replace(app, `"200 OK"`, `"200 OK" if path != "/healthz" else "503 Not Now"`, 1)), said: []string{"health of c", "503"},
		},
		{
			name:  "the kernel kills a worker",
			files: application(with("    os.kill(os.getpid(), 9)\n")), said: []string{"a worker has died or was killed", "killed by signal 9"},
		},
		{
			name:  "it leaks until there is no memory left",
			files: map[string]string{"project/app.py": with("    kept.append(bytearray(200 << 20))\n"), "conf/zerg.ini.tmpl": string(zerg) + "limit-as = 512\n"},
			said:  []string{"MemoryError"},
		},
		{
			name: "it fails when it is asked twice at once",
			files: application(with("    if path == '/': os.mkdir(busy); time.sleep(0.3); os.rmdir(busy)\n") +
				"busy = os.path.join(os.environ['HADJANGO_DATA'], 'busy')\n"),
			said: []string{"FileExistsError"},
		},
		{name: "it fails from the hundredth request on", files: application(with(onlyNow)), said: []string{"answers were 5xx", "RuntimeError: served enough", "it was taken back: live is a, stage is c"}},
	}
}

func badDjangoProjects(t *testing.T) []badBuild {
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join("testdata/shop/shop", name))
		require.NoError(t, err)
		return string(data)
	}
	settings, urls := read("settings.py"), read("urls.py")
	more := func(name, text, lines string) map[string]string {
		return map[string]string{"shop/shop/" + name: text + lines}
	}
	lazy := more("urls.py", urls, "def lazy(request):\n    from shop.lazy import view\n    return view(request)\nurlpatterns.append(path('lazy', lazy))\n")
	lazy["shop/shop/lazy.py"] = "def view(request):\n    return return\n"
	return []badBuild{
		{
			name: "a setting of production is missing", files: more("settings.py", settings, "import os\nKEY = os.environ['SHOP_KEY']\n"),
			said: []string{"KeyError: 'SHOP_KEY'", "c.build.log"},
		},
		{
			name: "a setting of production is missing, and one view reads it", files: more("urls.py", strings.ReplaceAll(urls, "(request):\n", "(request):\n    import os; os.environ['SHOP_KEY']\n"), ""),
			said: []string{"KeyError: 'SHOP_KEY'", "500 Internal Server Error", "c.zerg.log"},
		},
		{
			name: "an app's package is missing", files: more("settings.py", settings, "INSTALLED_APPS.append('rest_framework')\n"),
			said: []string{"No module named 'rest_framework'", "nothing that shop/requirements.txt asks for has the module rest_framework"},
		},
		{name: "a syntax error in a view", files: more("urls.py", urls, "def view(request): return return\n"), said: []string{"SyntaxError: invalid syntax", "urls.py"}},
		{
			name: "a syntax error in a module that one view imports", files: lazy, config: "warmup: {paths: [/, /lazy]}",
			said: []string{"SyntaxError: invalid syntax", `lazy.py", line 2`}, noted: "c: shop/lazy.py line 2 does not compile: SyntaxError: invalid syntax",
		},
		{
			name: "Django's checks find an error", said: []string{"(shop.E001) no account at the payment service"},
			files: more("models.py", "", "from django.core import checks\n@checks.register\ndef payment(app_configs, **kwargs):\n    return [checks.Error('no account at the payment service', id='shop.E001')]\n"),
		},
		{
			name: "the host is not allowed", files: more("settings.py", settings, "ALLOWED_HOSTS = ['elsewhere.example']\nMIDDLEWARE = ['django.middleware.common.CommonMiddleware']\n"),
			said: []string{"ALLOWED_HOSTS", "live.localhost"},
		},
		{
			name: "its database is away", said: []string{"OperationalError: unable to open database file"},
			files: map[string]string{
				"shop/shop/settings.py": settings + "import os\nDATABASES['orders'] = {'ENGINE': 'django.db.backends.sqlite3', 'NAME': os.environ['SHOP_FORBIDDEN'] + '/orders/db'}\n",
				"shop/shop/urls.py":     strings.ReplaceAll(urls, "(request):\n", "(request):\n    from django.db import connections; connections['orders'].cursor()\n"),
			},
			mended: func(s testSite) {
				require.NoError(s.t, os.Mkdir(filepath.Join(s.dir, "orders"), 0o755))
				require.NoError(s.t, os.Chmod(filepath.Join(s.dir, "orders"), 0o777))
			},
		},
	}
}

func TestBadBuild_NeverReachesVisitors(t *testing.T) {
	applications, projects := badApplications(), badDjangoProjects(t)
	t.Run("of", func(t *testing.T) {
		t.Run("an application", func(t *testing.T) { newTestSite(t, "").tryAll(applications) })
		t.Run("a Django project", func(t *testing.T) { newShop(t).tryAll(projects) })
	})
	table := "| what is wrong | where it ends | what is said | after |\n| --- | --- | --- | --- |\n"
	for _, bad := range append(applications, projects...) {
		if bad.row == "" {
			return // not all were chosen to run
		}
		table += bad.row
	}
	golden.RequireSection(t, "../docs/reliability.md", "bad builds", table)
}

// tryAll tries one after the other on a site that has two good builds and visitors.
func (s testSite) tryAll(all []badBuild) {
	require.NoError(s.t, s.Init(s.t.Context()))
	answers := s.requests(visitors, visitEvery, func() {
		for i := range all {
			ok := s.t.(*testing.T).Run(all[i].name, func(t *testing.T) {
				tried := s
				tried.t = t
				tried.try(&all[i])
			})
			require.True(s.t, ok)
		}
	})
	for _, a := range answers {
		require.True(s.t, a.OK() || slices.ContainsFunc(all, func(bad badBuild) bool { return bad.isOf(a) }), "%s", a)
	}
}

// isOf tells whether a request was sent while the bad build may have been live.
func (bad badBuild) isOf(a load.Answer) bool {
	return a.Err == nil && !bad.live.IsZero() && a.End.After(bad.live) && a.Start.Before(bad.gone)
}

func (s testSite) try(bad *badBuild) {
	restore := s.lay(bad)
	defer restore()
	s.notes.forget()
	start := time.Now()
	err := s.deployBad(within(s.t, soon), bad)
	require.Error(s.t, err)
	for _, part := range bad.said {
		require.ErrorContains(s.t, err, part)
	}
	require.Contains(s.t, s.notes.String(), bad.noted)
	s.t.Logf("refused after %.1f s: %v", time.Since(start).Seconds(), err)
	said := slices.DeleteFunc(append([]string{bad.noted}, bad.said...), func(part string) bool { return part == "" })
	bad.row = fmt.Sprintf("| %s | %s | `%s` | %s |\n", bad.name, endOf(err), strings.Join(said, "` … `"), s.after(err))
	if bad.mended != nil {
		bad.mended(s)
		require.NoError(s.t, s.Stage(s.t.Context(), "c"), "it was not the build's fault")
		require.NoError(s.t, s.Stage(s.t.Context(), "b"))
	}
}

// lay makes the project a bad one. What it returns makes it good again, and
// removes the build.
func (s *testSite) lay(bad *badBuild) (restore func()) {
	before := map[string]string{"hadjango.yml": s.read("hadjango.yml")}
	for path, text := range bad.files {
		if old, err := os.ReadFile(filepath.Join(s.dir, path)); err == nil {
			before[path] = string(old)
		}
		s.write(path, text)
	}
	if bad.instead == "" {
		s.reopen(before["hadjango.yml"] + bad.config + "\n")
	} else {
		s.reopen(strings.Replace(before["hadjango.yml"], bad.instead, bad.config, 1))
	}
	return func() {
		for path := range bad.files {
			require.NoError(s.t, os.Remove(filepath.Join(s.dir, path)))
		}
		for path, text := range before {
			s.write(path, text)
		}
		s.reopen(before["hadjango.yml"])
		require.NoError(s.t, s.Stage(s.t.Context(), "b"))
		require.NoError(s.t, s.Remove(s.t.Context(), "c"))
	}
}

// deployBad does what a deployer would.
func (s testSite) deployBad(ctx context.Context, bad *badBuild) error {
	if err := s.CreateBuild(ctx, "c"); err != nil {
		return err
	}
	if err := s.Stage(ctx, "c"); err != nil {
		return err
	}
	bad.live = time.Now()
	_, err := s.SwapLiveWatched(ctx, "", site.WatchOptions{For: time.Minute})
	bad.gone = time.Now()
	return err
}

// endOf names the gate at which a build was refused.
func endOf(err error) string {
	var watched *site.WatchError
	var started *uwsgi.StartError
	var answered *warmup.Error
	switch {
	case errors.As(err, &watched):
		return "live, taken back"
	case errors.As(err, &started):
		return "stage: it does not start"
	case errors.As(err, &answered) && strings.Contains(err.Error(), "health of c"):
		return "stage: it is not healthy"
	case errors.As(err, &answered):
		return "stage: it is not warm"
	}
	return "createBuild"
}

// after makes sure that all is well, and says how it is.
func (s testSite) after(err error) string {
	var watched *site.WatchError
	if errors.As(err, &watched) {
		s.requirePointed("a", "c")
	} else {
		s.requirePointed("a", "b")
	}
	state := s.state("c")
	if state != site.Active {
		require.NoFileExists(s.t, s.unit("c", "zerg").Link)
		emperor := uwsgi.Emperor{Stats: filepath.Join(s.dir, "deploy/run/zergs.stats")}
		running, err := emperor.Running(s.t.Context(), s.unit("c", "zerg"))
		require.NoError(s.t, err)
		require.False(s.t, running, "nothing tries it again")
	}
	return "c is " + string(state)
}
