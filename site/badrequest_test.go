package site_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/internal/browser"
	"github.com/hadjango/hadjango/internal/golden"
)

// echo is an application that answers everything well: with what it was told,
// or with more than anyone's buffers hold.
const echo = `
import json

def application(environ, start_response):
    body = environ["wsgi.input"].read()
    told = {key: value for key, value in environ.items() if isinstance(value, str)}
    told["body"] = body.decode("latin-1")[:100]
    answer = b"x" * (4 << 20) if environ["PATH_INFO"] == "/big" else json.dumps(told).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]
`

// canary is in every file that nobody may ever see.
const canary = "nobody may see this"

// newEchoSite is a site of echo, with files of all kinds that could be asked for.
func newEchoSite(t *testing.T) testSite {
	t.Helper()
	s := newTestSite(t, "build: [[cp, -r, public/., assets/static]]\nenv: {SHOP_KEY: "+canary+"}")
	s.write("project/app.py", "# "+canary+echo)
	for _, source := range []string{"manage.py", "db.sqlite3", "assets/settings.py", "assets/db.sqlite3", "assets/package.json", "assets/webpack.config.js"} {
		s.write("project/"+source, "# "+canary)
	}
	for _, file := range []string{"project/public/site.css", "project/assets/robots.txt"} {
		s.write(file, css)
	}
	s.write("project/public/.hidden", canary)
	s.kept()
	require.NoError(t, s.Init(t.Context()))
	return s
}

// told is a request and what a visitor gets who sends it.
type told struct {
	status int
	header http.Header
	body   string
}

// sends writes bytes to nginx as they are, and returns what it answers.
func (s testSite) sends(text string) told { return s.sendsWithin(text, soon) }

// sendsWithin says after a while that nothing more will come: the request may
// not be whole.
func (s testSite) sendsWithin(text string, patience time.Duration) told {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	require.NoError(s.t, err)
	defer conn.Close()
	require.NoError(s.t, conn.SetDeadline(time.Now().Add(soon)))
	giveUp := time.AfterFunc(patience, func() { _ = conn.(*net.TCPConn).CloseWrite() })
	defer giveUp.Stop()
	// nginx may answer, and close, before it has read it all
	_, _ = io.WriteString(conn, text)
	answer, _ := io.ReadAll(conn)
	return parseAnswer(answer)
}

// parseAnswer takes the first answer of a connection. HTTP/0.9 has a body only.
func parseAnswer(answer []byte) told {
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil {
		return told{body: string(answer)}
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return told{response.StatusCode, response.Header, string(body)}
}

// by says who answered.
func (a told) by() string {
	switch {
	case a.header.Get("X-Hadjango-Build") != "":
		return "the application answers"
	case a.status == 0:
		return "a text without a header"
	}
	return fmt.Sprintf("%d", a.status)
}

// environment is what the application was told.
func (a told) environment(t testing.TB) (environ map[string]string) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), &environ), a.body)
	return environ
}

// badRequest is one way in which a request can be bad.
type badRequest struct {
	what string
	// texts are requests; in what is no whole one "/" is a path alone.
	texts []string
	// environ is what the application is told, "" for nothing.
	environ []string
}

func get(path string, headers ...string) string { return ask("GET", path, "", headers...) }

func post(body string, headers ...string) string { return ask("POST", "/", body, headers...) }

