package site_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/site"
)

// page is what the dashboard's page does: it keeps what the events tell, and
// comes again when the connection is lost.
type page struct {
	mu  sync.Mutex
	now site.Status
	// events are when each one came.
	events []time.Time
	opened int
}

// openPage watches until the test ends.
func (s testSite) openPage(host string) *page {
	p := &page{}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil {
			p.watch(ctx, s.address, host)
			time.Sleep(10 * time.Millisecond)
		}
	})
	s.t.Cleanup(func() { cancel(); group.Wait() })
	return p
}

func (p *page) watch(ctx context.Context, address, host string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/uwsgi/events", nil)
	if err != nil {
		return
	}
	request.Host = host
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK {
		return
	}
	defer response.Body.Close()
	p.add(func() { p.opened++ })
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for event := ""; lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = name
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			p.add(func() { p.take(event, []byte(data)) })
		}
	}
}

func (p *page) add(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *page) take(event string, data []byte) {
	p.events = append(p.events, time.Now())
	switch event {
	case "status":
		p.now = site.Status{}
		_ = json.Unmarshal(data, &p.now)
	case "builds":
		var change struct {
			Names  []builds.Name
			Builds []site.BuildStatus
		}
		_ = json.Unmarshal(data, &change)
		known := map[builds.Name]site.BuildStatus{}
		for _, b := range append(p.now.Builds, change.Builds...) {
			known[b.Name] = b
		}
		p.now.Builds = nil
		for _, name := range change.Names {
			p.now.Builds = append(p.now.Builds, known[name])
		}
	}
}

// awaits returns when the page shows something.
func (p *page) awaits(t *testing.T, what string, shows func(site.Status) bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return shows(p.now)
	}, time.Minute, 5*time.Millisecond, what)
}

// awaitsPace returns when ten events in a row came at least twice a second. A
// machine that is busy may be late now and then.
func (p *page) awaitsPace(t *testing.T) {
	t.Helper()
	const events = 10
	before := p.count(func() int { return len(p.events) })
	p.awaits(t, "two events a second", func(site.Status) bool {
		n := len(p.events)
		return n > before+events && p.events[n-1].Sub(p.events[n-1-events]) <= events*time.Second/2
	})
}

func (p *page) count(which func() int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return which()
}

func shown(status site.Status) string {
	var words []string
	for _, b := range status.Builds {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%s %s %s", b.Name, b.State, b.Pointer)))
	}
	return strings.Join(words, ", ")
}

func (s testSite) statusJSON() (status site.Status, text string) {
	s.t.Helper()
	code, _, text := s.get("live.localhost", "/uwsgi/status.json")
	require.Equal(s.t, http.StatusOK, code, text)
	require.NoError(s.t, json.Unmarshal([]byte(text), &status))
	return status, text
}

func TestDashboard_FollowsWhatHappens(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	s.call("up")
	page := s.openPage("stage.localhost")
	page.awaits(t, "an empty site, all of whose servers run", func(now site.Status) bool {
		return len(now.Builds) == 0 && now.Servers.Up() && now.Servers.Dashboard && now.Kept
	})

	for _, step := range []struct{ task, shows string }{
		{"init", "a active live, b active stage"},
		{"createBuild c", "a active live, b active stage, c stopped"},
		{"activate c", "a active live, b active stage, c active"},
		{"stage c", "a active live, b active, c active stage"},
		{"swapLive", "a active stage, b active, c active live"},
		{"deactivate b", "a active stage, b idle, c active live"},
		{"rm b", "a active stage, c active live"},
	} {
		s.call(step.task)
		page.awaits(t, step.task, func(now site.Status) bool { return shown(now) == step.shows })
		status, _ := s.statusJSON()
		require.Equal(t, step.shows, shown(status))
		page.awaits(t, step.task+" in the journal", func(now site.Status) bool { return now.Journal[0].Title() == step.task })
	}

	s.requireOneModel()
	served, text := s.statusJSON()
	require.Positive(t, served.Builds[0].MemoryBytes)
	require.Positive(t, served.Builds[0].SizeBytes)
	require.Positive(t, served.Builds[1].Requests)
	require.NotContains(t, text, s.dir)
	_, _, metrics := s.get("stage.localhost", "/uwsgi/metrics")
	require.Contains(t, metrics, `hadjango_build_info{build="c",pointer="live",state="active",tag="untracked"} 1`)
	require.Contains(t, metrics, `hadjango_server_up{server="nginx"} 1`)
}

