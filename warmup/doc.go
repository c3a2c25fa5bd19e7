// Package warmup asks a web application on its own port until every one of its workers has answered, so that the
// first real visitor does not pay for imports, connections and templates.
//
//	report, err := warmup.Run(ctx, "http://127.0.0.1:2020", warmup.Options{
//		Paths:   []string{"/", "/products/?page=2"},
//		Host:    "shop.example",
//		Header:  http.Header{"X-Forwarded-Proto": {"https"}},
//		Workers: func(ctx context.Context) (warmup.Workers, error) { … },
//	})
//	fmt.Println(report) // 12 requests in 0.8 s · cold 310 ms, warm 12 ms (median) · workers 4/4
//
// # What is sent
//
// GET requests in rounds. All requests of a round are in flight together, each on a connection of its own, so that a
// server that hands out connections fairly gives every worker one. A round has as many requests as there are workers,
// at least [Options.Concurrency]; while workers are left out, each round has twice as many as the one before.
//
// Paths are taken in turn, one path filling a round: every worker should meet every path. Under a limit too small for
// that the paths share what there is, and each is asked at least once. When all is done the first round is sent once
// more: it met cold workers and meets warm ones now, which makes the two comparable ([Report.Cold], [Report.Warm]).
// So name the page that matters most first.
//
// # What counts as warm
//
// An answer with a status below 400, read to its end (of a body beyond 16 MiB, the first 16 MiB). Redirects within
// the site are followed, three at most, always to the same port; one to another site is accepted and noted
// ([Report.Notes]). A redirect to the https form of the same URL is a failure: the application itself was not asked.
//
// # What fails
//
// A round with a failure is the last one: a broken application gets no further requests. Run then returns one [*Error]
// for each way of failing, joined; it carries what a person needs to know and a hint what to do. [ErrDisallowedHost],
// [ErrHTTPSRedirect] and [ErrTimeout] can be told apart with errors.Is. [ErrUnreached] says that every request was
// answered, and yet the limit was reached before all the workers were. The report is filled as far as the run came,
// whatever the error.
//
// # What it does not do
//
// It starts, stops and reloads nothing, prints nothing, keeps no cookies, logs in nowhere, and does not speak TLS: it
// is meant for the plain port behind a proxy. It neither counts workers itself nor waits for them to start: a port
// without a listener fails at once.
package warmup
