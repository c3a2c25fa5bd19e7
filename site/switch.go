package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/watch"
	"github.com/hadjango/hadjango/stack"
	"github.com/hadjango/hadjango/warmup"
)

// Stage lets stage name a build. A build that is not active or not warm is
// activated and warmed first; when that fails, stage stays what it was. It is
// refused for live.
func (s *Site) Stage(ctx context.Context, name builds.Name) error {
	return s.changing(ctx, "stage "+string(name), func(ctx context.Context) error {
		if taskOf(ctx).finishes() {
			return s.finishStage(ctx, name)
		}
		return s.stage(ctx, name)
	})
}

func (s *Site) stage(ctx context.Context, name builds.Name) error {
	if live, err := s.store.Pointed(builds.Live); err == nil && live == name {
		return fmt.Errorf("stage %s: it is live: stage another, or swap with mage swapLive", name)
	}
	if !s.health().Nginx {
		return fmt.Errorf("stage %s: %w", name, stack.ErrNginxDown)
	}
	if err := s.makeReady(ctx, name); err != nil {
		return err
	}
	was, err := s.store.Pointed(builds.Stage)
	if err == nil && was == name {
		return nil
	}
	if err := s.point(ctx, builds.Stage, name); err != nil {
		return err
	}
	if _, err := s.answeredBy(ctx, builds.Stage, name); err != nil {
		if was != "" {
			err = errors.Join(err, s.point(context.WithoutCancel(ctx), builds.Stage, was))
		}
		return fmt.Errorf("stage %s: %w", name, err)
	}
	return nil
}

// makeReady makes sure that a build could be live: complete, active, warm, healthy.
func (s *Site) makeReady(ctx context.Context, name builds.Name) error {
	return s.unfit(name, s.tryReady(ctx, name))
}

func (s *Site) tryReady(ctx context.Context, name builds.Name) error {
	if err := s.activate(ctx, name); err != nil {
		return err
	}
	if !s.isWarm(ctx, name) {
		if _, err := s.warm(ctx, name, WarmupOptions{}); err != nil {
			return err
		}
	}
	return s.checkHealth(ctx, name)
}