// requireOneModel compares what status -json and status.json say, but for what
// differs from one moment to the next, and sizes, which are looked at seldom.
func (s testSite) requireOneModel() {
	s.t.Helper()
	var own, served site.Status
	s.eventually(func(s testSite) bool {
		status, err := s.Status(s.t.Context())
		require.NoError(s.t, err)
		text, err := json.Marshal(status)
		require.NoError(s.t, err)
		own = site.Status{}
		require.NoError(s.t, json.Unmarshal(text, &own))
		served, _ = s.statusJSON()
		withoutMoment(&own)
		withoutMoment(&served)
		return reflect.DeepEqual(own, served)
	})
	require.Equal(s.t, own, served)
}

func withoutMoment(status *site.Status) {
	status.Time = time.Time{}
	for i := range status.Builds {
		b := &status.Builds[i]
		b.MemoryBytes, b.SizeBytes, b.SharedBytes, b.OwnBytes = 0, 0, 0, 0
		b.RequestsPerSecond, b.AverageResponseSeconds = 0, 0
		for j := range b.Workers {
			b.Workers[j].MemoryBytes = 0
		}
	}
}

// A master that hangs has workers all the same, and does not hold up what is told
// of others.
func TestDashboard_KeepsTheWorkersOfAMasterThatHangs(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	s.call("init")
	page := s.openPage("live.localhost")
	quiet := func(now site.Status) bool {
		return len(now.Builds) == 2 && now.Builds[0].Trouble == "" && now.Builds[0].WorkersReady == 2 && now.Builds[0].Requests > 0
	}
	page.awaits(t, "a serves", quiet)
	zerg := s.process(s.unit("a", "zerg").Stats)
	t.Cleanup(func() { _ = zerg.Signal(syscall.SIGCONT) })

	require.NoError(t, zerg.Signal(syscall.SIGSTOP))

	page.awaits(t, "a hangs", func(now site.Status) bool { return strings.Contains(now.Builds[0].Trouble, "what is shown of them is") })
	page.awaitsPace(t)
	page.awaits(t, "a serves all the same", func(now site.Status) bool {
		a := now.Builds[0]
		return a.Trouble != "" && a.State == site.Active && len(a.Workers) == 2 && a.WorkersReady == 2 && a.Requests > 0
	})
	_, _, metrics := s.get("live.localhost", "/uwsgi/metrics")
	require.Regexp(t, `(?m)^hadjango_build_requests_total\{build="a"\} [1-9]`, metrics)
	require.Regexp(t, `(?m)^hadjango_build_response_seconds_total\{build="a"\} .*[1-9]`, metrics)

	require.NoError(t, zerg.Signal(syscall.SIGCONT))
	page.awaits(t, "a answers again", quiet)
}

// One that dies whenever it is started is not merely starting.
func TestDashboard_TellsOfABuildThatDiesAgainAndAgain(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	s.call("init")
	page := s.openPage("live.localhost")
	s.spoil("b", "import nothing_of_this_name\n")

	require.NoError(t, s.process(s.unit("b", "zerg").Stats).Signal(syscall.SIGKILL))

	page.awaits(t, "b dies", func(now site.Status) bool {
		return len(now.Builds) == 2 && strings.HasPrefix(now.Builds[1].Trouble, "the workers' master dies again and again: attempt ")
	})
}

func TestDashboard_NamesNoPathOfTheMachine(t *testing.T) {
	s := newTestSite(t, "build: [[no-such-program]]\n")
	s.kept()
	s.call("up")
	require.ErrorContains(t, s.CreateBuild(t.Context(), "a"), s.dir)
	require.Error(t, s.Activate(t.Context(), "zz"))

	_, text := s.statusJSON()

	require.Contains(t, text, "no-such-program")
	require.NotContains(t, text, s.dir)
	require.NotContains(t, text, filepath.Base(s.dir))
}

// Queries are hidden in what tasks have asked for, too, and so is what a build has
// answered them.
func TestDashboard_TellsNoSecretOfATaskThatFailed(t *testing.T) {
	s := newTestSite(t, "health: /fail?token=SEKRET\n")
	s.write("project/app.py", appWith(`    if path == "/fail":
        start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
        return [b"x SEKRET"]
`))
	s.kept()
	s.call("up")
	s.call("createBuild a")
	require.ErrorContains(t, s.Stage(t.Context(), "a"), "SEKRET")

	status, text := s.statusJSON()

	require.Contains(t, status.Journal[0].Error, "/fail (Host: live.localhost): 500 Internal Server Error (1 of 1 request")
	require.NotContains(t, text, "SEKRET")
}

