package site_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/golden"
	"github.com/hadjango/hadjango/site"
)

// places are what lies in deploy, and why each must not be narrower: owner and
// mode where root deploys, and the mode where an ordinary user does, who owns all.
var places = []struct {
	path, owner  string
	roots, users fs.FileMode
	why          string
}{
	{"", "root:the user", 0o750, 0o700, "the servers get in, nobody else"},
	{"lock", "root:root", 0o644, 0o644, "who deploys; empty"},
	{"journal.jsonl", "root:the user", 0o640, 0o640, "tasks write it; never a secret"},
	{"nginx.pid", "root:root", 0o644, 0o644, "nginx's master writes it before it becomes the user"},
	{"builds", "root:the user", 0o755, 0o755, "the servers look for builds"},
	{"builds/a", "root:the user", 0o755, 0o755, "a finished build: its own code cannot change it"},
	{"builds/a/app.py", "root:the user", 0o644, 0o444, "code is read by workers"},
	{"builds/a/build.json", "root:root", 0o644, 0o644, "the application asks it who it is"},
	{"builds/a/uwsgi.d", "root:root", 0o755, 0o755, "read by the emperors"},
	{"builds/a/uwsgi.d/env.json", "root:the user", 0o640, 0o600, "`env` of hadjango.yml: secrets, read by workers"},
	{"builds/a/uwsgi.d/zerg.ini", "root:the user", 0o644, 0o644, "read by the emperors"},
	{"assets/static/a", "root:the user", 0o755, 0o755, "static files: read by nginx"},
	{"assets/media", "the user:the user", 0o755, 0o755, "the application writes uploads, nginx reads them"},
	{"data", "the user:the user", 0o700, 0o700, "SQLite files and the like, the application's alone"},
	{"deps/wheelhouse", "the user:the user", 0o755, 0o755, "pip runs as the user"},
	{"deps/cache", "the user:the user", 0o755, 0o755, "pip and npm run as the user"},
	{"deps/installed", "root:the user", 0o755, 0o755, "builds share it, so none may change it"},
	{"etc", "root:the user", 0o755, 0o755, "configuration of the servers"},
	{"etc/nginx.conf", "root:the user", 0o644, 0o644, "read by nginx's master"},
	{"logs", "root:the user", 0o750, 0o750, "names of visitors, paths"},
	{"logs/a.build.log", "root:root", 0o640, 0o640, "what build commands print may be secret"},
	{"logs/a.zerg.log", "the user:the user", 0o640, 0o640, "workers write it, and tasks read it for reasons"},
	{"logs/nginx.access.log", "root:root", 0o644, 0o644, "nginx's master opens it; closed by `logs`"},
	{"tmp", "root:the user", 0o755, 0o755, "nginx's workers keep large bodies in it, in directories of their own"},
	{"run", "the user:the user", 0o750, 0o750, "sockets: only the servers may connect"},
	{"run/a.app.sock", "the user:the user", 0o660, 0o660, "nginx's workers connect"},
	{"run/a.zerg", "the user:the user", 0o755, 0o755, "zergs fetch the listening sockets"},
	{"run/a.zerg.stats", "the user:the user", 0o755, 0o755, "tasks read it; only the owner may connect"},
	{"run/a.zerg.fifo", "the user:the user", 0o600, 0o600, "tells the workers to pause or end"},
	{"run/zergs.stats", "the user:the user", 0o755, 0o755, "tasks read it; only the owner may connect"},
	{"run/zergs.pid", "the user:the user", 0o644, 0o644, "the emperor writes it; closed by `run`"},
}

// The modes of deploy are the narrowest that work. Root's run of the tests and
// the ordinary user's each check their own.
func TestModes_AreNarrow(t *testing.T) {
	s := newTestSite(t, "env: {SHOP_KEY: \"x\"}")
	require.NoError(t, s.Init(t.Context()))
	table := "| path | where root deploys | mode | where a user does | why |\n| --- | --- | --- | --- | --- |\n"
	for _, place := range places {
		info, err := os.Lstat(filepath.Join(s.deploy(), place.path))
		require.NoError(t, err)
		want := place.users
		if os.Geteuid() == 0 {
			require.Equal(t, place.owner, s.ownerOf(info), place.path)
			want = place.roots
		}
		require.Equal(t, want, info.Mode().Perm(), place.path)
		table += fmt.Sprintf("| `%s` | %s | %03o | %03o | %s |\n", filepath.Join("deploy", place.path), place.owner, place.roots, place.users, place.why)
	}
	s.requireNothingOpen()
	s.requireNothingMoreOfTheUsers()
	golden.RequireSection(t, "../docs/reliability.md", "modes", table)
}

// ownerOf names owner and group as they are for the site.
func (s testSite) ownerOf(info fs.FileInfo) string {
	stat := info.Sys().(*syscall.Stat_t)
	user, err := account.Lookup("www-data")
	require.NoError(s.t, err)
	name := func(id, users uint32) string {
		switch id {
		case 0:
			return "root"
		case users:
			return "the user"
		}
		return strconv.Itoa(int(id))
	}
	return name(stat.Uid, user.UID) + ":" + name(stat.Gid, user.GID)
}

