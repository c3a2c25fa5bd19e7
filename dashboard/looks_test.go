package dashboard_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/browser"
	"github.com/hadjango/hadjango/site"
)

var states = []site.WorkerState{"idle", "busy", "cheaped", "starting", "paused", "gone"}

// looks is a build with a worker in each state that has answered requests, and
// then one in each that has not.
func looks(name builds.Name, pointer string) site.BuildStatus {
	b := active(name, pointer, "2026.47", 2*len(states))
	for i := range b.Workers {
		w := &b.Workers[i]
		w.State = states[i%len(states)]
		if i >= len(states) {
			w.RequestsSinceStart = 0
		}
	}
	return b
}

// What a worker does can be told by who sees no colours, in a row of few and in
// one of many.
func TestPage_EveryStateLooksDifferentWithoutColour(t *testing.T) {
	t.Parallel()
	first := aSite()
	first.Builds = []site.BuildStatus{looks("a", "live"), looks("b", "stage")}
	for id := 100; id < 160; id++ {
		first.Builds[1].Workers = append(first.Builds[1].Workers, idle("", id, "2026.47"))
	}
	f := feedOf(t, first)

	for name, eyes := range map[string]browser.Eyes{"light": desk, "dark": {Width: 1360, Height: 900, Dark: true, Calm: true}} {
		t.Run(name, func(t *testing.T) {
			b := f.look(t, eyes)
			picture, err := png.Decode(bytes.NewReader(b.Picture()))
			require.NoError(t, err)
			for _, of := range first.Builds {
				var drawn []*image.Gray
				for id := 1; id <= 2*len(states); id++ {
					drawn = append(drawn, grey(b, picture, dot(of.Name, id)))
				}
				for i := range drawn {
					for j := range i {
						// one that is at rest, or gone, has no process that could have served
						if same := i%len(states) == j%len(states); !same || states[i%len(states)] != "cheaped" && states[i%len(states)] != "gone" {
							require.Greater(t, difference(drawn[i], drawn[j]), 5.0, "%s and %s of build %s", described(i), described(j), of.Name)
						}
					}
				}
			}
		})
	}
}

func described(i int) string {
	return fmt.Sprintf("%s (pale: %v)", states[i%len(states)], i >= len(states))
}

// grey is a part of the window's picture without colours.
func grey(b *browser.Browser, picture image.Image, selector string) *image.Gray {
	box := browser.Eval[[]float64](b, `(({ left, top, width, height }) => [left, top, width, height])(`+found(selector)+`.getBoundingClientRect())`)
	x, y := int(box[0]+0.5), int(box[1]+0.5)
	part := image.NewGray(image.Rect(0, 0, int(box[2]+0.5), int(box[3]+0.5)))
	for py := range part.Rect.Dy() {
		for px := range part.Rect.Dx() {
			part.Set(px, py, color.GrayModel.Convert(picture.At(x+px, y+py)))
		}
	}
	return part
}

// difference is how much the pixels of two pictures differ, of 255.
func difference(a, b *image.Gray) float64 {
	sum := 0
	for i := range a.Pix {
		sum += max(int(a.Pix[i]), int(b.Pix[i])) - min(int(a.Pix[i]), int(b.Pix[i]))
	}
	return float64(sum) / float64(len(a.Pix))
}

// contrasts yields what on the page stands out too little from what is behind
// it: letters by 4.5 to 1, and what a dot is made of by 3 to 1.
const contrasts = `(() => {
	const pixel = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
	const rgb = (colour) => {
		pixel.clearRect(0, 0, 1, 1);
		pixel.fillStyle = colour;
		pixel.fillRect(0, 0, 1, 1);
		return [...pixel.getImageData(0, 0, 1, 1).data];
	};
	const luminance = (colour) => {
		const [r, g, b] = rgb(colour).map((v) => v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const contrast = (a, b) => {
		const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
		return (high + 0.05) / (low + 0.05);
	};
	const behind = (e) => {
		for (; e; e = e.parentElement) {
			const colour = getComputedStyle(e).backgroundColor;
			if (rgb(colour)[3] === 255) return colour;
		}
		return "white";
	};
	const faint = [], looked = { letters: 0, graphics: 0 };
	const check = (kind, e, colour, paper, least) => {
		looked[kind]++;
		const ratio = contrast(colour, paper);
		if (!(ratio >= least)) faint.push(e.outerHTML.slice(0, 90) + ": " + colour + " on " + paper + " is " + ratio.toFixed(2));
	};
	for (const e of document.querySelectorAll("body *")) {
		if (e.closest(".unseen, noscript, template, svg") || !e.checkVisibility()) continue;
		const style = getComputedStyle(e);
		if ([...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) check("letters", e, style.color, behind(e), 4.5);
	}
	for (const e of document.querySelectorAll(".dot")) {
		const ring = getComputedStyle(e, "::after"), disc = getComputedStyle(e, "::before"), paper = behind(e);
		if (e.dataset.state !== "gone") check("graphics", e, ring.borderTopColor, paper, 3);
		// a pale disc has an outline instead
		if (disc.backgroundImage === "none" && disc.boxShadow === "none") check("graphics", e, disc.backgroundColor, paper, 3);
		if (disc.boxShadow !== "none") check("graphics", e, disc.boxShadow.match(/^\S+\([^)]*\)/)[0], paper, 3);
	}
	for (const e of document.querySelectorAll(".plot .line")) check("graphics", e, getComputedStyle(e).stroke, behind(e.parentElement), 3);
	for (const e of document.querySelectorAll(".swatch, .meter i")) check("graphics", e, getComputedStyle(e).backgroundColor, behind(e.parentElement), 3);
	for (const e of document.querySelectorAll(".meter")) check("graphics", e, getComputedStyle(e).borderTopColor, behind(e.parentElement), 3);
	for (const [name, n] of Object.entries(looked)) if (n < 30) faint.push("looked at only " + n + " " + name);
	return faint;
})()`

func TestPage_EverythingStandsOut(t *testing.T) {
	t.Parallel()
	first, past := aBusySite()
	first.Servers.Nginx = false
	first.HalfDone = &site.HalfDone{Task: "swapLive", User: "ann", Host: "web1"}
	first.Builds[1].Trouble, first.Builds[3].ListenQueue, first.Builds[0].State = "no answer", 900, site.Broken
	first.Builds = append(first.Builds, looks("e", ""))
	// every hue there can be
	for i := range 60 {
		first.Builds[4].Workers = append(first.Builds[4].Workers, idle("", 100+i, fmt.Sprint("tag", i)))
	}
	f := feedOf(t, first, past...)

	for name, eyes := range map[string]browser.Eyes{"light": desk, "dark": {Width: 1360, Height: 900, Dark: true, Calm: true}} {
		t.Run(name, func(t *testing.T) {
			b := f.look(t, eyes)
			b.Point(dot("c", 3))
			b.Wait("#detail")
			require.Empty(t, browser.Eval[[]string](b, contrasts))
			f.set(func(f *feed) { f.refuse = 503 })
			f.cut()
			b.Wait("#lost")
			require.Empty(t, browser.Eval[[]string](b, contrasts))
			f.set(func(f *feed) { f.refuse = 0 })
		})
	}
}
