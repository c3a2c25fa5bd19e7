// Package account is about who runs what: a tool started by root gives
// everything that runs a project's code to an ordinary user.
package account

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// User is an account of this machine.
type User struct {
	Name, Group, Home string
	UID, GID          uint32
	groups            []uint32
}

// Current is the account that this process runs as.
func Current() (User, error) { return describe(user.Current()) }

// Lookup finds an account by its name.
func Lookup(name string) (User, error) { return describe(user.Lookup(name)) }

// LookupID finds an account by its number.
func LookupID(uid uint32) (User, error) {
	return describe(user.LookupId(strconv.FormatUint(uint64(uid), 10)))
}

func describe(found *user.User, err error) (User, error) {
	if err != nil {
		return User{}, fmt.Errorf("look up user: %w", err)
	}
	u := User{Name: found.Username, Home: found.HomeDir, Group: found.Gid}
	if group, err := user.LookupGroupId(found.Gid); err == nil {
		u.Group = group.Name
	}
	if u.UID, err = number(found.Uid); err != nil {
		return User{}, err
	}
	if u.GID, err = number(found.Gid); err != nil {
		return User{}, err
	}
	ids, _ := found.GroupIds()
	for _, id := range ids {
		if n, err := number(id); err == nil {
			u.groups = append(u.groups, n)
		}
	}
	return u, nil
}

func number(id string) (uint32, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	return uint32(n), err
}

// IsMe tells whether this process runs as the user already.
func (u User) IsMe() bool { return int(u.UID) == os.Geteuid() }

// SettingsDir is where programs look for the user's own settings: for who runs
// this process it is the one that the environment names.
func (u User) SettingsDir() string {
	if home := os.Getenv("HOME"); home != "" && u.IsMe() {
		return home
	}
	return u.Home
}

// Credential lets a child process run as the user; nil when this process does
// already.
func (u User) Credential() *syscall.Credential {
	if u.IsMe() {
		return nil
	}
	return &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.groups}
}

// Become lets this whole process be the user, for good.
func (u User) Become() error {
	if u.IsMe() {
		return nil
	}
	groups := make([]int, len(u.groups))
	for i, id := range u.groups {
		groups[i] = int(id)
	}
	// the user last: nobody else may change the other two
	if err := errors.Join(syscall.Setgroups(groups), syscall.Setgid(int(u.GID))); err != nil {
		return fmt.Errorf("become %s: %w", u.Name, err)
	}
	if err := syscall.Setuid(int(u.UID)); err != nil {
		return fmt.Errorf("become %s: %w", u.Name, err)
	}
	return nil
}

// Own gives a tree of this process's to the user, links themselves and never
// what they lead to. A directory is given away after all that is in it, so
// that nobody puts a link in the way of what is still to do. A file that has
// another name too is not this tree's alone and stays whose it is. Own does
// nothing for the user that this process runs as.
func (u User) Own(root string) error {
	if u.IsMe() {
		return nil
	}
	var paths []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && (info.IsDir() || links(info) == 1) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, path := range slices.Backward(paths) {
		if err := os.Lchown(path, int(u.UID), int(u.GID)); err != nil {
			return err
		}
	}
	return nil
}

func links(info fs.FileInfo) uint64 { return uint64(info.Sys().(*syscall.Stat_t).Nlink) }

// Seal takes a tree back from the user, who may read it from then on and no
// longer write: code that is served must not be able to change itself. A file
// that is sealed already is not touched, for it may be another tree's too. For
// the user that this process runs as, files become read-only.
func (u User) Seal(root string) error {
	seal := u.takeBack
	if u.IsMe() {
		seal = makeReadOnly
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return seal(path, info)
	})
}

// takeBack closes a directory before it is read, and gives each file its owner
// before its mode: so nobody puts a link in our way, or changes a mode behind us.
func (u User) takeBack(path string, info fs.FileInfo) error {
	if u.isSealed(info) {
		return nil
	}
	if err := os.Lchown(path, os.Geteuid(), int(u.GID)); err != nil || info.Mode().Type() == fs.ModeSymlink {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return os.Chmod(path, sealed(info.Mode().Perm()))
}

// isSealed tells whether a file is ours, so that the user cannot change it,
// and is as Seal would leave it.
func (u User) isSealed(info fs.FileInfo) bool {
	stat := info.Sys().(*syscall.Stat_t)
	return info.Mode().IsRegular() && int(stat.Uid) == os.Geteuid() && stat.Gid == u.GID && info.Mode() == sealed(info.Mode().Perm())
}

func makeReadOnly(path string, info fs.FileInfo) error {
	const write = 0o222
	if perm := info.Mode().Perm(); info.Mode().IsRegular() && perm&write != 0 {
		return os.Chmod(path, perm&^write)
	}
	return nil
}

// sealed lets the group read and execute what the owner may, and nobody but
// the owner write.
func sealed(perm fs.FileMode) fs.FileMode {
	const write, group = 0o022, 0o050
	return perm&^write | perm>>3&group
}

// Share lets the user's group have a file that this process owns; what the
// group may do is in the file's mode.
func (u User) Share(path string) error {
	if u.IsMe() {
		return nil
	}
	return os.Lchown(path, os.Geteuid(), int(u.GID))
}

// Append makes sure that there is a file at path that the user, and nobody
// else, may append to, in a directory that need not be the user's.
func (u User) Append(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return err
	}
	if !u.IsMe() {
		err = f.Chown(int(u.UID), int(u.GID))
	}
	return errors.Join(err, f.Close())
}

// MkdirAll makes a directory, with its parents, that belongs to the user. Where
// the one above is the user's already, nothing is given away but a directory that
// lies there itself.
func (u User) MkdirAll(path string, perm fs.FileMode) error {
	if err := os.MkdirAll(path, perm); err != nil {
		return err
	}
	if u.IsMe() {
		return nil
	}
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	return errors.Join(dir.Chown(int(u.UID), int(u.GID)), dir.Close())
}

// Owns tells whether the file or directory at path is the user's.
func (u User) Owns(path string) bool {
	var stat unix.Stat_t
	return unix.Stat(path, &stat) == nil && stat.Uid == u.UID
}

// CanEnter tells whether the user may pass through the directory and all those
// above it. It returns the first one that is closed.
func (u User) CanEnter(dir string) (closed string, ok bool) {
	for path := dir; ; path = filepath.Dir(path) {
		var stat unix.Stat_t
		if err := unix.Stat(path, &stat); err == nil && !u.passes(stat) {
			closed = path
		}
		if path == filepath.Dir(path) {
			return closed, closed == ""
		}
	}
}

// CanWrite tells whether the user may write a file or directory, or may allow it
// to himself.
func (u User) CanWrite(info fs.FileInfo) bool {
	stat, perm := info.Sys().(*syscall.Stat_t), info.Mode().Perm()
	return u.UID == 0 || stat.Uid == u.UID || perm&0o002 != 0 || perm&0o020 != 0 && u.in(stat.Gid)
}

// passes looks at the one execute bit that counts for the user.
func (u User) passes(stat unix.Stat_t) bool {
	switch {
	case u.UID == 0:
		return true
	case stat.Uid == u.UID:
		return stat.Mode&0o100 != 0
	case u.in(stat.Gid):
		return stat.Mode&0o010 != 0
	}
	return stat.Mode&0o001 != 0
}

func (u User) in(gid uint32) bool {
	return gid == u.GID || slices.Contains(u.groups, gid)
}
