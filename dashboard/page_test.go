package dashboard_test

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/dashboard"
	"github.com/hadjango/hadjango/internal/browser"
	"github.com/hadjango/hadjango/site"
)

const origin = "http://live.localhost"

// look opens the page of a feed and waits until it is drawn.
func (f *feed) look(t testing.TB, eyes browser.Eyes) *browser.Browser {
	t.Helper()
	b := browser.Start(t, f.address, "live.localhost")
	b.See(eyes)
	openPage(b)
	return b
}

func openPage(b *browser.Browser) {
	b.Open(origin + "/uwsgi/")
	b.Until(`document.body.classList.contains("settled")`)
}

// desk is a person at a desk, for whom nothing moves: tests wait for no animation.
var desk = browser.Eyes{Width: 1360, Height: 900, Calm: true}

func row(build builds.Name) string { return fmt.Sprintf(`[data-build="%s"]`, build) }

// dot finds a worker of a build's only or first instance.
func dot(build builds.Name, id int) string {
	return fmt.Sprintf(`%s .dot[data-worker="%d"]`, row(build), id)
}

// found is the first that a selector finds, in JavaScript.
func found(selector string) string { return fmt.Sprintf("document.querySelector(%q)", selector) }

// drawn is what can be seen of one worker.
type drawn struct {
	Worker, State, Hue string
	Pale               bool
}

// requireDrawn fails the test unless the page has one dot for each worker, and
// each looks as its worker is.
func requireDrawn(t testing.TB, b *browser.Browser, wanted ...site.BuildStatus) {
	t.Helper()
	hues := map[string]string{}
	for _, of := range wanted {
		got := browser.Eval[[]drawn](b, fmt.Sprintf(`[...document.querySelectorAll(%q)].map((e) => ({
			Worker: e.dataset.worker, State: e.dataset.state, Hue: e.style.getPropertyValue("--hue"), Pale: e.classList.contains("fresh") }))`,
			row(of.Name)+" .workers .dot:not(.leaving)"))
		require.Len(t, got, len(of.Workers), of.Name)
		for i, w := range of.Workers {
			if _, seen := hues[w.Tag]; !seen {
				hues[w.Tag] = got[i].Hue
			}
			require.Equal(t, drawn{fmt.Sprint(w.ID), string(w.State), hues[w.Tag], w.RequestsSinceStart == 0}, got[i], of.Name)
		}
	}
	for one, hue := range hues {
		for other := range hues {
			require.Equal(t, one == other, hue == hues[other], "%s and %s: colour is code", one, other)
		}
	}
}

func TestPage_ShowsWhatTheFeedSays(t *testing.T) {
	t.Parallel()
	first, past := aBusySite()
	first.Servers.Zergs = false
	first.HalfDone = &site.HalfDone{Task: "swapLive d", User: "ann", Host: "web1", Began: time.Now(), LastStep: "stage d", Undo: true}
	first.Builds[1].Trouble = "the vassal's stats socket does not answer"
	f := feedOf(t, first, past...)
	b := f.look(t, desk)
	shows := func(selector, pattern string) {
		t.Helper()
		require.Regexp(t, "(?s)"+pattern, b.Text(selector))
	}

	requireDrawn(t, b, first.Builds...)
	shows("h1", `^live is c, stage is d$`)
	require.Equal(t, "live is c · hadjango", browser.Eval[string](b, "document.title"))
	shows(row("c")+" h3", `^c$`)
	shows(row("c")+" .badge", `^live$`)
	shows(row("d")+" .badge", `^stage$`)
	shows(row("a")+" .badge", `^none$`)
	shows(row("c")+" .code", `2026\.47-1-g3360f09.*active.*3 h.*2020.*412 MB.*55 MB.*218,402`)
	shows(row("c")+" .count", `^5 busy · 2 cheaped · 9 idle$`)
	shows(row("a")+" .count", `^no workers$`)
	shows(row("b")+" .trouble", `stats socket does not answer`)
	shows(row("c")+" .queue", `41 of 1,024`)
	shows(row("c")+" .rate", `182.4|182`)
	shows(row("c")+" .time", `23 ms`)
	shows("#servers", `zergs is down`)
	shows("#half", `swapLive d is half done.*by ann on web1.*after stage d.*finish it with mage resume, or take it back with mage undo`)
	shows("#journal tr:first-child", `ann@web1.*stage d.*b → d.*9.00 s.*ok`)
	shows("#journal tr:nth-child(4)", `activate c.*– → c.*error: activate c: /healthz`)
	require.InDelta(t, 41.0/1024, browser.Eval[float64](b, `new DOMMatrix(getComputedStyle(`+found(row("c")+" .meter i")+`).transform).a`), 0.001)
	b.RequireClean()
	for _, loaded := range b.Loaded() {
		require.True(t, strings.HasPrefix(loaded, origin+"/uwsgi/") || strings.HasPrefix(loaded, "data:"), loaded)
	}

	t.Run("until the half done task is settled and the server is back", func(t *testing.T) {
		f.say(func(s *site.Status) { s.HalfDone, s.Servers.Zergs = nil, true })
		b.Until(found("#half") + ".hidden && !" + found("#servers .down"))
		f.say(func(s *site.Status) { s.Builds, s.Journal = nil, nil })
		b.Until(`!document.querySelector(".build") && !` + found("#none") + ".hidden && !" + found("#no-journal") + ".hidden")
	})
}

