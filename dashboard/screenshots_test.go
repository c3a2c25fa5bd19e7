package dashboard_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/browser"
	"github.com/hadjango/hadjango/internal/golden"
	"github.com/hadjango/hadjango/site"
)

// aBusySite has something of everything: a live build with work to do, one on
// stage that is being warmed, one whose workers are relieved by others, one that
// is stopped and one whose stats do not answer.
func aBusySite() (site.Status, []sample) {
	now := time.Now()
	live, stage, before := active("c", "live", "2026.47-1-g3360f09", 16), active("d", "stage", "2026.48", 16), active("b", "", "2026.46", 4)
	for i, state := range map[int]site.WorkerState{0: "busy", 2: "busy", 3: "busy", 7: "busy", 9: "busy", 14: "cheaped", 15: "cheaped"} {
		live.Workers[i].State = state
	}
	live.Workers[2].Request = &site.RequestStatus{Method: "GET", Path: "/en-US/addon/tab-keeper/", RunningSeconds: 0.412}
	for i := range stage.Workers {
		w := &stage.Workers[i]
		w.Requests, w.RequestsSinceStart, w.Started = 0, 0, now.Add(-4*time.Second)
		if i > 8 {
			w.State = site.WorkerStarting
		} else if i < 5 {
			w.Requests, w.RequestsSinceStart = 2, 2
		}
	}
	for i := range before.Workers {
		before.Workers[i].State = []site.WorkerState{"paused", "paused", "gone", "idle"}[i]
		relief := idle("second", i+1, "2026.46.1")
		relief.Requests, relief.RequestsSinceStart = 0, 0
		before.Workers = append(before.Workers, relief)
	}
	live.RequestsPerSecond, live.AverageResponseSeconds, live.ListenQueue, live.Requests, live.MemoryBytes = 182.4, 0.0231, 41, 218_402, 412<<20
	stage.RequestsPerSecond, stage.AverageResponseSeconds, stage.Requests, stage.MemoryBytes, stage.Created = 3.5, 0.061, 10, 388<<20, now.Add(-70*time.Second)
	before.RequestsPerSecond, before.AverageResponseSeconds, before.Requests, before.Created = 0.4, 0.019, 1_240_881, now.Add(-30*time.Hour)
	all := aSite()
	all.Builds = []site.BuildStatus{stopped("a", "2026.45"), before, live, stage}
	all.Journal = []site.Past{
		did(12*time.Second, 9*time.Second, "ann", builds.Outcome{Result: builds.OK, From: "b", To: "d"}, "stage", "d"),
		did(82*time.Second, 12*time.Second, "ann", builds.Outcome{Result: builds.OK}, "createBuild", "d"),
		did(3*time.Hour, 12*time.Second, "ben", builds.Outcome{Result: builds.OK, From: "b", To: "c"}, "swapLive"),
		did(200*time.Minute, 8*time.Second, "ben", builds.Outcome{
			Result: builds.Failed, To: "c", Error: `activate c: /healthz is answered 500: relation "addons_addon" does not exist; see c.log`,
		}, "activate", "c"),
		did(26*time.Hour, 1900*time.Millisecond, "root", builds.Outcome{Result: builds.OK}, "restart", "b"),
	}
	return all, aBusyPast(now, all.Builds)
}

// aBusyPast ends at what the builds measure now.
func aBusyPast(now time.Time, measured []site.BuildStatus) []sample {
	var samples []sample
	for s := -300; s < 0; s++ {
		at := sample{Time: now.Add(time.Duration(s) * time.Second), Builds: map[builds.Name]map[string]float64{}}
		for i, b := range measured {
			if b.Name == "d" && s < -25 || b.State == site.Stopped {
				continue
			}
			wave := 1 + 0.16*math.Sin(float64(s)/23+float64(i)) + 0.09*math.Sin(float64(s)/5.3) + 0.06*math.Sin(float64(s)*1.9)
			at.Builds[b.Name] = map[string]float64{"requests_per_second": b.RequestsPerSecond * wave, "average_response_seconds": b.AverageResponseSeconds * (2 - wave)}
		}
		samples = append(samples, at)
	}
	return samples
}

// The pictures of the documentation; -update takes them anew.
func TestScreenshots_AreOfThePageAsItIs(t *testing.T) {
	t.Parallel()
	first, past := aBusySite()
	f := feedOf(t, first, past...)
	for name, eyes := range map[string]browser.Eyes{
		"dashboard-light.png": {Width: 1360, Height: 860, Calm: true},
		"dashboard-dark.png":  {Width: 1360, Height: 860, Calm: true, Dark: true},
		"dashboard-phone.png": {Width: 390, Height: 844, Calm: true, Phone: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := f.look(t, eyes)
			b.Until(`document.querySelector('[data-build="c"] .rate .line').getAttribute("d").length > 1000`)
			if eyes.Dark {
				b.Point(dot("c", 3))
				b.Wait("#detail")
			}
			picture := smaller(t, b.Picture())
			require.Less(t, len(picture), 120_000)
			path := filepath.Join("..", "docs", "images", name)
			if golden.Updating() {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, picture, 0o644))
			}
			require.FileExists(t, path)
			b.RequireClean()
		})
	}
}

// smaller is the same picture in fewer bytes: of the thousands of colours that
// letters have at their edges, those that are seen.
func smaller(t *testing.T, picture []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	few := image.NewPaletted(full.Bounds(), mostFrequent(full, 256))
	nearest := map[color.Color]uint8{}
	eachPixel(full, func(x, y int, c color.Color) {
		index, known := nearest[c]
		if !known {
			index = uint8(few.Palette.Index(c))
			nearest[c] = index
		}
		few.SetColorIndex(x, y, index)
	})
	var small bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, few))
	return small.Bytes()
}

// mostFrequent takes one of those colours that can hardly be told apart.
func mostFrequent(picture image.Image, n int) color.Palette {
	count := map[color.Color]int{}
	eachPixel(picture, func(_, _ int, c color.Color) { count[c]++ })
	byCount := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	alike := map[[3]uint32]bool{}
	colours := slices.DeleteFunc(byCount, func(c color.Color) bool {
		r, g, b, _ := c.RGBA()
		key := [3]uint32{r >> 12, g >> 12, b >> 12}
		seen := alike[key]
		alike[key] = true
		return seen
	})
	return colours[:min(n, len(colours))]
}

func eachPixel(picture image.Image, do func(x, y int, c color.Color)) {
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			do(x, y, picture.At(x, y))
		}
	}
}
