package site_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/load"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/site"
)

// BenchmarkSite compares, in one run, the way of a request in the 2016 demo
// (nginx → uWSGI's HTTP router on the build's port → zerg) with ours (nginx →
// the vassal's unix socket → zerg), for an application that does nothing, and
// measures how long attaching a zerg and swapping take. Read the ratios: the
// figures themselves are this machine's. The clients share its cores with the
// servers, so the requests per second flatter the slower way; the processor
// time that the servers took for a request does not.
//
//	go test ./site -run '^$' -bench Site -benchtime 5x
func BenchmarkSite(b *testing.B) {
	s := newTestSite(b, "")
	s.addDemoPath()
	require.NoError(b, s.Init(b.Context()))
	require.NoError(b, s.CreateBuild(b.Context(), "c"))
	var demo, ours way
	var attach, swap float64
	for b.Loop() {
		demo.measure(s, "demo.localhost")
		ours.measure(s, "live.localhost")
		attach += s.millis(func() error { return s.Activate(b.Context(), "c") })
		require.NoError(b, s.Deactivate(b.Context(), "c"))
		swap += s.millis(func() error { _, err := s.SwapLive(b.Context(), ""); return err })
		swap += s.millis(func() error { _, err := s.SwapLive(b.Context(), ""); return err })
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(demo.rate(), "demo-req/s")
	b.ReportMetric(ours.rate(), "ours-req/s")
	b.ReportMetric(ours.rate()/demo.rate(), "ours/demo-req/s")
	b.ReportMetric(demo.cost(), "demo-cpu-µs/req")
	b.ReportMetric(ours.cost(), "ours-cpu-µs/req")
	b.ReportMetric(demo.cost()/ours.cost(), "demo/ours-cpu")
	b.ReportMetric(attach/float64(b.N), "attach-ms")
	b.ReportMetric(swap/float64(b.N)/2, "swapLive-ms")
}

// way is what was measured of one way of a request.
type way struct {
	requests     int
	seconds, cpu float64
}

func (w way) rate() float64 { return float64(w.requests) / w.seconds }
func (w way) cost() float64 { return w.cpu / float64(w.requests) * 1e6 }

// sample is how long one way is measured at a time.
const sample = 2 * time.Second

func (w *way) measure(s testSite, host string) {
	ctx, cancel := context.WithTimeout(s.t.Context(), sample)
	defer cancel()
	start, cpu := time.Now(), s.cpuSeconds()
	answers := load.Run(ctx, load.Options{
		Address: s.address, Host: host, Clients: clients, Methods: []string{http.MethodGet}, Paths: []string{"/"},
	})
	w.seconds += time.Since(start).Seconds()
	w.cpu += s.cpuSeconds() - cpu
	w.requests += len(answers)
	requireAllAnswered(s.t, answers)
}

// cpuSeconds is the processor time that the site's servers have taken so far.
func (s testSite) cpuSeconds() (sum float64) {
	for _, p := range s.processes() {
		sum += s.cpuOf(p)
	}
	return sum
}

func (s testSite) cpuOf(p proc.Process) float64 {
	fs, err := procfs.NewProc(p.PID)
	require.NoError(s.t, err)
	stat, err := fs.Stat()
	require.NoError(s.t, err)
	return stat.CPUTime()
}

// addDemoPath adds a server to nginx that reaches build a as the demo did.
func (s testSite) addDemoPath() {
	s.t.Helper()
	template, err := os.ReadFile("../conf/nginx.conf.tmpl")
	require.NoError(s.t, err)
	server := fmt.Sprintf(`
    server {
        listen %s;
        server_name demo.localhost;
        location / {
            proxy_pass http://%s;
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }
    }
}
`, s.address, s.portOf("a"))
	text := strings.TrimSpace(string(template))
	s.write("conf/nginx.conf.tmpl", strings.TrimSuffix(text, "}")+server)
}

// BenchmarkDashboard compares, in one run, the requests per second of the small
// application while nobody looks at the dashboard and while 50 do. The viewers, the
// clients and the servers share the machine's cores; dashboard-cpu-ms/s is the
// processor time that the dashboard itself takes in a second for all of the 50.
//
//	go test ./site -run '^$' -bench Dashboard -benchtime 5x
func BenchmarkDashboard(b *testing.B) {
	s := newTestSite(b, "")
	s.kept()
	s.call("init")
	dashboard := s.helper("dashboard")
	const viewers = 50
	var alone, watched way
	var cpu, due float64
	var events int64
	for b.Loop() {
		alone.measure(s, "live.localhost")
		leave := s.watchedBy(viewers)
		before, start := s.cpuOf(dashboard), time.Now()
		watched.measure(s, "live.localhost")
		cpu += s.cpuOf(dashboard) - before
		due += viewers * 2 * time.Since(start).Seconds()
		events += leave()
	}
	require.Greater(b, float64(events), 0.9*due, "viewers who are told nothing cost nothing")
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(alone.rate(), "alone-req/s")
	b.ReportMetric(watched.rate(), "watched-req/s")
	b.ReportMetric(watched.rate()/alone.rate(), "watched/alone-req/s")
	b.ReportMetric(watched.cost()/alone.cost(), "watched/alone-cpu")
	b.ReportMetric(cpu/watched.seconds*1000, "dashboard-cpu-ms/s")
	b.ReportMetric(float64(events)/watched.seconds, "events/s")
}

// watchedBy lets that many look at the dashboard until leave is called, which
// returns how many events they have got.
func (s testSite) watchedBy(count int) (leave func() (events int64)) {
	s.t.Helper()
	var events atomic.Int64
	ctx, cancel := context.WithCancel(s.t.Context())
	var viewers sync.WaitGroup
	for range count {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/uwsgi/events", nil)
		require.NoError(s.t, err)
		request.Host = "live.localhost"
		response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
		require.NoError(s.t, err)
		require.Equal(s.t, http.StatusOK, response.StatusCode)
		viewers.Go(func() {
			defer response.Body.Close()
			lines := bufio.NewScanner(response.Body)
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				if bytes.HasPrefix(lines.Bytes(), []byte("event: builds")) {
					events.Add(1)
				}
			}
		})
	}
	return func() int64 {
		cancel()
		viewers.Wait()
		return events.Load()
	}
}

