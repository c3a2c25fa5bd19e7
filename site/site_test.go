package site_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/otiai10/copy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/dashboard"
	"github.com/hadjango/hadjango/internal/servertest"
	"github.com/hadjango/hadjango/site"
)

// The application of the tests: it says who it is, reads what it is sent, and
// does what the path asks for.
const app = `
import os, time

def application(environ, start_response):
    environ["wsgi.input"].read()
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path.startswith("/slow"):
        time.sleep(float(query.partition("&")[0]))
    while path.startswith("/held") and os.path.exists(os.path.join(os.environ["HADJANGO_DATA"], "held")):
        time.sleep(0.01)
    body = ("%s %s\n" % (os.environ["HADJANGO_BUILD"], environ["HTTP_HOST"])).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
`

// appWith is the application that does some lines more with each request, which
// may look at its path.
func appWith(lines string) string {
	const place = "    if path.startswith"
	if !strings.Contains(app, place) {
		panic("the application has no line any more to put others before")
	}
	return strings.Replace(app, place, lines+place, 1)
}

// testSite is a site on free ports in a directory of its own.
type testSite struct {
	*site.Site
	t       testing.TB
	dir     string
	address string
	notes   *notes
}

// newTestSite returns a site of the small application; config is added to its
// hadjango.yml. Its servers are ended with the test, and nothing may be left.
func newTestSite(t testing.TB, config string) testSite {
	t.Helper()
	return newTestSiteIn(t, "", config)
}

// newTestSiteIn is newTestSite on the file system of a directory.
func newTestSiteIn(t testing.TB, parent, config string) testSite {
	t.Helper()
	if test, ok := t.(*testing.T); ok {
		test.Parallel()
	}
	servertest.Need(t)
	// short, because paths of unix sockets are, and open to whom root becomes
	dir, err := os.MkdirTemp(parent, "hj")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	address := servertest.FreeAddress(t)
	s := testSite{t: t, dir: dir, address: address, notes: &notes{}}
	s.write("project/app.py", app)
	s.write("hadjango.yml", fmt.Sprintf(`
project: project
overlay: ""
wsgi: app:application
listen: ["%s"]
port: %d
workers: {min: 2, max: 2}
%s`, address, servertest.FreePorts(t), config))
	s.Site, err = site.Open(dir, site.Options{Reporter: s.notes})
	require.NoError(t, err)
	t.Cleanup(s.end)
	return s
}