func ask(method, path, body string, headers ...string) string {
	lines := append([]string{method + " " + path + " HTTP/1.1", "Host: live.localhost", "Connection: close"}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// withoutHost is a request whose first line and headers are these alone.
func withoutHost(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

func headers(count int) (all []string) {
	for i := range count {
		all = append(all, fmt.Sprintf("X-%d: %d", i, i))
	}
	return all
}

func paths(paths ...string) (all []string) {
	for _, path := range paths {
		all = append(all, get(path))
	}
	return all
}

const (
	length5 = "Content-Length: 5"
	chunked = "Transfer-Encoding: chunked"
	chunks  = "3\r\nabc\r\n0\r\n\r\n"
)

func badRequests() []badRequest {
	return []badRequest{
		{what: "a path of 15,000 bytes, and cookies of as many", texts: []string{get("/"+strings.Repeat("a", 15000), "Cookie: "+strings.Repeat("b", 15000))}},
		{what: "a query of 20,000 bytes", texts: []string{get("/?" + strings.Repeat("a", 20000))}},
		{what: "a header line of 20,000 bytes", texts: []string{get("/", "Cookie: "+strings.Repeat("a", 20000))}},
		{what: "900 headers", texts: []string{get("/", headers(900)...)}, environ: []string{"HTTP_X_899=899"}},
		{what: "5,000 headers", texts: []string{get("/", headers(5000)...)}},
		{what: "a body larger than `max_body`, by its length", texts: []string{post("", "Content-Length: 52428801")}},
		{what: "a chunked body", texts: []string{post(chunks, chunked)}, environ: []string{"CONTENT_LENGTH=3", "body=abc"}},
		{what: "a chunk of 2^68 bytes; of -1; longer than it says", texts: []string{
			post("fffffffffffffffff\r\nabc\r\n0\r\n\r\n", chunked), post("-1\r\nabc\r\n0\r\n\r\n", chunked), post("3\r\nabcdef\r\n0\r\n\r\n", chunked),
		}},
		{what: "Content-Length: -1; +3; 3 and 4; 1e1; 2^64+1", texts: []string{
			post("abc", "Content-Length: -1"), post("abc", "Content-Length: +3"), post("abcd", "Content-Length: 3", "Content-Length: 4"),
			post("abc", "Content-Length: 1e1"), post("abc", "Content-Length: 18446744073709551617"),
		}},
		{what: "smuggling: Content-Length and chunked; chunked twice; in HTTP/1.0; with a space before the colon; folded", texts: []string{
			post(chunks, length5, chunked), post(chunks, chunked, "Transfer-Encoding: identity"), withoutHost("POST / HTTP/1.0", "Host: live.localhost", chunked) + chunks,
			post(chunks, "Transfer-Encoding : chunked"), post(chunks, "Transfer-Encoding:", " chunked"),
		}},
		{what: "Transfer-Encoding: gzip; identity, chunked", texts: []string{post(chunks, "Transfer-Encoding: gzip"), post(chunks, "Transfer-Encoding: identity, chunked")}},
		{what: "no Host; two; one with a `/`, a NUL", texts: []string{
			withoutHost("GET / HTTP/1.1"), get("/", "Host: evil.example"), withoutHost("GET / HTTP/1.1", "Host: live.localhost/x"), withoutHost("GET / HTTP/1.1", "Host: live.localhost\x00x"),
		}},
		{what: "a host that is neither live nor stage; none in HTTP/1.0", texts: []string{
			withoutHost("GET / HTTP/1.1", "Host: evil.example", "Connection: close"), withoutHost("GET / HTTP/1.1", "Host: x@live.localhost", "Connection: close"), withoutHost("GET / HTTP/1.0"),
		}},
		{
			what:    "an address in place of a path, and another Host; a port that is none",
			texts:   []string{withoutHost("GET http://live.localhost/ HTTP/1.1", "Host: evil.example", "Connection: close"), withoutHost("GET / HTTP/1.1", "Host: live.localhost:evil", "Connection: close")},
			environ: []string{"HTTP_HOST=live.localhost"},
		},
		{what: "HTTP/0.9", texts: []string{"GET /\r\n"}},
		{what: "HTTP/2.0; 3.0; 1.1111; TLS; other bytes", texts: []string{
			"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", withoutHost("GET / HTTP/1.1111"), "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x00\xff\x00\xff\r\n\r\n",
		}},
		{what: "CONNECT; a method in small letters; OPTIONS *", texts: []string{ask("CONNECT", "live.localhost:80", ""), ask("get", "/", ""), ask("OPTIONS", "*", "")}},
		{what: "TRACE; POST to a file", texts: []string{ask("TRACE", "/", ""), ask("POST", "/static/a/site.css", "", "Content-Length: 0")}},
		{what: "a NUL in a path, as it is or as %00; %zz", texts: paths("/a\x00b", "/a%00b", "/static/a/site.css%00.png", "/%zz")},
		{
			what: "line ends in a path: `/%0d%0aSet-Cookie:x`", texts: paths("/%0d%0aSet-Cookie:x"),
			environ: []string{"PATH_INFO=/\r\nSet-Cookie:x", "HTTP_SET_COOKIE="},
		},
		{
			what: "`//evil.example/../a`", texts: paths("//evil.example/../a"), environ: []string{"PATH_INFO=/a"},
		},
		{
			what: "X-Forwarded-For, -Host, -Port, -Proto, X-Real-IP, Forwarded, Proxy, and the same with underscores",
			texts: []string{get("/", "X-Forwarded-For: 6.6.6.6", "X_Forwarded_For: 6.6.6.6", "X-Real-IP: 6.6.6.6", "X_Real_IP: 6.6.6.6", "X-Forwarded-Proto: https",
				"X-Forwarded-Host: evil.example", "X_Forwarded_Host: evil.example", "X-Forwarded-Port: 1", "Forwarded: for=6.6.6.6", "Proxy: evil.example", "REMOTE_ADDR: 6.6.6.6")},
			environ: []string{
				"REMOTE_ADDR=127.0.0.1", "HTTP_X_FORWARDED_FOR=127.0.0.1", "HTTP_X_REAL_IP=127.0.0.1", "HTTP_X_FORWARDED_PROTO=http", "HTTP_X_FORWARDED_HOST=",
				"HTTP_X_FORWARDED_PORT=", "HTTP_FORWARDED=", "HTTP_PROXY=", "HTTP_REMOTE_ADDR=",
			},
		},
		{
			what: "hop-by-hop: Connection: close, X-Real-IP, Host", texts: []string{get("/", "Connection: close, X-Real-IP, Host")},
			environ: []string{"HTTP_X_REAL_IP=127.0.0.1", "HTTP_HOST=live.localhost"},
		},
		{
			what: "uWSGI's variables and ours as headers: UWSGI_FILE, UWSGI-FILE, SCRIPT_NAME, X-Hadjango-Build", environ: []string{"UWSGI_FILE=", "SCRIPT_NAME=", "HTTP_UWSGI_FILE="},
			texts: []string{get("/", "UWSGI_FILE: /etc/passwd", "SCRIPT_NAME: /x", "X-Hadjango-Build: z")},
		},
		{
			what: "out of /static and /media by `..`, `%2e%2e`, `..%2f`", texts: paths(
				"/static/a/../../../builds/a/app.py", "/static/%2e%2e/%2e%2e/builds/a/app.py", "/static/a/..%2f..%2f..%2f..%2fbuilds/a/app.py", "/media/..%2f..%2fbuilds/a/app.py",
				"/media/../../../builds/a/app.py", "/static/..//..//..//builds/a/app.py", "/static/a/.../site.css"),
		},
		{what: "the same by `\\`, `%5c`, `%252e`, overlong UTF-8", texts: paths(
			"/static/..\\..\\builds\\a\\app.py", "/media/..%5c..%5cbuilds%5ca%5capp.py", "/static/%252e%252e/%252e%252e/builds/a/app.py", "/static/%c0%ae%c0%ae/x", "/static/a/site.css/", "/static/a/site.css/app.py")},
		{what: "dot files of /static and /media", texts: paths("/static/a/.hidden", "/static/a/%2ehidden", "/static/.git/config", "/media/.git/config", "/static//a//.hidden")},
		{what: "a directory of /static or /media", texts: paths("/static/", "/media/", "/static/a/")},
		{what: "dot files, sources, data and manifests under `/`, in the project and in its assets", texts: paths(
			"/.git/config", "/.DEPLOY_TAG", "/build.json", "/app.py", "/manage.py", "/settings.py", "/db.sqlite3", "/__pycache__/app.cpython-311.pyc", "/uwsgi.d/env.json", "/package.json",
			"/webpack.config.js", "/assets/settings.py", "/static", "/media", "/robots.txt%2f..%2fsettings.py", "/.", "/robots.txt/../settings.py")},
		{what: "out of /uwsgi, the dashboard", texts: paths(
			"/uwsgi/../../builds/a/app.py", "/uwsgi/..%2f..%2f..%2fbuilds/a/app.py", "/uwsgi/%2e%2e/%2e%2e/builds/a/app.py")},
		{what: "files and tricks below /uwsgi: `.git`, `%5c`, `%252e`, a longer path", texts: paths(
			"/uwsgi/.git/config", "/uwsgi/..%5c..%5cbuilds%5ca%5capp.py", "/uwsgi/%252e%252e/x", "/uwsgi/app.py", "/uwsgi/deploy/journal.jsonl")},
		{what: "nginx's own pages", texts: paths("/.unavailable", "/.unavailable/")[:1]},
	}
}

// A bad request is refused by nginx, or reaches the application cleaned. None
// is answered 5xx but for what HTTP says so: a visitor could else make a good
// build look bad.
func TestBadRequest_HarmsNobody(t *testing.T) {
	s := newEchoSite(t)
	before := s.processes()
	table := "| what is sent | what happens |\n| --- | --- |\n"
	for _, bad := range badRequests() {
		table += s.tryRequest(bad)
	}
	t.Run("any bytes", func(t *testing.T) { s.tryAnyBytes(t) })

	require.Equal(t, http.StatusOK, s.sends(get("/")).status)
	require.ElementsMatch(t, before, s.processes(), "none has died")
	require.NotRegexp(t, `\[(alert|crit|emerg)\]`, s.readLog("nginx.error.log"))
	golden.RequireSection(t, "../docs/reliability.md", "bad requests", table)
}

// tryRequest sends the requests of one row.
func (s testSite) tryRequest(bad badRequest) string {
	s.t.Helper()
	var happens []string
	for _, text := range bad.texts {
		answer := s.sends(text)
		require.NotContains(s.t, answer.body, canary, "%.200q", text)
		if !slices.Contains(happens, answer.by()) {
			happens = append(happens, answer.by())
		}
		for _, variable := range bad.environ {
			name, want, _ := strings.Cut(variable, "=")
			require.Equal(s.t, want, answer.environment(s.t)[name], "%s of %.200q", name, text)
		}
	}
	return fmt.Sprintf("| %s | %s |\n", bad.what, strings.Join(happens, " or ")+inWords(bad.environ))
}

// inWords names what the application is told, and what not.
func inWords(environ []string) string {
	var is, no []string
	for _, variable := range environ {
		if name, value, _ := strings.Cut(variable, "="); value == "" {
			no = append(no, "`"+name+"`")
		} else {
			is = append(is, fmt.Sprintf("`%s` is %s", name, strings.Trim(fmt.Sprintf("%q", value), `"`)))
		}
	}
	text := ""
	if len(is) > 0 {
		text = "; " + strings.Join(is, ", ")
	}
	if len(no) > 0 {
		text += "; there is no " + strings.Join(no, ", ")
	}
	return text
}

// tryAnyBytes changes good and bad requests at random, the same ones in each run.
func (s testSite) tryAnyBytes(t *testing.T) {
	const tries, patience = 1500, 2 * time.Second
	random := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for _, bad := range badRequests() {
		texts = append(texts, bad.texts...)
	}
	group := errgroup.Group{}
	group.SetLimit(32)
	for range tries {
		text := spoiled(random, texts[random.IntN(len(texts))])
		group.Go(func() error {
			answer := s.sendsWithin(text, patience)
			if answer.status >= 500 && answer.status != http.StatusNotImplemented && answer.status != http.StatusHTTPVersionNotSupported {
				return fmt.Errorf("%d to %.300q", answer.status, text)
			}
			if strings.Contains(answer.body, canary) {
				return fmt.Errorf("a secret to %.300q", text)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
}

func spoiled(random *rand.Rand, text string) string {
	const bytes, beginning = "\x00\r\n :/%.\\\"';{}$\xffa0", 200
	changed := []byte(text)
	for range 1 + random.IntN(4) {
		changed[random.IntN(min(len(changed), beginning))] = bytes[random.IntN(len(bytes))]
	}
	return string(changed)
}

const slowClients = 500

// Slow visitors hold a connection each and no worker, and not for ever.
func TestBadRequest_SlowVisitorsHoldNobodyUp(t *testing.T) {
	s := newEchoSite(t)
	slow := []struct {
		what string
		// text is sent at once, and with drip a byte now and then after it.
		text   string
		drip   bool
		count  int
		buffer int
		ends   time.Duration
	}{
		{"headers, a byte four times a second", "GET / HTTP/1.1\r\nHost: live.localhost\r\nX-A: ", true, slowClients * 2 / 5, 0, 15 * time.Second},
		{"a body that stops", post("abc", "Content-Length: 1000"), false, slowClients * 2 / 5, 0, 30 * time.Second},
		{"an answer of 4 MB that is not taken", get("/big"), false, slowClients / 5, 4096, 30 * time.Second},
	}
	table := "| 500 slow visitors at once | nginx ends it after |\n| --- | --- |\n"
	ended := make([]chan time.Duration, len(slow))
	for i, visitor := range slow {
		ended[i] = make(chan time.Duration, visitor.count)
		for range visitor.count {
			conn := s.dialSlow(visitor.buffer)
			go func() { ended[i] <- sitOn(conn, visitor.text, visitor.drip) }()
		}
	}
	longest := s.visitBeside(t)
	t.Logf("with %d slow visitors the longest of 400 requests took %s", slowClients, longest)
	require.Less(t, longest, slow[0].ends, "none had to wait until a slow one was ended")
	for i, visitor := range slow {
		for range visitor.count {
			took := <-ended[i]
			require.GreaterOrEqual(t, took, visitor.ends-2*time.Second, visitor.what)
			require.Less(t, took, visitor.ends+30*time.Second, visitor.what)
		}
		table += fmt.Sprintf("| %d: %s | %.0f s |\n", visitor.count, visitor.what, visitor.ends.Seconds())
	}
	golden.RequireSection(t, "../docs/reliability.md", "slow visitors", table)
}

// dialSlow connects; a buffer makes the kernel take no more than that.
func (s testSite) dialSlow(buffer int) net.Conn {
	s.t.Helper()
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if buffer == 0 {
			return nil
		}
		_ = c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, buffer) })
		return err
	}}
	conn, err := dialer.Dial("tcp", s.address)
	require.NoError(s.t, err)
	return conn
}

// sitOn is a slow visitor. It returns how long it could sit there.
func sitOn(conn net.Conn, text string, drip bool) time.Duration {
	defer conn.Close()
	start := time.Now()
	_, _ = io.WriteString(conn, text)
	for isOpen(conn) && time.Since(start) < soon {
		time.Sleep(dripEvery)
		if drip {
			_, _ = io.WriteString(conn, "a")
		}
	}
	return time.Since(start)
}

const dripEvery = 250 * time.Millisecond

// isOpen tells, without reading, whether the other side still has the connection.
func isOpen(conn net.Conn) (open bool) {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		const established = 1
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		open = err == nil && info.State == established
	})
	return open
}

