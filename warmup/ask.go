package warmup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	maxBody      = 16 << 20 // of an answer, read and thrown away
	maxHead      = 4 << 10  // of an answer, kept to see why it failed
	maxRedirects = 3
	userAgent    = "warmup (+https://github.com/hadjango/hadjango)"
)

// answer is what became of asking for one path.
type answer struct {
	Sample
	uri       string // asked for last: the path, or where it redirected to
	head      []byte // first bytes of the last body
	cause     error  // why it failed; nil when the status says it all
	cancelled bool   // it did not fail, the run was stopped
}

func newClient() Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: nil, // a proxy for the world outside has no say in asking a port of our own
			// The connection decides which worker answers, so no two requests may share one.
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (w *warming) ask(ctx context.Context, path string) answer {
	ctx, cancel := context.WithTimeoutCause(ctx, w.opts.Timeout, ErrTimeout)
	defer cancel()
	a := answer{Sample: Sample{Path: path}, uri: path}
	started := time.Now()
	for w.get(ctx, &a) {
		a.uri = a.Location
		a.Redirects = append(a.Redirects, a.uri)
	}
	a.Took = since(started)
	a.judge(context.Cause(ctx))
	return a
}

// get sends one request, and says whether its answer leads on to another.
func (w *warming) get(ctx context.Context, a *answer) bool {
	a.Status, a.Location, a.head = 0, "", nil
	response, err := w.send(ctx, a.uri)
	if err != nil {
		a.cause = err
		return false
	}
	defer response.Body.Close()
	a.Status = response.StatusCode
	if w.opts.WorkerHeader != "" {
		a.Worker = response.Header.Get(w.opts.WorkerHeader)
	}
	if a.head, a.cause = drain(response.Body); a.cause != nil || !isRedirect(a.Status) {
		return false
	}
	return w.follow(a, response.Header.Get("Location"))
}

func (w *warming) send(ctx context.Context, uri string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url(uri), nil)
	if err != nil {
		return nil, err
	}
	request.Header = w.opts.Header.Clone()
	request.Host = w.opts.Host
	request.Close = true // for clients that keep connections
	return w.opts.Client.Do(request)
}

func (w *warming) url(uri string) string { return w.base.String() + uri }

// drain reads to the end, because an application may still be working while it sends.
func drain(body io.Reader) ([]byte, error) {
	var head bytes.Buffer
	if _, err := io.CopyN(&head, body, maxHead); err != nil {
		return head.Bytes(), notEOF(err)
	}
	_, err := io.CopyN(io.Discard, body, maxBody-maxHead)
	return head.Bytes(), notEOF(err)
}

func notEOF(err error) error {
	if err == io.EOF { // not errors.Is: only the bare value is a good end
		return nil
	}
	return err
}

// follow says whether a redirect leads on within the site. Where any other leads stays in the sample.
func (w *warming) follow(a *answer, location string) bool {
	var to direction
	to, a.Location = lead(w.opts.Host, a.uri, location)
	if to == toHTTPS {
		a.cause = ErrHTTPSRedirect
	}
	return to == inside && len(a.Redirects) < maxRedirects
}

// judge decides whether the answer is a failure, and of which kind; ended is why its context ended, if it did.
func (a *answer) judge(ended error) {
	switch {
	case a.cause != nil && ended != nil && !errors.Is(ended, ErrTimeout):
		a.cancelled = true
	case a.cause != nil && (ended != nil || isTimeout(a.cause)):
		a.cause = ErrTimeout
	case a.cause == nil && isDisallowedHost(a.Status, a.head):
		a.cause = ErrDisallowedHost
	}
	if a.cause != nil || a.Status >= http.StatusBadRequest {
		a.Err = describe(a.Status, a.cause)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