// requireNothingOpen looks for what others may reach at all, and for what
// anybody but its owner may write.
func (s testSite) requireNothingOpen() {
	s.t.Helper()
	info, err := os.Stat(s.deploy())
	require.NoError(s.t, err)
	require.Zero(s.t, info.Mode().Perm()&0o007, "nobody else gets in")
	require.NoError(s.t, filepath.WalkDir(s.deploy(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type() == fs.ModeSymlink {
			return err
		}
		info, err := entry.Info()
		require.NoError(s.t, err)
		require.Zero(s.t, info.Mode().Perm()&0o002, path)
		if entry.Type() != fs.ModeSocket {
			require.Zero(s.t, info.Mode().Perm()&0o020, path)
		}
		return nil
	}))
}

// users are what the user may change where root deploys.
var users = regexp.MustCompile(`^(data|assets/media|deps/(wheelhouse|cache)|run|tmp/\w+|logs/\w+\.(zerg2?|vassal)\.log)(/|$)`)

func (s testSite) requireNothingMoreOfTheUsers() {
	if os.Geteuid() != 0 {
		return
	}
	s.t.Helper()
	require.NoError(s.t, filepath.WalkDir(s.deploy(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		require.NoError(s.t, err)
		below, err := filepath.Rel(s.deploy(), path)
		require.NoError(s.t, err)
		if info.Sys().(*syscall.Stat_t).Uid != 0 {
			require.Regexp(s.t, users, below)
		}
		return nil
	}))
}

// says is an application that tells what its process may do.
const says = `
def application(environ, start_response):
    body = open("/proc/self/status", "rb").read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

// Whatever runs the project's code is the user, without a privilege or a group
// of root's.
func TestPrivileges_AreGivenUp(t *testing.T) {
	s := newTestSite(t, "build: [[cp, /proc/self/status, status.txt]]")
	s.write("project/app.py", says)
	require.NoError(t, s.Init(t.Context()))
	_, _, worker := s.get("live.localhost", "/")

	for what, status := range map[string]string{
		"a worker":        worker,
		"a build command": s.read("deploy/builds/a/status.txt"),
		"a shell":         s.inShell(),
		"nginx's worker":  s.procStatus(s.nginx()[1].PID),
		"the emperor":     s.procStatus(s.emperor("zergs")[1].PID),
		"the vassal":      s.procStatus(s.vassal("a").PID),
	} {
		t.Run(what, func(t *testing.T) { requireNoPrivileges(t, status) })
	}
}

// Root runs the project's code only where hadjango.yml says so.
func TestPrivileges_AreGivenUpOrNothingIsDone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has a user to become")
	}
	s := newTestSite(t, "")
	config := s.read("hadjango.yml")
	require.NoError(t, os.Chmod(s.dir, 0o700))
	_, err := site.Open(s.dir, site.Options{})
	require.ErrorContains(t, err, "user www-data, whom the project's code runs as, may not enter "+s.dir+": move the site")
	require.ErrorContains(t, err, "user: root in hadjango.yml would let root run that code")
	require.NoDirExists(t, s.deploy())

	// what root's site has made is not to be found by the one of www-data that was opened first
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(s.deploy())) })
	s.reopen(config + "\nuser: root\n")
	require.NoError(t, s.CreateBuild(t.Context(), "a"))
	named := func() bool {
		return slices.ContainsFunc(s.diagnose().Findings, func(f site.Finding) bool { return f.What == "the project's code runs as root" })
	}
	require.False(t, named(), "it was asked for")

	// as a site that an earlier version has begun: it goes on
	s.reopen(config)
	require.True(t, named())
	require.NoError(t, s.CreateBuild(t.Context(), "b"))
	require.Contains(t, s.notes.String(), "the project's code runs as root")
}

// inShell says what a shell may do that was opened in a build.
func (s testSite) inShell() string {
	s.t.Helper()
	self, err := os.Executable()
	require.NoError(s.t, err)
	shell := exec.CommandContext(s.t.Context(), self, "shell")
	shell.Env = append(os.Environ(), "HADJANGO_SITE="+s.dir, "SHELL=/bin/sh")
	shell.Stdin = strings.NewReader("cat /proc/self/status\n")
	out, err := shell.Output()
	require.NoError(s.t, err)
	return string(out)
}

func (s testSite) procStatus(pid int) string {
	s.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(s.t, err)
	return string(data)
}

func requireNoPrivileges(t *testing.T, status string) {
	t.Helper()
	field := func(name string) []string {
		_, after, found := strings.Cut("\n"+status, "\n"+name+":")
		require.True(t, found, "%s of %s", name, status)
		line, _, _ := strings.Cut(after, "\n")
		return strings.Fields(line)
	}
	me, err := account.Current()
	require.NoError(t, err)
	if os.Geteuid() == 0 {
		me, err = account.Lookup("www-data")
		require.NoError(t, err)
	}
	uid, gid := strconv.Itoa(int(me.UID)), strconv.Itoa(int(me.GID))
	require.Equal(t, []string{uid, uid, uid, uid}, field("Uid"), "real, effective, saved and file system's")
	require.Equal(t, []string{gid, gid, gid, gid}, field("Gid"))
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
		require.Equal(t, []string{strings.Repeat("0", 16)}, field(set), set)
	}
	if os.Geteuid() == 0 {
		require.False(t, slices.Contains(field("Groups"), "0"), "root's group")
	}
}
