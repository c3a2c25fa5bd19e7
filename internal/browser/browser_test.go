package browser_test

import (
	"bytes"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/browser"
)

const host = "http://live.localhost"

// start starts a browser on a site of these pages, by their paths.
func start(t *testing.T, pages map[string]string) *browser.Browser {
	t.Helper()
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes", Path: "/"})
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><meta name=viewport content=width=device-width><title>A page</title><link rel=icon href=data:,>%s<p id=cookie>%s</p>", page, r.Header.Get("Cookie"))
	}))
	t.Cleanup(server.Close)
	return browser.Start(t, strings.TrimPrefix(server.URL, "http://"), "live.localhost", "stage.localhost")
}

func TestBrowser_DoesWhatAPersonDoes(t *testing.T) {
	b := start(t, map[string]string{
		"/":       `<form action=/search><input name=q><button>Go</button></form><a class=late href=/search hidden>later</a><script>setTimeout(() => document.querySelector("a").hidden = false, 50)</script>`,
		"/search": `<h1 data-build=a>Found</h1>`,
	})

	b.Open(host + "/")
	b.Wait("a.late")
	b.Type("input[name=q]", "a word")
	b.Enter("input[name=q]")

	require.Equal(t, "/search?q=a+word", b.Path())
	require.Equal(t, "Found", b.Text("h1"))
	require.Equal(t, "a", b.Attribute("h1", "data-build"))
	require.Equal(t, 2, browser.Eval[int](b, "1 + 1"))
	require.Contains(t, b.Loaded(), host+"/search?q=a+word")
	b.Open(host + "/")
	b.Follow("button")
	require.Equal(t, "/search?q=", b.Path())
	b.RequireClean()

	t.Run("in another tab, which has the cookies of its host only", func(t *testing.T) {
		other := b.Tab()
		other.Open(host + "/search")
		require.Equal(t, "seen=yes", other.Text("#cookie"))
		other.Open("http://stage.localhost/search")
		require.Empty(t, browser.Eval[string](other, `document.querySelector("#cookie").innerText`))
		other.RequireClean()
	})
}

func TestBrowser_HasThePersonsEyesAndHands(t *testing.T) {
	b := start(t, map[string]string{
		"/": `<button aria-label="Do it" title="at once">x</button><input>
			<script>
				const seen = (what) => document.body.dataset[what] = "";
				document.querySelector("button").addEventListener("pointerover", (e) => seen(e.pointerType));
				document.querySelector("button").addEventListener("click", () => seen("click"));
				document.querySelector("input").addEventListener("focus", () => seen("focus"));
			</script>`,
	})
	prefers := func(query string) bool {
		return browser.Eval[bool](b, fmt.Sprintf("matchMedia(%q).matches", query))
	}
	b.BeforeEachPage("window.before = true")

	b.See(browser.Eyes{Width: 1000, Height: 500, Dark: true, Calm: true})
	b.Open(host + "/")
	require.True(t, browser.Eval[bool](b, "window.before"))
	require.True(t, prefers("(width: 1000px) and (prefers-color-scheme: dark) and (prefers-reduced-motion: reduce)"))
	b.Point("button")
	b.Until(`"mouse" in document.body.dataset`)
	b.Press(kb.Tab + kb.Tab)
	b.Until(`"focus" in document.body.dataset`)
	require.Contains(t, b.Spoken(), browser.Spoken{Role: "button", Name: "Do it", Description: "at once"})

	b.See(browser.Eyes{Width: 360, Height: 500, Phone: true})
	require.True(t, prefers("(width: 360px) and (prefers-color-scheme: light) and (prefers-reduced-motion: no-preference) and (pointer: coarse)"))
	b.Tap("button")
	b.Until(`"touch" in document.body.dataset && "click" in document.body.dataset`)
	picture, err := png.DecodeConfig(bytes.NewReader(b.Picture()))
	require.NoError(t, err)
	require.Equal(t, []int{360, 500}, []int{picture.Width, picture.Height})
	b.RequireClean()
}

// A stream of events has no end that anybody would wait for.
func TestBrowser_DoesNotWaitForStreams(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/events" {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<link rel=icon href=data:,><script>new EventSource("/events").onmessage = (e) => document.title = e.data</script>`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: news\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	b := browser.Start(t, strings.TrimPrefix(server.URL, "http://"), "live.localhost")
	t.Cleanup(server.CloseClientConnections)

	b.Open(host + "/")
	b.Until(`document.title === "news"`)
	require.Contains(t, b.Loaded(), host+"/events")
	b.RequireClean()
}

func TestBrowser_SeesWhatIsBroken(t *testing.T) {
	pages := map[string]string{
		"/console":   `<script>console.error("a thing", "went wrong")</script>`,
		"/exception": `<script>throw new Error("nobody catches this")</script>`,
		"/promise":   `<script>Promise.reject(new Error("nor this"))</script>`,
		"/missing":   `<img src=/missing.png>`,
		"/elsewhere": `<img src=http://elsewhere.example/>`,
	}
	b := start(t, pages)
	for path, want := range map[string]string{
		"/console":   `console: "a thing" "went wrong"`,
		"/exception": "exception: Uncaught Error: nobody catches this",
		"/promise":   "exception: Uncaught (in promise) Error: nor this",
		"/missing":   "status 404: " + host + "/missing.png",
		"/elsewhere": "failed: net::ERR_NAME_NOT_RESOLVED: http://elsewhere.example/",
	} {
		t.Run(path, func(t *testing.T) {
			tab := b.Tab()
			tab.Open(host + path)
			require.Contains(t, strings.Join(tab.Broken(), "\n"), want)
		})
	}
}
