package account_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/usertest"
)

func TestCurrent_IsWhoRunsTheTest(t *testing.T) {
	me, err := account.Current()

	require.NoError(t, err)
	require.True(t, me.IsMe())
	require.Equal(t, os.Geteuid(), int(me.UID))
	require.NotEmpty(t, me.Name)
	require.NotEmpty(t, me.Group)
	require.Nil(t, me.Credential())
}

func TestLookup_NamesAnUnknownUser(t *testing.T) {
	_, err := account.Lookup("nosuchuser")

	var unknown user.UnknownUserError
	require.ErrorAs(t, err, &unknown)
	require.EqualError(t, err, "look up user: user: unknown user nosuchuser")
}

func TestCredential_MakesAChildTheUser(t *testing.T) {
	needRoot(t)
	other := another(t)
	id := exec.CommandContext(t.Context(), "id", "-u")
	id.Dir = "/"
	id.SysProcAttr = &syscall.SysProcAttr{Credential: other.Credential()}

	out, err := id.Output()

	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(int(other.UID)), strings.TrimSpace(string(out)))
}

func TestCanEnter_NamesTheFirstDirectoryThatIsClosed(t *testing.T) {
	other := another(t)
	dir := usertest.OpenDir(t)
	outer := filepath.Join(dir, "outer")
	inner := filepath.Join(outer, "middle", "inner")
	require.NoError(t, os.MkdirAll(inner, 0o755))

	for _, step := range []struct {
		path   string
		perm   os.FileMode
		closed string
	}{
		{dir, 0o755, ""},
		{inner, 0o700, inner},
		{outer, 0o700, outer},
		{inner, 0o755, outer},
		// passing through takes no right to read
		{outer, 0o711, ""},
		// and reading is not passing through
		{outer, 0o744, outer},
	} {
		require.NoError(t, os.Chmod(step.path, step.perm))
		closed, ok := other.CanEnter(inner)
		require.Equal(t, step.closed, closed, "after %s was made %o", step.path, step.perm)
		require.Equal(t, step.closed == "", ok)
	}
}

func TestCanEnter_OwnDirectory(t *testing.T) {
	dir := usertest.OpenDir(t)
	require.NoError(t, os.Chmod(dir, 0o700))

	_, ok := me(t).CanEnter(dir)

	require.True(t, ok)
}

func TestCanEnter_AsMemberOfTheGroup(t *testing.T) {
	needRoot(t)
	other := another(t)
	dir := usertest.OpenDir(t)
	require.NoError(t, os.Chmod(dir, 0o710))
	_, ok := other.CanEnter(dir)
	require.False(t, ok)

	require.NoError(t, os.Chown(dir, 0, int(other.GID)))

	_, ok = other.CanEnter(dir)
	require.True(t, ok)
	// the group's bit counts, even where it is worse than everybody's
	require.NoError(t, os.Chmod(dir, 0o701))
	_, ok = other.CanEnter(dir)
	require.False(t, ok)
}

func TestCanWrite_CountsWhatTheOwnerMayAllowHimself(t *testing.T) {
	needRoot(t)
	other := another(t)
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))

	for _, step := range []struct {
		uid, gid int
		perm     os.FileMode
		want     bool
	}{
		{0, 0, 0o664, false},
		{0, int(other.GID), 0o644, false},
		{0, int(other.GID), 0o664, true},
		{0, 0, 0o646, true},
		{int(other.UID), 0, 0o444, true},
	} {
		require.NoError(t, os.Chown(path, step.uid, step.gid))
		require.NoError(t, os.Chmod(path, step.perm))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, step.want, other.CanWrite(info), step)
		require.True(t, me(t).CanWrite(info))
	}
}

func TestOwn_NeverFollowsLinks(t *testing.T) {
	needRoot(t)
	other := another(t)
	dir := t.TempDir()
	outside := filepath.Join(dir, "outside")
	write(t, filepath.Join(outside, "file"))
	tree := filepath.Join(dir, "tree")
	write(t, filepath.Join(tree, "sub", "file"))
	toFile, toDir, toTree := filepath.Join(tree, "file"), filepath.Join(tree, "dir"), filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(filepath.Join(outside, "file"), toFile))
	require.NoError(t, os.Symlink(outside, toDir))
	require.NoError(t, os.Symlink(outside, toTree))

	require.NoError(t, other.Own(tree))
	require.NoError(t, other.Own(toTree))

	for _, path := range []string{tree, filepath.Join(tree, "sub"), filepath.Join(tree, "sub", "file"), toFile, toDir, toTree} {
		requireOwner(t, other, path)
	}
	root, err := account.Lookup("root")
	require.NoError(t, err)
	requireOwner(t, root, outside)
	requireOwner(t, root, filepath.Join(outside, "file"))
}

