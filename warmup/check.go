package warmup

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

func parseTarget(target string) (*url.URL, error) {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "http" || u.Hostname() == "":
		return nil, errors.New("the target must be an http URL with a host, such as http://127.0.0.1:2020")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return nil, errors.New("the target ends after host and port: put the path into Options.Paths")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func (o Options) validate() error {
	return errors.Join(o.validatePaths(), validateHost(o.Host), o.validateHeader(), o.validateNumbers())
}

func (o Options) validatePaths() error {
	var errs []error
	for _, path := range o.Paths {
		if err := validatePath(path); err != nil {
			errs = append(errs, fmt.Errorf("path %q: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

func validatePath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return errors.New(`it must begin with "/"`)
	}
	if strings.ContainsFunc(path, unprintable) {
		return errors.New("it must not contain blanks or control characters: write them as %20 and the like")
	}
	if strings.Contains(path, "#") {
		return errors.New("it must not contain #, which is never sent to a server")
	}
	_, err := url.ParseRequestURI(path)
	return err
}

func unprintable(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar
}

func validateHost(host string) error {
	if host == "" {
		return nil
	}
	if strings.ContainsFunc(host, func(r rune) bool { return !isHostRune(r) && r != '_' && r != '~' }) {
		return fmt.Errorf("host %q: it must be a name with or without a port, in ASCII (xn--… for others)", host)
	}
	if _, err := url.Parse("http://" + host); err != nil {
		return fmt.Errorf("host %q: %w", host, err)
	}
	return nil
}

// isHostRune knows the characters of host names, addresses and ports.
func isHostRune(r rune) bool {
	return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("-.:[]", r)
}

func (o Options) validateHeader() error {
	var errs []error
	for name, values := range o.Header {
		if http.CanonicalHeaderKey(name) == "Host" {
			errs = append(errs, errors.New("header Host: it belongs into Options.Host"))
		}
		if !isToken(name) || strings.ContainsFunc(strings.Join(values, ""), breaksHeader) {
			errs = append(errs, fmt.Errorf("header %q: not a name and values that can be sent", name))
		}
	}
	return errors.Join(errs...)
}

func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func breaksHeader(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

func (o Options) validateNumbers() error {
	var errs []error
	if o.Concurrency < 0 || o.Concurrency > maxConcurrency {
		errs = append(errs, fmt.Errorf("concurrency %d: it must be 1 to %d", o.Concurrency, maxConcurrency))
	}
	if o.MaxRequests < 0 || o.MaxRequests > 0 && o.MaxRequests < len(o.Paths) {
		errs = append(errs, fmt.Errorf("limit of %d requests: there are %d paths to ask for", o.MaxRequests, len(o.Paths)))
	}
	if o.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout %s: it must be positive", o.Timeout))
	}
	return errors.Join(errs...)
}

func (o Options) withDefaults(target *url.URL) Options {
	if len(o.Paths) == 0 {
		o.Paths = []string{"/"}
	}
	if o.Host == "" {
		o.Host = target.Host
	}
	if o.Concurrency == 0 {
		o.Concurrency = 6
	}
	if o.Timeout == 0 {
		o.Timeout = 90 * time.Second
	}
	if o.Client == nil {
		o.Client = newClient()
	}
	o.Header = withUserAgent(o.Header)
	return o
}

func withUserAgent(header http.Header) http.Header {
	own := http.Header{"User-Agent": {userAgent}}
	for name, values := range header {
		own[http.CanonicalHeaderKey(name)] = values
	}
	return own
}
