package site_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/load"
)

// BenchmarkSite compares, in one run, the way of a request in the 2016 demo
// (nginx → uWSGI's HTTP router on the build's port → zerg) with ours (nginx →
// the vassal's unix socket → zerg), for an application that does nothing, and
// measures how long attaching a zerg and swapping take. Read the ratio: the
// figures themselves are this machine's. Client, nginx and uWSGI share its cores.
//
//	go test ./site -run '^$' -bench Site -benchtime 5x
func BenchmarkSite(b *testing.B) {
	s := newTestSite(b, "")
	s.addDemoPath()
	require.NoError(b, s.Init(b.Context()))
	require.NoError(b, s.CreateBuild(b.Context(), "c"))
	var demo, ours, attach, swap float64
	for b.Loop() {
		demo += s.requestsPerSecond("demo.localhost")
		ours += s.requestsPerSecond("live.localhost")
		attach += s.millis(func() error { return s.Activate(b.Context(), "c") })
		require.NoError(b, s.Deactivate(b.Context(), "c"))
		swap += s.millis(func() error { _, err := s.SwapLive(b.Context(), ""); return err })
		swap += s.millis(func() error { _, err := s.SwapLive(b.Context(), ""); return err })
	}
	n := float64(b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(demo/n, "demo-req/s")
	b.ReportMetric(ours/n, "ours-req/s")
	b.ReportMetric(ours/demo, "ours/demo")
	b.ReportMetric(attach/n, "attach-ms")
	b.ReportMetric(swap/n/2, "swapLive-ms")
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

// sample is how long one way is measured at a time.
const sample = 2 * time.Second

func (s testSite) requestsPerSecond(host string) float64 {
	ctx, cancel := context.WithTimeout(s.t.Context(), sample)
	defer cancel()
	start := time.Now()
	answers := load.Run(ctx, load.Options{
		Address: s.address, Host: host, Clients: clients, Methods: []string{http.MethodGet}, Paths: []string{"/"},
	})
	requireAllAnswered(s.t, answers)
	return float64(len(answers)) / time.Since(start).Seconds()
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