func TestPage_DrawsTheLastFiveMinutes(t *testing.T) {
	t.Parallel()
	first, past := aBusySite()
	f := feedOf(t, first, past...)
	b := f.look(t, desk)
	begins := func(build builds.Name) float64 {
		return browser.Eval[float64](b, `Number(`+found(row(build)+" .rate .line")+`.getAttribute("d").match(/^M([\d.]+)/)[1])`)
	}

	require.Less(t, begins("c"), 5.0, "it was measured all the time")
	require.Greater(t, begins("d"), 75.0, "nobody measured it before it was there")
	require.Regexp(t, `^Requests per second of build c in the last 5 minutes: now \d\d\d, lowest 1\d\d, highest 2\d\d$`,
		b.Attribute(row("c")+" .rate svg", "aria-label"))
	require.Regexp(t, `^Average response time of build c in the last 5 minutes: now 2\d ms, lowest \d\d ms, highest \d\d ms$`,
		b.Attribute(row("c")+" .time svg", "aria-label"))
	require.Equal(t, b.Text(row("c")+" .rate .peak"), b.Text(row("d")+" .rate .peak"), "all are drawn to one scale")

	f.change(func(s *site.Status) { s.Builds[2].RequestsPerSecond = 900 })
	b.Until(found(row("d")+" .rate .peak") + `.textContent === "1,000"`)
	require.Equal(t, "900", b.Text(row("c")+" .rate .value"))
	b.RequireClean()
}

