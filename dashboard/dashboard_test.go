package dashboard_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/dashboard"
	"github.com/hadjango/hadjango/site"
	"github.com/hadjango/hadjango/stack"
)

// counted is a site that stays as it is, and counts how often it is looked at.
type counted struct {
	looks atomic.Int64
	mu    sync.Mutex
	now   site.Status
	err   error
	// slow is how long a look takes.
	slow time.Duration
}

func (c *counted) Look(context.Context) (site.Status, error) {
	c.looks.Add(1)
	time.Sleep(c.slow)
	c.mu.Lock()
	defer c.mu.Unlock()
	status := c.now
	status.Time = time.Now().Truncate(time.Millisecond)
	return status, c.err
}

func (c *counted) change(change func(*counted)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

func build(name builds.Name, requests int64) site.BuildStatus {
	return site.BuildStatus{Name: name, State: site.Active, Requests: requests, Workers: []site.WorkerStatus{}}
}

func shop() *counted {
	return &counted{now: site.Status{
		Servers: stack.Health{Vassals: true, Zergs: true, Nginx: true, Dashboard: true}, Kept: true,
		Builds: []site.BuildStatus{build("a", 1), build("b", 2)}, Journal: []site.Past{},
	}}
}

const often = 20 * time.Millisecond

func serve(t *testing.T, observer dashboard.Observer, options dashboard.Options) string {
	t.Helper()
	if options.Every == 0 {
		options.Every = often
	}
	server := httptest.NewServer(dashboard.New(observer, options))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL + site.DashboardPath
}

func ask(t *testing.T, method, url string, header ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	request.Header.Set("X-Hadjango-Peer", "127.0.0.1")
	for i := 0; i < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(body)
}

// stream is somebody who watches.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
	close func()
}

func watch(t *testing.T, url string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"events", nil)
	require.NoError(t, err)
	request.Header.Set("X-Hadjango-Peer", "127.0.0.1")
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 16<<20)
	s := &stream{t, lines, func() { cancel(); _ = response.Body.Close() }}
	t.Cleanup(s.close)
	return s
}

// next is the next event.
func (s *stream) next() (name, data string) {
	s.t.Helper()
	for s.lines.Scan() {
		switch line := s.lines.Text(); {
		case strings.HasPrefix(line, "event: "):
			name = strings.TrimPrefix(line, "event: ")
		case strings.HasPrefix(line, "data: "):
			return name, strings.TrimPrefix(line, "data: ")
		}
	}
	require.Fail(s.t, "the stream has ended", "%v", s.lines.Err())
	return "", ""
}

func (s *stream) awaits(event, part string) {
	s.t.Helper()
	for {
		if name, data := s.next(); name == event && strings.Contains(data, part) {
			return
		}
	}
}

func TestEvents_BeginWithAllThenTellWhatChanges(t *testing.T) {
	shop := shop()
	viewer := watch(t, serve(t, shop, dashboard.Options{}))

	name, data := viewer.next()
	require.Equal(t, "status", name)
	require.Contains(t, data, `"kept":true`)
	name, data = viewer.next()
	require.Equal(t, "history", name)
	require.Contains(t, data, `{"samples":[{"time":`)
	name, data = viewer.next()
	require.Equal(t, "builds", name)
	require.Contains(t, data, `"names":["a","b"],"builds":[]`)

	shop.change(func(c *counted) { c.now.Builds = []site.BuildStatus{build("a", 1), build("b", 7), build("c", 0)} })
	viewer.awaits("builds", `"names":["a","b","c"],"builds":[{"name":"b"`)
	shop.change(func(c *counted) { c.now.Builds = []site.BuildStatus{build("b", 7)} })
	viewer.awaits("builds", `"names":["b"],"builds":[]`)
	shop.change(func(c *counted) { c.now.Kept = false })
	viewer.awaits("status", `"kept":false`)
	viewer.awaits("builds", `"builds":[]`)
}

