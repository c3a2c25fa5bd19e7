package stack

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/python"
)

// Programs are the programs of other makers that a site runs on.
type Programs struct {
	// Nginx, UWSGI and Python are paths; Python is the interpreter that
	// uWSGI's plugin is linked with, unless another was asked for.
	Nginx, UWSGI, Python string
	// MimeTypes is nginx's table of them.
	MimeTypes string
	// NPM is npm's path, where it was looked for.
	NPM string
}

// MissingError says which packages of Debian or Ubuntu are missing.
type MissingError struct{ Packages []string }

func (e *MissingError) Error() string {
	return "missing: " + strings.Join(e.Packages, ", ") + "; as root run: " + e.Command()
}

// Command is what root installs them with.
func (e *MissingError) Command() string { return strings.Join(installCommand(e.Packages), " ") }

// Where Debian's packages put what is in no search path.
const (
	uwsgiPlugins = "/usr/lib/uwsgi/plugins"
	pythonPlugin = uwsgiPlugins + "/python3_plugin.so"
	mimeTypes    = "/etc/nginx/mime.types"
)

// FindPrograms looks for all that a site needs. What is missing is a
// [*MissingError]. An interpreter that is not empty is taken as it is.
func FindPrograms(ctx context.Context, interpreter string) (Programs, error) {
	programs, missing := find(ctx, interpreter)
	return programs, missingError(missing)
}

// FindWithNPM is FindPrograms for who makes a build that has node modules.
func FindWithNPM(ctx context.Context, interpreter string) (Programs, error) {
	programs, missing := find(ctx, interpreter)
	programs.NPM = command.Look("npm")
	if programs.NPM == "" || command.Look("node") == "" {
		missing = append(missing, "npm")
	}
	return programs, missingError(missing)
}

func find(ctx context.Context, interpreter string) (programs Programs, missing []string) {
	programs = Programs{
		Nginx: command.Look("nginx"), UWSGI: command.Look("uwsgi-core", "uwsgi"), Python: interpreter, MimeTypes: mimeTypes,
	}
	if programs.Python == "" {
		programs.Python, _ = python.Linked(pythonPlugin)
	}
	return programs, missingPackages(map[string]bool{
		"nginx":                programs.Nginx != "" && exists(mimeTypes),
		"uwsgi-core":           programs.UWSGI != "",
		"uwsgi-plugin-python3": exists(pythonPlugin),
		"python3-venv":         programs.Python != "" && canMakeVenv(ctx, programs.Python),
	})
}

func missingError(packages []string) error {
	if len(packages) == 0 {
		return nil
	}
	return &MissingError{packages}
}

// FindNginx is FindPrograms for who needs nothing but nginx.
func FindNginx() (Programs, error) {
	programs := Programs{Nginx: command.Look("nginx"), MimeTypes: mimeTypes}
	if programs.Nginx == "" || !exists(mimeTypes) {
		return programs, &MissingError{[]string{"nginx"}}
	}
	return programs, nil
}

// FindUWSGI is FindPrograms for who starts a build that is made already.
func FindUWSGI() error {
	missing := missingPackages(map[string]bool{
		"nginx": true, "uwsgi-core": command.Look("uwsgi-core", "uwsgi") != "", "uwsgi-plugin-python3": exists(pythonPlugin), "python3-venv": true,
	})
	if len(missing) > 0 {
		return &MissingError{missing}
	}
	return nil
}

func missingPackages(found map[string]bool) []string {
	var missing []string
	for _, name := range []string{"nginx", "uwsgi-core", "uwsgi-plugin-python3", "python3-venv"} {
		if !found[name] {
			missing = append(missing, name)
		}
	}
	return missing
}

func canMakeVenv(ctx context.Context, interpreter string) bool {
	me, err := account.Current()
	return err == nil && python.Python{Path: interpreter, User: me}.CanMakeVenv(ctx)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// CanInstall tells whether this process may install packages here: it is root,
// and the machine has apt-get.
func CanInstall() bool { return os.Geteuid() == 0 && command.Look("apt-get") != "" }

// Install installs packages of Debian or Ubuntu. It does not end with ctx: a
// package that is half configured is in everybody's way.
func Install(ctx context.Context, packages []string, log string) error {
	me, err := account.Current()
	if err != nil {
		return err
	}
	env := append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	for _, args := range [][]string{{"dpkg", "--configure", "-a"}, {"apt-get", "update"}, installCommand(packages)} {
		err := command.Command{Args: args, Dir: "/", Env: env, User: me, Log: log}.Run(context.WithoutCancel(ctx))
		if err != nil {
			return fmt.Errorf("install %s: %w", strings.Join(packages, ", "), err)
		}
	}
	return ctx.Err()
}

func installCommand(packages []string) []string {
	return append([]string{"apt-get", "install", "--yes", "--no-install-recommends"}, packages...)
}
