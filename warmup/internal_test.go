package warmup

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPlan_OnePathFillsARound(t *testing.T) {
	p := newPlan(Options{Paths: []string{"/", "/a"}, Concurrency: 2, Workers: someWorkers}, 3)
	require.Equal(t, []string{"/", "/", "/"}, p.next(true, 3))
	require.Equal(t, []string{"/a", "/a", "/a"}, p.next(false, 3))
	require.Empty(t, p.next(false, 3))
	require.Equal(t, []string{"/", "/", "/"}, p.again())
	require.Equal(t, p.asked, p.total())
}

func TestPlan_PathsShareASmallLimit(t *testing.T) {
	p := newPlan(Options{Paths: []string{"/", "/a", "/b"}, Concurrency: 4, MaxRequests: 7, Workers: someWorkers}, 4)
	require.Equal(t, []string{"/", "/", "/a", "/a"}, p.next(true, 4))
	require.Equal(t, []string{"/b", "/b", "/"}, p.next(false, 4))
	require.Empty(t, p.next(true, 4))
	require.Empty(t, p.again())
}

func TestPlan_RoundsDoubleWhileColdAndShrinkBack(t *testing.T) {
	p := newPlan(Options{Paths: []string{"/", "/a"}, Concurrency: 4, MaxRequests: 2000, Workers: someWorkers}, 4)
	var sizes []int
	for range 8 {
		sizes = append(sizes, len(p.next(true, 4)))
	}
	require.Equal(t, []int{4, 8, 16, 32, 64, 128, 256, 256}, sizes)
	p = newPlan(p.optionsForTest(), 4)
	require.Len(t, p.next(true, 4), 4)
	require.Len(t, p.next(false, 5), 5, "a worker came up meanwhile")
}

func (p plan) optionsForTest() Options {
	return Options{Paths: []string{"/", "/a", "/b"}, Concurrency: 4, MaxRequests: p.limit, Workers: someWorkers}
}

func FuzzPlan_AsksEachPathAndKeepsTheLimit(f *testing.F) {
	f.Add(uint8(1), uint8(6), uint16(0), uint16(4), uint8(0))
	f.Add(uint8(5), uint8(6), uint16(5), uint16(64), uint8(3))
	f.Add(uint8(200), uint8(1), uint16(0), uint16(0), uint8(255))
	f.Fuzz(func(t *testing.T, paths, concurrency uint8, limit, ready uint16, coldRounds uint8) {
		opts := Options{Concurrency: max(int(concurrency), 1), MaxRequests: int(limit), Workers: someWorkers}
		for i := range max(int(paths), 1) {
			opts.Paths = append(opts.Paths, "/"+strings.Repeat("x", i))
		}
		if opts.validate() != nil {
			t.Skip()
		}
		p := newPlan(opts, int(ready))
		asked := map[string]int{}
		sent := 0
		for round := 0; ; round++ {
			next := p.next(round < int(coldRounds), int(ready))
			if len(next) == 0 {
				break
			}
			require.LessOrEqual(t, len(next), maxConcurrency)
			sent += len(next)
			for _, path := range next {
				asked[path]++
			}
		}
		sent += len(p.again())
		require.Len(t, asked, len(opts.Paths))
		require.LessOrEqual(t, sent, p.limit)
		require.Equal(t, sent, p.total())
	})
}