func TestDashboard_ShowsWhatIsAskedForAndNoQuery(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	s.call("init")
	conn, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	defer conn.Close()

	s.holding()
	_, err = io.WriteString(conn, "GET /held\"'<script>&\\?secret HTTP/1.1\r\nHost: live.localhost\r\nX-Odd: \x01\x1b\xff\r\nCookie: hidden\r\n\r\n")
	require.NoError(t, err)

	s.eventually(func(s testSite) bool {
		status, text := s.statusJSON()
		require.NotContains(t, text, "<script")
		require.NotContains(t, text, "secret")
		require.NotContains(t, text, "hidden")
		require.Empty(s.t, status.Builds[0].Trouble)
		for _, w := range status.Builds[0].Workers {
			if w.Request != nil {
				require.Equal(s.t, "/held\"'<script>&\\", w.Request.Path)
				require.Equal(s.t, site.WorkerBusy, w.State)
				return true
			}
		}
		return false
	})
}

// elsewhere is an address of this machine from which a visitor is none of this machine's.
func elsewhere(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().Is4() && !prefix.Addr().IsLoopback() {
			return prefix.Addr().String()
		}
	}
	t.Skip("this machine has no address but its own")
	return ""
}

func TestDashboard_IsRefusedToOthersUntilTheyAreNamed(t *testing.T) {
	outside := elsewhere(t)
	for _, by := range []string{"pointer", "reload"} {
		t.Run(by, func(t *testing.T) {
			s := newTestSite(t, "switch: "+by+"\n")
			_, port, err := net.SplitHostPort(s.address)
			require.NoError(t, err)
			config := strings.Replace(s.read("hadjango.yml"), `listen: ["127.0.0.1:`, `listen: ["*:`, 1)
			s.reopen(config)
			s.kept()
			s.call("init")
			foreign := net.JoinHostPort(outside, port)

			for _, host := range []string{"live.localhost", "stage.localhost"} {
				for _, path := range []string{"/uwsgi/", "/uwsgi/status.json", "/uwsgi/events", "/uwsgi/metrics"} {
					status, _, body := s.ask(foreign, host, path)
					require.Equal(t, http.StatusForbidden, status, path)
					require.Contains(t, body, "dashboard: {allow: [192.0.2.0/24]}")
				}
				status, _, _ := s.get(host, "/uwsgi/status.json")
				require.Equal(t, http.StatusOK, status)
			}
			require.Equal(t, http.StatusForbidden, s.askForwarded("203.0.113.9"), "something on this machine forwards")
			require.Equal(t, http.StatusForbidden, s.askForwarded("127.0.0.1"))
			require.NotContains(t, s.readLog("nginx.access.log"), "/uwsgi/", "a new live is watched by that log")

			s.reopen(config + "dashboard: {allow: [" + outside + "]}\n")
			s.kept()
			s.call("nginxReload")
			status, _, _ := s.ask(foreign, "live.localhost", "/uwsgi/status.json")
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, http.StatusOK, s.askForwarded(outside))
			require.Equal(t, http.StatusForbidden, s.askForwarded("203.0.113.9"))
		})
	}
}

// askForwarded asks as a program on this machine that stands in front of nginx.
func (s testSite) askForwarded(visitor string) int {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.address+"/uwsgi/status.json", nil)
	require.NoError(s.t, err)
	request.Host = "live.localhost"
	request.Header.Set("X-Forwarded-For", visitor)
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	require.NoError(s.t, err)
	require.NoError(s.t, response.Body.Close())
	return response.StatusCode
}

func TestDashboard_ComesBackAndSoDoWhoWatch(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	s.call("init")
	page := s.openPage("live.localhost")
	const whole = "a active live, b active stage"
	goesOn := func(what string) {
		t.Helper()
		events := page.count(func() int { return len(page.events) })
		page.awaits(t, what, func(now site.Status) bool {
			return len(page.events) > events+3 && shown(now) == whole && now.Servers.Dashboard
		})
	}
	again := func(what string, interrupt func()) {
		t.Helper()
		before := page.count(func() int { return page.opened })
		interrupt()
		page.awaits(t, what, func(site.Status) bool { return page.opened > before })
		goesOn(what)
	}
	goesOn("at first")

	again("after kill -9", func() { require.NoError(t, s.helper("dashboard").Signal(syscall.SIGKILL)) })
	again("with a socket of its own", func() { require.NoError(t, os.Remove(filepath.Join(s.dir, "deploy/run/dashboard.sock"))) })

	s.call("nginxReload")
	goesOn("after nginx has reloaded")

	require.NoError(t, s.nginx()[0].Signal(syscall.SIGKILL))
	goesOn("after nginx's master was killed")

	require.NoError(t, os.Rename(filepath.Join(s.dir, "deploy/logs/dashboard.log"), filepath.Join(s.dir, "deploy/logs/dashboard.log.1")))
	before := s.helper("dashboard")
	again("with a new log", func() { s.call("nginxReload") })
	require.NotEqual(t, before, s.helper("dashboard"), "it writes into a new log")
	require.FileExists(t, filepath.Join(s.dir, "deploy/logs/dashboard.log"))

	running := s.helper("dashboard")
	s.call("up")
	require.Equal(t, running, s.helper("dashboard"), "up leaves what runs")
	again("after down and up", func() {
		s.call("down")
		require.False(t, running.Alive())
		s.call("up")
	})
}

