package uwsgiconf_test

import (
	"os"
	"time"

	"github.com/hadjango/hadjango/uwsgiconf"
)

func ExampleRenderEmperor() {
	err := uwsgiconf.RenderEmperor(os.Stdout, uwsgiconf.Emperor{
		Role: "zergs", Patterns: []string{"/srv/shop/builds/[a-z]*/zerg.ini"},
		Stats: "/run/shop/zergs.stats", PIDFile: "/run/shop/zergs.pid", Grace: 130 * time.Second,
	}, nil)
	if err != nil {
		panic(err)
	}
	// Output:
	// [uwsgi]
	// ; typos fail loudly
	// strict = true
	// ; this master starts the emperor again when it dies
	// master = true
	// auto-procname = true
	// procname-prefix-spaced = hadjango zergs
	// emperor = /srv/shop/builds/[a-z]*/zerg.ini
	// emperor-stats = /run/shop/zergs.stats
	// pidfile = /run/shop/zergs.pid
	// ; look at the links, not at what they lead to
	// emperor-nofollow = true
	// ; requests in flight end before an instance does
	// emperor-graceful-shutdown = true
	// ; both longer than the longest request may take
	// emperor-curse-tolerance = 130
	// reload-mercy = 130
	// ; seconds between scans when nobody wakes it
	// emperor-freq = 1
	// ; milliseconds: a vassal without workers is never loyal, and each of its
	// ; ordinary ends would delay the next start further
	// emperor-max-throttle = 1000
	// die-on-term = true
}
