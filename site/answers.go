package site

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/nginxconf"
)

// What a burst of failures is.
const (
	// burstFailures is the fewest answers 5xx that are a burst: one or two may
	// be a single visitor's odd request, sent again.
	burstFailures = 5
	// burstShare is how much larger the share of 5xx may be than the old live's.
	burstShare = 0.05
	// burstSigmas is how many standard deviations beyond that are no chance, so
	// that few answers do not condemn a build that is no worse than the old one.
	burstSigmas = 3
	// burstWithin is judged beside the whole time: a build that breaks after a
	// long while of good answers is not to be saved by them.
	burstWithin = 5 * time.Second
	// before is how far back the old live's own failures are counted.
	before = 10 * time.Minute
	// maxExamples of requests that failed are named.
	maxExamples = 3
)

// answers counts what nginx's access log says of a new live, and of the old one
// before it.
type answers struct {
	// server is live's first name.
	server string
	swap   Swap
	old    tally
	// seconds are the new live's answers by when they ended.
	seconds map[int64]tally
	// failed counts the new live's failures by what was asked for.
	failed map[string]int
	// lines were read, of which foreign ones have another format.
	lines, foreign int
}

// tally counts answers.
type tally struct{ answers, failures int }

func (t tally) plus(other tally) tally {
	return tally{t.answers + other.answers, t.failures + other.failures}
}

func (t tally) share() float64 { return float64(t.failures) / float64(max(1, t.answers)) }

func (t tally) String() string { return fmt.Sprintf("%.0f %%", 100*t.share()) }

func countAnswers(server string, swap Swap) answers {
	// the log has milliseconds
	swap.at = swap.at.Truncate(time.Millisecond)
	return answers{server: server, swap: swap, seconds: map[int64]tally{}, failed: map[string]int{}}
}

// note counts a line of the access log, and tells whether it is an answer of
// the new live.
func (a *answers) note(line string) bool {
	a.lines++
	access, ok := nginxconf.ParseAccess(line)
	if !ok {
		a.foreign++
	}
	if !ok || access.Server != a.server {
		return false
	}
	one := tally{answers: 1}
	if access.Status >= http.StatusInternalServerError {
		one.failures = 1
	}
	switch a.whose(access) {
	case a.swap.Live:
		a.noteNew(access, one)
		return true
	case a.swap.Was:
		a.old = a.old.plus(one)
	default:
		a.forget(access)
	}
	return false
}

func (a *answers) noteNew(access nginxconf.Access, one tally) {
	second := access.Ended.Unix()
	a.seconds[second] = a.seconds[second].plus(one)
	if one.failures > 0 {
		a.failed[fmt.Sprintf("%d %s %s", access.Status, access.Method, access.Path)]++
	}
}

// whose is the build that an answer is counted for. One that nginx gave because
// it got none is that of the build which was live when it was asked for.
func (a *answers) whose(access nginxconf.Access) builds.Name {
	nobody := access.Build == "" && (access.Status == http.StatusBadGateway || access.Status == http.StatusGatewayTimeout)
	switch {
	case nobody && !access.Began.Before(a.swap.at), access.Build == string(a.swap.Live) && !access.Ended.Before(a.swap.at):
		return a.swap.Live
	case access.Ended.Before(a.swap.at.Add(-before)):
		return ""
	case nobody, access.Build == string(a.swap.Was):
		return a.swap.Was
	}
	return ""
}

// forget begins to count the old live anew where another build was live before it.
func (a *answers) forget(access nginxconf.Access) {
	if access.Build != "" {
		a.old = tally{}
	}
}

// burst says which answers of the new live are a burst of 5xx, if any are.
func (a *answers) burst(now time.Time) string {
	for _, t := range []tally{a.since(time.Time{}), a.since(now.Add(-burstWithin))} {
		if worse(t, a.old) {
			return fmt.Sprintf("%d of %d answers were 5xx (%s; %s of %s's before): %s",
				t.failures, t.answers, t, a.old, a.swap.Was, a.examples())
		}
	}
	return ""
}

// worse tells whether the new live fails so much more often than the old one
// did that it cannot be chance.
func worse(young, old tally) bool {
	n, share := float64(young.answers), min(old.share()+burstShare, 1)
	deviation := math.Sqrt(n * share * (1 - share))
	return young.failures >= burstFailures && float64(young.failures) > n*share+burstSigmas*deviation
}

func (a *answers) since(from time.Time) (sum tally) {
	for second, t := range a.seconds {
		if second >= from.Unix() {
			sum = sum.plus(t)
		}
	}
	return sum
}

// examples are the requests that failed most often.
func (a *answers) examples() string {
	requests := slices.SortedFunc(maps.Keys(a.failed), func(x, y string) int {
		return cmp.Or(a.failed[y]-a.failed[x], strings.Compare(x, y))
	})
	return strings.Join(requests[:min(len(requests), maxExamples)], ", ")
}

func (a *answers) String() string {
	// the first line may be only the end of one
	if a.foreign > 1 && a.foreign == a.lines {
		return "nothing seen: the access log is in another format than conf/nginx.conf.tmpl's, which mage nginxReload begins"
	}
	sum := a.since(time.Time{})
	return fmt.Sprintf("%d answers, %d of them 5xx", sum.answers, sum.failures)
}