// What is promised is two events a second. A machine that is busy may be late now
// and then, so the promise is kept if ten in a row are in time, with some to spare;
// a look takes as long as one may that meets a build which hangs.
func TestEvents_ComeAtLeastTwiceASecond(t *testing.T) {
	shop := shop()
	shop.slow = 300 * time.Millisecond
	server := httptest.NewServer(dashboard.New(shop, dashboard.Options{}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	viewer := watch(t, server.URL+site.DashboardPath)

	const events = 10
	viewer.awaits("history", "")
	deadline := time.Now().Add(time.Minute)
	for times := []time.Time{}; ; {
		viewer.next()
		times = append(times, time.Now())
		if n := len(times); n > events && times[n-1].Sub(times[n-1-events]) < (events*time.Second/2)-100*time.Millisecond {
			break
		}
		require.Less(t, time.Now(), deadline)
	}
}

func TestEvents_HistoryHoldsWhatWasSeenBefore(t *testing.T) {
	url := serve(t, shop(), dashboard.Options{Every: 300 * time.Millisecond})
	first := watch(t, url)
	for range 8 {
		first.next()
	}

	second := watch(t, url)
	second.next()
	name, data := second.next()

	require.Equal(t, "history", name)
	var history struct {
		Samples []struct {
			Time   time.Time                     `json:"time"`
			Builds map[string]map[string]float64 `json:"builds"`
		} `json:"samples"`
	}
	require.NoError(t, json.Unmarshal([]byte(data), &history))
	require.GreaterOrEqual(t, len(history.Samples), 2)
	require.Contains(t, history.Samples[0].Builds, "b")
	require.Contains(t, history.Samples[0].Builds["b"], "requests_per_second")
}

func TestIdle_NobodyWatchesNobodyLooks(t *testing.T) {
	shop := shop()
	url := serve(t, shop, dashboard.Options{})
	time.Sleep(5 * often)
	require.Zero(t, shop.looks.Load())

	viewer := watch(t, url)
	viewer.awaits("builds", "")
	require.Positive(t, shop.looks.Load())
	viewer.close()

	require.Eventually(t, func() bool {
		before := shop.looks.Load()
		time.Sleep(10 * often)
		return shop.looks.Load() == before
	}, time.Minute, time.Millisecond)
}

func TestEvents_ManyWhoWatchShareEachLook(t *testing.T) {
	shop := shop()
	url := serve(t, shop, dashboard.Options{Every: 100 * time.Millisecond})
	var viewers []*stream
	for range 50 {
		viewers = append(viewers, watch(t, url))
	}
	const events = 10
	before, start := shop.looks.Load(), time.Now()
	for _, viewer := range viewers {
		for range events {
			viewer.next()
		}
	}

	require.LessOrEqual(t, shop.looks.Load()-before, int64(time.Since(start)/(100*time.Millisecond))+2)
}

func TestStatus_AskedForByManyAtOnceIsOneLook(t *testing.T) {
	shop := shop()
	shop.slow = 100 * time.Millisecond
	url := serve(t, shop, dashboard.Options{Every: time.Hour})
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			response, body := ask(t, http.MethodGet, url+[]string{"status.json", "metrics"}[i%2])
			require.Equal(t, http.StatusOK, response.StatusCode, body)
		})
	}
	group.Wait()

	require.Equal(t, int64(1), shop.looks.Load())
}

// A viewer that takes nothing fills the kernel's buffers first, so what it is told
// here is large.
func TestEvents_WhoIsSlowHoldsUpNobody(t *testing.T) {
	shop := shop()
	shop.now.LiveURL = strings.Repeat("x", 1<<20)
	url := serve(t, shop, dashboard.Options{})
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), site.DashboardPath))
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET %sevents HTTP/1.1\r\nHost: x\r\nX-Hadjango-Peer: ::1\r\n\r\n", site.DashboardPath)
	require.NoError(t, err)
	viewer := watch(t, url)

	for i := range 15 {
		shop.change(func(c *counted) { c.now.StageURL = fmt.Sprint("now ", i) })
		viewer.awaits("status", fmt.Sprintf(`"stage_url":"now %d"`, i))
	}

	slow := bufio.NewReader(conn)
	for seen := ""; !strings.Contains(seen, `"stage_url":"now 14"`); {
		seen, err = slow.ReadString('\n')
		require.NoError(t, err, "it is told all there is when it goes on")
	}
}

