package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A rule says what one scalar may be. Every rule is a list of what is allowed, never of what is not.
type rule[T any] struct {
	want   string                       // completes "expected …"
	takes  kind                         // what YAML may have made of it
	secret bool                         // its values are never shown
	parse  func(text string) (T, error) // returns the value in its plain form; the error completes "<text> …"
}

const pathWant = "a relative path of letters, digits and . _ / + @ -"

var (
	directory   = rule[string]{want: pathWant + ", such as src or .", takes: text, parse: relativePath}
	inProject   = rule[string]{want: pathWant + ", such as requirements/live.txt", takes: text, parse: relativePath}
	runPath     = rule[string]{want: "a path of letters, digits and . _ / + @ -, relative to the site or absolute", takes: text, parse: anyPath}
	interpreter = rule[string]{want: "an absolute path such as /usr/bin/python3.12", takes: text, parse: absolutePath}

	module = pattern("a Python module such as shop.settings",
		identifier+`(\.`+identifier+`)*`)
	application = pattern("module:callable such as shop.wsgi:application",
		identifier+`(\.`+identifier+`)*:`+identifier+`(\.`+identifier+`)*`)
	account = pattern("a user's name: at most 32 lower-case letters, digits, _ and -, beginning with a letter or _",
		`[a-z_][a-z0-9_-]{0,31}`)

	hostName    = rule[string]{want: "a host name such as www.example.org or *.example.org", takes: text, parse: parseHost}
	firstHost   = rule[string]{want: "a host name such as www.example.org", takes: text, parse: parseFirstHost}
	address     = rule[string]{want: "an IP address and a port such as 127.0.0.1:8080, [::1]:8080 or *:8080", takes: text | number, parse: parseAddress}
	network     = rule[string]{want: "a network such as 192.0.2.0/24 or 2001:db8::/32, or an IP address", takes: text | number, parse: parseNetwork}
	urlPath     = rule[string]{want: "a path such as /healthz or /search?q=x", takes: text, parse: parseURLPath}
	size        = rule[Size]{want: "a size from 1k to 10g such as 50m", takes: text | number, parse: parseSize}
	duration    = rule[time.Duration]{want: "whole seconds from 1s to 24h such as 90s or 1m30s", takes: text | number, parse: parseDuration}
	pause       = rule[time.Duration]{want: "whole seconds up to 24h such as 10s, or 0 for not at all", takes: text | number, parse: parsePause}
	truth       = rule[bool]{want: "true or false", takes: boolean, parse: parseBool}
	program     = rule[string]{want: "a relative path ending in .py such as manage.py, or a program's name such as npm", takes: text, parse: parseProgram}
	argument    = rule[string]{want: "text", takes: text | number | boolean, parse: parseText}
	secretValue = rule[string]{want: "text", takes: text | number | boolean, secret: true, parse: parseText}
)

const identifier = `[A-Za-z_][A-Za-z0-9_]*`

// errForm is for a value that is not of the form its rule describes.
var errForm = errors.New("is not allowed")

// errRange is for a number of the right form that is too small or too big.
var errRange = errors.New("is out of range")

func whole(text string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + text + `)$`) }

// pattern is the rule that the whole of a text matches expr.
func pattern(want, expr string) rule[string] {
	form := whole(expr)
	return rule[string]{want: want, takes: text, parse: func(text string) (string, error) {
		return matching(form, text)
	}}
}

// maxText is more than any real value needs, and less than the 4096 at which nginx refuses a parameter.
const maxText = 1024

func matching(form *regexp.Regexp, text string) (string, error) {
	if len(text) > maxText {
		return "", fmt.Errorf("is longer than %d characters", maxText)
	}
	if !form.MatchString(text) {
		return "", errForm
	}
	return text, nil
}

// optional allows "" besides what r allows.
func optional(r rule[string]) rule[string] {
	parse := r.parse
	r.want += `, or "" for none`
	r.parse = func(text string) (string, error) {
		if text == "" {
			return "", nil
		}
		return parse(text)
	}
	return r
}

// from is the rule for a whole number from low to high.
func from(low, high int) rule[int] {
	want := fmt.Sprintf("a number from %d to %d", low, high)
	return rule[int]{want: want, takes: number, parse: func(text string) (int, error) {
		return parseNumber(text, low, high)
	}}
}

var digits = whole(`-?(0|[1-9][0-9]*)`)

func parseNumber(text string, low, high int) (int, error) {
	if !digits.MatchString(text) {
		return 0, errors.New("is not a plain whole number")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, errRange
	}
	return n, nil
}

// among is the rule for one of a few words.
func among[T ~string](words ...T) rule[T] {
	var names []string
	for _, word := range words {
		names = append(names, string(word))
	}
	return rule[T]{want: strings.Join(names, " or "), takes: text, parse: func(text string) (T, error) {
		if !slices.Contains(names, text) {
			return "", errForm
		}
		return T(text), nil
	}}
}

var pathForm = whole(`[A-Za-z0-9._/+@-]+`)

// cleanPath keeps a path below where it begins, and each of its parts from looking like an option.
func cleanPath(text string) (string, error) {
	if _, err := matching(pathForm, text); err != nil {
		return "", err
	}
	for part := range strings.SplitSeq(text, "/") {
		switch {
		case part == "..":
			return "", errors.New("leads out of its directory")
		case strings.HasPrefix(part, "-"):
			return "", errors.New(`has a part that begins with "-"`)
		}
	}
	return path.Clean(text), nil
}

