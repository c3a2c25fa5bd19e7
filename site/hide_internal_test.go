package site

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/warmup"
)

func TestRedactor_LeavesWhatSaysNothingOfThisMachine(t *testing.T) {
	s := &Site{layout: layout{root: "/srv/mein shop"}}
	for text, want := range map[string]string{
		"open /srv/mein shop: denied":                                      "open .: denied",
		`mkdir "/srv/mein shop": denied`:                                   `mkdir ".": denied`,
		"see /srv/mein shop/deploy/run/a.stats":                            "see deploy/run/a.stats",
		"/srv/mein shop2/x":                                                "…/x",
		"no /usr/lib/python3/x.py, and more":                               "no …/x.py, and more",
		"/usr/bin/x and /usr/bin/y":                                        "…/x and …/y",
		"/srv/été/geheim":                                                  "…/geheim",
		"/home/ann/mein süßes/x":                                           "…/x",
		"open /home/ann/my own dir/x: denied":                              "open …/x: denied",
		`"/home/ann/mein süßes" is full`:                                   `"…/mein süßes" is full`,
		`open '/home/ann/a, b/c (d)': denied`:                              `open '…/c (d)': denied`,
		`"/home/ann/\"a\"/b c"`:                                            `"…/b c"`,
		"PATH=/usr/bin:/home/ann/bin":                                      "PATH=…/bin:…/bin",
		"deploy/run/a.sock":                                                "deploy/run/a.sock",
		"/home is answered 500":                                            "/home is answered 500",
		"GET /media/x":                                                     "GET /media/x",
		"3 of 4 answers were 5xx (500 GET /media/x, 502 POST /home/ann/x)": "3 of 4 answers were 5xx (500 GET /media/x, 502 POST /home/ann/x)",
		"warm up http://127.0.0.1:2000/home/ann/x (Host: h, redirected from /media/y): 500": "warm up http://127.0.0.1:2000/home/ann/x (Host: h, redirected from /media/y): 500",
		"/no-such-directory/x": "/no-such-directory/x",
		"http://live.localhost/a?token=S%20E,b&c=(1)d answered 500": "http://live.localhost/a answered 500",
		`Get "http://live.localhost/a?token=S": EOF`:                `Get "http://live.localhost/a": EOF`,
		"redirected from /media/x?token=S): 410":                    "redirected from /media/x): 410",
		"/media/x?token=S":                                          "…/x",
		"is deploy/x there? it is not":                              "is deploy/x there? it is not",
	} {
		require.Equal(t, want, s.redactor().text(text), text)
	}
	s.config.Dashboard.Queries = true
	require.Equal(t, "GET /x?token=S", s.redactor().text("GET /x?token=S"))
}

func TestStatus_HasNoPathOfThisMachine(t *testing.T) {
	s := recordedSite(t, map[builds.Name]string{"a": "busy.json", "b": ""})
	entry, err := s.journal.Begin(builds.Intent{
		Task: "activate", Args: []string{s.root + "/x", "b"}, PID: 4711, Started: 4712, Before: builds.State{Live: "b"},
	})
	require.NoError(t, err)
	entry.Step("copy "+s.root+"/y", time.Second, "open "+s.root+": denied")
	require.NoError(t, entry.End(builds.Outcome{
		Result: builds.Failed, Error: "see " + s.log("b.zerg.log") + " and /usr/lib/python3/dist-packages/x.py, asked for http://live.localhost/a/b",
	}))
	cut, err := s.journal.Begin(builds.Intent{Task: "stage", Args: []string{s.root + "/z"}})
	require.NoError(t, err)
	cut.Step("link /usr/lib/python3/dist-packages/y.py", time.Second, "")

	status := look(t, s.Observe(300*time.Millisecond))

	text, err := json.Marshal(status)
	require.NoError(t, err)
	require.NotContains(t, string(text), s.root)
	require.NotContains(t, string(text), "/usr/")
	require.NotContains(t, string(text), os.TempDir()+"/")
	require.NotContains(t, string(text), "471", "nor what is for ways back only")
	require.NotContains(t, string(text), `"before"`)
	require.Equal(t, "see deploy/logs/b.zerg.log and …/x.py, asked for http://live.localhost/a/b", status.Journal[1].Error)
	require.Equal(t, "stage z", status.HalfDone.Task)
	require.Equal(t, "link …/y.py", status.HalfDone.LastStep)
}

func TestBrief_LeavesOutWhatMayBeSecret(t *testing.T) {
	failed := &command.Error{Args: []string{"/bin/psql", "-p", "secret"}, Err: errors.New("exit status 1")}
	require.NotContains(t, brief(fmt.Errorf("populate: %w", failed)), "secret")

	answer := &warmup.Error{URL: "http://h/x", Host: "h", Status: 500, Count: 1, Attempts: 1, Body: "secret", Hint: "see the log"}
	text := brief(fmt.Errorf("stage a: %w", errors.Join(errors.New("other"), answer)))
	require.NotContains(t, text, "secret")
	require.Contains(t, text, "500 Internal Server Error (1 of 1 request")
}
