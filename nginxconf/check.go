package nginxconf

import (
	"fmt"
	"regexp"
)

// MaxSocketPath is the longest path of a unix socket that nginx takes, in bytes.
const MaxSocketPath = 107

// ValueError says that a value must not stand in nginx's configuration.
type ValueError struct {
	// Field is what the value was meant for.
	Field, Value string
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%s: %q cannot stand in nginx's configuration", e.Field, e.Value)
}

// What each kind of value may be. None of them has a space, a quote, a
// semicolon, a brace, a dollar sign, a backslash or a line's end.
var (
	path     = regexp.MustCompile(`^/[A-Za-z0-9._/:+@-]*$`)
	address  = regexp.MustCompile(`^(\*|[0-9.]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}$`)
	hostName = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	userName = regexp.MustCompile(`^([a-z_][a-z0-9_-]{0,31})?$`)
	size     = regexp.MustCompile(`^[0-9]+[kmg]?$`)
	server   = regexp.MustCompile(`^([A-Za-z0-9.-]+:[0-9]{1,5}|unix:/[A-Za-z0-9._/:+@-]+)$`)
	network  = regexp.MustCompile(`^[0-9a-fA-F:.]+(/[0-9]{1,3})?$`)
	// nginx takes what follows a colon in proxy_pass for a URI
	beforeURI = regexp.MustCompile(`^[^:]*$`)
	pointer   = regexp.MustCompile(`^(live|stage)$`)
)

func (site Site) check() error {
	c := checker{}
	c.match(userName, "user", site.User)
	c.match(userName, "group", site.Group)
	c.match(size, "largest body", site.MaxBody)
	for field, value := range map[string]string{
		"assets": site.Assets, "pages": site.Pages, "temp": site.Temp, "logs": site.Logs,
		"pid file": site.PIDFile, "mime types": site.MimeTypes,
	} {
		c.match(path, field, value)
	}
	c.some("listen", site.Listen)
	for _, l := range site.Listen {
		c.match(address, "listen", l)
	}
	for _, n := range site.DashboardAllow {
		c.match(network, "network of the dashboard", n)
	}
	if site.Dashboard != "" {
		c.socket("dashboard", site.Dashboard)
		c.match(beforeURI, "dashboard socket", site.Dashboard)
	}
	c.server("live", site.Live)
	c.server("stage", site.Stage)
	return c.err
}

func (u Upstream) check() error {
	c := checker{}
	c.match(pointer, "pointer", u.Pointer)
	c.match(server, "server", u.Server)
	return c.err
}

// checker remembers the first thing that is wrong.
type checker struct{ err error }

func (c *checker) match(rule *regexp.Regexp, field, value string) {
	if c.err == nil && !rule.MatchString(value) {
		c.err = &ValueError{field, value}
	}
}

func (c *checker) some(field string, values []string) {
	if c.err == nil && len(values) == 0 {
		c.err = fmt.Errorf("%s: none given", field)
	}
}

func (c *checker) server(which string, s Server) {
	c.some(which+" names", s.Names)
	for _, name := range s.Names {
		c.match(hostName, which+" name", name)
	}
	c.match(path, which+" pointer", s.Pointer)
	if s.Upstream != "" {
		c.match(path, which+" upstream", s.Upstream)
		return
	}
	c.socket(which, s.Socket)
}

func (c *checker) socket(which, socket string) {
	c.match(path, which+" socket", socket)
	if c.err == nil && len(socket) > MaxSocketPath {
		c.err = fmt.Errorf("%s socket: %s is %d bytes long, nginx takes %d", which, socket, len(socket), MaxSocketPath)
	}
}
