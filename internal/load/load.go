// Package load keeps a web server busy with keep-alive clients and remembers
// what each request got, so that a test can say that none was lost.
package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options say what to send.
type Options struct {
	// Address is where to connect, Host what to ask for.
	Address, Host string
	// Clients are how many connections are kept busy at once.
	Clients int
	// Every is the least time from one request of a client to its next.
	Every time.Duration
	// Methods are used in turn, and for each of them the Paths.
	Methods, Paths []string
}

// Answer is one request and what became of it.
type Answer struct {
	Method, Path string
	Start, End   time.Time
	Status       int
	// Build is the value of the header X-Hadjango-Build.
	Build string
	Err   error
}

// OK tells whether the request was answered as it should be.
func (a Answer) OK() bool { return a.Err == nil && a.Status == http.StatusOK }

func (a Answer) String() string {
	return fmt.Sprintf("%s %s: status %d by %q after %s: %v", a.Method, a.Path, a.Status, a.Build, a.End.Sub(a.Start), a.Err)
}

// Run sends requests until ctx ends, finishes those that are under way, and
// returns all answers. A request that fails is never tried again, not even one
// that could be: net/http's client would hide it.
func Run(ctx context.Context, options Options) []Answer {
	answers := make([][]Answer, options.Clients)
	var clients sync.WaitGroup
	for i := range answers {
		clients.Go(func() { answers[i] = (&client{options: options, turn: i}).run(ctx) })
	}
	clients.Wait()
	var all []Answer
	for _, some := range answers {
		all = append(all, some...)
	}
	return all
}

// client has one connection at a time.
type client struct {
	options Options
	turn    int
	conn    net.Conn
	reader  *bufio.Reader
	buffer  []byte
}

func (c *client) run(ctx context.Context) (answers []Answer) {
	defer c.hangUp()
	for ctx.Err() == nil {
		answer := c.send()
		answers = append(answers, answer)
		if answer.Err != nil {
			c.hangUp()
		}
		c.rest(ctx, answer.Start)
	}
	return answers
}

func (c *client) rest(ctx context.Context, began time.Time) {
	if c.options.Every == 0 {
		return
	}
	next := time.NewTimer(time.Until(began.Add(c.options.Every)))
	defer next.Stop()
	select {
	case <-ctx.Done():
	case <-next.C:
	}
}

func (c *client) hangUp() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// limit is far beyond what any request may take: a hung one is an answer too.
const limit = 60 * time.Second

func (c *client) send() (answer Answer) {
	methods, paths := c.options.Methods, c.options.Paths
	answer.Method, answer.Path = methods[c.turn%len(methods)], paths[c.turn/len(methods)%len(paths)]
	c.turn++
	answer.Start = time.Now()
	defer func() { answer.End = time.Now() }()
	if c.conn == nil {
		if answer.Err = c.dial(); answer.Err != nil {
			return answer
		}
	}
	answer.Status, answer.Build, answer.Err = c.exchange(answer.Method, answer.Path)
	return answer
}

func (c *client) dial() (err error) {
	c.conn, err = net.DialTimeout("tcp", c.options.Address, limit)
	if err == nil {
		c.reader = bufio.NewReader(c.conn)
	}
	return err
}

func (c *client) exchange(method, path string) (status int, build string, err error) {
	_ = c.conn.SetDeadline(time.Now().Add(limit))
	if _, err := c.conn.Write(c.request(method, path)); err != nil {
		return 0, "", err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	// the server may end a connection after an answer, and says so
	if response.Close {
		c.hangUp()
	}
	return response.StatusCode, response.Header.Get("X-Hadjango-Build"), err
}

const form = "some=form&data=here"

// request is written by hand: the clients share the machine with the servers,
// and net/http would take more of it than they do.
func (c *client) request(method, path string) []byte {
	c.buffer = fmt.Appendf(c.buffer[:0], "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, c.options.Host)
	if method == http.MethodPost {
		return fmt.Appendf(c.buffer, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(form), form)
	}
	return append(c.buffer, "\r\n"...)
}
