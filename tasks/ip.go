package tasks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

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
	toldHere++
	note(howToOpen(address, c))
	return printLine(address)
}

// toldHere is how often ip has run in this process.
var toldHere int

// notToldHere are the words of a command line without the tasks ip that have run
// already: it alone knows what only this machine can, so the others run in web.
func notToldHere(words []string) []string {
	words = slices.Clone(words)
	for range toldHere {
		if at := slices.IndexFunc(words, isIP); at >= 0 {
			words = slices.Delete(words, at, at+1)
		}
	}
	return words
}

// isIP knows the task in a magefile that has given the tasks a prefix, too.
func isIP(word string) bool {
	return strings.EqualFold(word[strings.LastIndex(word, ":")+1:], "ip")
}

// addressOf prefers the containers where they are up, and does not guess where it
// cannot ask another machine.
func addressOf(ctx context.Context, dir string, c config.Config) (string, error) {
	if published, ok := publishedHere(); ok {
		address, _ := containers.Reachable("", published)
		return address, nil
	}
	only, err := inContainers()
	if err != nil {
		return "", err
	}
	own := site.Loopback(c.Listen[0])
	if !only && !containers.Described(dir) {
		return own, nil
	}
	machine, err := containers.Machine(ctx)
	if err != nil {
		return "", fmt.Errorf("where the engine is: %w", err)
	}
	published, err := publishedAt(ctx, dir)
	switch {
	case err == nil:
		return reachable(machine, published), nil
	case only || machine != "" || ctx.Err() != nil:
		return "", err
	}
	if !errors.Is(err, containers.ErrNoCompose) {
		note("no container says where nginx is reached, so this is the nginx of this machine")
	}
	return own, nil
}

// publishedHere is what a container has been told of the address that it is
// published at; from within, nobody can ask.
func publishedHere() (address string, ok bool) {
	if os.Getenv("HADJANGO_NGINX") == "" {
		return "", false
	}
	return containers.ParseAddress(os.Getenv("HADJANGO_PUBLISH"))
}

func publishedAt(ctx context.Context, dir string) (string, error) {
	compose, err := containers.FindCompose(ctx)
	if err != nil {
		return "", err
	}
	published, err := compose.Published(ctx, dir, nginxService, publishedPort)
	if err != nil {
		return "", fmt.Errorf("where nginx is reached: %w\nwhere its container is not up, start it: %s", err, startOf(compose, nginxService))
	}
	return published, nil
}

func reachable(machine, published string) string {
	address, own := containers.Reachable(machine, published)
	if own {
		note(fmt.Sprintf("only %s itself reaches it: it is published on %s; set HADJANGO_PUBLISH=0.0.0.0:8080 and run docker compose up -d", machine, published))
	}
	return address
}

// howToOpen says how a browser comes to live and stage at an address.
func howToOpen(address string, c config.Config) string {
	host, port, _ := net.SplitHostPort(address)
	live, stage := c.Live[0], c.Stage[0]
	if !net.ParseIP(host).IsLoopback() {
		live, stage = leadingAway(c.Live), leadingAway(c.Stage)
	}
	if live == "" || stage == "" {
		return fmt.Sprintf("browsers look for %s on their own machine: name others under live and stage of hadjango.yml, or ask with curl -H 'Host: %[1]s' http://%[2]s/", c.Live[0], address)
	}
	return fmt.Sprintf("open it as http://%s/ (live) and http://%s/ (stage); if they do not lead there, put into /etc/hosts:\n  %s %s %s",
		net.JoinHostPort(live, port), net.JoinHostPort(stage, port), host, live, stage)
}

// leadingAway is the first of the names that may stand for another machine: all
// below localhost stand for the one that asks, whatever /etc/hosts says.
func leadingAway(names []string) string {
	at := slices.IndexFunc(names, func(name string) bool { return name != "localhost" && !strings.HasSuffix(name, ".localhost") })
	if at < 0 {
		return ""
	}
	return names[at]
}

func note(text string) { fmt.Fprintln(stderr, "·", text) }
