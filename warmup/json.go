package warmup

import (
	"encoding/json"
	"math"
	"time"
)

// Times are durations in Go and milliseconds in JSON, so each struct with a time is written beside its bare self: a
// type without methods, whose times have no place in JSON.

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func duration(ms float64) time.Duration {
	return time.Duration(math.Round(ms * float64(time.Millisecond)))
}

// MarshalJSON writes times in milliseconds.
func (r Report) MarshalJSON() ([]byte, error) {
	type bare Report
	return json.Marshal(struct {
		bare
		TookMS float64 `json:"took_ms"`
	}{bare(r), milliseconds(r.Took)})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (r *Report) UnmarshalJSON(data []byte) error {
	type bare Report
	in := struct {
		*bare
		TookMS float64 `json:"took_ms"`
	}{bare: (*bare)(r)}
	err := json.Unmarshal(data, &in)
	r.Took = duration(in.TookMS)
	return err
}

// MarshalJSON writes times in milliseconds.
func (s Sample) MarshalJSON() ([]byte, error) {
	type bare Sample
	return json.Marshal(struct {
		bare
		TookMS float64 `json:"took_ms"`
	}{bare(s), milliseconds(s.Took)})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (s *Sample) UnmarshalJSON(data []byte) error {
	type bare Sample
	in := struct {
		*bare
		TookMS float64 `json:"took_ms"`
	}{bare: (*bare)(s)}
	err := json.Unmarshal(data, &in)
	s.Took = duration(in.TookMS)
	return err
}

// latencyJSON is Latency in JSON.
type latencyJSON struct {
	Requests int     `json:"requests"`
	Median   float64 `json:"median_ms"`
	P95      float64 `json:"p95_ms"`
	Max      float64 `json:"max_ms"`
}

// MarshalJSON writes times in milliseconds.
func (l Latency) MarshalJSON() ([]byte, error) {
	return json.Marshal(latencyJSON{l.Requests, milliseconds(l.Median), milliseconds(l.P95), milliseconds(l.Max)})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (l *Latency) UnmarshalJSON(data []byte) error {
	var in latencyJSON
	err := json.Unmarshal(data, &in)
	*l = Latency{in.Requests, duration(in.Median), duration(in.P95), duration(in.Max)}
	return err
}