// TestMain lets the binary of the tests be what the tool is for a site: the
// program that keeps its servers, the one that shows them, and the one that
// becomes the project's own tests.
func TestMain(m *testing.M) {
	switch strings.Join(os.Args[1:], " ") {
	case "keep":
		exit(asHelper((*site.Site).Keep))
	case "dashboard":
		exit(asHelper(func(s *site.Site, ctx context.Context) error { return dashboard.Run(ctx, s) }))
	case "shell":
		exit(shell())
	}
	if len(os.Args) > 2 && os.Args[1] == "suite" {
		exit(suite(site.Suite(os.Args[2]), os.Args[3:]))
	}
	if dir := os.Getenv(killSite); dir != "" {
		exit(runToPoint(dir, os.Getenv(killTask), os.Getenv(killPoint)))
	}
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// asHelper is what runs in the background as long as the servers do.
func asHelper(help func(*site.Site, context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := site.Open(os.Getenv("HADJANGO_SITE"), withHelpers(site.Options{Reporter: printer{}}))
	if err != nil {
		return err
	}
	return help(s, ctx)
}

// withHelpers lets up start the keeper and the dashboard.
func withHelpers(options site.Options) site.Options {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	options.Keeper, options.Dashboard = []string{self, "keep"}, []string{self, "dashboard"}
	return options
}

func suite(name site.Suite, args []string) error {
	s, err := site.Open(os.Getenv("HADJANGO_SITE"), site.Options{})
	if err != nil {
		return err
	}
	tests, err := s.Test(context.Background(), "a", name, args...)
	if err != nil {
		return err
	}
	return tests.Exec()
}

// printer is a reporter whose words go into the keeper's log.
type printer struct{}

func (printer) Begin(name string) site.Step { fmt.Println(name); return printer{} }
func (printer) Note(text string)            { fmt.Println(text) }
func (printer) Progress(int, int)           {}
func (printer) End(string, error)           {}

func shell() error {
	s, err := site.Open(os.Getenv("HADJANGO_SITE"), site.Options{})
	if err != nil {
		return err
	}
	attached, err := s.Shell("a")
	if err != nil {
		return err
	}
	return attached.Exec()
}

// kept opens the site so that up starts its keeper and its dashboard.
func (s *testSite) kept() {
	s.t.Helper()
	var err error
	s.Site, err = site.Open(s.dir, withHelpers(site.Options{Reporter: s.notes, Wait: time.Minute}))
	require.NoError(s.t, err)
	// what the keeper mends just then is waited for
	opened := s.Site
	s.t.Cleanup(func() { require.NoError(s.t, opened.Down(context.Background())) })
}

// Init is that of a person who wants nothing emptied.
func (s testSite) Init(ctx context.Context) error { return s.Site.Init(ctx, site.DatabaseOptions{}) }

func (s testSite) end() {
	require.NoError(s.t, s.Down(context.Background()))
	// one that this process has just forked for another test may be there for a moment
	s.eventually(func(s testSite) bool { return len(s.allProcesses()) == 0 }, "down leaves no process")
	if s.t.Failed() {
		s.printLogs()
	}
	require.NoError(s.t, os.RemoveAll(s.dir))
}

func (s testSite) printLogs() {
	logs, _ := filepath.Glob(filepath.Join(s.dir, "deploy/logs/*"))
	for _, log := range logs {
		s.t.Logf("%s:\n%s", log, tailOf(log))
	}
}

// tailOf reads no more than the end: a test may have made a log of terabytes.
func tailOf(log string) []byte {
	const most = 5000
	f, err := os.Open(log)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		_, _ = f.Seek(max(0, info.Size()-most), io.SeekStart)
	}
	end, _ := io.ReadAll(io.LimitReader(f, most))
	return end
}

func (s testSite) write(path, text string) {
	s.t.Helper()
	path = filepath.Join(s.dir, path)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(s.t, os.WriteFile(path, []byte(text), 0o644))
}

// holding lets requests for /held wait until release is called, at the latest
// when the test ends.
func (s testSite) holding() (release func()) {
	s.t.Helper()
	gate := filepath.Join(s.dir, "deploy/data/held")
	require.NoError(s.t, os.WriteFile(gate, nil, 0o644))
	release = func() { _ = os.Remove(gate) }
	s.t.Cleanup(release)
	return release
}

// get asks nginx, and returns the status, who answered, and the body.
func (s testSite) get(host, path string) (status int, build, body string) {
	s.t.Helper()
	return s.ask(s.address, host, path)
}

// ask is get at another address than nginx's.
func (s testSite) ask(address, host, path string) (status int, build, body string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+address+path, nil)
	require.NoError(s.t, err)
	request.Host = host
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	require.NoError(s.t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	return response.StatusCode, response.Header.Get("X-Hadjango-Build"), string(data)
}

func (s testSite) requireServes(host, build string) {
	s.t.Helper()
	status, got, body := s.get(host, "/")
	require.Equal(s.t, http.StatusOK, status, body)
	require.Equal(s.t, build, got)
	require.Equal(s.t, build+" "+host+"\n", body)
}

func (s testSite) state(name builds.Name) site.State {
	s.t.Helper()
	status, err := s.Status(s.t.Context())
	require.NoError(s.t, err)
	for _, b := range status.Builds {
		if b.Name == name {
			return b.State
		}
	}
	return ""
}

// notes is a reporter that keeps what it is told.
type notes struct {
	mu sync.Mutex
	// all holds the names of steps that ended, with ✗ before those that failed, and the notes.
	all []string
}

type note struct {
	*notes
	name string
}

func (n *notes) add(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, text)
}