func TestUser_WhoRunsItOwnsEverythingAlready(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")

	require.NoError(t, me(t).Own(missing))
	require.NoError(t, me(t).Share(missing))
}

// What is in two trees is neither's to give away, nor to change again.
func TestOwnAndSeal_LeaveWhatAnotherTreeHasToo(t *testing.T) {
	needRoot(t)
	other := another(t)
	dir := usertest.OpenDir(t)
	served, tree := filepath.Join(dir, "served", "file"), filepath.Join(dir, "tree")
	write(t, served)
	require.NoError(t, other.Own(filepath.Dir(served)))
	require.NoError(t, other.Seal(filepath.Dir(served)))
	before, err := os.Lstat(served)
	require.NoError(t, err)
	write(t, filepath.Join(tree, "own"))
	require.NoError(t, os.Link(served, filepath.Join(tree, "file")))
	sealed := account.User{UID: 0, GID: other.GID}

	require.NoError(t, other.Own(tree))
	requireOwner(t, other, filepath.Join(tree, "own"))
	requireOwner(t, sealed, served)
	linked, err := os.Lstat(served)
	require.NoError(t, err)
	require.NoError(t, other.Seal(tree))

	requireOwner(t, sealed, filepath.Join(tree, "own"))
	after, err := os.Lstat(served)
	require.NoError(t, err)
	require.Equal(t, before.Mode(), after.Mode())
	require.Equal(t, linked.Sys().(*syscall.Stat_t).Ctim, after.Sys().(*syscall.Stat_t).Ctim, "it was touched")
}

func TestSeal_MakesOnesOwnFilesReadOnly(t *testing.T) {
	dir := t.TempDir()
	for name, perm := range map[string]os.FileMode{"file": 0o644, "program": 0o755, "secret": 0o600} {
		write(t, filepath.Join(dir, "sub", name))
		require.NoError(t, os.Chmod(filepath.Join(dir, "sub", name), perm))
	}
	outside := filepath.Join(t.TempDir(), "file")
	write(t, outside)
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "link")))

	require.NoError(t, me(t).Seal(dir))

	for name, perm := range map[string]os.FileMode{"file": 0o444, "program": 0o555, "secret": 0o400} {
		requireMode(t, perm, filepath.Join(dir, "sub", name))
	}
	requireMode(t, os.ModeDir|0o755, filepath.Join(dir, "sub"))
	requireMode(t, 0o644, outside)
}

// An ordinary user may give nothing away: what fails first is what is done first.
func TestOwn_GivesADirectoryAwayAfterWhatIsInIt(t *testing.T) {
	if usertest.Again(t) {
		return
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a", "b"))

	var first *os.PathError
	require.ErrorAs(t, another(t).Own(dir), &first)

	require.ErrorIs(t, first, os.ErrPermission)
	require.Equal(t, filepath.Join(dir, "a", "b"), first.Path)
}

func TestSeal_ClosesADirectoryBeforeWhatIsInIt(t *testing.T) {
	if usertest.Again(t) {
		return
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a", "b"))

	var first *os.PathError
	require.ErrorAs(t, another(t).Seal(dir), &first)

	require.ErrorIs(t, first, os.ErrPermission)
	require.Equal(t, dir, first.Path)
}

func TestSeal_LeavesTheUserReadingOnly(t *testing.T) {
	needRoot(t)
	other := another(t)
	dir := usertest.OpenDir(t)
	outside := filepath.Join(usertest.OpenDir(t), "file")
	write(t, outside)
	require.NoError(t, os.Chmod(outside, 0o666))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "link")))
	perms := map[string][2]os.FileMode{
		"file": {0o644, 0o644}, "secret": {0o600, 0o640}, "program": {0o700, 0o750}, "open": {0o777, 0o755},
		"group": {0o660, 0o640}, "readonly": {0o400, 0o440}, "setuid": {0o755 | os.ModeSetuid, 0o755},
	}
	for name, perm := range perms {
		write(t, filepath.Join(dir, name))
		require.NoError(t, os.Chmod(filepath.Join(dir, name), perm[0]))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	require.NoError(t, other.Own(dir))

	require.NoError(t, other.Seal(dir))

	sealed := account.User{UID: 0, GID: other.GID}
	for name, perm := range perms {
		requireOwner(t, sealed, filepath.Join(dir, name))
		requireMode(t, perm[1], filepath.Join(dir, name))
	}
	requireOwner(t, sealed, dir)
	requireOwner(t, sealed, filepath.Join(dir, "link"))
	requireMode(t, os.ModeDir|0o750, filepath.Join(dir, "sub"))
	requireOwner(t, account.User{}, outside)
	requireMode(t, 0o666, outside)
	require.NoError(t, as(t, other, "cat", filepath.Join(dir, "secret")))
	require.Error(t, as(t, other, "touch", filepath.Join(dir, "new")))
	require.Error(t, as(t, other, "touch", filepath.Join(dir, "sub", "new")))
	require.Error(t, as(t, other, "chmod", "777", filepath.Join(dir, "file")))
}

