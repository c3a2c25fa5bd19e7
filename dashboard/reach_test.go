package dashboard_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/browser"
	"github.com/hadjango/hadjango/site"
)

// focus is what has the focus: a worker as "b3", else what it says.
func focus(b *browser.Browser) string {
	return browser.Eval[string](b, `((e) => e.matches(".workers .dot") ? e.closest(".build").dataset.build + e.dataset.worker
		: e.getAttribute("aria-label") ?? e.textContent)(document.activeElement)`)
}

func press(b *browser.Browser, keys ...string) (reached []string) {
	for _, key := range keys {
		b.Press(key)
		reached = append(reached, focus(b))
	}
	return reached
}

func TestPage_KeysReachEveryWorker(t *testing.T) {
	t.Parallel()
	first := aSite()
	first.Builds[1].Workers = append(first.Builds[1].Workers, idle("second", 5, "2026.48"))
	for id := 5; id <= 40; id++ {
		first.Builds[2].Workers = append(first.Builds[2].Workers, idle("", id, "2026.48"))
	}
	f := feedOf(t, first)
	b := f.look(t, desk)

	require.Equal(t, []string{"live", "stage", "Colours: auto", "build a", "build b", "b1"},
		press(b, kb.Tab, kb.Tab, kb.Tab, kb.Tab, kb.Tab, kb.Tab))
	require.Equal(t, []string{"b2", "b3", "b4", "b5", "b5", "b4"},
		press(b, kb.ArrowRight, kb.ArrowRight, kb.ArrowRight, kb.ArrowRight, kb.ArrowRight, kb.ArrowLeft))
	require.Equal(t, []string{"build c", "c1"}, press(b, kb.Tab, kb.Tab))

	t.Run("one after the other", func(t *testing.T) {
		var all, rights []string
		for id := 2; id <= 40; id++ {
			all, rights = append(all, fmt.Sprint("c", id)), append(rights, kb.ArrowRight)
		}
		require.Equal(t, all, press(b, rights...))
		require.Equal(t, []string{"c1"}, press(b, kb.Home))
	})
	t.Run("in all its lines", func(t *testing.T) {
		down := press(b, kb.ArrowDown)
		require.NotEqual(t, "c1", down[0])
		left := browser.Eval[[]float64](b, `["c1", "down"].map((_, i) => (i ? document.activeElement : `+found(dot("c", 1))+`).getBoundingClientRect().left)`)
		require.InDelta(t, left[0], left[1], 1)
		require.Equal(t, []string{"c1", "c40", "c1"}, press(b, kb.ArrowUp, kb.End, kb.Home))
	})
	t.Run("and come back to the one they left", func(t *testing.T) {
		press(b, kb.ArrowRight, kb.ArrowRight)
		b.Press(kb.Tab)
		browser.Eval[bool](b, found(row("c")+" h3 a")+".focus(), true")
		require.Equal(t, []string{"c3"}, press(b, kb.Tab))
	})
	t.Run("where Enter keeps its details", func(t *testing.T) {
		b.Press(kb.Enter)
		b.Press(kb.Tab)
		require.Contains(t, b.Text("#detail"), "Worker 3 of build c")
		b.Press(kb.Escape)
		b.Until(found("#detail") + ".hidden")
	})
	b.RequireClean()
}