func TestPage_ShowsChangesAsTheyHappen(t *testing.T) {
	t.Parallel()
	f := feedOf(t, aSite())
	b := f.look(t, desk)
	said := func() string { return browser.Eval[string](b, found("#announce")+".textContent") }
	rail := func(pointer string) string {
		return browser.Eval[string](b, found("#rails path."+pointer)+`.getAttribute("d")`)
	}

	t.Run("a swap", func(t *testing.T) {
		live, stage := rail("live"), rail("stage")
		f.change(func(s *site.Status) { s.Builds[1].Pointer, s.Builds[2].Pointer = "stage", "live" })
		b.Until(found("h1") + `.textContent === "live is c, stage is b" && ` + found(row("c")+".arrived"))
		require.Equal(t, "live", b.Text(row("c")+" .badge"))
		require.Equal(t, "stage", b.Text(row("b")+" .badge"))
		require.Equal(t, "live is c · hadjango", browser.Eval[string](b, "document.title"))
		require.Equal(t, "live is now c, it was b", said())
		require.NotEqual(t, live, rail("live"))
		require.NotEqual(t, stage, rail("stage"))
		b.Until("!" + found(".arrived"))
	})
	t.Run("a build that is made, started and warmed", func(t *testing.T) {
		cold := active("d", "", "2026.49", 4)
		for i := range cold.Workers {
			cold.Workers[i].State, cold.Workers[i].RequestsSinceStart = "starting", 0
		}
		f.change(func(s *site.Status) {
			s.Builds = append(s.Builds, site.BuildStatus{Name: "d", State: site.Incomplete, Port: 2030, Tag: "2026.49"})
		})
		b.Until(found(row("d")))
		f.change(func(s *site.Status) { s.Builds[3] = cold })
		b.Until(found(dot("d", 4)))
		requireDrawn(t, b, cold)
		for i := range cold.Workers {
			f.change(func(s *site.Status) {
				s.Builds[3].Workers[i].State, s.Builds[3].Workers[i].RequestsSinceStart = "idle", 1
			})
			b.Until(`!` + found(dot("d", i+1)) + `.classList.contains("fresh")`)
		}
		requireDrawn(t, b, f.status.Builds...)
	})
	t.Run("workers that relieve others", func(t *testing.T) {
		f.change(func(s *site.Status) {
			s.Builds[2].Workers = append(s.Builds[2].Workers, idle("second", 1, "2026.48"), idle("second", 2, "2026.48"))
		})
		b.Until(`document.querySelectorAll('` + row("c") + ` .gang').length === 2`)
		requireDrawn(t, b, f.status.Builds...)
		f.change(func(s *site.Status) { s.Builds[2].Workers = s.Builds[2].Workers[4:] })
		b.Until(`document.querySelectorAll('` + row("c") + ` .gang').length === 1`)
		requireDrawn(t, b, f.status.Builds...)
	})
	t.Run("a build that is deactivated, stopped and removed", func(t *testing.T) {
		f.change(func(s *site.Status) { s.Builds[3].State, s.Builds[3].Workers = "idle", nil })
		b.Until("!" + found(row("d")+" .dot"))
		require.Equal(t, "no workers", b.Text(row("d")+" .count"))
		f.change(func(s *site.Status) { s.Builds = s.Builds[:3] })
		b.Until("!" + found(row("d")))
	})
	require.Equal(t, "live is now c, it was b", said(), "only swaps are said")
	b.RequireClean()
}

// What nobody wants to see move changes at once; for others the old workers fade,
// the badge is on its way and the rails turn.
func TestPage_MovesOnlyForWhoLikesIt(t *testing.T) {
	t.Parallel()
	f := feedOf(t, aSite())
	b := f.look(t, browser.Eyes{Width: 1360, Height: 900})
	const moving = `document.getAnimations().filter((a) => a.effect.target.matches(".badge, .dot")).length`

	b.Until(moving + " === 0")
	browser.Eval[bool](b, `window.moved = 0, window.faded = 0, new MutationObserver(() => {
		window.moved += document.querySelector(".badge[data-pointer=live]").getAnimations().length;
		window.faded += [...document.querySelectorAll(".dot.leaving")].filter((e) => e.checkVisibility()).length;
	}).observe(document.body, { subtree: true, childList: true, attributes: true }), true`)
	f.change(func(s *site.Status) { s.Builds[1].Pointer, s.Builds[2].Pointer = "stage", "live" })
	b.Until("window.moved > 0")
	f.change(func(s *site.Status) { s.Builds[1].Workers = nil })
	b.Until("window.faded > 0")
	b.Until("!" + found(dot("b", 1)))

	b.See(desk)
	f.change(func(s *site.Status) {
		s.Builds[1].Pointer, s.Builds[2].Pointer = "live", "stage"
		s.Builds[2].Workers[0].State = "starting"
	})
	b.Until(found(dot("c", 1)) + `.dataset.state === "starting"`)
	require.Zero(t, browser.Eval[int](b, moving))
	b.RequireClean()
}

func TestPage_TouchesOnlyWhatIsDifferent(t *testing.T) {
	t.Parallel()
	f := feedOf(t, aSite())
	b := f.look(t, desk)
	browser.Eval[bool](b, `window.touched = new Set(), window.beats = 0,
		new MutationObserver((all) => all.forEach((m) => {
			const dot = m.target.closest?.(".dot");
			if (dot) window.touched.add(dot.closest(".build").dataset.build + dot.dataset.worker);
		})).observe(document.querySelector("#builds"), { subtree: true, childList: true, attributes: true }),
		new MutationObserver(() => window.beats++).observe(document.querySelector("#link-text"), { childList: true }), true`)

	b.Until("window.beats >= 2")
	require.Empty(t, browser.Eval[[]string](b, "[...window.touched]"), "a heartbeat changes nothing")
	f.change(func(s *site.Status) { s.Builds[1].Workers[2].State = "busy" })
	b.Until(found(dot("b", 3)) + `.dataset.state === "busy"`)
	require.Equal(t, []string{"b3"}, browser.Eval[[]string](b, "[...window.touched]"))
}

