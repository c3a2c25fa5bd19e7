package site_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/disktest"
	"github.com/hadjango/hadjango/internal/golden"
	"github.com/hadjango/hadjango/internal/usertest"
	"github.com/hadjango/hadjango/site"
)

// trick is one way in which a project's own build command could lead the task,
// which may be root's, to where the project itself cannot go.
type trick struct {
	what string
	// script is run in the build; $CANARY is a directory of who deploys.
	script string
}

var tricks = []trick{
	{"a static file that is a link to one elsewhere", `ln -s "$CANARY/secret.css" assets/static/a.css`},
	{"static files that are a pipe, and have names with line ends and bytes that are no UTF-8", `mkfifo assets/static/pipe.css; printf x >"assets/static/$(printf 'a\nb\377').css"`},
	{"`assets` is a link to a directory elsewhere", `rm -r assets; ln -s "$CANARY" assets`},
	{"`assets` is gone", `mv assets x`},
	{"`lib` is one", `mv lib lib2; ln -s "$CANARY" lib`},
	{"`uwsgi.d`, where the configuration goes, is one", `ln -s "$CANARY" uwsgi.d`},
	{"`build.json` is a link to a file elsewhere", `rm build.json; ln -s "$CANARY/secret.css" build.json`},
	{"`build.json` is a pipe, on which a reader waits for ever", `rm build.json; mkfifo build.json`},
	{"`live.conf` is a pipe", `mkfifo live.conf`},
	{"`app.sock` and `stage.conf` are directories", `mkdir app.sock stage.conf`},
	{"`vassal.ini` and `zerg.ini` are there already", `ln -s "$CANARY/secret.css" vassal.ini; echo "[uwsgi]" >zerg.ini`},
	{"a program is set-user-ID, and a directory set-group-ID", `cp /bin/true suid; chmod 6755 suid; mkdir sgid; chmod 2777 sgid`},
	{"all may write to everything", `chmod -R 777 . assets/static/`},
	{"nobody may read anything", `chmod -R 0 app.py assets/static/`},
	{"2,100 directories, each in the one before", `i=0; while [ $i -lt 2100 ]; do mkdir d && cd -P d || exit 0; i=$((i+1)); done; printf x >file`},
}

// persistent is for root alone: an ordinary user's project is the user, before and
// after.
var persistent = trick{
	"a process goes on after its command, and puts a link in the place of `assets` again and again",
	`(for i in $(seq 3000); do mv assets x; ln -s "$CANARY" assets; rm -f assets; mv x assets; done >/dev/null 2>&1 &)`,
}

// What a project does in its own build is done as its user, and stays in the
// build: root is not led to write, read or hand out anything else.
func TestHostileBuild_LeadsNowhere(t *testing.T) {
	test := usertest.OpenDir(t)
	s := newTestSiteIn(t, test, "build: [[sh, trick.sh]]")
	secret := filepath.Join(test, "canary", "secret.css")
	require.NoError(t, os.Mkdir(filepath.Dir(secret), 0o700))
	require.NoError(t, os.WriteFile(secret, []byte(strings.Repeat(canary+"\n", 200)), 0o600))
	s.write("project/trick.sh", "true\n")
	require.NoError(t, s.CreateBuild(t.Context(), "a"))
	table := "| what the project does in its build | what becomes of it |\n| --- | --- |\n"
	all := tricks
	if os.Geteuid() == 0 {
		all = append(all, persistent)
	}
	for _, trick := range all {
		s.write("project/trick.sh", "CANARY='"+filepath.Dir(secret)+"'\n"+trick.script+"\ntrue\n")
		table += fmt.Sprintf("| %s | %s |\n", trick.what, s.tryTrick(test))
	}
	if os.Geteuid() == 0 {
		golden.RequireSection(t, "../docs/reliability.md", "hostile builds", table)
	}
}

// badTree is a project that cannot be made a build.
type badTree struct {
	what string
	lay  func(project string) error
	said string
}

func link(target string) func(string) error {
	return func(path string) error { return os.Symlink(target, path) }
}

func pipe(path string) error { return syscall.Mkfifo(path, 0o644) }

func empty(path string) error { return os.WriteFile(path, nil, 0o644) }

func at(name string, lay func(path string) error) func(project string) error {
	return func(project string) error { return lay(filepath.Join(project, name)) }
}