func relativePath(text string) (string, error) {
	if path.IsAbs(text) {
		return "", errors.New("is absolute")
	}
	return cleanPath(text)
}

func absolutePath(text string) (string, error) {
	if !path.IsAbs(text) {
		return "", errors.New("is not absolute")
	}
	return anyPath(text)
}

func anyPath(text string) (string, error) {
	clean, err := cleanPath(text)
	if clean == "/" {
		return "", errors.New("is the machine's root")
	}
	return clean, err
}

var programForm = whole(`[A-Za-z0-9._+@-]*[A-Za-z0-9][A-Za-z0-9._+@-]*`)

func parseProgram(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("is empty")
	case strings.HasSuffix(text, ".py"):
		return relativePath(text)
	case strings.Contains(text, "/"):
		return "", errors.New("is a path that does not end in .py")
	case strings.HasPrefix(text, "-"):
		return "", errors.New(`begins with "-"`)
	}
	return matching(programForm, text)
}

func parseText(text string) (string, error) {
	if strings.ContainsRune(text, 0) {
		return "", errors.New("holds a NUL character")
	}
	return text, nil
}

var hostForm = whole(`(\*\.)?` + label + `(\.` + label + `)*`)

const label = `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`

func parseHost(text string) (string, error) {
	if len(text) > 253 {
		return "", errors.New("is longer than 253 characters")
	}
	return matching(hostForm, strings.ToLower(text))
}

func parseFirstHost(text string) (string, error) {
	if strings.HasPrefix(text, "*") {
		return "", errors.New("is a wildcard, and the first name is the one that is asked for")
	}
	return parseHost(text)
}

// parseAddress takes 0.0.0.0 for *, as nginx does: both of them in one file would be the same address twice.
func parseAddress(text string) (string, error) {
	if digits.MatchString(text) {
		return "", errors.New("is a port without an address")
	}
	if strings.HasPrefix(text, "*:") {
		text = "0.0.0.0" + text[1:]
	}
	a, err := netip.ParseAddrPort(text)
	if err != nil || a.Addr().Zone() != "" {
		return "", errForm
	}
	if a.Port() == 0 {
		return "", errRange
	}
	if a.Addr() == netip.IPv4Unspecified() {
		return fmt.Sprintf("*:%d", a.Port()), nil
	}
	return a.String(), nil
}

// parseNetwork refuses an address in a network where the network itself is meant: one of the two is a mistake.
func parseNetwork(text string) (string, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return a.Unmap().String(), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return "", errForm
	case p != p.Masked():
		return "", fmt.Errorf("is an address in the network %v", p.Masked())
	case p.Addr().Is4In6():
		return "", errForm
	}
	return p.String(), nil
}

var urlPathForm = whole(`/[A-Za-z0-9._~/%-]*(\?[A-Za-z0-9._~%=&-]*)?`)

func parseURLPath(text string) (string, error) {
	if _, err := url.ParseRequestURI(text); err != nil {
		return "", errForm
	}
	return matching(urlPathForm, text)
}

var sizeForm = whole(`[1-9][0-9]{0,10}[kmg]?`)

func parseSize(text string) (Size, error) {
	s := strings.ToLower(text)
	if !sizeForm.MatchString(s) {
		return "", errForm
	}
	if n := Size(s).Bytes(); n < 1<<10 || n > 10<<30 {
		return "", errRange
	}
	return Size(s), nil
}

// parseDuration keeps to whole seconds because uWSGI's own clock does.
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil && digits.MatchString(text):
		return 0, errors.New("has no unit")
	case err != nil:
		return 0, errForm
	case d < time.Second || d > 24*time.Hour:
		return 0, errRange
	case d%time.Second != 0:
		return 0, errors.New("is not a whole number of seconds")
	}
	return d, nil
}

func parsePause(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil && d == 0 {
		return 0, nil
	}
	return parseDuration(text)
}

func parseBool(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, errForm
	}
	return text == "true", nil
}

var (
	variableForm = whole(identifier)
	// reserved variables change what is run, not how it behaves: where programs and modules are found, what a shell or
	// an interpreter reads first, what uWSGI takes for options (UWSGI_*) and what nginx takes for inherited sockets.
	reserved = whole(`HADJANGO_.*|UWSGI_.*|LD_.*|PATH|VIRTUAL_ENV|NGINX|NGINX_BPF_MAPS|NOTIFY_SOCKET|LISTEN_FDS|LISTEN_PID|` +
		`PYTHON(HOME|PATH|STARTUP|INSPECT|EXECUTABLE|USERBASE|PLATLIBDIR)|` +
		`__PYVENV_LAUNCHER__|GLIBC_TUNABLES|GCONV_PATH|BASH_ENV|BASHOPTS|SHELLOPTS|ENV|IFS`)
)

// checkVariable does not repeat a name that is none: it may be NAME=secret, written with the wrong sign.
func checkVariable(name string) error {
	if !variableForm.MatchString(name) {
		return errors.New("found a name that no variable has: expected letters, digits and _, not beginning with a digit")
	}
	if reserved.MatchString(name) {
		return fmt.Errorf("the variable %s is reserved: expected one that does not decide which programs and modules are run", name)
	}
	return nil
}