func TestPage_ShowsAWorker(t *testing.T) {
	t.Parallel()
	first := aSite()
	w := &first.Builds[1].Workers[2]
	w.State, w.Exceptions, w.RunningSeconds, w.MemoryBytes = "busy", 7, 3.5, 33<<20
	w.Request = &site.RequestStatus{Method: "POST", Path: "/en-US/users/edit?x=1", RunningSeconds: 0.4}
	f := feedOf(t, first)
	b := f.look(t, desk)
	const wanted = `(?s)Worker 3 of build b.*4703.*busy.*2026\.47.*2 h ago.*300.*120.*3\.50 s.*12 ms.*33 MB.*7.*POST /en-US/users/edit\?x=1 · for 400 ms`
	closed := func() { t.Helper(); b.Until(found("#detail") + ".hidden") }

	t.Run("that the mouse is on, and as it changes", func(t *testing.T) {
		b.Point(dot("b", 3))
		b.Wait("#detail")
		require.Regexp(t, wanted, b.Text("#detail"))
		f.change(func(s *site.Status) { s.Builds[1].Workers[2].Exceptions = 8 })
		b.Until(found("#detail [data-field=exceptions]") + `.textContent === "8"`)
		f.change(func(s *site.Status) { s.Builds[1].Workers[2].Exceptions = 7 })
		b.Point("#detail dl")
		time.Sleep(400 * time.Millisecond) // longer than it waits before it closes
		require.True(t, browser.Eval[bool](b, "!"+found("#detail")+".hidden"), "the mouse may go into it")
		b.Point("h1")
		closed()
	})
	t.Run("that has the focus, until Escape", func(t *testing.T) {
		browser.Eval[bool](b, found(dot("b", 3))+".focus(), true")
		b.Wait("#detail")
		require.Regexp(t, wanted, b.Text("#detail"))
		b.Press("\x1b")
		closed()
		require.True(t, browser.Eval[bool](b, "document.activeElement === "+found(dot("b", 3))))
	})
	t.Run("that is clicked, until it is closed", func(t *testing.T) {
		b.Click(dot("b", 3))
		b.Point("h1")
		b.Wait("#detail")
		b.Click("#detail .close")
		closed()
	})
	t.Run("that is tapped", func(t *testing.T) {
		b.See(browser.Eyes{Width: 390, Height: 700, Phone: true, Calm: true})
		b.Tap(dot("b", 3))
		b.Wait("#detail")
		require.Regexp(t, wanted, b.Text("#detail"))
		require.True(t, browser.Eval[bool](b, `(({ bottom, width }) => bottom === innerHeight && width === innerWidth)(`+found("#detail")+`.getBoundingClientRect())`))
		b.Tap("h1")
		closed()
	})
	t.Run("that is tapped at the foot of the screen, where they come up", func(t *testing.T) {
		browser.Eval[bool](b, `scrollBy(0, `+found(dot("c", 2))+`.getBoundingClientRect().bottom + 5 - innerHeight), true`)
		b.Tap(dot("c", 2))
		b.Wait("#detail")
		require.Contains(t, b.Text("#detail"), "Worker 2 of build c")
		require.True(t, browser.Eval[bool](b, found(dot("c", 2))+`.getBoundingClientRect().bottom < `+found("#detail")+`.getBoundingClientRect().top`))
		b.Tap("#detail .close")
		closed()
	})
	t.Run("that goes while it is shown", func(t *testing.T) {
		b.Tap(dot("b", 3))
		b.Wait("#detail")
		f.change(func(s *site.Status) { s.Builds[1].Workers = s.Builds[1].Workers[:2] })
		b.Until("!" + found(dot("b", 3)))
	})
	b.RequireClean()
}

