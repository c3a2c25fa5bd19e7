// Package nginxconf renders the configuration of an nginx that serves one
// build of a project as live and another as stage.
//
//	var text bytes.Buffer
//	err := nginxconf.Render(&text, nginxconf.Site{
//		Listen:  []string{"127.0.0.1:8080"},
//		Live:    nginxconf.Server{Names: []string{"live.localhost"}, Pointer: "/srv/shop/deploy/builds/_live", Socket: "/srv/shop/deploy/run/_live.sock"},
//		Stage:   nginxconf.Server{Names: []string{"stage.localhost"}, Pointer: "/srv/shop/deploy/builds/_stage", Socket: "/srv/shop/deploy/run/_stage.sock"},
//		Assets:  "/srv/shop/deploy/assets",
//		Logs:    "/srv/shop/deploy/logs",
//		PIDFile: "/srv/shop/deploy/run/nginx.pid",
//		Temp:    "/srv/shop/deploy/tmp",
//		Pages:   "/srv/shop/deploy/etc/pages",
//	}, nil)
//
// The configuration names pointers, never a build: the kernel resolves them at
// every connect and open, so exchanging two pointers needs no reload. Where
// nginx cannot see the sockets, [RenderUpstream] makes the file that a pointer
// leads to instead, and nginx must be reloaded after an exchange.
//
// The package writes to what it is given, touches no disk, and never starts or
// reloads nginx. Every value is checked against a list of harmless characters
// first: nothing a caller sets can end a directive or begin one.
package nginxconf

import (
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/hadjango/hadjango/conf"
)

// Site is all that the configuration says.
type Site struct {
	// User and Group are who the workers are when nginx is started by root; empty otherwise.
	User, Group string
	// Listen are the addresses, IP:port or [IP]:port or *:port.
	Listen      []string
	Live, Stage Server
	// Assets has the directories static, with one directory a build, and media.
	Assets string
	// Dashboard is the path of a socket that speaks HTTP and answers below /uwsgi/;
	// empty where there is none. It is asked for visitors from this machine, and from
	// the networks of DashboardAllow; the header X-Hadjango-Peer says who they are.
	Dashboard      string
	DashboardAllow []string
	// Pages has empty.html, unavailable.html and forbidden.html.
	Pages string
	// Temp is where nginx keeps large bodies; Logs where it writes.
	Temp, Logs, PIDFile string
	// MimeTypes is nginx's own file of that name. Default /etc/nginx/mime.types.
	MimeTypes string
	// MaxBody is the largest body of a request, such as 50m. Default 50m.
	MaxBody string
	// Timeout is the longest a request may take. Default 90 s.
	Timeout time.Duration
	// HTTPS says that TLS ends in front of this nginx.
	HTTPS bool
}

// Server is one of the two sites.
type Server struct {
	// Names are the host names; the first one is the one to link to.
	Names []string
	// Pointer is the symbolic link that names the build.
	Pointer string
	// Socket is the path through the pointer to the build's socket that speaks
	// the uwsgi protocol.
	Socket string
	// Upstream is the path through the pointer to a file of [RenderUpstream],
	// and is used instead of Socket when it is set.
	Upstream string
}

// Upstream names the server behind a pointer, for the reload switch.
type Upstream struct {
	// Pointer is live or stage.
	Pointer string
	// Server is an address that speaks the uwsgi protocol: host:port or unix:path.
	Server string
}

const (
	defaultTimeout   = 90 * time.Second
	defaultMaxBody   = "50m"
	defaultMimeTypes = "/etc/nginx/mime.types"
)

// Render writes the configuration of a site. Templates in own take the place
// of the embedded ones; own may be nil.
func Render(w io.Writer, site Site, own fs.FS) error {
	site = withDefaults(site)
	if err := site.check(); err != nil {
		return fmt.Errorf("render nginx.conf: %w", err)
	}
	return conf.Execute(w, own, "nginx.conf.tmpl", newView(site))
}

// RenderUpstream writes the file that names a build's server.
func RenderUpstream(w io.Writer, upstream Upstream, own fs.FS) error {
	if err := upstream.check(); err != nil {
		return fmt.Errorf("render upstream: %w", err)
	}
	return conf.Execute(w, own, "upstream.conf.tmpl", upstream)
}

func withDefaults(site Site) Site {
	if site.Timeout == 0 {
		site.Timeout = defaultTimeout
	}
	if site.MaxBody == "" {
		site.MaxBody = defaultMaxBody
	}
	if site.MimeTypes == "" {
		site.MimeTypes = defaultMimeTypes
	}
	return site
}

// view is what the template sees.
type view struct {
	Site
	Servers     []serverView
	Timeout     int
	ReadTimeout int
}

type serverView struct {
	Names            []string
	Name, Pointer    string
	PointerPath      string
	Socket, Upstream string
	HTTPS, NoIndex   bool
}

// readGrace lets uWSGI's own time limit act before nginx's.
const readGrace = 5 * time.Second

func newView(site Site) view {
	return view{
		Site:        site,
		Servers:     []serverView{newServerView("live", site.Live, site), newServerView("stage", site.Stage, site)},
		Timeout:     seconds(site.Timeout),
		ReadTimeout: seconds(site.Timeout + readGrace),
	}
}

func newServerView(pointer string, s Server, site Site) serverView {
	return serverView{
		Names: s.Names, Name: s.Names[0], Pointer: pointer, PointerPath: s.Pointer,
		Socket: s.Socket, Upstream: s.Upstream,
		HTTPS: site.HTTPS, NoIndex: pointer == "stage",
	}
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
