package site

import (
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/hadjango/hadjango/builds"
)

// location is a file or directory of a site, with the mode that it is made with:
// the narrowest that works.
type location struct {
	// path is below deploy; * is the name of a build.
	path string
	// owner is whose it is where root deploys, and whose group has it.
	owner string
	// roots is the mode where root deploys, users where an ordinary user does, who
	// owns all.
	roots, users fs.FileMode
	kind         kind
	// why it must not be narrower.
	why string
}

// Owners of locations.
const (
	roots  = "root:root"
	shared = "root:the user"
	users  = "the user:the user"
)

// kind says who makes a location.
type kind int

const (
	// file is a task's, and there when it is needed.
	file kind = iota
	// directory is made by every task where it is missing.
	directory
	// servers is made by a server, whose umask may give the group more: the
	// directory that it lies in is closed.
	servers
)

// locations are what lies in deploy. Root writes only where nobody else can put a
// link in its way, so the user owns just what its processes write; what others
// must not read is closed to them. Directories come before what is in them.
var locations = []location{
	// a project's files and those that overlay them may hold secrets, whatever their own modes
	{"", shared, 0o750, 0o700, directory, "the servers get in, nobody else"},
	{"lock", roots, 0o600, 0o600, file, "who can open it can keep every task waiting"},
	{"servers.lock", roots, 0o600, 0o600, file, "the same"},
	{"dashboard.lock", roots, 0o600, 0o600, file, "the same"},
	{"lock.json", roots, 0o644, 0o644, file, "which task runs, for the dashboard and build commands"},
	{"journal.jsonl", shared, 0o640, 0o640, file, "tasks write it; never a secret"},
	{"nginx.pid", roots, 0o644, 0o644, servers, "nginx's master writes it before it becomes the user"},
	{"builds", shared, 0o755, 0o755, directory, "the servers look for builds"},
	{"builds/*", shared, 0o755, 0o755, file, "a finished build: its own code cannot change it"},
	{"builds/*/build.json", roots, 0o644, 0o644, file, "the application asks it who it is"},
	{"builds/*/uwsgi.d", roots, 0o755, 0o755, file, "read by the emperors"},
	{"builds/*/uwsgi.d/env.json", shared, 0o640, 0o600, file, "`env` of hadjango.yml: secrets, read by workers"},
	{"builds/*/uwsgi.d/zerg.ini", shared, 0o644, 0o644, file, "read by the emperors"},
	{"assets", shared, 0o755, 0o755, directory, "read by nginx"},
	{"assets/static", shared, 0o755, 0o755, directory, "read by nginx"},
	{"assets/static/*", shared, 0o755, 0o755, file, "static files: read by nginx"},
	{"assets/media", users, 0o755, 0o755, directory, "the application writes uploads, nginx reads them"},
	{"data", users, 0o700, 0o700, directory, "SQLite files and the like, the application's alone"},
	{"deps", shared, 0o755, 0o755, directory, "read by workers"},
	{"deps/wheelhouse", users, 0o755, 0o755, directory, "pip runs as the user"},
	{"deps/cache", users, 0o755, 0o755, directory, "pip and npm run as the user"},
	{"deps/installed", shared, 0o755, 0o755, directory, "builds share it, so none may change it"},
	{"deps/node", shared, 0o755, 0o755, directory, "builds share it, so none may change it"},
	{"etc", shared, 0o755, 0o755, directory, "configuration of the servers"},
	{"etc/pages", shared, 0o755, 0o755, directory, "pages of nginx's own"},
	{"etc/nginx.conf", shared, 0o644, 0o644, file, "read by nginx's master"},
	{"etc/vassals.ini", shared, 0o644, 0o644, file, "read by the emperor"},
	{"etc/zergs.ini", shared, 0o644, 0o644, file, "read by the emperor"},
	{"logs", shared, 0o750, 0o750, directory, "names of visitors, paths"},
	{"logs/*.build.log", roots, 0o640, 0o640, file, "what build commands print may be secret"},
	{"logs/*.vassal.log", users, 0o640, 0o640, file, "vassals write it, and tasks read it for reasons"},
	{"logs/*.zerg.log", users, 0o640, 0o640, file, "workers write it, and tasks read it for reasons"},
	{"logs/*.zerg2.log", users, 0o640, 0o640, file, "workers write it, and tasks read it for reasons"},
	{"logs/nginx.access.log", roots, 0o644, 0o644, servers, "nginx's master opens it; closed by `logs`"},
	{"logs/nginx.error.log", roots, 0o644, 0o644, servers, "nginx's master opens it; closed by `logs`"},
	{"logs/vassals.log", roots, 0o640, 0o640, file, "it is opened before the emperor becomes the user"},
	{"logs/zergs.log", roots, 0o640, 0o640, file, "it is opened before the emperor becomes the user"},
	{"tmp", shared, 0o755, 0o755, directory, "nginx's workers keep large bodies in it, in directories of their own"},
	{"run", users, 0o750, 0o750, directory, "sockets: only the servers may connect"},
	{"run/*.app.sock", users, 0o660, 0o660, servers, "nginx's workers connect"},
	{"run/*.zerg", users, 0o755, 0o755, servers, "zergs fetch the listening sockets"},
	{"run/*.zerg.stats", users, 0o755, 0o755, servers, "tasks read it; only the owner may connect"},
	{"run/*.zerg.fifo", users, 0o600, 0o600, servers, "tells the workers to pause or end"},
	{"run/*.vassal.stats", users, 0o660, 0o660, servers, "tasks read it"},
	{"run/vassals.stats", users, 0o755, 0o755, servers, "tasks read it; only the owner may connect"},
	{"run/vassals.pid", users, 0o644, 0o644, servers, "the emperor writes it; closed by `run`"},
	{"run/zergs.stats", users, 0o755, 0o755, servers, "tasks read it; only the owner may connect"},
	{"run/zergs.pid", users, 0o644, 0o644, servers, "the emperor writes it; closed by `run`"},
}

// spared are bits that a location may have all the same.
func (l location) spared() fs.FileMode {
	if l.kind == servers {
		return 0o070
	}
	return 0
}

// givenAway tells whether it may be anybody's: who rotates logs says whose the
// new ones are, and what servers make is theirs.
func (l location) givenAway() bool { return l.kind == servers || strings.HasPrefix(l.path, "logs/") }

// perm is the mode of a location of this site.
func (s *Site) perm(l location) fs.FileMode {
	if s.user.IsMe() {
		return l.users
	}
	return l.roots
}

// paths are where a location is, for each of the builds if it is a build's.
func (l layout) paths(at location, names []builds.Name) []string {
	if !strings.Contains(at.path, "*") {
		return []string{l.pathOf(at)}
	}
	var all []string
	for _, name := range names {
		all = append(all, strings.ReplaceAll(l.pathOf(at), "*", string(name)))
	}
	return all
}

// pathOf is where a location is; run may lie elsewhere.
func (l layout) pathOf(at location) string {
	if below, ok := strings.CutPrefix(at.path+"/", "run/"); ok {
		return filepath.Join(l.run, below)
	}
	return l.deployFile(at.path)
}
