package dashboard_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/browser"
)

func linkIs(state string) string { return fmt.Sprintf("document.body.dataset.link === %q", state) }

func TestPage_SaysWhenTheConnectionIsLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]struct {
		how  func(*feed)
		says string
	}{
		"because it is cut": {func(f *feed) { f.refuse = 502 }, `^Connection lost since \d\d:\d\d:\d\d: the dashboard's process does not answer \(502\)\. The keeper .* mage up\. What you see is \d+ s old\.$`},
		"because it does not run": {func(f *feed) {
			f.refuse, f.says = 503, "The dashboard does not run. On the server, this says why: mage doctor\n"
		}, `^Connection lost since .*: The dashboard does not run\. On the server, this says why: mage doctor\. What`},
		"because nothing comes any more":    {func(f *feed) { f.silent = true }, `^Connection lost since \d\d:\d\d:\d\d\. What you see is \d+ s old\.$`},
		"because this address may not look": {func(f *feed) { f.refuse, f.says = 403, "Name\nyour network." }, `^The server refuses to show this since .*: Name your network\. What`},
		"because it is not there any more":  {func(f *feed) { f.refuse = 404 }, `^Connection lost since .*: there is no dashboard here \(404\)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := feedOf(t, aSite())
			b := f.look(t, desk)

			f.set(func(f *feed) { lose.how(f) })
			if name != "because nothing comes any more" {
				f.cut()
			}
			b.Until(fmt.Sprintf("/%s/.test(%s.textContent)", lose.says, found("#lost")))
			require.Equal(t, "connection lost · live is b · hadjango", browser.Eval[string](b, "document.title"))
			require.Regexp(t, "^(Connection lost|The server refuses)", browser.Eval[string](b, found("#announce")+".textContent"))
			require.Equal(t, "live is b, stage is c", b.Text("h1"), "what was known is still shown")

			opened := f.timesOpened()
			require.Eventually(t, func() bool { return f.timesOpened() > opened }, time.Minute, time.Millisecond, "it tries again")
			f.set(func(f *feed) {
				f.refuse, f.silent = 0, false
				f.status.Builds[1].Pointer, f.status.Builds[2].Pointer = "stage", "live"
				f.status.Builds[1].Workers = f.status.Builds[1].Workers[:2]
			})
			f.cut()
			b.Until(linkIs("open") + " && " + found("#lost") + ".hidden")
			b.Until(found("h1") + `.textContent === "live is c, stage is b"`)
			b.Until("!" + found(dot("b", 3)))
			requireDrawn(t, b, f.status.Builds...)
			require.Equal(t, "live is c · hadjango", browser.Eval[string](b, "document.title"))
			require.Equal(t, "connected again: live is now c, it was b", browser.Eval[string](b, found("#announce")+".textContent"))
		})
	}
}

func TestPage_SaysWhyItWasNeverConnected(t *testing.T) {
	t.Parallel()
	f := feedOf(t, aSite())
	f.refuse = 403
	b := browser.Start(t, f.address, "live.localhost")
	b.Open(origin + "/uwsgi/")

	b.Until(fmt.Sprintf("/^The server refuses to show this: it is for visitors on the server itself/.test(%s.textContent)", found("#lost")))
	f.set(func(f *feed) { f.refuse = 0 })
	b.Until(linkIs("open"))
	b.Until(found(dot("b", 1)))
}

// A page in a tab that nobody looks at asks for nothing after a minute, which
// the test makes shorter, and is whole again once it is looked at.
func TestPage_RestsWhileItIsHidden(t *testing.T) {
	t.Parallel()
	f := feedOf(t, aSite())
	b := browser.Start(t, f.address, "live.localhost")
	b.See(desk)
	b.BeforeEachPage(`{
		const original = setTimeout;
		window.setTimeout = (f, ms, ...rest) => original(f, ms === 60_000 ? 1 : ms, ...rest);
		window.hide = (hidden) => {
			Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
			document.dispatchEvent(new Event("visibilitychange"));
		};
	}`)
	openPage(b)

	browser.Eval[bool](b, "window.hide(true), true")
	b.Until(linkIs("asleep"))
	require.Equal(t, "paused · hadjango", browser.Eval[string](b, "document.title"))
	opened := f.timesOpened()
	f.set(func(f *feed) { f.status.Builds[1].Workers = f.status.Builds[1].Workers[:1] })
	time.Sleep(time.Second) // it has this long to open its feed again
	require.Equal(t, opened, f.timesOpened())
	require.True(t, browser.Eval[bool](b, linkIs("asleep")+" && "+found("#lost")+".hidden"))

	browser.Eval[bool](b, "window.hide(false), true")
	b.Until(linkIs("open"))
	b.Until("!" + found(dot("b", 2)))
	require.Equal(t, opened+1, f.timesOpened())
	b.RequireClean()
}

// A server lets nobody watch for ever; who comes again at once is not told that
// something was wrong.
func TestPage_SaysNothingOfAConnectionThatIsBackAtOnce(t *testing.T) {
	t.Parallel()
	f := feedOf(t, aSite())
	b := f.look(t, desk)
	browser.Eval[bool](b, `window.links = [], new MutationObserver(() => window.links.push(document.body.dataset.link))
		.observe(document.body, { attributeFilter: ["data-link"] }), true`)

	f.cut()
	b.Until(`window.links.at(-1) === "open"`)
	require.Equal(t, []string{"connecting", "open"}, browser.Eval[[]string](b, "window.links"))
	require.Empty(t, browser.Eval[string](b, found("#announce")+".textContent"))
	require.True(t, browser.Eval[bool](b, found("#lost")+".hidden"))
}