func (n *notes) Begin(name string) site.Step { return note{n, name} }
func (n *notes) Note(text string)            { n.add(text) }
func (n note) Progress(int, int)             {}

func (n note) End(_ string, err error) {
	if err != nil {
		n.add("✗ " + n.name)
		return
	}
	n.add(n.name)
}

func (n *notes) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = nil
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.all, "\n")
}

// The promises hold for an ordinary user as they do for root: root runs the
// tests of this package once more as one.
func TestAll_AsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this is an ordinary user")
	}
	servertest.Need(t)
	t.Parallel()
	dir, err := os.MkdirTemp("", "hj")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Chmod(dir, 0o755))
	binary := filepath.Join(dir, "site.test")
	copyItself(t, binary)
	home := filepath.Join(dir, "home")
	require.NoError(t, os.Mkdir(home, 0o777))
	require.NoError(t, os.Chmod(home, 0o777))

	for _, beside := range []string{"addons-server", "conf", "docs", "hadjango.yml", "src"} {
		require.NoError(t, copy.Copy(filepath.Join("..", beside), filepath.Join(dir, beside)))
	}
	require.NoError(t, copy.Copy("testdata", filepath.Join(home, "testdata")))

	// who runs the servers makes no difference to databases and browsers
	again := exec.CommandContext(t.Context(), binary, "-test.v=test2json", "-test.timeout=30m", "-test.skip=^TestDjango_OnOtherDatabases$|^TestPerson_")
	again.Dir = home
	again.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home)
	again.SysProcAttr = nobody()
	out, err := again.CombinedOutput()

	said := readEvents(t, out)
	require.NoError(t, err, said.of("fail"))
	require.Contains(t, said.ended["pass"], "TestInit_BringsTwoBuildsUp")
	t.Logf("as an ordinary user: %d passed", len(said.ended["pass"]))
	for _, test := range said.ended["skip"] {
		t.Run(test, func(t *testing.T) { t.Skip(said.words[test]) })
	}
}

// copyItself copies the program that runs. Another process does it: what this one
// writes stays open in whatever another test forks just then, and cannot be run.
func copyItself(t *testing.T, path string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "install", "-m", "755", executable(t), path).CombinedOutput()
	require.NoError(t, err, string(out))
}

// events are what tests said: names by how they ended, and each one's words.
type events struct {
	ended map[string][]string
	words map[string]string
}

func readEvents(t *testing.T, out []byte) events {
	t.Helper()
	tell := exec.CommandContext(t.Context(), "go", "tool", "test2json")
	tell.Stdin = bytes.NewReader(out)
	told, err := tell.Output()
	require.NoError(t, err)
	said := events{map[string][]string{}, map[string]string{}}
	for line := range bytes.Lines(told) {
		var event struct{ Action, Test, Output string }
		require.NoError(t, json.Unmarshal(line, &event))
		said.words[event.Test] += event.Output
		said.ended[event.Action] = append(said.ended[event.Action], event.Test)
	}
	return said
}

// of is what the tests that ended so said, and what no test said.
func (e events) of(end string) string {
	var all strings.Builder
	for _, test := range append(e.ended[end], "") {
		all.WriteString(e.words[test])
	}
	return all.String()
}

// eventually looks until what it looks for is there. What fails in a look, as a
// file may be missing that is just made anew, is no failure: the next one may see it.
func (s testSite) eventually(look func(s testSite) bool, what ...any) {
	s.t.Helper()
	require.EventuallyWithT(s.t, func(c *assert.CollectT) {
		one := s
		one.t = aLook{s.t, c}
		if !look(one) {
			c.FailNow()
		}
	}, soon, time.Millisecond, what...)
}

// aLook is the test for one look: it keeps what fails to itself.
type aLook struct {
	testing.TB
	failures *assert.CollectT
}

func (l aLook) Errorf(format string, args ...any) { l.failures.Errorf(format, args...) }
func (l aLook) FailNow()                          { l.failures.FailNow() }

func within(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
