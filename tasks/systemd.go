package tasks

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/hadjango/hadjango/site"
)

// SystemdUnits prints the unit that starts the site at boot and ends it after the last request; root's, or a user's own.
func SystemdUnits(
	ctx context.Context,
	// write it into this directory instead
	dir *string,
	// the compiled tasks (default: hadjango beside hadjango.yml)
	program *string,
) error {
	return with(ctx, func(_ context.Context, s *site.Site) error {
		path := ""
		if program != nil {
			path = *program
		}
		unit, err := s.SystemdUnit(path)
		if err != nil {
			return err
		}
		if dir == nil {
			return printf("%s", unit.Text)
		}
		if *dir == "" {
			return errors.New("systemdUnits -dir=: it must name a directory such as /etc/systemd/system")
		}
		if err := unit.Write(*dir); err != nil {
			return err
		}
		return printf("%s is written: how to start it is said in its first lines\n", filepath.Join(*dir, unit.Name))
	})
}
