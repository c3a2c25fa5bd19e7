// Package browser lets a test look at a site as a person does: in Chromium,
// without a window. It remembers all that a person would call broken, so that a
// test can say there was nothing.
package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/servertest"
	"github.com/hadjango/hadjango/internal/watch"
)

// Browser is one tab. The tabs of one browser share their cookies.
type Browser struct {
	t        testing.TB
	ctx      context.Context
	observed *observed
}

// Start starts a browser that knows no host but these, and finds them all at
// the address. It begins with an empty profile and ends with the test, which
// it tells what was on the page if the test has failed.
func Start(t testing.TB, address string, hosts ...string) *Browser {
	t.Helper()
	program := command.Look("chromium")
	if program == "" {
		servertest.Missing(t, fmt.Errorf("chromium is missing"))
	}
	home, err := os.MkdirTemp("", "hjc")
	require.NoError(t, err)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		// it sees nothing but what the test serves, and a container has no
		// sandbox to offer
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", resolverRules(address, hosts)),
		chromedp.Env("HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home, "TMPDIR="+home),
	)...)
	t.Cleanup(func() {
		cancel()
		require.NoError(t, os.RemoveAll(home))
	})
	return open(t, ctx)
}

// resolverRules send the hosts to the address, and all others nowhere.
func resolverRules(address string, hosts []string) string {
	var rules []string
	for _, host := range hosts {
		rules = append(rules, "MAP "+host+" "+address)
	}
	return strings.Join(append(rules, "MAP * ~NOTFOUND"), ", ")
}

// open opens a tab, and the browser with the first one.
func open(t testing.TB, parent context.Context) *Browser {
	t.Helper()
	b := &Browser{t: t, observed: newObserved()}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithListener(b.observed.see))
	b.ctx = ctx
	_, err := chromedp.Run(ctx, enableNetwork)
	require.NoError(t, err)
	_, err = chromedp.Run(ctx, focused)
	require.NoError(t, err)
	t.Cleanup(func() {
		b.explain()
		cancel()
	})
	return b
}

var enableNetwork = call(network.Enable, network.EnableParams{})

// focused lets the page have the focus, which no window without a screen has:
// else it is told nothing of what is focused in it.
var focused = call(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})

// Tab opens another tab.
func (b *Browser) Tab() *Browser {
	b.t.Helper()
	return open(b.t, b.ctx)
}

// limit is far beyond what anything takes that a test waits for.
const limit = time.Minute

// do runs an action and returns what it yields.
func do[T any](b *Browser, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	require.NoError(b.t, err, what)
	return result
}

// Open opens a page and waits until it is loaded.
func (b *Browser) Open(address string) {
	b.t.Helper()
	do(b, "open "+address, chromedp.Navigate(address))
}

// Click clicks what the selector finds first, once it is visible.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	do(b, "click "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Follow is Click for what leads to another page, and waits until that is loaded.
func (b *Browser) Follow(selector string) {
	b.t.Helper()
	b.leave("follow "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Enter presses Enter in a field, and waits until the page that leads to is loaded.
func (b *Browser) Enter(selector string) {
	b.t.Helper()
	b.leave("press Enter in "+selector, chromedp.SendKeys(chromedp.CSS(selector), kb.Enter, chromedp.NodeVisible))
}

// leave does what leads to another page.
func (b *Browser) leave(what string, action chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	_, err := chromedp.RunResponse(ctx, action)
	require.NoError(b.t, err, what)
}

// Type types into a field, after what is in it.
func (b *Browser) Type(selector, text string) {
	b.t.Helper()
	do(b, "type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// Wait returns when what the selector finds is visible.
func (b *Browser) Wait(selector string) {
	b.t.Helper()
	do(b, "wait for "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
}

// Text is what can be read of the first that the selector finds.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	return do(b, "text of "+selector, chromedp.Text(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Attribute is an attribute of the first that the selector finds.
func (b *Browser) Attribute(selector, name string) string {
	b.t.Helper()
	attribute := do(b, "attribute "+name+" of "+selector, chromedp.AttributeValue(chromedp.CSS(selector), name))
	require.True(b.t, attribute.Exists, "%s has no attribute %s", selector, name)
	return attribute.Value
}

// Eval is what a JavaScript expression yields on the page.
func Eval[T any](b *Browser, expression string) T {
	b.t.Helper()
	return do(b, expression, chromedp.Evaluate[T](expression))
}

// Path is where the page is, without its host.
func (b *Browser) Path() string {
	b.t.Helper()
	address, err := url.Parse(do(b, "location", chromedp.Location()))
	require.NoError(b.t, err)
	return address.RequestURI()
}

// Loaded are the addresses of all that this tab has been answered so far.
func (b *Browser) Loaded() []string {
	b.t.Helper()
	b.settle()
	return b.observed.answeredSoFar()
}

// Broken is all that was broken in this tab so far: errors on the console,
// exceptions that nothing caught, requests that failed or were answered with
// 400 or more.
func (b *Browser) Broken() []string {
	b.t.Helper()
	b.settle()
	return b.observed.troublesSoFar()
}

// RequireClean fails the test if anything was broken.
func (b *Browser) RequireClean() {
	b.t.Helper()
	require.Empty(b.t, b.Broken())
}

// every is how often it is looked whether requests have ended.
const every = 5 * time.Millisecond

// settle returns when no request is under way and all that happened is known.
func (b *Browser) settle() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	err := watch.Until(ctx, every, func() (bool, error) {
		// an answer comes after all events that were sent before it
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("true")); err != nil {
			return false, err
		}
		return len(b.observed.underWaySoFar()) == 0, nil
	})
	require.NoError(b.t, err, "requests under way: %v", b.observed.underWaySoFar())
}

// explain shows the page of a test that has failed.
func (b *Browser) explain() {
	if !b.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	address, err := chromedp.Run(ctx, chromedp.Location())
	text, failed := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''"))
	b.t.Logf("the browser is at %s (%v, %v), broken was %q, and it shows:\n%s", address, err, failed, b.observed.troublesSoFar(), text)
	b.screenshot(ctx)
}

func (b *Browser) screenshot(ctx context.Context) {
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(b.t.ArtifactDir(), fmt.Sprintf("page-%d.png", time.Now().UnixNano())), png, 0o644)
	}
	b.t.Logf("screenshot in %s, kept with go test -artifacts (%v)", b.t.ArtifactDir(), err)
}
