package warmup

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Report is what a run did. As JSON, its times are in milliseconds: took_ms, median_ms, p95_ms, max_ms.
type Report struct {
	Target    string        `json:"target"`
	Host      string        `json:"host"`      // sent as Host header
	Requests  int           `json:"requests"`  // answered or failed, without redirects that were followed
	Redirects int           `json:"redirects"` // followed
	Failed    int           `json:"failed"`    // of Requests
	Rounds    int           `json:"rounds"`
	Workers   Workers       `json:"workers"` // by the last count
	Cold      Latency       `json:"cold"`    // of the first round
	Warm      Latency       `json:"warm"`    // of the last round; zero if there was only one
	Took      time.Duration `json:"-"`
	Samples   []Sample      `json:"samples"` // each request, in the order of the answers
}

// Sample is one request, together with the redirects that were followed from it.
type Sample struct {
	Round     int           `json:"round"`
	Path      string        `json:"path"`
	Status    int           `json:"status"` // of the last answer; 0: there was none
	Took      time.Duration `json:"-"`      // until the last answer was read
	Worker    string        `json:"worker,omitempty"`
	Redirects []string      `json:"redirects,omitempty"` // followed, in their order
	Location  string        `json:"location,omitempty"`  // of a redirect that was not followed
	Err       string        `json:"error,omitempty"`     // why it failed; "" if it did not
}

// Latency sums up how long the successful requests of one round took.
type Latency struct {
	Requests int           `json:"requests"`
	Median   time.Duration `json:"-"`
	P95      time.Duration `json:"-"`
	Max      time.Duration `json:"-"`
}

// String is one line: 12 requests in 0.8 s · cold 310 ms, warm 12 ms (median) · workers 4/4.
func (r Report) String() string {
	parts := []string{plural(r.Requests, "request") + " in " + long(r.Took)}
	if r.Failed > 0 {
		parts[0] += fmt.Sprintf(", %d failed", r.Failed)
	}
	switch {
	case r.Warm.Requests > 0:
		parts = append(parts, fmt.Sprintf("cold %s, warm %s (median)", short(r.Cold.Median), short(r.Warm.Median)))
	case r.Cold.Requests > 0:
		parts = append(parts, fmt.Sprintf("cold %s (median)", short(r.Cold.Median)))
	}
	switch {
	case r.Workers.Ready > 0:
		parts = append(parts, fmt.Sprintf("workers %d/%d", r.Workers.Reached, r.Workers.Ready))
	case r.Workers.Reached > 0:
		parts = append(parts, plural(r.Workers.Reached, "worker")+" seen")
	}
	return strings.Join(parts, " · ")
}

// Notes names the redirects, one line for each path: paths that are better replaced by where they lead.
func (r Report) Notes() []string {
	var notes []string
	for _, s := range r.Samples {
		note := s.note()
		if note != "" && !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	return notes
}

func (s Sample) note() string {
	switch {
	case s.Err != "":
		return ""
	case s.Location != "":
		return fmt.Sprintf("%s redirects to %q, which was not followed", s.Path, s.Location)
	case len(s.Redirects) > 0:
		return fmt.Sprintf("%s redirects to %q", s.Path, s.Redirects[len(s.Redirects)-1])
	}
	return ""
}

func latency(samples []Sample, round int) Latency {
	var took []time.Duration
	for _, s := range samples {
		if s.Round == round && s.Err == "" {
			took = append(took, s.Took)
		}
	}
	if len(took) == 0 {
		return Latency{}
	}
	slices.Sort(took)
	return Latency{
		Requests: len(took),
		Median:   percentile(took, 50),
		P95:      percentile(took, 95),
		Max:      took[len(took)-1],
	}
}

// percentile is the nearest rank: a time that was really measured.
func percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)*percent+99)/100-1]
}

// short is a duration as people say it: 1.2 ms, 310 ms, 4.1 s.
func short(d time.Duration) string {
	switch ms := milliseconds(d); {
	case ms < 9.95:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 999.5:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}

// long is a duration for which tenths of a second will do.
func long(d time.Duration) string {
	if d < 100*time.Millisecond {
		return short(d)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