func TestLead(t *testing.T) {
	for name, c := range map[string]struct {
		host, uri, location string
		to                  direction
		where               string
	}{
		"relative":               {"shop.example", "/", "/en-US/firefox/", inside, "/en-US/firefox/"},
		"relative to a folder":   {"shop.example", "/a/b", "c?d=e#f", inside, "/a/c?d=e"},
		"absolute":               {"shop.example", "/", "http://SHOP.example/x", inside, "/x"},
		"absolute, default port": {"shop.example:80", "/", "http://shop.example/x", inside, "/x"},
		"https, another path":    {"shop.example", "/", "https://shop.example/x", inside, "/x"},
		"https, same path":       {"shop.example", "/x?y=z", "https://shop.example/x?y=z", toHTTPS, "https://shop.example/x?y=z"},
		"https, no path":         {"shop.example", "/", "https://shop.example", toHTTPS, "https://shop.example"},
		"https, another port":    {"shop.example:8000", "/", "https://shop.example:8443/", toHTTPS, "https://shop.example:8443/"},
		"https, escaped path":    {"shop.example", "/é", "https://shop.example/%C3%A9", toHTTPS, "https://shop.example/%C3%A9"},
		"another host":           {"shop.example", "/", "https://www.shop.example/", elsewhere, "https://www.shop.example/"},
		"another port":           {"shop.example", "/", "http://shop.example:8000/", elsewhere, "http://shop.example:8000/"},
		"scheme of the request":  {"shop.example", "/", "//evil.example/", elsewhere, "http://evil.example/"},
		"not the web":            {"shop.example", "/", "mailto:me@shop.example", elsewhere, "mailto:me@shop.example"},
		"blank in the query":     {"shop.example", "/", "/?q=a b", inside, "/?q=a%20b"},
		"none":                   {"shop.example", "/", "", nowhere, ""},
		"not a URL":              {"shop.example", "/", "http://[", nowhere, "http://["},
		"address":                {"[::1]:2020", "/", "http://[::1]:2020/x", inside, "/x"},
	} {
		t.Run(name, func(t *testing.T) {
			to, where := lead(c.host, c.uri, c.location)
			require.Equal(t, c.to, to)
			require.Equal(t, c.where, where)
		})
	}
}

func FuzzLead_InsideIsAlwaysARequestLine(f *testing.F) {
	for _, location := range []string{"/", "x", "?a b", "//h/", "https://shop.example/\u00e9?\u00e9", "http://shop.example", "#", "/%zz", "\n"} {
		f.Add(location)
	}
	f.Fuzz(func(t *testing.T, location string) {
		to, uri := lead("shop.example", "/here", location)
		if to != inside {
			return
		}
		require.True(t, strings.HasPrefix(uri, "/"), uri)
		require.False(t, strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r == 0x7f }), uri)
	})
}

func TestGist(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"title":            {"<!doctype html>\n<title>\n  Bad  Request\n (400)</title><h1>x</h1>", "Bad Request (400)"},
		"entities":         {"<TITLE lang=en>a &amp; b</TITLE>", "a & b"},
		"plain":            {"\n\n  down for maintenance\nback soon", "down for maintenance"},
		"tags, no title":   {"<html><body><p>502 Bad Gateway</p>", "502 Bad Gateway"},
		"nothing":          {"", ""},
		"long":             {strings.Repeat("é", 200), strings.Repeat("é", 119) + "…"},
		"tag is cut short": {"<p>no</p><div cla", "no<div cla"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, gist(c.body)) })
	}
}

func TestPercentile_IsAMeasuredTime(t *testing.T) {
	var took []time.Duration
	for i := range 20 {
		took = append(took, time.Duration(i+1))
	}
	require.EqualValues(t, 10, percentile(took, 50))
	require.EqualValues(t, 19, percentile(took, 95))
	require.EqualValues(t, 1, percentile(took[:1], 95))
	require.EqualValues(t, 2, percentile(took[:3], 50))
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                         "0.0 ms",
		1234 * time.Microsecond:   "1.2 ms",
		9960 * time.Microsecond:   "10 ms",
		310 * time.Millisecond:    "310 ms",
		999600 * time.Microsecond: "1.0 s",
		90 * time.Second:          "90.0 s",
	} {
		require.Equal(t, want, short(d))
	}
}

func TestReport_StringOfEachKind(t *testing.T) {
	for want, r := range map[string]Report{
		"0 requests in 0.0 ms": {},
		"12 requests in 0.8 s · cold 310 ms, warm 12 ms (median) · workers 4/4": {
			Requests: 12, Took: 800 * time.Millisecond, Workers: Workers{4, 4},
			Cold: Latency{Requests: 6, Median: 310 * time.Millisecond},
			Warm: Latency{Requests: 6, Median: 12 * time.Millisecond},
		},
		"1 request in 2.0 s, 1 failed · 1 worker seen": {
			Requests: 1, Failed: 1, Took: 2 * time.Second, Workers: Workers{Reached: 1},
		},
		"6 requests in 2.0 s · cold 2.0 s (median)": {
			Requests: 6, Took: 2 * time.Second, Cold: Latency{Requests: 6, Median: 2 * time.Second},
		},
	} {
		t.Run(want, func(t *testing.T) { require.Equal(t, want, r.String()) })
	}
}

