package warmup

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"syscall"
)

// hint is what a person can do about a failure.
func hint(e *Error, opts Options) string {
	switch {
	case errors.Is(e.Err, ErrDisallowedHost):
		return hostHint(e.Host)
	case errors.Is(e.Err, ErrHTTPSRedirect):
		return httpsHint(e.Location, opts.Header)
	case errors.Is(e.Err, ErrTimeout):
		return fmt.Sprintf("see in the application's log what it waits for, or allow it more than %s", short(opts.Timeout))
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return "nothing listens there: is the server running, and is this its port?"
	case isCutOff(e.Err):
		return "a worker has died or was killed (a crash, memory, a time limit of the server): see the server's log"
	case e.Err != nil:
		return ""
	}
	return statusHint(e)
}

func hostHint(host string) string {
	if strings.ContainsFunc(host, func(r rune) bool { return !isHostRune(r) }) {
		return fmt.Sprintf("Django accepts no Host with such a character, whatever ALLOWED_HOSTS says: send another than %q", host)
	}
	return fmt.Sprintf("Django answers so when a Host is not in ALLOWED_HOSTS: add %q to that setting, "+
		"or send a Host that is in it", strings.ToLower(withoutPort(host)))
}

// withoutPort is what Django compares with ALLOWED_HOSTS.
func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host[:i]
	}
	return host
}

func httpsHint(location string, header http.Header) string {
	const proxyHeader = "SECURE_PROXY_SSL_HEADER = (\"HTTP_X_FORWARDED_PROTO\", \"https\")"
	hint := fmt.Sprintf("it leads to %s, as Django's SECURE_SSL_REDIRECT does: ", location)
	if strings.EqualFold(header.Get("X-Forwarded-Proto"), "https") {
		return hint + "X-Forwarded-Proto: https was sent, so make the settings believe it: " + proxyHeader
	}
	return hint + "send X-Forwarded-Proto: https as the proxy does, and have " + proxyHeader + " in the settings"
}

func statusHint(e *Error) string {
	switch {
	case e.Status == http.StatusBadRequest:
		return "if this is Django's answer, see its log for why; the first suspect: " + hostHint(e.Host)
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		return "ask for a path that everybody may see"
	case e.Status == http.StatusNotFound, e.Status == http.StatusGone:
		return "ask for a path that exists"
	case e.Status == http.StatusTooManyRequests:
		return "the application limits how often it is asked: exempt this machine from that, or send fewer requests"
	case e.Status >= http.StatusInternalServerError:
		return "see the application's log for the reason"
	}
	return ""
}

var (
	titleElement = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
	anyTag       = regexp.MustCompile(`(?s)<[^>]*>`)
)

// gist is the one line of a body that says most: a page's title, otherwise the first line of its text.
func gist(body string) string {
	if title := titleElement.FindStringSubmatch(body); title != nil {
		return clip(title[1])
	}
	for line := range strings.Lines(anyTag.ReplaceAllString(body, "")) {
		if line = clip(line); line != "" {
			return line
		}
	}
	return ""
}

func clip(line string) string {
	runes := []rune(strings.Join(strings.Fields(html.UnescapeString(line)), " "))
	if len(runes) > maxShown {
		return string(runes[:maxShown-1]) + "…"
	}
	return string(runes)
}
