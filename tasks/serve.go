package tasks

import (
	"context"
	"fmt"

	"github.com/hadjango/hadjango/site"
)

// Serve is the site in the foreground, for a container: up, and down when it is told to end.
func Serve(
	ctx context.Context,
	// nginx: serve nginx alone, for the site in another container (default: web, all else)
	server *string,
	// only tell whether it serves: exit status 0
	check *bool,
) error {
	service := webService
	if server != nil {
		service = *server
	}
	verbs, ok := map[string]struct {
		serve, check func(*site.Site, context.Context) error
	}{
		webService:   {(*site.Site).Serve, (*site.Site).Serves},
		nginxService: {(*site.Site).ServeNginx, (*site.Site).NginxServes},
	}[service]
	if !ok {
		return fmt.Errorf("-server=%s: it must be %s or %s", service, webService, nginxService)
	}
	return with(ctx, func(ctx context.Context, s *site.Site) error {
		if isSet(check) {
			return verbs.check(s, ctx)
		}
		return verbs.serve(s, ctx)
	})
}
