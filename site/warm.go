package site

import (
	"context"
	"fmt"
	"net/http"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/warmup"
)

// WarmupOptions say what a warm-up does other than the configuration says.
type WarmupOptions struct {
	// Paths to ask for; the configuration's when empty.
	Paths []string
	// Concurrency is how many requests are under way at once; the configuration's when 0.
	Concurrency int
}

// Warmup sends requests to a build's own port until every worker has answered.
// The build must be active.
func (s *Site) Warmup(ctx context.Context, name builds.Name, options WarmupOptions) (warmup.Report, error) {
	var report warmup.Report
	err := s.changing(ctx, "warmup "+string(name), func(ctx context.Context) error {
		if _, err := s.complete(name); err != nil {
			return fmt.Errorf("warm up %s: %w", name, err)
		}
		if err := s.mustBeActive(ctx, name); err != nil {
			return fmt.Errorf("warm up %s: %w", name, err)
		}
		var err error
		report, err = s.warm(ctx, name, options)
		return err
	})
	return report, err
}

func (s *Site) mustBeActive(ctx context.Context, name builds.Name) error {
	if s.active(ctx, name) {
		return nil
	}
	if !s.emperorsUp() {
		return ErrDown
	}
	return fmt.Errorf("it is not active: run mage activate %s", name)
}

func (s *Site) warm(ctx context.Context, name builds.Name, options WarmupOptions) (report warmup.Report, err error) {
	address, err := s.address(name, 0)
	if err != nil {
		return report, err
	}
	if len(options.Paths) == 0 {
		options.Paths = s.config.Warmup.Paths
	}
	if options.Concurrency == 0 {
		options.Concurrency = s.config.Warmup.Concurrency
	}
	err = s.step(ctx, fmt.Sprintf("warm up %s", name), func(ctx context.Context, step Step) (string, error) {
		err := s.witnessed(s.zerg(name, s.slot(ctx, name)), func() (err error) {
			report, err = warmup.Run(ctx, "http://"+address, warmup.Options{
				Paths: options.Paths, Concurrency: options.Concurrency, MaxRequests: s.config.Warmup.Requests,
				Host: s.config.Live[0], Header: s.forwarded(), Timeout: s.config.Timeouts.Request,
				Workers:    func(ctx context.Context) (warmup.Workers, error) { return s.reached(ctx, name) },
				OnProgress: func(p warmup.Progress) { step.Progress(p.Done, p.Total) },
			})
			return err
		})
		return report.String(), err
	})
	for _, note := range report.Notes() {
		s.reporter.Note(note)
	}
	return report, err
}

func (s *Site) reached(ctx context.Context, name builds.Name) (warmup.Workers, error) {
	instance, err := s.workersOf(ctx, name)
	return warmup.Workers{Ready: len(instance.Active()), Reached: len(instance.Reached())}, err
}

// isWarm tells whether every worker of a build has answered a request.
func (s *Site) isWarm(ctx context.Context, name builds.Name) bool {
	workers, err := s.reached(ctx, name)
	return err == nil && workers.Ready > 0 && workers.Reached == workers.Ready
}

// forwarded are the headers that a proxy in front of us would send.
func (s *Site) forwarded() http.Header {
	header := http.Header{}
	if s.config.HTTPS {
		header.Set("X-Forwarded-Proto", "https")
	}
	return header
}
