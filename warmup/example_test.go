package warmup_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"github.com/hadjango/hadjango/warmup"
)

func Example() {
	var answered atomic.Int64
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { answered.Add(1) }))
	defer app.Close()

	report, err := warmup.Run(context.Background(), app.URL, warmup.Options{
		Paths:  []string{"/", "/products/"},
		Host:   "shop.example",
		Header: http.Header{"X-Forwarded-Proto": {"https"}},
		// A real server is asked for this, such as by its statistics socket.
		Workers: func(context.Context) (warmup.Workers, error) {
			return warmup.Workers{Ready: 4, Reached: int(min(answered.Load(), 4))}, nil
		},
	})
	fmt.Println(err, report.Requests, report.Failed, report.Workers.Reached)
	// Output: <nil> 18 0 4
}

func ExampleError() {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte("<title>Bad Request (400)</title><h1>Bad Request (400)</h1>"))
	}))
	defer app.Close()

	_, err := warmup.Run(context.Background(), app.URL, warmup.Options{Host: "shop.example"})
	var failure *warmup.Error
	if errors.As(err, &failure) {
		fmt.Println(failure.Status, failure.Host, failure.Count)
		fmt.Println(strings.ReplaceAll(failure.Hint, ": ", ":\n"))
	}
	fmt.Println(errors.Is(err, warmup.ErrDisallowedHost))
	// Output:
	// 400 shop.example 6
	// Django answers so when a Host is not in ALLOWED_HOSTS:
	// add "shop.example" to that setting, or send a Host that is in it
	// true
}
