package warmup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Causes of an Error, to be found with errors.Is.
var (
	// ErrDisallowedHost is Django's refusal of a Host that is not in ALLOWED_HOSTS.
	ErrDisallowedHost = errors.New("the application refuses this Host")
	// ErrHTTPSRedirect is a redirect to the https form of the same URL, as of Django's SECURE_SSL_REDIRECT.
	ErrHTTPSRedirect = errors.New("the application redirects to https and does not answer itself")
	// ErrTimeout is an answer that did not come, or did not end, within the timeout.
	ErrTimeout = errors.New("no complete answer in time")
)

const (
	maxKept  = 512 // bytes of a body in an Error
	maxShown = 120 // characters of a body in an error's text
)

// Error is one way in which requests failed. Failures of the same round with the same URL, status and cause are one.
type Error struct {
	URL       string        // asked for last
	Path      string        // asked for at first
	Redirects []string      // followed from Path to URL
	Host      string        // sent as Host header
	Status    int           // 0: no answer
	Attempts  int           // requests for Path in the round
	Count     int           // of these, the ones that failed so
	Location  string        // where a redirect that is a failure leads to
	Body      string        // the first 512 bytes at most
	Took      time.Duration // of the first one that failed
	Hint      string        // what to do next; "" when there is nothing to say
	Err       error         // one of the causes, or what the connection said; nil when the status says it all
}

// Error says what happened, to what and why, and the hint on a line of its own.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "warm up %s (Host: %s%s): %s", e.URL, e.Host, e.origin(), describe(e.Status, e.Err))
	if shown := gist(e.Body); shown != "" {
		fmt.Fprintf(&b, ": %q", shown) // quoted, so that nothing in it reaches a terminal as it is
	}
	fmt.Fprintf(&b, " (%d of %s, after %s)", e.Count, plural(e.Attempts, "request"), short(e.Took))
	if e.Hint != "" {
		b.WriteString("\n  " + e.Hint)
	}
	return b.String()
}

func (e *Error) origin() string {
	if len(e.Redirects) == 0 {
		return ""
	}
	return ", redirected from " + e.Path
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

func isDisallowedHost(status int, head []byte) bool {
	if status != http.StatusBadRequest {
		return false
	}
	for _, sign := range []string{"DisallowedHost", "Invalid HTTP_HOST header", "<h1>Bad Request (400)</h1>"} {
		if bytes.Contains(head, []byte(sign)) {
			return true
		}
	}
	return false
}

// describe names a failure in the same words each time, so without the ports and addresses of one connection.
func describe(status int, cause error) string {
	answered := strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
	switch {
	case cause == nil:
		return answered
	case status == 0:
		return plain(cause)
	}
	return answered + ", " + plain(cause)
}

func plain(cause error) string {
	switch {
	case errors.Is(cause, syscall.ECONNREFUSED):
		return "connection refused"
	case isCutOff(cause):
		return "the server closed the connection before the answer was complete"
	}
	for inner := cause; inner != nil; inner = errors.Unwrap(inner) {
		cause = inner
	}
	return cause.Error()
}

func isCutOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// failures are those of one round, in the order in which they came.
type failures []*Error

func (f *failures) add(e *Error) {
	for _, known := range *f {
		if known.URL == e.URL && known.Path == e.Path && describe(known.Status, known.Err) == describe(e.Status, e.Err) {
			known.Count++
			return
		}
	}
	*f = append(*f, e)
}

// join makes them one error; paths are all that the round has asked for.
func (f failures) join(paths []string) error {
	var errs []error
	for _, e := range f {
		for _, path := range paths {
			if path == e.Path {
				e.Attempts++
			}
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

func (w *warming) failure(a answer) *Error {
	e := &Error{
		URL:       w.url(a.uri),
		Path:      a.Path,
		Redirects: a.Redirects,
		Host:      w.opts.Host,
		Status:    a.Status,
		Count:     1,
		Location:  a.Location,
		Body:      strings.ToValidUTF8(string(a.head[:min(len(a.head), maxKept)]), "\uFFFD"),
		Took:      a.Took,
		Err:       a.cause,
	}
	e.Hint = hint(e, w.opts)
	return e
}
