package dashboard

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/site"
)

func TestHistory_GoesOnWhenTheClockIsSetBack(t *testing.T) {
	h, now := &hub{}, time.Unix(1000, 0)
	times := func() (seconds []int64) {
		for _, s := range h.history {
			seconds = append(seconds, s.Time.Unix())
		}
		return seconds
	}
	for _, second := range []int64{0, 1, 2, 3600, 3601, 2, 3} {
		h.remember(newSnapshot(site.Status{Time: now.Add(time.Duration(second) * time.Second)}))
	}

	require.Equal(t, []int64{1002, 1003}, times()[len(times())-2:])
	require.NotContains(t, times(), int64(1000+3600))
}
