package tasks

import (
	"context"
	"fmt"
	"net"

	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/containers"
	"github.com/hadjango/hadjango/site"
)

// publishedPort is the one that nginx listens on in its container.
const publishedPort = "8080"

// Ip prints the address to open: of nginx in its container, on whatever machine that is, or else of nginx here.
//
//lint:ignore ST1003 the task is called ip
func Ip(ctx context.Context) (err error) {
	defer func() { err = said(err) }()
	dir, err := siteDir()
	if err != nil {
		return err
	}
	c, err := site.ReadConfig(dir)
	if err != nil {
		return err
	}
	address, err := addressOf(ctx, dir, c)
	if err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(address)
	live, stage := c.Live[0], c.Stage[0]
	fmt.Fprintf(stderr, "· open it as http://%s/ (live) and http://%s/ (stage); if they do not lead there, put into /etc/hosts:\n  %s %s %s\n",
		net.JoinHostPort(live, port), net.JoinHostPort(stage, port), host, live, stage)
	return printLine(address)
}

// addressOf prefers the containers where they are up.
func addressOf(ctx context.Context, dir string, c config.Config) (string, error) {
	only, err := inContainers()
	if err != nil {
		return "", err
	}
	published, machine, err := publishedAt(ctx, dir)
	if err == nil {
		address, own := containers.Reachable(machine, published)
		if own {
			fmt.Fprintf(stderr, "· only %s itself reaches it: it is published on %s; set HADJANGO_PUBLISH=0.0.0.0:8080 and run docker compose up -d\n", machine, published)
		}
		return address, nil
	}
	if only || ctx.Err() != nil {
		return "", err
	}
	return site.Loopback(c.Listen[0]), nil
}

func publishedAt(ctx context.Context, dir string) (published, machine string, err error) {
	compose, err := containers.FindCompose(ctx)
	if err != nil {
		return "", "", err
	}
	if published, err = compose.Published(ctx, dir, nginxService, publishedPort); err != nil {
		return "", "", err
	}
	endpoint, err := containers.Engine(ctx)
	if err != nil {
		return "", "", err
	}
	machine, err = containers.MachineOf(ctx, endpoint)
	return published, machine, err
}