var badTrees = []badTree{
	{"a pipe", at("pipe", pipe), "a pipe, a socket or a device"},
	{"requirements.txt is a pipe", at("requirements.txt", pipe), "requirements.txt"},
	{"package.json is a pipe", at("package.json", pipe), "package.json"},
	{".gitignore is a pipe", at(".gitignore", pipe), "a pipe, a socket or a device"},
	{"a link to /etc/passwd", at("link", link("/etc/passwd")), "leads out of the tree"},
	{"a link to ../canary", at("link", link("../canary")), "leads out of the tree"},
	{"`assets` is a link to ..", at("assets", link("..")), "leads out of the tree"},
	{"a file of 8 TB, all of it holes", at("holes", func(path string) error { return errors.Join(empty(path), os.Truncate(path, 8<<40)) }), "more than what is left on the disk"},
	{"a file build.json", at("build.json", empty), "which is the name of a part of every build"},
	{"a file zerg.ini", at("zerg.ini", empty), "which is the name of a part of every build"},
	{"`.git` is a file that leads nowhere", at(".git", func(path string) error { return os.WriteFile(path, []byte("gitdir: ../canary"), 0o644) }), "git"},
}

// A project that cannot be copied is refused at once, says why, and leaves
// nothing outside deploy changed.
func TestHostileProject_IsRefused(t *testing.T) {
	s := newTestSite(t, "")
	// the first task makes deploy
	_, err := s.BuildWheels(t.Context())
	require.NoError(t, err)
	table := "| what is in the project | what is said |\n| --- | --- |\n"
	for _, bad := range badTrees {
		project := filepath.Join(s.dir, "project")
		require.NoError(t, os.RemoveAll(project))
		s.write("project/app.py", app)
		require.NoError(t, bad.lay(project))
		before := disktest.Snapshot(t, s.dir, s.deploy(), filepath.Join(project, "holes"))

		err := s.CreateBuild(within(t, soon), "a")

		require.ErrorContains(t, err, bad.said, bad.what)
		require.Equal(t, before, disktest.Snapshot(t, s.dir, s.deploy(), filepath.Join(project, "holes")), bad.what)
		table += fmt.Sprintf("| %s | `%s` |\n", bad.what, bad.said)
	}
	golden.RequireSection(t, "../docs/reliability.md", "hostile projects", table)
}

// badTemplate is what the servers must not be given: root's nginx obeys a
// template, and serves a page.
type badTemplate struct {
	what string
	// lay is done in the site's directory, beside which $CANARY is.
	lay, said string
}

var badTemplates = []badTemplate{
	{"a page is a link to a file elsewhere", `mkdir conf; ln -s "$CANARY/secret.css" conf/unavailable.html`, "path escapes from parent"},
	{"a page is a link to hadjango.yml, which may hold secrets", `mkdir conf; ln -s ../hadjango.yml conf/unavailable.html`, "path escapes from parent"},
	{"`conf` is a link to a directory elsewhere", `cp "$CANARY/secret.css" "$CANARY/empty.html"; ln -s "$CANARY" conf`, "path escapes from parent"},
	{"a template is a pipe", `mkdir conf; mkfifo conf/nginx.conf.tmpl`, "it is not a regular file"},
	{"a page is a directory", `mkdir -p conf/empty.html`, "it is not a regular file"},
}

// badOwners are for root alone, whose code is another user's.
var badOwners = []badTemplate{
	{"a template belongs to the user who runs the project's code", `mkdir conf; touch conf/nginx.conf.tmpl; chown www-data conf/nginx.conf.tmpl`, "may change it"},
	{"a template can be written by that user's group", `mkdir conf; touch conf/emperor.ini.tmpl; chgrp www-data conf/*; chmod 664 conf/*`, "may change it"},
	{"a template can be written by all", `mkdir conf; touch conf/nginx.conf.tmpl; chmod 666 conf/nginx.conf.tmpl`, "may change it"},
	{"`conf` belongs to that user", `mkdir conf; touch conf/nginx.conf.tmpl; chown www-data conf`, "may change it"},
}