func TestPage_ShowsHostileTextAsText(t *testing.T) {
	t.Parallel()
	const hostile = "/\"'><img src=x onerror=window.caught=1>\n<script>window.caught=1</script>\u202e\u2066gnp.exe\u0000"
	const shown = `/"'><img src=x onerror=window.caught=1>\u{a}<script>window.caught=1</script>\u{202e}\u{2066}gnp.exe\u{0}`
	long := hostile + strings.Repeat("x", 5000)
	first := aSite()
	b0 := &first.Builds[1]
	b0.Tag, b0.Trouble = long, long
	b0.Workers[0].Tag, b0.Workers[0].State = hostile, "busy"
	b0.Workers[0].Request = &site.RequestStatus{Method: hostile, Path: long, RunningSeconds: 1}
	first.LiveURL = "javascript:window.caught=1"
	first.HalfDone = &site.HalfDone{Task: hostile, User: hostile, Host: hostile, LastStep: hostile}
	first.Journal = []site.Past{did(0, 0, hostile, builds.Outcome{Result: builds.Failed, Error: long}, hostile, long)}
	f := feedOf(t, first)

	for name, eyes := range map[string]browser.Eyes{"at a desk": desk, "on a phone": {Width: 360, Height: 740, Phone: true, Calm: true}} {
		t.Run(name, func(t *testing.T) {
			b := f.look(t, eyes)
			browser.Eval[bool](b, found(dot("b", 1))+".focus(), true")
			b.Wait("#detail")
			require.Contains(t, b.Text("#detail [data-field=request]"), shown)
			require.Contains(t, b.Text("#detail [data-field=request]"), "characters more")
			require.Contains(t, b.Text("#detail [data-field=tag]"), shown)
			require.Contains(t, b.Text("#half"), shown)
			require.Contains(t, browser.Eval[string](b, found("#journal")+".textContent"), shown)
			require.Contains(t, b.Text(row("b")+" .trouble"), shown)
			require.Equal(t, []bool{false, false}, browser.Eval[[]bool](b,
				`["caught" in window, Boolean(document.querySelector("img, body script, iframe, a[href^=javascript]"))]`))
			requireFits(t, b)
			require.True(t, browser.Eval[bool](b, `(({ top, left, right, bottom }) => top >= 0 && left >= 0 && right <= innerWidth && bottom <= innerHeight)(`+found("#detail")+`.getBoundingClientRect())`))
			b.RequireClean()
		})
	}
}

func TestPage_FitsAPhone(t *testing.T) {
	t.Parallel()
	first, past := aBusySite()
	first.Builds = append(first.Builds, active("e", "", strings.Repeat("a-very-long-tag-", 12), 300))
	first.Servers.Nginx = false
	f := feedOf(t, first, past...)
	b := f.look(t, browser.Eyes{Width: 360, Height: 740, Phone: true, Calm: true})

	for _, width := range []int64{320, 360, 600, 601, 760, 761, 940, 941, 1180, 1181, 1360, 2200} {
		b.See(browser.Eyes{Width: width, Height: 740, Calm: true})
		requireFits(t, b)
	}
	b.RequireClean()
}

// requireFits fails the test when the page is wider than its window.
func requireFits(t testing.TB, b *browser.Browser) {
	t.Helper()
	require.Empty(t, browser.Eval[[]string](b, `document.documentElement.scrollWidth <= innerWidth ? []
		: [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML.slice(0, 80))`))
}

func TestPage_ColoursAreTheSystemsUntilSomebodyChooses(t *testing.T) {
	t.Parallel()
	f := feedOf(t, aSite())
	b := f.look(t, desk)
	const paper = `getComputedStyle(document.documentElement).backgroundColor`
	light := browser.Eval[string](b, paper)

	dark := desk
	dark.Dark = true
	b.See(dark)
	require.NotEqual(t, light, browser.Eval[string](b, paper))
	b.Click("#scheme")
	require.Equal(t, "light", b.Text("#scheme"))
	require.Equal(t, light, browser.Eval[string](b, paper))
	openPage(b)
	require.Equal(t, light, browser.Eval[string](b, paper), "it is remembered")
	b.Click("#scheme")
	b.Click("#scheme")
	require.Equal(t, "auto", b.Text("#scheme"))
	require.NotEqual(t, light, browser.Eval[string](b, paper))
	b.RequireClean()
}