func TestShare_LetsTheGroupInAndNotTheUser(t *testing.T) {
	needRoot(t)
	other := another(t)
	path := filepath.Join(usertest.OpenDir(t), "env.json")
	write(t, path)
	require.NoError(t, os.Chmod(path, 0o640))
	require.Error(t, as(t, other, "cat", path))

	require.NoError(t, other.Share(path))

	requireOwner(t, account.User{UID: 0, GID: other.GID}, path)
	require.NoError(t, as(t, other, "cat", path))
	require.Error(t, as(t, other, "touch", path))
}

func TestAppend_MakesAFileOfTheUsersInADirectoryThatIsNot(t *testing.T) {
	owner := me(t)
	if os.Geteuid() == 0 {
		owner = another(t)
	}
	path := filepath.Join(usertest.OpenDir(t), "log")

	require.NoError(t, owner.Append(path))
	requireOwner(t, owner, path)
	requireMode(t, 0o640, path)
	require.NoError(t, os.WriteFile(path, []byte("line\n"), 0o640))

	require.NoError(t, owner.Append(path), "again")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "line\n", string(data))
}

func TestAppend_FollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	outside, link := filepath.Join(dir, "outside"), filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(outside, link))

	require.ErrorIs(t, another(t).Append(link), syscall.ELOOP)
	require.NoFileExists(t, outside)
}

func TestMkdirAll_GivesTheDirectoryToTheUser(t *testing.T) {
	owner := me(t)
	if os.Geteuid() == 0 {
		owner = another(t)
	}
	dir := filepath.Join(t.TempDir(), "a", "b")

	require.NoError(t, owner.MkdirAll(dir, 0o700))
	require.NoError(t, owner.MkdirAll(dir, 0o700), "again")

	requireMode(t, os.ModeDir|0o700, dir)
	requireOwner(t, owner, dir)
}

func TestMkdirAll_DoesNotReplaceAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file)

	require.ErrorIs(t, me(t).MkdirAll(filepath.Join(file, "dir"), 0o755), syscall.ENOTDIR)
}

func TestMkdirAll_GivesNobodyWhatALinkLeadsTo(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	ours, link, file := filepath.Join(dir, "ours"), filepath.Join(dir, "link"), filepath.Join(dir, "file")
	require.NoError(t, os.Mkdir(ours, 0o755))
	require.NoError(t, os.Symlink(ours, link))
	write(t, file)

	require.Error(t, another(t).MkdirAll(link, 0o755))
	require.Error(t, another(t).MkdirAll(file, 0o755))

	for _, path := range []string{ours, link, file} {
		requireOwner(t, me(t), path)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files and processes to others")
	}
}

func me(t *testing.T) account.User {
	t.Helper()
	me, err := account.Current()
	require.NoError(t, err)
	return me
}

// as runs a program as the user.
func as(t *testing.T, u account.User, args ...string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: u.Credential()}
	return cmd.Run()
}

// another returns an account that is neither ours nor root's.
func another(t *testing.T) account.User {
	t.Helper()
	for _, name := range []string{"nobody", "daemon"} {
		u, err := account.Lookup(name)
		require.NoError(t, err)
		if !u.IsMe() {
			return u
		}
	}
	t.Fatal("there is no other account")
	return account.User{}
}

func write(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, nil, 0o644))
}

func requireOwner(t *testing.T, owner account.User, path string) {
	t.Helper()
	info, err := os.Lstat(path)
	require.NoError(t, err)
	stat := info.Sys().(*syscall.Stat_t)
	require.Equal(t, [2]uint32{owner.UID, owner.GID}, [2]uint32{stat.Uid, stat.Gid}, path)
}

func requireMode(t *testing.T, mode os.FileMode, path string) {
	t.Helper()
	info, err := os.Lstat(path)
	require.NoError(t, err)
	require.Equal(t, mode, info.Mode(), path)
}
