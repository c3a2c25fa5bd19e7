package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/watch"
)

// Eyes are how a person looks at pages, and with what.
type Eyes struct {
	Width, Height int64
	// Phone is a screen for fingers.
	Phone bool
	// Dark prefers dark colours, and Calm wants nothing to move.
	Dark, Calm bool
}

// See looks at this page, and at all that are opened after it, with other eyes.
func (b *Browser) See(eyes Eyes) {
	b.t.Helper()
	var options []chromedp.EmulateViewportOption
	if eyes.Phone {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	do(b, "change the window", chromedp.EmulateViewport(eyes.Width, eyes.Height, options...))
	do(b, "change what is preferred", call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: choose(eyes.Dark, "dark", "light")},
		{Name: "prefers-reduced-motion", Value: choose(eyes.Calm, "reduce", "no-preference")},
	}}))
}

func choose(yes bool, one, other string) string {
	if yes {
		return one
	}
	return other
}

// call is a command of the browser as an action.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[R] {
	return func(ctx context.Context, target *chromedp.Target) (R, error) {
		return cdp.Call(ctx, target, command, params)
	}
}

// Until returns when a JavaScript expression is true on the page, or on the one
// that comes after it: that it cannot be told of a page that goes is no failure.
func (b *Browser) Until(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	var last error
	err := watch.Until(ctx, every, func() (holds bool, _ error) {
		holds, last = chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		return holds && last == nil, nil
	})
	require.NoError(b.t, errors.Join(err, last), "it never came that %s", expression)
}

// Press presses keys, one after the other; those without a sign are in package kb.
func (b *Browser) Press(keys string) {
	b.t.Helper()
	do(b, fmt.Sprintf("press %q", keys), chromedp.KeyEvent(keys))
}

// Point moves the mouse over what the selector finds first.
func (b *Browser) Point(selector string) {
	b.t.Helper()
	x, y := b.middle(selector)
	do(b, "point at "+selector, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y))
}

// Tap touches what the selector finds first.
func (b *Browser) Tap(selector string) {
	b.t.Helper()
	x, y := b.middle(selector)
	do(b, "tap "+selector, chromedp.TapXY(x, y))
}

// middle scrolls to it, and waits until that is on the screen: a finger touches
// what is drawn.
func (b *Browser) middle(selector string) (x, y float64) {
	b.t.Helper()
	place := do(b, "find "+selector, chromedp.Evaluate[[]float64](fmt.Sprintf(`new Promise((found) => {
		const e = document.querySelector(%q);
		e.scrollIntoView({ block: "nearest" });
		requestAnimationFrame(() => requestAnimationFrame(() => {
			const box = e.getBoundingClientRect();
			found([box.left + box.width / 2, box.top + box.height / 2]);
		}));
	})`, selector), chromedp.EvalAwaitPromise))
	return place[0], place[1]
}

// Picture is the window as PNG.
func (b *Browser) Picture() []byte {
	b.t.Helper()
	return do(b, "take a picture", chromedp.CaptureScreenshot())
}

// BeforeEachPage runs a script in every page that is opened after this, before
// the page's own.
func (b *Browser) BeforeEachPage(script string) {
	b.t.Helper()
	do(b, "add a script", call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script}))
}

// Spoken is what a screen reader is told of one thing on the page.
type Spoken struct{ Role, Name, Description string }

// Spoken is all that a screen reader is told of the page.
func (b *Browser) Spoken() []Spoken {
	b.t.Helper()
	var spoken []Spoken
	for _, node := range do(b, "the accessibility tree", call(accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})).Nodes {
		if !node.Ignored {
			spoken = append(spoken, Spoken{text(node.Role), text(node.Name), text(node.Description)})
		}
	}
	return spoken
}

func text(value *accessibility.Value) string {
	var text string
	if value != nil && json.Unmarshal(value.Value, &text) != nil {
		return string(value.Value)
	}
	return text
}