// A template of the project's that leads elsewhere, or that the code which is
// served could change, is refused before a server is started.
func TestHostileTemplates_AreRefused(t *testing.T) {
	test := usertest.OpenDir(t)
	s := newTestSiteIn(t, test, "")
	secret := filepath.Join(test, "canary", "secret.css")
	require.NoError(t, os.Mkdir(filepath.Dir(secret), 0o700))
	require.NoError(t, os.WriteFile(secret, []byte(canary), 0o600))
	all := badTemplates
	if os.Geteuid() == 0 {
		all = slices.Concat(badTemplates, badOwners)
	}
	table := "| what is in `conf/` | what is said |\n| --- | --- |\n"
	for _, bad := range all {
		lay := exec.CommandContext(t.Context(), "sh", "-ec", bad.lay)
		lay.Dir, lay.Env = s.dir, append(os.Environ(), "CANARY="+filepath.Dir(secret))
		out, err := lay.CombinedOutput()
		require.NoError(t, err, string(out))

		err = s.Up(within(t, soon))

		require.ErrorContains(t, err, bad.said, bad.what)
		require.ErrorContains(t, err, "is not taken: ", bad.what)
		s.eventually(func(s testSite) bool { return len(s.allProcesses()) == 0 }, bad.what)
		s.requireNoCanary()
		require.NoError(t, os.RemoveAll(filepath.Join(s.dir, "conf")))
		table += fmt.Sprintf("| %s | `%s` |\n", bad.what, bad.said)
	}
	if os.Geteuid() == 0 {
		golden.RequireSection(t, "../docs/reliability.md", "hostile templates", table)
	}
}

// What root obeys and the served code could change is named.
func TestDoctor_NamesWhatTheServedCodeMayChange(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("an ordinary user's code is the user's own")
	}
	s := newTestSite(t, "")
	require.NoError(t, s.CreateBuild(t.Context(), "a"))
	user, err := account.Lookup("www-data")
	require.NoError(t, err)
	for _, path := range []string{s.dir, filepath.Join(s.dir, "hadjango.yml")} {
		require.NoError(t, os.Chown(path, int(user.UID), int(user.GID)))
		found := s.awaits(t, path+" can be changed by www-data, who runs the project's code")
		require.Equal(t, site.Problem, found.Severity)
		s.follow(t, found.Mend)
		require.False(t, slices.ContainsFunc(s.diagnose().Findings, func(f site.Finding) bool { return f.What == found.What }))
	}
}

func (s testSite) tryTrick(around string) (outcome string) {
	s.t.Helper()
	before := disktest.Snapshot(s.t, around, s.deploy())
	err := s.CreateBuild(within(s.t.(*testing.T), soon), "b")
	require.Equal(s.t, before, disktest.Snapshot(s.t, around, s.deploy()))
	s.requireNoCanary()
	outcome = "the build is made, and harms nobody"
	if err != nil {
		outcome = "refused: " + reasonOf(err)
	}
	s.requireNoSetID()
	require.NoError(s.t, s.Remove(s.t.Context(), "b"))
	require.Equal(s.t, before, disktest.Snapshot(s.t, around, s.deploy()))
	return outcome
}

// reasonOf is what an error says first.
func reasonOf(err error) string {
	if errors.Is(err, syscall.ENAMETOOLONG) {
		return syscall.ENAMETOOLONG.Error()
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	reason, _, _ := strings.Cut(strings.TrimPrefix(first, "create build b: "), ", which")
	return reason
}

// eachFile visits the regular files of deploy that can be reached.
func (s testSite) eachFile(visit func(path string, info fs.FileInfo)) {
	s.t.Helper()
	require.NoError(s.t, filepath.WalkDir(s.deploy(), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				visit(path, info)
			}
		}
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENAMETOOLONG) {
			return nil
		}
		return err
	}))
}

func (s testSite) requireNoCanary() {
	s.t.Helper()
	s.eachFile(func(path string, _ fs.FileInfo) {
		data, err := os.ReadFile(path)
		if !errors.Is(err, fs.ErrPermission) {
			require.NoError(s.t, err)
		}
		require.NotContains(s.t, string(data), canary, path)
	})
}

func (s testSite) requireNoSetID() {
	s.t.Helper()
	s.eachFile(func(path string, info fs.FileInfo) {
		if info.Sys().(*syscall.Stat_t).Uid == 0 {
			require.Zero(s.t, info.Mode()&(fs.ModeSetuid|fs.ModeSetgid), path)
		}
	})
}
