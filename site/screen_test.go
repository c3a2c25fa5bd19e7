package site_test

import (
	"fmt"
	"strings"
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

// What is seen in the browser is what status.json says, whatever is done.
func TestDashboard_IsSeenAsItIs(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	s.call("up")
	b := s.openBrowser(t)
	b.See(browser.Eyes{Width: 1360, Height: 900, Calm: true})
	b.Open(stageURL + site.DashboardPath)
	b.Until(`!document.querySelector("#none").hidden`)
	seen := func() string { return browser.Eval[string](b, onScreen) }

	for _, step := range []struct{ task, shows string }{
		{"init", "a active live, b active stage"},
		{"createBuild c", "a active live, b active stage, c stopped"},
		{"activate c", "a active live, b active stage, c active"},
		{"warmup c", "a active live, b active stage, c active"},
		{"stage c", "a active live, b active, c active stage"},
		{"swapLive", "a active stage, b active, c active live"},
		{"restart a", "a active stage, b active, c active live"},
		{"deactivate b", "a active stage, b idle, c active live"},
		{"rm b", "a active stage, c active live"},
	} {
		s.call(step.task)
		s.eventually(func(s testSite) bool {
			status, _ := s.statusJSON()
			warm := step.task != "warmup c" || !strings.Contains(seen(), "pale")
			return shown(status) == step.shows && seen() == asOnScreen(status) && warm
		}, step.task)
	}
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