func TestDashboard_RunsAsWhoTheServersAre(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	s.call("up")
	dashboard := s.helper("dashboard")
	var socket syscall.Stat_t
	require.NoError(t, syscall.Stat(filepath.Join(s.dir, "deploy/run/dashboard.sock"), &socket))

	_, own := proc.OwnedBy(dashboard.PID, socket.Uid)
	require.True(t, own)
	_, emperors := proc.OwnedBy(s.emperor("zergs")[0].PID, socket.Uid)
	require.True(t, emperors)
	require.Equal(t, uint32(0o600), socket.Mode&0o777)
}

func TestDashboard_IsStartedAnewWithTheProgramThatUpIs(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	s.call("up")
	before := s.helper("dashboard")
	next := filepath.Join(s.dir, "next", filepath.Base(os.Args[0]))
	require.NoError(t, os.Mkdir(filepath.Dir(next), 0o755))
	copyItself(t, next)
	var err error
	s.Site, err = site.Open(s.dir, site.Options{Reporter: s.notes, Keeper: []string{next, "keep"}, Dashboard: []string{next, "dashboard"}, Wait: time.Minute})
	require.NoError(t, err)

	s.call("up")

	require.False(t, before.Alive())
	running, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", s.helper("dashboard").PID))
	require.NoError(t, err)
	require.Equal(t, next, running)
}

func TestDashboard_ThatCannotStartIsInNoServersWay(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	s.call("init")
	socket := filepath.Join(s.dir, "deploy/run/dashboard.sock")
	require.NoError(t, os.Remove(socket))
	require.NoError(t, os.MkdirAll(filepath.Join(socket, "in the way"), 0o755))
	s.eventually(func(s testSite) bool {
		return strings.Contains(s.readLog("dashboard.log"), "dashboard.sock: directory not empty")
	})

	nginx := s.nginx()[0]
	require.NoError(t, nginx.Signal(syscall.SIGKILL))
	s.eventually(func(s testSite) bool {
		status, err := s.Status(s.t.Context())
		return err == nil && status.Servers.Up() && s.pid("nginx.pid") != nginx.PID && s.answers()
	}, "the keeper keeps the servers")

	require.NoError(t, os.RemoveAll(socket))
	s.call("up")
	s.statusJSON()
}

func TestDashboard_IsNoReasonNotToServe(t *testing.T) {
	s := newTestSite(t, "")
	var err error
	s.Site, err = site.Open(s.dir, site.Options{Reporter: s.notes, Dashboard: []string{"/bin/false"}})
	require.NoError(t, err)

	s.call("init")

	require.Contains(t, s.notes.String(), "start the dashboard: it ended at once")
	s.requireServes("live.localhost", "a")
	status, _, body := s.get("live.localhost", "/uwsgi/")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "The dashboard does not run.")
}

// What a person sees before anything is deployed says what to do and how the
// servers are, and becomes the site without being touched.
func TestPerson_SeesThatNothingIsDeployedAndThenTheSite(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	s.call("up")
	tab := s.openBrowser(t)
	says := func(text string) {
		t.Helper()
		tab.Until(fmt.Sprintf("document.body.innerText.includes(%q)", text))
	}

	tab.Open(liveURL + "/")
	says("go tool mage init")
	says("All servers run.")
	s.call("createBuild a")
	says("Build a is stopped.")

	require.NoError(t, s.helper("keep").Signal(syscall.SIGKILL))
	says("Not running: the keeper. Start them with mage up.")
	require.NoError(t, s.helper("dashboard").Signal(syscall.SIGKILL))
	says("The dashboard does not run. On the server, this says why: mage doctor")

	s.call("init")
	says("a live.localhost")
}