func TestPage_NeverLosesTheFocus(t *testing.T) {
	t.Parallel()
	f := feedOf(t, aSite())
	b := f.look(t, desk)
	browser.Eval[bool](b, found(dot("c", 3))+".focus(), true")

	t.Run("when all changes around it", func(t *testing.T) {
		f.change(func(s *site.Status) {
			s.Builds[1].Pointer, s.Builds[2].Pointer = "stage", "live"
			for i := range s.Builds[2].Workers {
				s.Builds[2].Workers[i].State, s.Builds[2].Workers[i].Tag = "busy", "2026.50"
			}
		})
		b.Until(found(dot("c", 3)) + `.dataset.state === "busy"`)
		require.Equal(t, "c3", focus(b))
		require.Contains(t, b.Text("#detail"), "2026.50")
	})
	t.Run("when workers and builds come before it, go, and change places", func(t *testing.T) {
		f.change(func(s *site.Status) {
			s.Builds[2].Workers = slices.Insert(s.Builds[2].Workers[2:], 0, idle("", 9, "2026.48"))
		})
		b.Until(found(dot("c", 9)) + "&& !" + found(dot("c", 1)))
		require.Equal(t, "c3", focus(b))
		f.change(func(s *site.Status) { slices.Reverse(s.Builds) })
		b.Until(found(".build") + `.dataset.build === "c"`)
		require.Equal(t, "c3", focus(b))
		f.change(func(s *site.Status) { slices.Reverse(s.Builds) })
		b.Until(found(".build") + `.dataset.build === "a"`)
		require.Equal(t, "c3", focus(b))
	})
	t.Run("when its worker goes: to the one beside it", func(t *testing.T) {
		f.change(func(s *site.Status) { s.Builds[2].Workers = slices.Delete(s.Builds[2].Workers, 1, 2) })
		b.Until("!" + found(dot("c", 3)))
		require.Equal(t, "c9", focus(b))
	})
	t.Run("when all go: to the build", func(t *testing.T) {
		f.change(func(s *site.Status) { s.Builds[2].Workers = nil })
		b.Until("!" + found(row("c")+" .dot"))
		require.Equal(t, "build c", focus(b))
	})
	t.Run("when the build goes: to the one beside it", func(t *testing.T) {
		f.change(func(s *site.Status) { s.Builds = s.Builds[:2] })
		b.Until("!" + found(row("c")))
		require.Equal(t, "build b", focus(b))
	})
	t.Run("when no build is left: to what is live", func(t *testing.T) {
		f.change(func(s *site.Status) { s.Builds = nil })
		b.Until("!" + found(".build"))
		require.Equal(t, "live is nothing, stage is nothing", focus(b))
	})
	b.RequireClean()
}

func TestPage_SpeaksToWhoDoesNotSeeIt(t *testing.T) {
	t.Parallel()
	first, past := aBusySite()
	f := feedOf(t, first, past...)
	b := f.look(t, desk)
	spoken := b.Spoken()
	names := func(role string) (names []string) {
		for _, s := range spoken {
			if s.Role == role {
				names = append(names, s.Name)
			}
		}
		return names
	}

	for _, s := range spoken {
		if slices.Contains([]string{"option", "listbox", "group", "button", "link", "meter", "image", "heading", "region", "complementary"}, s.Role) {
			require.NotEmpty(t, strings.TrimSpace(s.Name), "%v", s)
		}
	}
	require.ElementsMatch(t, []string{"live is c, stage is d", "Builds", "build a", "build b", "build c", "build d", "Legend", "Journal"}, names("heading"))
	require.Equal(t, []string{"Workers of build b", "Workers of build c", "Workers of build d"}, names("listbox"))
	options := names("option")
	require.Len(t, options, 8+16+16)
	require.Equal(t, []string{"worker 1, paused", "worker 2, paused", "worker 3, gone", "worker 4, idle", "worker 1 of the second instance, idle, no request yet"}, options[:5])
	require.Contains(t, names("meter"), "Listen queue of build c")
	require.Contains(t, names("columnheader"), "From → to")
	require.Len(t, names("image"), 6)
	require.Equal(t, []string{""}, names("status"), "nothing has happened yet")
	require.Contains(t, names("main"), "")

	t.Run("of a worker all, once it is reached", func(t *testing.T) {
		browser.Eval[bool](b, found(dot("c", 3))+".focus(), true")
		spoken = b.Spoken()
		i := slices.IndexFunc(spoken, func(s browser.Spoken) bool { return s.Role == "option" && s.Description != "" })
		require.Equal(t, "worker 3, busy", spoken[i].Name)
		require.Regexp(t, `^pid 4703, state busy, code 2026.47-1-g3360f09, started .* ago, requests 300, requests since its start 120, .*, in flight GET /en-US/addon/tab-keeper/ · for 412 ms$`, spoken[i].Description)
	})
	t.Run("nothing more while it changes under the focus", func(t *testing.T) {
		f.change(func(s *site.Status) { s.Builds[2].Workers[2].State, s.Builds[2].Workers[3].State = "idle", "idle" })
		b.Until(found(dot("c", 3)) + `.dataset.state === "idle"`)
		require.Equal(t, "worker 3, busy", b.Attribute(dot("c", 3), "aria-label"))
		require.Equal(t, "worker 4, idle", b.Attribute(dot("c", 4), "aria-label"))
		b.Press(kb.ArrowRight)
		b.Until(found(dot("c", 3)) + `.getAttribute("aria-label") === "worker 3, idle"`)
	})
	b.RequireClean()
}