// visitBeside asks for pages, and returns how long the slowest took.
func (s testSite) visitBeside(t *testing.T) (longest time.Duration) {
	t.Helper()
	for range 400 {
		start := time.Now()
		require.Equal(t, http.StatusOK, s.sends(get("/")).status)
		longest = max(longest, time.Since(start))
	}
	return longest
}

// uploads are what visitors could upload, and how they are served.
var uploads = []struct{ what, name, text, wantType, policy string }{
	{"a page", "page.html", script, "text/html", "sandbox"},
	{"a page in XML", "page.xhtml", `<html xmlns="http://www.w3.org/1999/xhtml"><body>` + script + "</body></html>", "application/xhtml+xml", "sandbox"},
	{"a drawing", "drawing.svg", `<svg xmlns="http://www.w3.org/2000/svg">` + script + "</svg>", "image/svg+xml", "sandbox"},
	{"XML", "data.xml", `<a xmlns="http://www.w3.org/1999/xhtml">` + script + "</a>", "text/xml", "sandbox"},
	{"a script", "script.js", "document.title = 'ran'", "text/plain", ""},
	{"a module", "script.mjs", "document.title = 'ran'", "text/plain", ""},
	{"a program of the server's", "code.py", "print()", "application/octet-stream", ""},
	{"a picture", "picture.png", "\x89PNG", "image/png", ""},
	{"what nobody knows", "strange", script, "application/octet-stream", ""},
}

