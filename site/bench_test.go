package site_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/load"
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
		fs, err := procfs.NewProc(p.PID)
		require.NoError(s.t, err)
		stat, err := fs.Stat()
		require.NoError(s.t, err)
		sum += stat.CPUTime()
	}
	return sum
}

// addDemoPath adds a server to nginx that reaches build a as the demo did.
func (s testSite) addDemoPath() {
	s.t.Helper()
	template, err := os.ReadFile("../conf/nginx.conf.tmpl")
	require.NoError(s.t, err)
	port, err := builds.Endpoint{Build: "a"}.Port(s.Config().Port)
	require.NoError(s.t, err)
	server := fmt.Sprintf(`
    server {
        listen %s;
        server_name demo.localhost;
        location / {
            proxy_pass http://127.0.0.1:%d;
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }
    }
}
`, s.address, port)
	text := strings.TrimSpace(string(template))
	s.write("conf/nginx.conf.tmpl", strings.TrimSuffix(text, "}")+server)
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
