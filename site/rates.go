package site

import (
	"math"
	"time"
)

// seen is what earlier looks have seen of a build.
type seen struct {
	samples []sample
	// begun is since when the request that a worker works on is seen.
	begun map[worker]begun
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

// rates adds what was answered so far, and returns it with the rate of late, and
// the mean of how long those requests took.
func (s *seen) rates(zergs []reading, now time.Time) (requests int64, perSecond, average float64) {
	latest := sample{now, s.count(zergs)}
	for _, c := range latest.counts {
		requests += c.requests
	}
	s.samples = append(recent(s.samples, now), latest)
	first := s.samples[0]
	var did counted
	for place, c := range latest.counts {
		did.requests += c.requests - first.counts[place].requests
		did.micros += c.micros - first.counts[place].micros
	}
	if took := now.Sub(first.at).Seconds(); took > 0 {
		perSecond = round(float64(did.requests)/took, 100)
	}
	if did.requests > 0 {
		average = mean(did)
	}
	return requests, perSecond, average
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

// count takes what an instance had answered before where it does not answer now.
func (s *seen) count(zergs []reading) map[place]counted {
	counts := map[place]counted{}
	for _, zerg := range zergs {
		if zerg.err != nil && len(s.samples) > 0 {
			for place, c := range s.samples[len(s.samples)-1].counts {
				if place.slot == zerg.slot {
					counts[place] = c
				}
			}
			continue
		}
		var c counted
		for _, w := range zerg.instance.Workers {
			c.requests += w.Requests
			c.micros += w.RunningMicros
		}
		if zerg.err == nil {
			counts[place{zerg.slot, zerg.instance.PID}] = c
		}
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