const script = "<script>document.title = 'ran'; document.documentElement.id = 'ran'</script>"

// Uploads are files and nothing else: they do not run, and lead nowhere.
func TestMedia_CannotRunAndLeadsNowhere(t *testing.T) {
	s := newEchoSite(t)
	media := filepath.Join(s.dir, "deploy/assets/media")
	table := "| upload | served as | Content-Security-Policy |\n| --- | --- | --- |\n"
	for _, upload := range uploads {
		s.write("deploy/assets/media/"+upload.name, upload.text)
		answer := s.sends(get("/media/" + upload.name))
		require.Equal(t, upload.text, answer.body)
		require.Equal(t, upload.wantType, answer.header.Get("Content-Type"), upload.name)
		require.Equal(t, "nosniff", answer.header.Get("X-Content-Type-Options"), upload.name)
		require.Equal(t, upload.policy, answer.header.Get("Content-Security-Policy"), upload.name)
		table += fmt.Sprintf("| %s, `%s` | %s | %s |\n", upload.what, upload.name, upload.wantType, upload.policy)
	}
	table += s.tryLinks(t, media)
	golden.RequireSection(t, "../docs/reliability.md", "uploads", table)
	t.Run("in a browser", func(t *testing.T) { s.requireNothingRuns(t) })
	t.Run("a directory that lies elsewhere", func(t *testing.T) { s.requireMovable(t, media) })
}