func TestEvents_WhatComesFromVisitorsIsEscaped(t *testing.T) {
	shop := shop()
	hostile := "/\"><script>alert(1)</script>\r\n\r\nevent: status\ndata: {}\u2028\x00\xff"
	shop.now.Builds[0].Workers = []site.WorkerStatus{{ID: 1, Request: &site.RequestStatus{Method: "GET", Path: hostile}}}

	_, data := watch(t, serve(t, shop, dashboard.Options{})).next()

	require.NotContains(t, data, "<script")
	var status site.Status
	require.NoError(t, json.Unmarshal([]byte(data), &status))
	require.Equal(t, strings.ToValidUTF8(hostile, "\uFFFD"), status.Builds[0].Workers[0].Request.Path)
}

func TestEvents_AreForSoManyAtOnce(t *testing.T) {
	url := serve(t, shop(), dashboard.Options{Viewers: 2})
	watch(t, url)
	second := watch(t, url)

	response, body := ask(t, http.MethodGet, url+"events")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.NotEmpty(t, response.Header.Get("Retry-After"))
	require.Contains(t, body, "too many watch")

	second.close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"events", nil)
	require.NoError(t, err)
	request.Header.Set("X-Hadjango-Peer", "127.0.0.1")
	require.Eventually(t, func() bool {
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, time.Minute, 10*time.Millisecond, "a place that is left is free")
}

func TestStatus_ThatCannotBeHadSaysSoWithoutAPath(t *testing.T) {
	shop := shop()
	shop.err = errors.New("open /srv/shop/deploy/builds: denied")
	url := serve(t, shop, dashboard.Options{})

	for _, path := range []string{"status.json", "metrics"} {
		response, body := ask(t, http.MethodGet, url+path)
		require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
		require.NotContains(t, body, "/srv")
	}

	viewer := watch(t, url)
	shop.change(func(c *counted) { c.err = nil })
	name, _ := viewer.next()
	require.Equal(t, "status", name, "who has waited is told when it can be had again")
}

func TestDashboard_OnlyLooks(t *testing.T) {
	url := serve(t, shop(), dashboard.Options{})
	for _, path := range []string{"", "status.json", "events", "metrics"} {
		response, _ := ask(t, http.MethodHead, url+path)
		require.Equal(t, http.StatusOK, response.StatusCode, path)
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "PROPFIND"} {
			response, _ := ask(t, method, url+path)
			require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
			require.Equal(t, "GET, HEAD", response.Header.Get("Allow"))
		}
	}
	response, _ := ask(t, http.MethodGet, url+"no/such")
	require.Equal(t, http.StatusNotFound, response.StatusCode)
}

func TestDashboard_IsKeptByNobodyAndFramedByNobody(t *testing.T) {
	url := serve(t, shop(), dashboard.Options{})
	for _, path := range []string{"", "status.json", "metrics"} {
		response, _ := ask(t, http.MethodGet, url+path)
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'", "X-Content-Type-Options": "nosniff",
			"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			require.Contains(t, response.Header.Get(header), want, "%s of %s", header, path)
		}
	}
}

