package composetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/containers"
	"github.com/hadjango/hadjango/internal/watch"
	"github.com/hadjango/hadjango/site"
)

// stack is a site in containers, with the directory where a person works on it.
type stack struct {
	engine
	compose containers.Compose
	site    string
}

const (
	project = `
def application(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello\n"]
`
	configuration = "project: project\nwsgi: app:application\nhealth: /\nworkers: {min: 2, max: 2}\n"
	// secret is what no image may hold.
	secret = "correct-horse-battery-staple"
	// override is what is different here: an image has a number, and no network
	// while it is built; and its health is known sooner.
	override = `
x-here: &here
  build: {network: none, labels: {number: "%d"}}
  healthcheck: {interval: 1s}
services: {web: *here, nginx: *here}
`
)

// newStack lays a clone of the repository, and brings the containers up by the
// command that comes first on a new machine.
func newStack(e engine, compose containers.Compose) stack {
	e.Helper()
	s := stack{e, compose, e.TempDir()}
	require.NoError(s, os.Chmod(filepath.Dir(s.site), 0o755))
	s.clone()
	s.write("hadjango.yml", configuration)
	s.write("project/app.py", project)
	s.write(".env", "HADJANGO_PACKAGES=\nDATABASE_PASSWORD="+secret+"\n")
	s.write("site/.env", secret)
	s.number(1)
	s.Cleanup(func() {
		if s.Failed() {
			logs, _ := s.try("docker", "ps", "--all")
			s.Log(logs)
			logs, _ = s.tryCompose("logs", "--no-color")
			s.Log(logs)
		}
		_, _ = s.tryCompose("down", "--volumes", "--timeout", "1")
	})
	s.up()
	return s
}

// clone copies what git tracks, or would.
func (s stack) clone() {
	s.Helper()
	list, archive := filepath.Join(s.dir, "clone.list"), filepath.Join(s.dir, "clone.tar")
	names, err := s.output(command.Command{
		Args: []string{"git", "ls-files", "--cached", "--others", "--exclude-standard"}, Dir: repository(),
	})
	require.NoError(s, err)
	require.NoError(s, os.WriteFile(list, []byte(names+"\n"), 0o644))
	require.NoError(s, run(s.Context(), "tar", "-C", repository(), "--verbatim-files-from", "--files-from", list, "-cf", archive))
	require.NoError(s, run(s.Context(), "tar", "-C", s.site, "--no-same-owner", "-xf", archive))
}

func (s stack) write(path, text string) {
	s.Helper()
	path = filepath.Join(s.site, path)
	require.NoError(s, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(s, os.WriteFile(path, []byte(text), 0o644))
}

// number makes the next image another one.
func (s stack) number(n int) { s.write("docker-compose.override.yml", fmt.Sprintf(override, n)) }

func (s stack) up() { s.composed("up", "-d") }

func (s stack) composed(args ...string) string {
	s.Helper()
	out, err := s.tryCompose(args...)
	require.NoError(s, err)
	return out
}

func (s stack) tryCompose(args ...string) (string, error) { return s.tryComposeWith(nil, args...) }

func (s stack) tryComposeWith(env []string, args ...string) (string, error) {
	return s.output(command.Command{Args: append(s.compose, args...), Dir: s.site, Env: append(s.env(), env...)})
}

func (s stack) container(service string) string { return s.composed("ps", "-q", service) }

func (s stack) containers() []string { return []string{s.container("web"), s.container("nginx")} }

// in runs a program in the container of a service.
func (s stack) in(service string, program ...string) string {
	s.Helper()
	return s.run(append([]string{"docker", "exec", s.container(service)}, program...)...)
}

// inspect says one thing of a container or an image.
func (s stack) inspect(id, format string) string {
	s.Helper()
	return s.run("docker", "inspect", "--format", format, id)
}

// task is a task as a person runs it, outside of the containers.
func (s stack) task(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.Context(), s.path("hadjango"), args...)
	cmd.Dir, cmd.Env = s.site, append(s.env(), "HADJANGO_HOST=compose")
	return cmd
}

func (s stack) do(args ...string) string {
	s.Helper()
	var out, errors bytes.Buffer
	cmd := s.task(args...)
	cmd.Stdout, cmd.Stderr = &out, &errors
	require.NoError(s, cmd.Run(), "%s\n%s", args, errors.String())
	return strings.TrimSpace(out.String())
}

func (s stack) status() site.Status {
	s.Helper()
	var status site.Status
	require.NoError(s, json.Unmarshal([]byte(s.do("status", "-json")), &status))
	return status
}

// problems are what doctor finds.
func (s stack) problems() []site.Finding {
	s.Helper()
	cmd := s.task("doctor", "-json")
	out, _ := cmd.Output()
	var diagnosis site.Diagnosis
	require.NoError(s, json.Unmarshal(out, &diagnosis), string(out))
	return diagnosis.Findings
}

// pointers are the builds that live and stage name, if they are active.
func (s stack) pointers() map[string]builds.Name {
	s.Helper()
	found := map[string]builds.Name{}
	for _, b := range s.status().Builds {
		if b.Pointer != "" && b.State == site.Active {
			found[b.Pointer] = b.Name
		}
	}
	return found
}

// awaitPointers returns when live and stage are what they were: live serves while
// stage still starts.
func (s stack) awaitPointers(was map[string]builds.Name) {
	s.Helper()
	s.awaitServing(was["live"])
	var now map[string]builds.Name
	s.await(func() bool {
		now = s.pointers()
		return len(now) == len(was)
	}, "live and stage are active")
	require.Equal(s, was, now)
}

// awaitServing returns when a visitor is answered by the build.
func (s stack) awaitServing(build builds.Name) {
	s.Helper()
	s.await(func() bool { return s.visit() == string(build) }, "%s serves", build)
}

// patience is for a machine that has much else to do.
const patience = 2 * time.Minute

func (s stack) await(isSo func() bool, what string, args ...any) {
	s.Helper()
	require.NoError(s, watch.Until(limited(s, patience), 50*time.Millisecond, func() (bool, error) { return isSo(), nil }),
		fmt.Sprintf(what, args...))
}

const address, host = "127.0.0.1:8080", "live.localhost"

// visit is which build answers a visitor.
func (s stack) visit() (build string) {
	response, err := s.get("/")
	if err != nil {
		return ""
	}
	return response.Header.Get("X-Hadjango-Build")
}

// get is the answer to a visitor of live, whose body has been read.
func (s stack) get(path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, "http://"+address+path, nil)
	require.NoError(s, err)
	request.Host = host
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, err
}

// page is what a visitor of live is shown, and its status.
func (s stack) page(path string) (status int, body string) {
	s.Helper()
	response, err := s.get(path)
	require.NoError(s, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(s, err)
	return response.StatusCode, string(text)
}

// on is the same stack for a test of its own.
func (s stack) on(t *testing.T) stack {
	s.TB = t
	return s
}