func (s testSite) millis(do func() error) float64 {
	start := time.Now()
	require.NoError(s.t, do())
	return float64(time.Since(start)) / float64(time.Millisecond)
}

// BenchmarkSwitch counts, in one run, the requests that keep-alive clients lose
// during 20 swaps by each switch. A reload closes idle connections on which a
// client may be about to write; an exchange of pointers closes none.
//
//	go test ./site -run '^$' -bench Switch -benchtime 1x
func BenchmarkSwitch(b *testing.B) {
	for _, by := range []string{"pointer", "reload"} {
		b.Run(by, func(b *testing.B) {
			s := newTestSite(b, "switch: "+by)
			require.NoError(b, s.Init(b.Context()))
			sent, lost := 0, 0
			for b.Loop() {
				answers := s.underLoad(func() { s.swapTimes(20) })
				sent += len(answers)
				lost += countLost(answers)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(sent)/float64(b.N), "requests/op")
			b.ReportMetric(float64(lost)/float64(b.N), "lost/op")
		})
	}
}

func (s testSite) swapTimes(n int) {
	for range n {
		_, err := s.SwapLive(s.t.Context(), "")
		require.NoError(s.t, err)
	}
}

func countLost(answers []load.Answer) (lost int) {
	for _, a := range answers {
		if !a.OK() {
			lost++
		}
	}
	return lost
}

// BenchmarkBuild measures, in one run, what a build of the demo project takes:
// the first one; the second; and one that shares nothing, before and after it is
// made incremental. Wheels and node modules are there in each case. What the
// first one would take as builds were made before, with a virtualenv and pip for
// each, is an estimate: its steps that are new are left out, and pip's are
// measured beside it.
//
//	go test ./site -run '^$' -bench Build -benchtime 5x
func BenchmarkBuild(b *testing.B) {
	s := newDjangoSite(b)
	// fetches what all builds are given
	require.NoError(b, s.CreateBuild(b.Context(), "a"))
	var estimate, first, second, incremental float64
	var size, own, unshared, shared int64
	for b.Loop() {
		s.removeBuilds()
		alone := s.millis(func() error { return s.CreateBuild(b.Context(), "a") })
		second += s.millis(func() error { return s.CreateBuild(b.Context(), "b") })
		first += alone
		estimate += alone - s.stepMillis("a", "install", "virtualenv", "share") + s.pipMillis()
		made := s.statusOf("b")
		size, own = size+made.SizeBytes, own+made.OwnBytes
		s.unshare("b")
		unshared += s.statusOf("b").OwnBytes
		incremental += s.millis(func() error { _, err := s.MakeIncrementalBuild(b.Context(), "b", "a"); return err })
		shared += s.statusOf("b").OwnBytes
	}
	b.ReportMetric(0, "ns/op")
	for unit, millis := range map[string]float64{"pip-estimate-ms": estimate, "first-ms": first, "second-ms": second, "incremental-ms": incremental} {
		b.ReportMetric(millis/float64(b.N), unit)
	}
	for unit, bytes := range map[string]int64{"size-MB": size, "second-own-MB": own, "unshared-own-MB": unshared, "incremental-own-MB": shared} {
		b.ReportMetric(float64(bytes)/float64(b.N)/(1<<20), unit)
	}
}

func (s testSite) removeBuilds() {
	s.t.Helper()
	for _, b := range s.statuses() {
		require.NoError(s.t, s.Remove(s.t.Context(), b.Name))
	}
	require.NoError(s.t, os.RemoveAll(filepath.Join(s.dir, "deploy/deps/installed")))
}