func TestDashboard_IsForThisMachineAndNamedNetworks(t *testing.T) {
	office := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	for name, row := range map[string]struct {
		allow  []netip.Prefix
		header []string
		want   int
	}{
		"this machine":                          {nil, []string{"X-Hadjango-Peer", "127.0.0.1"}, 200},
		"this machine by IPv6":                  {nil, []string{"X-Hadjango-Peer", "::1"}, 200},
		"this machine, mapped":                  {nil, []string{"X-Hadjango-Peer", "::ffff:127.0.0.1"}, 200},
		"another machine":                       {nil, []string{"X-Hadjango-Peer", "192.0.2.7"}, 403},
		"nobody says who":                       {office, nil, 403},
		"nonsense":                              {office, []string{"X-Hadjango-Peer", "localhost"}, 403},
		"the office":                            {office, []string{"X-Hadjango-Peer", "192.0.2.7"}, 200},
		"the office by IPv6":                    {office, []string{"X-Hadjango-Peer", "2001:db8::7"}, 200},
		"beside the office":                     {office, []string{"X-Hadjango-Peer", "192.0.3.7"}, 403},
		"this machine, when there is an office": {office, []string{"X-Hadjango-Peer", "127.0.0.1"}, 200},

		"forwarded, and nobody is named":     {nil, []string{"X-Hadjango-Peer", "127.0.0.1", "X-Forwarded-For", "127.0.0.1"}, 403},
		"forwarded by RFC 7239":              {nil, []string{"X-Hadjango-Peer", "127.0.0.1", "Forwarded", "for=127.0.0.1"}, 403},
		"forwarded by another name":          {nil, []string{"X-Hadjango-Peer", "127.0.0.1", "X-Real-IP", "127.0.0.1"}, 403},
		"forwarded with nothing":             {nil, []string{"X-Hadjango-Peer", "127.0.0.1", "X-Forwarded-For", ""}, 403},
		"forwarded without a visitor":        {office, []string{"X-Hadjango-Peer", "127.0.0.1", "X-Forwarded-Proto", "https"}, 403},
		"forwarded for the office":           {office, []string{"X-Hadjango-Peer", "127.0.0.1", "X-Forwarded-For", "192.0.2.7"}, 200},
		"with a port":                        {office, []string{"X-Hadjango-Peer", "127.0.0.1", "X-Forwarded-For", "192.0.2.7:4711"}, 200},
		"forwarded for the office, RFC 7239": {office, []string{"X-Hadjango-Peer", "127.0.0.1", "Forwarded", `for="[2001:db8::7]:4711";proto=https`}, 200},
		"forwarded for another":              {office, []string{"X-Hadjango-Peer", "127.0.0.1", "X-Forwarded-For", "203.0.113.9"}, 403},
		"another makes the office up":        {office, []string{"X-Hadjango-Peer", "127.0.0.1", "X-Forwarded-For", "192.0.2.7, 203.0.113.9"}, 403},
		"another makes the office up, twice": {office, []string{"X-Hadjango-Peer", "127.0.0.1", "X-Forwarded-For", "203.0.113.9", "X-Real-IP", "192.0.2.7"}, 403},
		"another makes a header up":          {office, []string{"X-Hadjango-Peer", "127.0.0.1", "Forwarded", "for=192.0.2.7", "X-Forwarded-For", "203.0.113.9"}, 403},
		"the office forwards for another":    {office, []string{"X-Hadjango-Peer", "192.0.2.1", "X-Forwarded-For", "203.0.113.9"}, 403},
		"forwarded for one who hides":        {office, []string{"X-Hadjango-Peer", "127.0.0.1", "Forwarded", "for=_hidden"}, 403},
		"forwarded for nobody":               {office, []string{"X-Hadjango-Peer", "127.0.0.1", "Forwarded", "proto=https, for=192.0.2.7"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodGet, site.DashboardPath+"status.json", nil)
			for i := 0; i < len(row.header); i += 2 {
				request.Header.Add(row.header[i], row.header[i+1])
			}
			answer := httptest.NewRecorder()

			dashboard.New(shop(), dashboard.Options{Allow: row.allow}).ServeHTTP(answer, request)

			require.Equal(t, row.want, answer.Code)
			if row.want == http.StatusForbidden {
				require.Contains(t, answer.Body.String(), "dashboard: {allow: [192.0.2.0/24]}")
			}
		})
	}
}

func TestServe_EndsWhileSomebodyWatches(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- dashboard.New(shop(), dashboard.Options{Every: often}).Serve(ctx, listener) }()
	viewer := watch(t, "http://"+listener.Addr().String()+site.DashboardPath)
	viewer.next()

	cancel()

	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		require.Fail(t, "it goes on")
	}
}
