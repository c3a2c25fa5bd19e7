// Package watch waits for a state that nobody announces: it looks, again and
// again, instead of sleeping for as long as it might take.
package watch

import (
	"context"
	"time"
)

// Until calls look, at once and then at every interval, until it says that it
// is done or returns an error. When ctx ends first, the error is its cause.
// look is called at least once, even if ctx has ended.
func Until(ctx context.Context, every time.Duration, look func() (done bool, err error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if done, err := look(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
