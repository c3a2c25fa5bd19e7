package site

import (
	"math"
	"time"

	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/uwsgi"
)

// seen is what earlier looks have seen of a build.
type seen struct {
	samples []sample
	// heard is what each of its slots has answered last, silent are those that have
	// not answered since the first look: nobody knows what they have done before.
	heard  map[string]heard
	silent map[string]bool
	// begun is since when the request that a worker works on is seen.
	begun map[worker]begun
}

type heard struct {
	at       time.Time
	instance uwsgi.Instance
	master   proc.Process
}

// recall puts in the place of what an instance owes its last answer, while it
// lives: that its master is late, or hangs, does not end its workers.
func (s *seen) recall(zergs []reading, now time.Time) {
	heardBefore, silentBefore := s.heard, s.silent
	s.heard, s.silent = map[string]heard{}, map[string]bool{}
	for i := range zergs {
		r := &zergs[i]
		last, known := heardBefore[r.slot]
		if r.err == nil {
			master, _ := proc.Open(r.instance.PID)
			last, known = heard{now, r.instance, master}, true
		}
		switch {
		case known:
			s.heard[r.slot] = last
		case r.hangs() && (silentBefore == nil || silentBefore[r.slot]):
			s.silent[r.slot] = true
		}
		if known && r.hangs() && last.master.Alive() {
			r.instance, r.late = last.instance, now.Sub(last.at)
		}
	}
}

// worker is the place of a worker in a build.
type worker struct {
	slot string
	id   int
}

// begun tells a request from others: by how many its worker had answered before.
type begun struct {
	answered, second int64
	at               time.Time
}

// sample is what an instance had answered at a time.
type sample struct {
	at     time.Time
	counts map[place]counted
}

// place is an instance: another process in the same slot counts anew.
type place struct {
	slot string
	pid  int
}

type counted struct{ requests, micros int64 }

const (
	// rates are over about as long
	rateWindow = 3 * time.Second
	// and say nothing about what is longer ago.
	rateOldest = 30 * time.Second
)

// served is what a build has answered: all in all, and of late.
type served struct {
	counted
	// unknown says that an instance has not told yet how much that is.
	unknown            bool
	perSecond, average float64
}

// rates adds what was answered so far, and returns it with the rate of late, and
// the mean of how long those requests took.
func (s *seen) rates(zergs []reading, now time.Time) (all served) {
	latest := sample{now, s.count(zergs)}
	for _, c := range latest.counts {
		all.requests += c.requests
		all.micros += c.micros
	}
	if len(s.silent) > 0 {
		all.unknown, s.samples = true, nil
		return all
	}
	s.samples = append(recent(s.samples, now), latest)
	first := s.samples[0]
	var did counted
	for place, c := range latest.counts {
		did.requests += c.requests - first.counts[place].requests
		did.micros += c.micros - first.counts[place].micros
	}
	if took := now.Sub(first.at).Seconds(); took > 0 {
		all.perSecond = round(float64(did.requests)/took, 100)
	}
	if did.requests > 0 {
		all.average = mean(did)
	}
	return all
}

// mean is how long one of the requests took, in seconds.
func mean(c counted) float64 { return round(seconds(c.micros)/float64(c.requests), 1e6) }

// round keeps the parts that mean something.
func round(f, parts float64) float64 { return math.Round(f*parts) / parts }

func seconds(micros int64) float64 { return float64(micros) / 1e6 }

// recent drops the samples that are too old, and all but one that are older than
// the window.
func recent(samples []sample, now time.Time) []sample {
	for len(samples) > 0 && (now.Sub(samples[0].at) > rateOldest || len(samples) > 1 && now.Sub(samples[1].at) >= rateWindow) {
		samples = samples[1:]
	}
	return samples
}

// count takes what an instance had answered before, however long ago, where it
// does not answer now.
func (s *seen) count(zergs []reading) map[place]counted {
	counts := map[place]counted{}
	for _, zerg := range zergs {
		instance := zerg.instance
		if zerg.err != nil {
			last, ok := s.heard[zerg.slot]
			if !ok {
				continue
			}
			instance = last.instance
		}
		var c counted
		for _, w := range instance.Workers {
			c.requests += w.Requests
			c.micros += w.RunningMicros
		}
		counts[place{zerg.slot, instance.PID}] = c
	}
	return counts
}

// requestSince is for how long a worker has been working on its request. uWSGI
// knows the second in which it began; that it was not there at the look before
// says more.
func (s *seen) requestSince(w worker, answered, second int64, now time.Time) time.Duration {
	if known, ok := s.begun[w]; ok && known.answered == answered && known.second == second {
		return now.Sub(known.at)
	}
	at := time.Unix(second, 0)
	if len(s.samples) > 0 {
		if before := s.samples[len(s.samples)-1].at; before.After(at) {
			at = before
		}
	}
	if at.After(now) {
		at = now
	}
	if s.begun == nil {
		s.begun = map[worker]begun{}
	}
	s.begun[w] = begun{answered, second, at}
	return now.Sub(at)
}