func TestReport_NamesEachRedirectOnce(t *testing.T) {
	r := Report{Samples: []Sample{
		{Path: "/", Redirects: []string{"/en/", "/en/home"}},
		{Path: "/", Redirects: []string{"/en/", "/en/home"}},
		{Path: "/docs", Location: "https://docs.example/"},
		{Path: "/broken", Location: "https://x/", Err: "…"},
		{Path: "/fine"},
	}}
	require.Equal(t, []string{
		`/ redirects to "/en/home"`,
		`/docs redirects to "https://docs.example/", which was not followed`,
	}, r.Notes())
}

func TestReport_SurvivesJSON(t *testing.T) {
	r := Report{
		Target: "http://127.0.0.1:2020", Host: "shop.example", Requests: 3, Redirects: 1, Failed: 1, Rounds: 2,
		Workers: Workers{Ready: 4, Reached: 3}, Took: 1234567 * time.Microsecond,
		Cold: Latency{Requests: 2, Median: time.Millisecond, P95: 3 * time.Microsecond, Max: time.Hour},
		Samples: []Sample{
			{Round: 1, Path: "/", Status: 200, Took: 333 * time.Microsecond, Worker: "1", Redirects: []string{"/en/"}},
			{Round: 2, Path: "/x", Status: 503, Took: time.Minute, Err: "503 Service Unavailable"},
		},
	}
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(text), `"took_ms":1234.567`)
	require.Contains(t, string(text), `"median_ms":1,"p95_ms":0.003,"max_ms":3600000`)
	require.Contains(t, string(text), `"took_ms":0.333`)
	var back Report
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, r, back)
}

func TestFailures_OfAKindAreOne(t *testing.T) {
	var f failures
	for _, e := range []*Error{
		{URL: "http://h/", Path: "/", Status: 500, Count: 1},
		{URL: "http://h/", Path: "/", Status: 500, Count: 1, Body: "another"},
		{URL: "http://h/", Path: "/", Status: 502, Count: 1},
		{URL: "http://h/", Path: "/", Err: errors.New("x"), Count: 1},
		{URL: "http://h/", Path: "/", Err: errors.New("x"), Count: 1},
		{URL: "http://h/en", Path: "/", Status: 500, Count: 1},
		{URL: "http://h/a", Path: "/a", Status: 500, Count: 1},
	} {
		f.add(e)
	}
	require.Error(t, f.join(slices.Concat(slices.Repeat([]string{"/"}, 6), []string{"/a"})))
	var counts, attempts []int
	for _, e := range f {
		counts, attempts = append(counts, e.Count), append(attempts, e.Attempts)
	}
	require.Equal(t, []int{2, 1, 2, 1, 1}, counts)
	require.Equal(t, []int{6, 6, 6, 6, 1}, attempts)
	require.NoError(t, failures(nil).join(nil))
}

func TestHint_ForAHostThatDjangoNeverAccepts(t *testing.T) {
	require.Contains(t, hostHint("my_app:8000"), "another than")
	require.Contains(t, hostHint("Shop.example:8000"), `add "shop.example" to that setting`)
	require.Contains(t, hostHint("[::1]:8000"), `add "[::1]" to that setting`)
}

func TestHint_ForAStatus(t *testing.T) {
	for status, want := range map[int]string{
		400: "ALLOWED_HOSTS", 401: "everybody", 403: "everybody", 404: "exists", 410: "exists", 418: "",
		429: "exempt this machine", 500: "log", 503: "log",
	} {
		got := hint(&Error{Status: status, Host: "h"}, Options{})
		require.Contains(t, got, want)
		require.Equal(t, want == "", got == "")
	}
}
