package warmup

import (
	"net/http"
	"net/url"
	"strings"
)

type direction int

const (
	nowhere   direction = iota // no location, or not a URL
	inside                     // within the site
	toHTTPS                    // the same URL with https
	elsewhere                  // another site
)

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// lead says where a redirect leads that answers a request to host for uri: inside the site to a path with its query,
// otherwise to a whole URL.
func lead(host, uri, location string) (direction, string) {
	if location == "" {
		return nowhere, ""
	}
	from, err := url.Parse("http://" + host + uri)
	if err != nil {
		return nowhere, location
	}
	to, err := from.Parse(location)
	switch {
	case err != nil:
		return nowhere, location
	case isHTTPSForm(from, to):
		return toHTTPS, to.String()
	case !isWeb(to) || site(from) != site(to):
		return elsewhere, to.String()
	}
	return inside, requestURI(to)
}

// isHTTPSForm ignores the port: the one in front of the site is known to the proxy, not to the application.
func isHTTPSForm(from, to *url.URL) bool {
	return to.Scheme == "https" && strings.EqualFold(from.Hostname(), to.Hostname()) && requestURI(from) == requestURI(to)
}

func isWeb(u *url.URL) bool { return u.Scheme == "http" || u.Scheme == "https" }

// site is a URL's host, without the ports that browsers leave out: behind a proxy that speaks https, an application
// that is asked by http names itself with https.
func site(u *url.URL) string {
	switch port := u.Port(); port {
	case "", "80", "443":
		return strings.ToLower(u.Hostname())
	default:
		return strings.ToLower(u.Hostname()) + ":" + port
	}
}

// requestURI does as browsers do with the blank that some applications leave in a query: it would end the request line.
func requestURI(u *url.URL) string { return strings.ReplaceAll(u.RequestURI(), " ", "%20") }