// checkHealth asks a build on its own port whether it can serve.
func (s *Site) checkHealth(ctx context.Context, name builds.Name) error {
	address, err := s.address(name, 0)
	if err != nil {
		return err
	}
	err = s.witnessed(s.zerg(name, s.slot(ctx, name)), func() error {
		_, err := warmup.Run(ctx, "http://"+address, warmup.Options{
			Paths: []string{s.config.Health}, Concurrency: 1, Host: s.config.Live[0], Header: s.forwarded(),
			Timeout: s.config.Timeouts.Switch,
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("health of %s: %w", name, err)
	}
	return nil
}

// point changes a pointer, and tells nginx where it cannot see that by itself.
func (s *Site) point(ctx context.Context, p builds.Pointer, name builds.Name) error {
	return s.step(ctx, fmt.Sprintf("let %s be %s", p, name), func(ctx context.Context, _ Step) (string, error) {
		if err := s.store.Point(p, name); err != nil {
			return "", err
		}
		return "", s.afterSwitch(ctx)
	})
}

func (s *Site) afterSwitch(ctx context.Context) error {
	if s.config.Switch != config.SwitchReload {
		return nil
	}
	return s.nginxReload(ctx)
}

// Swap is what a swap did.
type Swap struct {
	Live, Was builds.Name
	// Switched is how long the pointers' exchange took, with the reload where there is one.
	Switched time.Duration
	// Answered is how long after the switch the new live answered through nginx.
	Answered time.Duration
	// at is just before the switch.
	at time.Time
}

func (w Swap) String() string {
	return fmt.Sprintf("live is %s, was %s · switched in %s · answered by %s after %s · back: mage swapLive",
		w.Live, w.Was, millis(w.Switched), w.Live, millis(w.Answered))
}

func millis(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms < 10 {
		return fmt.Sprintf("%.2g ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// SwapLive lets live and stage change places in one step. With a name, that
// build is staged first. The candidate must be complete, active and healthy;
// afterwards live is asked through nginx who it is, and when that is not the
// candidate, the pointers go back and the error says so.
func (s *Site) SwapLive(ctx context.Context, name builds.Name) (Swap, error) {
	var swap Swap
	err := s.changing(ctx, strings.TrimSpace("swapLive "+string(name)), func(ctx context.Context) (err error) {
		swap, err = s.swapOrFinish(ctx, name)
		return err
	})
	return swap, err
}

func (s *Site) swapOrFinish(ctx context.Context, name builds.Name) (Swap, error) {
	if t := taskOf(ctx); t.finishes() {
		return s.finishSwap(ctx, t.cut.Before, name)
	}
	return s.swapLive(ctx, name)
}

func (s *Site) swapLive(ctx context.Context, name builds.Name) (Swap, error) {
	was, err := s.store.Pointed(builds.Live)
	if err != nil {
		return Swap{}, fmt.Errorf("swap: %w: nothing is deployed yet: run mage init", err)
	}
	if name == was {
		return Swap{}, fmt.Errorf("swap: %s is live already", name)
	}
	if !s.health().Nginx {
		return Swap{}, fmt.Errorf("swap: %w", stack.ErrNginxDown)
	}
	if name != "" {
		if err := s.stage(ctx, name); err != nil {
			return Swap{}, err
		}
	}
	candidate, err := s.candidate(ctx)
	if err != nil {
		return Swap{}, err
	}
	return s.exchange(ctx, candidate, was)
}

// candidate is the build that stage names, if it may become live.
func (s *Site) candidate(ctx context.Context) (builds.Name, error) {
	name, err := s.store.Pointed(builds.Stage)
	if err != nil {
		return "", fmt.Errorf("swap: %w: run mage stage NAME", err)
	}
	if _, err := s.complete(name); err != nil {
		return "", fmt.Errorf("swap: %s: %w", name, err)
	}
	if err := s.mustBeActive(ctx, name); err != nil {
		return "", fmt.Errorf("swap: %s is stage: %w", name, err)
	}
	if err := s.checkHealth(ctx, name); err != nil {
		return "", fmt.Errorf("swap: %w", err)
	}
	return name, nil
}

func (s *Site) exchange(ctx context.Context, candidate, was builds.Name) (Swap, error) {
	swap := Swap{Live: candidate, Was: was, at: time.Now()}
	err := s.step(ctx, "let live and stage change places", func(context.Context, Step) (_ string, err error) {
		swap.Switched, err = s.store.Exchange()
		return "", err
	})
	if err != nil {
		return Swap{}, fmt.Errorf("swap: %w", err)
	}
	start := time.Now()
	if err = s.afterSwitch(ctx); s.config.Switch == config.SwitchReload {
		swap.Switched += time.Since(start)
	}
	if err == nil {
		swap.Answered, err = s.answeredBy(ctx, builds.Live, candidate)
	}
	if err != nil {
		return Swap{}, fmt.Errorf("swap: %w", errors.Join(err, s.exchangeBack(ctx, was)))
	}
	return swap, nil
}

func (s *Site) exchangeBack(ctx context.Context, live builds.Name) error {
	ctx = context.WithoutCancel(ctx)
	_, err := s.store.Exchange()
	if err := errors.Join(err, s.afterSwitch(ctx)); err != nil {
		return fmt.Errorf("going back to %s failed too: %w", live, err)
	}
	return fmt.Errorf("the pointers went back: live is %s", live)
}

// buildHeader is added to every answer by uWSGI and names the build.
const buildHeader = "X-Hadjango-Build"

// askEvery is how often live is asked who it is until the answer is right.
const askEvery = 10 * time.Millisecond

// answeredBy asks a pointer's site through nginx until the build answers, and
// returns how long that took.
func (s *Site) answeredBy(ctx context.Context, p builds.Pointer, want builds.Name) (time.Duration, error) {
	ctx, cancel := within(ctx, s.config.Timeouts.Switch, "switch")
	defer cancel()
	start := time.Now()
	var last error
	err := watch.Until(ctx, askEvery, func() (bool, error) {
		got, err := s.whoServes(ctx, p)
		if err == nil && got == string(want) {
			return true, nil
		}
		if ctx.Err() == nil {
			last = cmp.Or(err, fmt.Errorf("build %q answered", got))
		}
		return false, nil
	})
	if err != nil {
		return 0, errors.Join(fmt.Errorf("%s did not answer as %s through nginx: %w", want, p, err), last)
	}
	return time.Since(start), nil
}

// whoServes returns the name of the build that answers a pointer's site
// through nginx.
func (s *Site) whoServes(ctx context.Context, p builds.Pointer) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.frontDoor()+s.config.Health, nil)
	if err != nil {
		return "", err
	}
	request.Host = s.hosts(p)[0]
	// RoundTrip follows no redirect; each question needs a connection of its
	// own, and no proxy of the environment
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	build := response.Header.Get(buildHeader)
	if build == "" || response.StatusCode >= http.StatusInternalServerError {
		return build, fmt.Errorf("http://%s%s answered %s", request.Host, s.config.Health, response.Status)
	}
	return build, nil
}

func (s *Site) hosts(p builds.Pointer) []string {
	if p == builds.Stage {
		return s.config.Stage
	}
	return s.config.Live
}

// Loopback is how this machine reaches an address that nginx listens on.
func Loopback(listen string) string {
	host, port, _ := net.SplitHostPort(listen)
	switch {
	case host == "*" || host == "0.0.0.0":
		host = "127.0.0.1"
	case strings.Trim(host, ":0") == "":
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
