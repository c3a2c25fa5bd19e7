package site

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWorse_IsNoChance(t *testing.T) {
	for name, row := range map[string]struct {
		young, old tally
		want       bool
	}{
		"nobody came":                             {tally{}, tally{}, false},
		"one visitor's odd request, sent again":   {tally{4, 4}, tally{100, 0}, false},
		"everything fails":                        {tally{5, 5}, tally{100, 0}, true},
		"everything fails, nothing known of old":  {tally{5, 5}, tally{}, true},
		"one in a hundred, as ever":               {tally{10000, 100}, tally{10000, 100}, false},
		"five in a hundred where none did":        {tally{1000, 50}, tally{1000, 0}, false},
		"ten in a hundred where none did":         {tally{1000, 100}, tally{1000, 0}, true},
		"ten in a hundred where ten did":          {tally{1000, 100}, tally{1000, 100}, false},
		"half where a third did":                  {tally{1000, 500}, tally{999, 333}, true},
		"a bit more than half, of few":            {tally{20, 11}, tally{1000, 333}, false},
		"everything fails, as ever":               {tally{1000, 1000}, tally{1000, 1000}, false},
		"many, and yet few of all of them":        {tally{100000, 4000}, tally{1000, 0}, false},
		"a burst among as many good ones as that": {tally{100000, 6000}, tally{1000, 0}, true},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, row.want, worse(row.young, row.old)) })
	}
}

// line is one of the access log.
func line(build string, status int, began, ended time.Time) string {
	return fmt.Sprintf(`127.0.0.1 - - [x] "GET /x?y HTTP/1.1" %d 1 "-" "-" live.localhost %s %.3f %.3f`,
		status, build, float64(ended.UnixMilli())/1000, ended.Sub(began).Seconds())
}

// What nginx answers by itself has no build: it counts for the one that was live
// when it was asked for.
func TestAnswers_AreThoseOfWhoWasLive(t *testing.T) {
	at := time.UnixMilli(1700000000500)
	earlier, later := at.Add(-time.Second), at.Add(time.Second)
	a := countAnswers("live.localhost", Swap{Live: "b", Was: "a", at: at})

	for _, l := range []string{
		line("b", 500, earlier, earlier), // b was live before a
		line("a", 200, earlier, earlier),
		line("-", 502, earlier, earlier),
		line("-", 504, earlier, later),
		line("-", 404, earlier, earlier), // a static file
		"the end of a line",
	} {
		require.False(t, a.note(l), l)
	}
	for _, l := range []string{line("b", 200, at, later), line("-", 502, at, later), line("b", 500, at, later)} {
		require.True(t, a.note(l), l)
	}
	require.False(t, a.note(line("a", 200, earlier, later)), "a request of the old live in flight")
	require.False(t, a.note(line("-", 500, at, later)), "nginx's own trouble")

	require.Equal(t, tally{4, 2}, a.old)
	require.Equal(t, tally{3, 2}, a.since(time.Time{}))
	require.Equal(t, "500 GET /x, 502 GET /x", a.examples())
	require.Equal(t, "3 answers, 2 of them 5xx", a.String())
}

// A build that breaks after a long while of good answers is not saved by them.
func TestAnswers_OfTheLastSecondsCountForThemselves(t *testing.T) {
	at := time.UnixMilli(1700000000500)
	a := countAnswers("live.localhost", Swap{Live: "b", Was: "a", at: at})
	late := at.Add(time.Hour)
	for range 10000 {
		a.note(line("b", 200, at, at.Add(time.Second)))
	}
	for range burstFailures {
		require.Empty(t, a.burst(late))
		a.note(line("b", 500, late, late))
	}

	require.Equal(t, "5 of 5 answers were 5xx (100 %; 0 % of a's before): 500 GET /x", a.burst(late))
}

func TestUnset_NamesExactlyWhatIsMissing(t *testing.T) {
	fields := []string{"USERNAME", "EMAIL", "PASSWORD"}
	for want, set := range map[string][]string{
		"DJANGO_SUPERUSER_USERNAME, _EMAIL and _PASSWORD are": nil,
		"DJANGO_SUPERUSER_USERNAME and _EMAIL are":            {"PASSWORD"},
		"DJANGO_SUPERUSER_EMAIL and _PASSWORD are":            {"USERNAME"},
		"DJANGO_SUPERUSER_EMAIL is":                           {"USERNAME", "PASSWORD"},
		"DJANGO_SUPERUSER_PASSWORD is":                        {"USERNAME", "EMAIL"},
		"":                                                    fields,
	} {
		for _, field := range fields {
			value := ""
			if slices.Contains(set, field) {
				value = "x"
			}
			t.Setenv("DJANGO_SUPERUSER_"+field, value)
		}
		require.Equal(t, want, unset(fields))
	}
}