// requireMovable puts a link in the place of the directory itself, which is for
// who deploys to do: the links in it still lead nowhere.
func (s testSite) requireMovable(t *testing.T, media string) {
	elsewhere := filepath.Join(s.dir, "uploads")
	require.NoError(t, os.Rename(media, elsewhere))
	require.NoError(t, os.Symlink(elsewhere, media))
	require.Equal(t, "own", s.sends(get("/media/real/own.txt")).body)
	require.Equal(t, http.StatusForbidden, s.sends(get("/media/link.txt")).status)
}

func (s testSite) tryLinks(t *testing.T, media string) (rows string) {
	s.write("deploy/data/secret.txt", canary)
	s.write("deploy/assets/media/real/own.txt", "own")
	require.NoError(t, os.Symlink(filepath.Join(s.dir, "deploy/data/secret.txt"), filepath.Join(media, "link.txt")))
	require.NoError(t, os.Symlink(filepath.Join(s.dir, "deploy/builds"), filepath.Join(media, "dir")))
	require.NoError(t, os.Symlink("real", filepath.Join(media, "inside")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(media, "pipe.txt"), 0o666))
	for _, row := range []struct{ what, path string }{
		{"a link to a file elsewhere", "link.txt"},
		{"a link to a directory elsewhere", "dir/a/app.py"},
		{"a link to a directory of the media's own", "inside/own.txt"},
		{"a pipe", "pipe.txt"},
	} {
		answer := s.sends(get("/media/" + row.path))
		require.NotContains(t, answer.body, canary)
		rows += fmt.Sprintf("| %s | %s | |\n", row.what, answer.by())
	}
	return rows
}

// requireNothingRuns opens each upload, and has a page of the application's
// host load those that are scripts.
func (s testSite) requireNothingRuns(t *testing.T) {
	b := s.openBrowser(t)
	for _, name := range []string{"page.html", "page.xhtml", "drawing.svg", "data.xml"} {
		b.Open(liveURL + "/media/" + name)
		require.NotEqual(t, "ran", browser.Eval[string](b, "document.documentElement.id"), name)
		require.NotEqual(t, "ran", browser.Eval[string](b, "document.title"), name)
	}
	b.Open(liveURL + "/")
	for _, kind := range []string{"text/javascript", "module"} {
		require.Equal(t, "asked", browser.Eval[string](b, fmt.Sprintf(loadScript, kind)))
		b.Until(`document.title !== "asked"`)
		require.Equal(t, "refused", browser.Eval[string](b, "document.title"), kind)
	}
}

// loadScript lets the title tell whether a browser takes a file for a script.
const loadScript = `(() => {
	const script = document.createElement("script");
	script.type = %q; script.src = "/media/script.js";
	script.onload = () => document.title = "ran"; script.onerror = () => document.title = "refused";
	document.title = "asked";
	document.documentElement.append(script);
	return document.title;
})()`
