package site_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/browser"
	"github.com/hadjango/hadjango/site"
)

// onScreen is what can be seen of the builds in the dashboard's page, one a line.
const onScreen = `[...document.querySelectorAll(".build:not(.leaving)")].map((row) => [
	row.dataset.build, row.querySelector(".badge").textContent, row.querySelector("[data-field=state]").textContent, row.querySelector(".tag span").textContent,
	...[...row.querySelectorAll(".workers .dot:not(.leaving)")].map((dot) => dot.dataset.worker + " " + dot.dataset.state + (dot.classList.contains("fresh") ? " pale" : "")),
].join(", ")).join("\n")`

// asOnScreen is what should be seen of a status.
func asOnScreen(status site.Status) string {
	var rows []string
	for _, b := range status.Builds {
		pointer := b.Pointer
		if pointer == "" {
			pointer = "none"
		}
		row := []string{string(b.Name), pointer, string(b.State), b.Tag}
		for _, w := range b.Workers {
			dot := fmt.Sprint(w.ID, " ", w.State)
			if w.RequestsSinceStart == 0 {
				dot += " pale"
			}
			row = append(row, dot)
		}
		rows = append(rows, strings.Join(row, ", "))
	}
	return strings.Join(rows, "\n")
}

// recordScreens keeps what can be seen of the builds, from one change to the next.
const recordScreens = `window.screens = [], new MutationObserver(() => {
	const now = ` + onScreen + `;
	if (now !== window.screens.at(-1)) window.screens.push(now);
}).observe(document.querySelector("#builds"), { subtree: true, childList: true, attributes: true, characterData: true }), true`

// someArePale is a warm-up under way.
func someArePale(c []string) bool {
	pale := slices.DeleteFunc(slices.Clone(c), func(word string) bool { return !strings.HasSuffix(word, " pale") })
	return len(pale) > 0 && len(pale) < len(dots(c))
}

// twoGangs is a restart whose new workers are there and whose old ones are not gone yet.
func twoGangs(row []string) bool { return len(dots(row)) == 4 }

// dots are the workers in the row of a build, behind its name, pointer, state and tag.
func dots(row []string) []string { return row[4:] }

// wasSeen tells whether a build's row was so on some screen.
func wasSeen(screens []string, build string, so func(row []string) bool) bool {
	for _, screen := range screens {
		for row := range strings.SplitSeq(screen, "\n") {
			if words := strings.Split(row, ", "); words[0] == build && so(words) {
				return true
			}
		}
	}
	return false
}

// What is seen in the browser is what status.json says, whatever is done, and it is
// seen while it is done.
func TestDashboard_IsSeenAsItIs(t *testing.T) {
	s := newTestSite(t, "")
	// while requests are held, all but those that wait pass one at a time
	s.write("project/app.py", "import fcntl\n"+appWith(`    gate = os.path.join(os.environ["HADJANGO_DATA"], "held")
    if path != "/held" and os.path.exists(gate):
        with open(gate) as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            time.sleep(1.5)
`))
	s.kept()
	s.call("up")
	b := s.openBrowser(t)
	b.See(browser.Eyes{Width: 1360, Height: 900, Calm: true})
	b.Open(stageURL + site.DashboardPath)
	b.Until(`!document.querySelector("#none").hidden`)
	seen := func() string { return browser.Eval[string](b, onScreen) }
	browser.Eval[bool](b, recordScreens)
	var waiting sync.WaitGroup

	for _, step := range []struct {
		task, shows string
		// meanwhile is what is seen of a build while the task is under way and requests
		// are held, of which prepare may send one.
		build     string
		meanwhile func(row []string) bool
		prepare   func()
	}{
		{task: "init", shows: "a active live, b active stage"},
		{task: "createBuild c", shows: "a active live, b active stage, c stopped"},
		{task: "activate c", shows: "a active live, b active stage, c active"},
		{"warmup c", "a active live, b active stage, c active", "c", someArePale, func() {}},
		{task: "stage c", shows: "a active live, b active, c active stage"},
		{task: "swapLive", shows: "a active stage, b active, c active live"},
		{"restart a", "a active stage, b active, c active live", "a", twoGangs, func() {
			waiting.Go(func() { s.get("stage.localhost", "/held") })
			b.Until(`document.querySelector('[data-build="a"] .dot[data-state="busy"]')`)
		}},
		{task: "deactivate b", shows: "a active stage, b idle, c active live"},
		{task: "rm b", shows: "a active stage, c active live"},
	} {
		done := make(chan error, 1)
		release := func() {}
		if step.meanwhile != nil {
			release = s.holding()
			step.prepare()
			browser.Eval[bool](b, `window.screens = [], true`)
		}
		go func() { done <- call(t.Context(), s.Site, step.task) }()
		if step.meanwhile != nil {
			s.eventually(func(testSite) bool {
				return wasSeen(browser.Eval[[]string](b, `window.screens`), step.build, step.meanwhile)
			}, "while "+step.task+" is under way")
		}
		release()
		require.NoError(t, <-done, step.task)
		s.eventually(func(s testSite) bool {
			status, _ := s.statusJSON()
			warm := step.task != "warmup c" || !strings.Contains(seen(), "pale")
			return shown(status) == step.shows && seen() == asOnScreen(status) && warm
		}, step.task)
	}
	waiting.Wait()
	require.Equal(t, "live is c, stage is a", b.Text("h1"))
	require.Contains(t, b.Text("#journal"), "swapLive")
	b.RequireClean()

	t.Run("a request under way, with its worker", func(t *testing.T) {
		s := s
		s.t = t
		release := s.holding()
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.get("live.localhost", "/held")
		}()
		b.Until(`document.querySelector('[data-build="c"] .dot[data-state="busy"]')`)
		browser.Eval[bool](b, `document.querySelector('[data-build="c"] .dot[data-state="busy"]').focus(), true`)
		require.Regexp(t, `GET /held · for \d`, b.Text("#detail [data-field=request]"))
		release()
		<-done
		b.Until(`!document.querySelector('#builds [data-state="busy"]')`)
		b.RequireClean()
	})
	t.Run("a dashboard that dies, and is brought back", func(t *testing.T) {
		browser.Eval[bool](b, `window.links = [], new MutationObserver(() => window.links.push(document.body.dataset.link))
			.observe(document.body, { attributeFilter: ["data-link"] }), true`)
		require.NoError(t, s.helper("dashboard").Signal(syscall.SIGKILL))
		b.Until(`window.links.length > 1 && window.links.at(-1) === "open"`)
		status, _ := s.statusJSON()
		require.Equal(t, asOnScreen(status), seen())
	})
	t.Run("one that nobody brings back, until up", func(t *testing.T) {
		require.NoError(t, s.helper("keep").Signal(syscall.SIGKILL))
		require.NoError(t, s.helper("dashboard").Signal(syscall.SIGKILL))
		b.Until(`document.body.dataset.link === "lost"`)
		b.Until(`/^Connection lost since .*The dashboard does not run/.test(document.querySelector("#lost").textContent)`)
		s.call("createBuild d")
		s.call("up")
		b.Until(`document.body.dataset.link === "open" && document.querySelector("#lost").hidden`)
		s.eventually(func(s testSite) bool {
			status, _ := s.statusJSON()
			return len(status.Builds) == 3 && seen() == asOnScreen(status)
		})
	})
}