// A page that stays open for weeks sees many tags, and gives their colours back.
func TestPage_ColoursOfTwoTagsStayApart(t *testing.T) {
	t.Parallel()
	f := feedOf(t, aSite())
	b := f.look(t, desk)
	for n := range 20 {
		f.change(func(s *site.Status) {
			for i := range s.Builds {
				tag := fmt.Sprintf("v%d.%d", n, i%2)
				s.Builds[i].Tag = tag
				for j := range s.Builds[i].Workers {
					s.Builds[i].Workers[j].Tag = tag
				}
			}
		})
		b.Until(fmt.Sprintf(`%s.textContent === "v%d.0"`, found(row("a")+" .tag span"), n))
	}
	hues := browser.Eval[[]float64](b, `["a", "b"].map((name) => Number(document.querySelector("#build-" + name).style.getPropertyValue("--hue")))`)
	require.GreaterOrEqual(t, math.Abs(hues[0]-hues[1]), 40.0)
	b.RequireClean()
}

// A thousand workers that all change twice a second are the most that the page
// is meant for. Each change is drawn once: nothing moves in the frames between.
// How smooth that is is printed; that nothing is lost is required.
func TestPage_LosesNoUpdateOfAThousandWorkers(t *testing.T) {
	t.Parallel()
	const updates = 12
	first := aSite()
	first.Builds = nil
	for i := range 10 {
		first.Builds = append(first.Builds, active(builds.Name(rune('a'+i)), []string{"live", "stage", "", "", "", "", "", "", "", ""}[i], fmt.Sprint("v", i), 100))
	}
	f := feedOf(t, first)
	lively := desk
	lively.Calm = false
	b := f.look(t, lively)
	browser.Eval[bool](b, `window.frames_ = [], window.long = [],
		(function frame(at) { window.frames_.push(at); requestAnimationFrame(frame); })(performance.now()),
		new PerformanceObserver((list) => window.long.push(...list.getEntries().map((e) => e.duration))).observe({ type: "longtask" }),
		window.moving = [], window.seen = 0, new MutationObserver(() => {
			window.seen++;
			requestAnimationFrame(() => window.moving.push(document.getAnimations().length));
		}).observe(`+found(dot("e", 50))+`, { attributeFilter: ["data-state"] }), true`)

	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for n := range updates {
		f.change(func(s *site.Status) {
			for i := range s.Builds {
				for j := range s.Builds[i].Workers {
					w := &s.Builds[i].Workers[j]
					w.State = []site.WorkerState{"busy", "idle"}[n%2]
					w.Requests, w.RequestsSinceStart = w.Requests+1, int64(n%3)
				}
			}
		})
		<-tick.C
	}
	b.Until(found(dot("j", 100)) + `.dataset.state === "idle"`)
	requireDrawn(t, b, f.status.Builds...)

	type measured struct {
		Median, Longest, LongTasks, LongestTask, Seen, Moving float64
	}
	m := browser.Eval[measured](b, `(() => {
		const gaps = window.frames_.slice(2).map((at, i) => at - window.frames_[i + 1]).sort((a, b) => a - b);
		return { Median: gaps[gaps.length >> 1], Longest: gaps.at(-1), LongTasks: window.long.length, LongestTask: Math.max(0, ...window.long), Seen: window.seen, Moving: Math.max(...window.moving) };
	})()`)
	require.NotZero(t, m.Seen)
	require.Less(t, m.Moving, 50.0, "animations at once")
	t.Logf("1,000 workers, %d updates of all, %.0f drawn each by itself: a frame every %.0f ms, the longest took %.0f ms; %.0f tasks of more than 50 ms, the longest %.0f ms",
		updates, m.Seen, m.Median, m.Longest, m.LongTasks, m.LongestTask)
	b.RequireClean()
}

func TestPage_IsItsFilesAndNothingElse(t *testing.T) {
	t.Parallel()
	address := serve(t, shop(), dashboard.Options{})
	files, err := os.ReadDir("page")
	require.NoError(t, err)
	kinds := map[string]string{".html": "text/html", ".css": "text/css", ".js": "javascript"}

	for _, file := range files {
		answer, _ := ask(t, http.MethodGet, address+strings.TrimSuffix(file.Name(), "index.html"))
		require.Equal(t, http.StatusOK, answer.StatusCode, file)
		require.Contains(t, answer.Header.Get("Content-Type"), kinds[filepath.Ext(file.Name())], file)
	}
	for _, path := range []string{"page", "page.go", "other"} {
		answer, _ := ask(t, http.MethodGet, address+path)
		require.Equal(t, http.StatusNotFound, answer.StatusCode, path)
	}
}