// stepMillis is how long some steps of a build's making took.
func (s testSite) stepMillis(name builds.Name, steps ...string) (millis float64) {
	for _, step := range steps {
		millis += float64(s.madeBy(name, step).Millis)
	}
	return millis
}

// pipMillis is how long a virtualenv takes that pip installs the wheels into.
func (s testSite) pipMillis() float64 {
	dir, err := os.MkdirTemp(s.dir, "venv")
	require.NoError(s.t, err)
	defer os.RemoveAll(dir)
	wheels, err := filepath.Glob(filepath.Join(s.dir, "deploy/deps/wheelhouse/*/*.whl"))
	require.NoError(s.t, err)
	require.NotEmpty(s.t, wheels)
	pip := filepath.Join(s.dir, "deploy/deps/cache/venv/bin/python")
	return s.millis(func() error {
		venv := exec.CommandContext(s.t.Context(), pip, "-m", "venv", "--without-pip", dir)
		install := exec.CommandContext(s.t.Context(), pip, append([]string{"-m", "pip", "--python", filepath.Join(dir, "bin/python"),
			"install", "--quiet", "--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"}, wheels...)...)
		return errors.Join(venv.Run(), install.Run())
	})
}

// BenchmarkStatus looks at ten builds of 5,000 files, half of which are shared
// by all.
func BenchmarkStatus(b *testing.B) {
	s := newTestSite(b, "")
	for i := range 10 {
		for j := range 5000 {
			path := fmt.Sprintf("deploy/builds/%s/dir%d/sub%d/file%d", builds.NameAt(i), j%10, j%150, j)
			if i > 0 && j%2 == 0 {
				s.linkFile(fmt.Sprintf("deploy/builds/a/dir%d/sub%d/file%d", j%10, j%150, j), path)
			} else {
				s.write(path, "file")
			}
		}
	}
	for b.Loop() {
		require.Len(b, s.statuses(), 10)
	}
}

func (s testSite) linkFile(from, to string) {
	to = filepath.Join(s.dir, to)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(to), 0o755))
	require.NoError(s.t, os.Link(filepath.Join(s.dir, from), to))
}

// BenchmarkFirstRequest compares the first request to a build whose workers have
// loaded the demo project and done nothing else, as plain uWSGI with lazy-apps
// leaves them, with the first to one that was activated, which warms its master,
// and with the first to one that has been warmed up too, as every build is before
// it goes to stage. Of each the fastest counts: what else the machine does can
// only slow it.
//
//	go test ./site -run '^$' -bench FirstRequest -benchtime 10x
func BenchmarkFirstRequest(b *testing.B) {
	s := newDjangoSite(b)
	s.write("addons-server/plain.py", "from hadjango import build\nbuild.load_environment()\nfrom addons.wsgi import application\n")
	require.NoError(b, s.Init(b.Context()))
	require.NoError(b, s.CreateBuild(b.Context(), "c"))
	template, err := os.ReadFile("../conf/zerg.ini.tmpl")
	require.NoError(b, err)
	plain := strings.ReplaceAll(string(template), "{{.WSGIFile}}", "{{.Dir}}/plain.py\nlazy-apps = true")
	cold, activated, warm := math.Inf(1), math.Inf(1), math.Inf(1)
	for b.Loop() {
		s.write("conf/zerg.ini.tmpl", plain)
		cold = min(cold, s.firstRequest("c", s.activateOnly))
		s.write("conf/zerg.ini.tmpl", string(template))
		activated = min(activated, s.firstRequest("c", s.activateOnly))
		warm = min(warm, s.firstRequest("c", s.activateAndWarm))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(cold, "cold-ms")
	b.ReportMetric(activated, "activated-ms")
	b.ReportMetric(warm, "warm-ms")
	b.ReportMetric(cold/warm, "cold/warm")
}

func (s testSite) activateOnly(name builds.Name) {
	require.NoError(s.t, s.Activate(s.t.Context(), name))
}

func (s testSite) activateAndWarm(name builds.Name) {
	s.activateOnly(name)
	_, err := s.Warmup(s.t.Context(), name, site.WarmupOptions{})
	require.NoError(s.t, err)
}

// firstRequest is how long a build that was just started takes to answer, in
// milliseconds. The build is taken away afterwards.
func (s testSite) firstRequest(name builds.Name, start func(builds.Name)) float64 {
	s.t.Helper()
	start(name)
	took := s.millis(func() error {
		status, _, body := s.ask(s.portOf(name), "live.localhost", homePage)
		require.Equal(s.t, http.StatusOK, status, body)
		return nil
	})
	require.NoError(s.t, s.Deactivate(s.t.Context(), name))
	return took
}

// portOf is where a build answers without nginx.
func (s testSite) portOf(name builds.Name) string {
	port, err := builds.Endpoint{Build: name}.Port(s.Config().Port)
	require.NoError(s.t, err)
	return fmt.Sprintf("127.0.0.1:%d", port)
}
