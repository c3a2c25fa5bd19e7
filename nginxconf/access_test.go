package nginxconf_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/nginxconf"
)

func TestParseAccess_TellsWhoAnsweredWhatAndWhen(t *testing.T) {
	end := time.UnixMilli(1700000000123)
	for name, row := range map[string]struct {
		line string
		want nginxconf.Access
	}{
		"the application": {
			`127.0.0.1 - - [14/Nov/2023:22:13:20 +0000] "GET /search?q=secret HTTP/1.1" 500 145 "http://x/?a" "Mozilla/5.0 (X11)" live.localhost b 1700000000.123 0.250`,
			nginxconf.Access{Server: "live.localhost", Build: "b", Method: "GET", Path: "/search", Status: 500, Began: end.Add(-250 * time.Millisecond), Ended: end},
		},
		"nginx itself": {
			`::1 - ann [14/Nov/2023:22:13:20 +0000] "POST / HTTP/1.1" 502 0 "-" "a \x22quoted\x22 one" live.localhost - 1700000000.123 0.000`,
			nginxconf.Access{Server: "live.localhost", Method: "POST", Path: "/", Status: 502, Began: end, Ended: end},
		},
		"what is no request": {
			`127.0.0.1 - - [14/Nov/2023:22:13:20 +0000] "\x16\x03\x01" 400 150 "-" "-" _ - 1700000000.123 0.000`,
			nginxconf.Access{Server: "_", Method: `\x16\x03\x01`, Status: 400, Began: end, Ended: end},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := nginxconf.ParseAccess(row.line)
			require.True(t, ok)
			require.Equal(t, row.want, got)
		})
	}
}

func TestParseAccess_KnowsAnotherFormat(t *testing.T) {
	for _, line := range []string{
		"", "GET / 200",
		`127.0.0.1 - - [14/Nov/2023:22:13:20 +0000] "GET / HTTP/1.1" 200 145 "-" "curl/8"`,
		`127.0.0.1 - - [14/Nov/2023:22:13:20 +0000] "GET / HTTP/1.1" 200 145 "-" "curl/8" live.localhost b soon 0.1`,
	} {
		_, ok := nginxconf.ParseAccess(line)
		require.False(t, ok, line)
	}
}
