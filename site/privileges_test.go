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

// The modes of deploy are the narrowest that work. Root's run of the tests and
// the ordinary user's each check their own.
func TestModes_AreNarrow(t *testing.T) {
	s := newTestSite(t, "env: {SHOP_KEY: \"x\"}")
	require.NoError(t, s.Init(t.Context()))
	table := "| path | where root deploys | mode | where a user does | why |\n| --- | --- | --- | --- | --- |\n"
	code := site.Location{Path: "builds/*/app.py", Owner: "root:the user", Roots: 0o644, Users: 0o444, Why: "code is read by workers"}
	for _, l := range append(site.Locations(), code) {
		path := strings.ReplaceAll(l.Path, "*", "a")
		info, err := os.Lstat(filepath.Join(s.deploy(), path))
		require.NoError(t, err)
		want := l.Users
		if os.Geteuid() == 0 {
			require.Equal(t, l.Owner, s.ownerOf(info), path)
			want = l.Roots
		}
		require.Equal(t, want, info.Mode().Perm(), path)
		table += fmt.Sprintf("| `%s` | %s | %03o | %03o | %s |\n", filepath.Join("deploy", path), l.Owner, l.Roots, l.Users, l.Why)
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
