package warmup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRun_RequestsOfARoundAreInFlightTogether(t *testing.T) {
	together := newBarrier(8)
	app := serve(t, func(w http.ResponseWriter, r *http.Request) { together.wait(r.Context()) })
	report, err := Run(t.Context(), app.URL, Options{Concurrency: 8, Timeout: 20 * time.Second})
	require.NoError(t, err)
	require.Equal(t, []int{8, 8, 8, 8}, roundSizes(report))
}

func TestRun_AUnfairServerWithMoreWorkersThanConcurrencyIsWarmInOneRound(t *testing.T) {
	workers, busy := newCrew(14), newBarrier(14)
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		workers.work(func(id int) {
			busy.wait(r.Context())
			w.Header().Set("X-Worker", strconv.Itoa(id))
		})
	})
	report, err := Run(t.Context(), app.URL, Options{Concurrency: 2, Workers: workers.count, WorkerHeader: "X-Worker"})
	require.NoError(t, err)
	require.Equal(t, Workers{Ready: 14, Reached: 14}, report.Workers)
	require.Equal(t, []int{14, 14}, roundSizes(report))
	met := map[string]bool{}
	for _, s := range report.Samples[:14] {
		met[s.Worker] = true
	}
	require.Len(t, met, 14)
}

func TestRun_GoesOnUntilEveryWorkerHasAnswered(t *testing.T) {
	var answered atomic.Int64
	app := serve(t, func(http.ResponseWriter, *http.Request) { answered.Add(1) })
	report, err := Run(t.Context(), app.URL, Options{
		Concurrency: 1,
		// Each worker takes seven requests before the next one gets any.
		Workers: func(context.Context) (Workers, error) {
			return Workers{Ready: 5, Reached: int(answered.Load() / 7)}, nil
		},
	})
	require.NoError(t, err)
	require.Equal(t, Workers{Ready: 5, Reached: 5}, report.Workers)
	require.Equal(t, []int{5, 10, 20, 5}, roundSizes(report))
}

func TestRun_RoundsDoubleWhileWorkersAreLeftOut(t *testing.T) {
	app := serve(t, answerOK)
	report, err := Run(t.Context(), app.URL, Options{
		Concurrency: 3,
		Workers:     counts(Workers{4, 0}, Workers{4, 2}, Workers{4, 3}, Workers{4, 3}, Workers{4, 4}),
	})
	require.NoError(t, err)
	require.Equal(t, []int{4, 8, 16, 32, 4}, roundSizes(report))
}

func TestRun_WaitsForWorkersToBecomeReady(t *testing.T) {
	app := serve(t, answerOK)
	report, err := Run(t.Context(), app.URL, Options{
		Concurrency: 2,
		Workers:     counts(Workers{0, 0}, Workers{0, 0}, Workers{3, 3}),
	})
	require.NoError(t, err)
	require.Equal(t, []int{2, 4, 2}, roundSizes(report))
}

func TestRun_AnUnreachedWorkerFailsAtTheLimit(t *testing.T) {
	app := serve(t, answerOK)
	report, err := Run(t.Context(), app.URL, Options{MaxRequests: 20, Workers: counts(Workers{Ready: 4, Reached: 3})})
	require.ErrorIs(t, err, ErrUnreached)
	require.ErrorContains(t, err, "3 of 4 after 20 requests in 3 rounds")
	require.EqualValues(t, 20, app.requests.Load())
	require.Equal(t, 20, report.Requests)
	require.Zero(t, report.Failed)
}

func TestRun_NoWorkerReadyFails(t *testing.T) {
	app := serve(t, answerOK)
	_, err := Run(t.Context(), app.URL, Options{MaxRequests: 10, Workers: counts(Workers{})})
	require.ErrorIs(t, err, ErrUnreached)
	require.ErrorContains(t, err, "no worker is ready")
}

func TestRun_EveryPathIsAskedOncePerWorker(t *testing.T) {
	app := serve(t, answerOK)
	paths := []string{"/", "/a?b=c", "/d"}
	report, err := Run(t.Context(), app.URL, Options{Paths: paths, Workers: counts(Workers{Ready: 7, Reached: 7})})
	require.NoError(t, err)
	require.Equal(t, []int{7, 7, 7, 7}, roundSizes(report))
	for _, s := range report.Samples[:21] {
		require.Equal(t, paths[s.Round-1], s.Path)
	}
	require.Equal(t, "/", report.Samples[27].Path, "the first round once more")
}

func TestRun_WithoutACountEveryPathIsAskedInThreeRounds(t *testing.T) {
	app := serve(t, answerOK)
	report, err := Run(t.Context(), app.URL, Options{Paths: []string{"/", "/a"}, Concurrency: 2})
	require.NoError(t, err)
	require.Equal(t, []int{2, 2, 2, 2, 2, 2, 2}, roundSizes(report))
}

func TestRun_ASmallLimitStillAsksEachPath(t *testing.T) {
	app := serve(t, answerOK)
	report, err := Run(t.Context(), app.URL, Options{
		Paths: []string{"/", "/a", "/b"}, MaxRequests: 3, Workers: counts(Workers{Ready: 2, Reached: 2}),
	})
	require.NoError(t, err)
	require.Equal(t, []int{3}, roundSizes(report))
	require.Zero(t, report.Warm)
}

func TestRun_EveryRequestHasAConnectionOfItsOwn(t *testing.T) {
	for name, client := range map[string]Client{"own client": nil, "client that keeps connections": &http.Client{Transport: &http.Transport{}}} {
		t.Run(name, func(t *testing.T) {
			app := serve(t, answerOK)
			report, err := Run(t.Context(), app.URL, Options{Concurrency: 3, Client: client})
			require.NoError(t, err)
			require.EqualValues(t, 12, report.Requests)
			require.EqualValues(t, 12, app.connections.Load())
		})
	}
}

func TestRun_SendsHostAndHeaders(t *testing.T) {
	header := http.Header{"x-forwarded-proto": {"https"}}
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Host != "shop.example" || r.Header.Get("X-Forwarded-Proto") != "https" ||
			r.UserAgent() == "" || r.RequestURI != "/%C3%A9?q=1" {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	_, err := Run(t.Context(), app.URL+"/", Options{Paths: []string{"/é?q=1"}, Host: "shop.example", Header: header})
	require.NoError(t, err)
	require.Equal(t, http.Header{"x-forwarded-proto": {"https"}}, header)
}

// TestMain sets a proxy for the whole binary, because net/http reads the environment once. Nothing listens there.
func TestMain(m *testing.M) {
	_ = os.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	_ = os.Unsetenv("NO_PROXY")
	_ = os.Unsetenv("no_proxy")
	os.Exit(m.Run())
}

func TestRun_IgnoresProxiesOfTheEnvironment(t *testing.T) {
	app := serve(t, answerOK)
	u, err := url.Parse(app.URL)
	require.NoError(t, err)
	// No proxy is ever asked for a loopback address. 0.0.0.0 leads to the same server, and is none.
	target := "http://0.0.0.0:" + u.Port()
	request, err := http.NewRequest(http.MethodGet, target, nil)
	require.NoError(t, err)
	proxy, err := http.ProxyFromEnvironment(request)
	require.NoError(t, err)
	require.NotNil(t, proxy, "a client that minds the environment would use it")
	_, err = Run(t.Context(), target, Options{Concurrency: 1})
	require.NoError(t, err)
	require.EqualValues(t, 4, app.requests.Load())
}

func TestRun_ColdAndWarmAreTheFirstRoundAndItsRepetition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &slowStart{}
		report, err := Run(t.Context(), "http://127.0.0.1:2020", Options{
			Paths: []string{"/", "/a"}, Workers: counts(Workers{4, 0}, Workers{4, 4}), Client: app,
		})
		require.NoError(t, err)
		require.Equal(t, Latency{6, 300 * time.Millisecond, 600 * time.Millisecond, 600 * time.Millisecond}, report.Cold)
		require.Equal(t, Latency{6, 10 * time.Millisecond, 10 * time.Millisecond, 10 * time.Millisecond}, report.Warm)
		require.Equal(t, "18 requests in 0.6 s · cold 300 ms, warm 10 ms (median) · workers 4/4", report.String())
	})
}

// slowStart takes 100 ms for the first request, 200 ms for the second … and 10 ms from the seventh on.
type slowStart struct {
	mu    sync.Mutex
	count int
}

func (s *slowStart) Do(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.count++
	takes := time.Duration(s.count) * 100 * time.Millisecond
	s.mu.Unlock()
	if takes > 600*time.Millisecond {
		takes = 10 * time.Millisecond
	}
	time.Sleep(takes) // in a bubble: no real time passes
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, r.Context().Err()
}

func TestRun_AFailureStopsAfterItsRound(t *testing.T) {
	app := serve(t, answerWith(http.StatusServiceUnavailable, "down for\nmaintenance"))
	report, err := Run(t.Context(), app.URL, Options{Host: "shop.example", Workers: counts(Workers{Ready: 4})})
	require.EqualValues(t, 6, app.requests.Load())
	require.Equal(t, 6, report.Failed)
	require.Equal(t, "503 Service Unavailable", report.Samples[0].Err)
	var failure *Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, 503, failure.Status)
	require.Equal(t, 6, failure.Attempts)
	require.Equal(t, 6, failure.Count)
	require.Equal(t, "down for\nmaintenance", failure.Body)
	require.Regexp(t, `^warm up `+app.URL+`/ \(Host: shop.example\): 503 Service Unavailable: "down for" `+
		`\(6 of 6 requests, after .* m?s\)\n  see the application's log for the reason$`, err.Error())
}

func TestRun_AWorkerThatFailedWasReached(t *testing.T) {
	app := serve(t, answerWith(http.StatusInternalServerError, ""))
	report, err := Run(t.Context(), app.URL, Options{Workers: counts(Workers{Ready: 4}, Workers{Ready: 4, Reached: 4})})
	require.Error(t, err)
	require.Equal(t, Workers{Ready: 4, Reached: 4}, report.Workers)
}

func TestRun_ALaterFailureStopsToo(t *testing.T) {
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	report, err := Run(t.Context(), app.URL, Options{Paths: []string{"/", "/broken", "/never"}, Concurrency: 2})
	require.ErrorContains(t, err, "/broken")
	require.ErrorContains(t, err, "ask for a path that exists")
	require.Equal(t, []int{2, 2}, roundSizes(report))
}

func TestRun_FailuresOfTheSameKindAreOneError(t *testing.T) {
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/fine" {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	report, err := Run(t.Context(), app.URL, Options{Paths: []string{"/a", "/fine", "/b"}, MaxRequests: 6})
	require.Equal(t, 4, report.Failed)
	require.Equal(t, 2, strings.Count(err.Error(), "502 Bad Gateway"))
	require.Equal(t, 2, strings.Count(err.Error(), "(2 of 2 requests"))
}

// The bodies are those of Django 5.2 and 1.8 and, shortened, of 5.2 with DEBUG for browsers and for programs.
func TestRun_ExplainsDisallowedHosts(t *testing.T) {
	for name, body := range map[string]string{
		"debug off":       "\n<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>Bad Request (400)</title>\n</head>\n<body>\n  <h1>Bad Request (400)</h1><p></p>\n</body>\n</html>\n",
		"debug off, old":  "<h1>Bad Request (400)</h1>",
		"debug on":        "<html>\n<head>\n  <title>DisallowedHost\n          at /</title>" + strings.Repeat("x", 5000),
		"debug on, plain": "DisallowedHost at /\nInvalid HTTP_HOST header: 'shop.example'. You may need to add 'shop.example' to ALLOWED_HOSTS.",
	} {
		t.Run(name, func(t *testing.T) {
			app := serve(t, answerWith(http.StatusBadRequest, body))
			_, err := Run(t.Context(), app.URL, Options{Host: "shop.example"})
			require.ErrorIs(t, err, ErrDisallowedHost)
			require.ErrorContains(t, err, "(Host: shop.example): 400 Bad Request, the application refuses this Host")
			require.ErrorContains(t, err, `not in ALLOWED_HOSTS: add "shop.example"`)
			var failure *Error
			require.ErrorAs(t, err, &failure)
			require.LessOrEqual(t, len(failure.Body), 512)
		})
	}
}

func TestRun_AnyOther400SuspectsTheHost(t *testing.T) {
	app := serve(t, answerWith(http.StatusBadRequest, "our own page"))
	_, err := Run(t.Context(), app.URL, Options{})
	require.NotErrorIs(t, err, ErrDisallowedHost)
	require.ErrorContains(t, err, "ALLOWED_HOSTS")
}

func TestRun_ExplainsRedirectsToHTTPS(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		hint   string
	}{
		"header not sent":     {nil, "send X-Forwarded-Proto: https as the proxy does"},
		"header not believed": {http.Header{"X-Forwarded-Proto": {"https"}}, "was sent, so make the settings believe it"},
	} {
		t.Run(name, func(t *testing.T) {
			app := serve(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://"+r.Host+r.RequestURI, http.StatusMovedPermanently)
			})
			_, err := Run(t.Context(), app.URL, Options{Host: "shop.example", Header: c.header})
			require.ErrorIs(t, err, ErrHTTPSRedirect)
			require.ErrorContains(t, err, "301 Moved Permanently")
			require.ErrorContains(t, err, "SECURE_SSL_REDIRECT")
			require.ErrorContains(t, err, "SECURE_PROXY_SSL_HEADER")
			require.ErrorContains(t, err, c.hint)
			var failure *Error
			require.ErrorAs(t, err, &failure)
			require.Equal(t, "https://shop.example/", failure.Location)
		})
	}
}

func TestRun_FollowsRedirectsWithinTheSiteThroughTheSamePort(t *testing.T) {
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/en-US/", http.StatusFound)
		case "/en-US/":
			http.Redirect(w, r, "https://shop.example/en-US/firefox/", http.StatusTemporaryRedirect)
		}
	})
	report, err := Run(t.Context(), app.URL, Options{Host: "shop.example", Workers: counts(Workers{Ready: 1, Reached: 1})})
	require.NoError(t, err)
	require.Equal(t, 12, report.Requests)
	require.Equal(t, 24, report.Redirects)
	require.EqualValues(t, 36, app.requests.Load())
	require.Equal(t, 200, report.Samples[0].Status)
	require.Empty(t, report.Samples[0].Location)
	require.Equal(t, []string{`/ redirects to "/en-US/firefox/"`}, report.Notes())
}

func TestRun_AFailureBehindARedirectNamesBoth(t *testing.T) {
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/gone/", http.StatusSeeOther)
			return
		}
		w.WriteHeader(http.StatusGone)
	})
	_, err := Run(t.Context(), app.URL, Options{})
	var failure *Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, "/", failure.Path)
	require.Equal(t, app.URL+"/gone/", failure.URL)
	require.ErrorContains(t, err, ", redirected from /): 410 Gone")
}

func TestRun_RedirectsInACircleEndAndAreNoted(t *testing.T) {
	app := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	report, err := Run(t.Context(), app.URL, Options{Concurrency: 1, MaxRequests: 1})
	require.NoError(t, err)
	require.EqualValues(t, 4, app.requests.Load())
	require.Equal(t, []string{`/ redirects to "/", which was not followed`}, report.Notes())
}

func TestRun_ARedirectToAnotherSiteIsAcceptedAndNoted(t *testing.T) {
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://www.shop.example/", http.StatusFound)
	})
	report, err := Run(t.Context(), app.URL, Options{Host: "shop.example"})
	require.NoError(t, err)
	require.Zero(t, report.Redirects)
	require.Equal(t, []string{`/ redirects to "https://www.shop.example/", which was not followed`}, report.Notes())
}

func TestRun_AHangIsATimeout(t *testing.T) {
	for name, hang := range map[string]http.HandlerFunc{
		"before the answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"in the answer": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half of")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			app := serve(t, hang)
			report, err := Run(t.Context(), app.URL, Options{Timeout: 50 * time.Millisecond})
			require.ErrorIs(t, err, ErrTimeout)
			require.NotErrorIs(t, err, context.DeadlineExceeded, "this is for the caller's own context")
			require.ErrorContains(t, err, "no complete answer in time")
			require.ErrorContains(t, err, "more than 50 ms")
			require.Equal(t, 6, report.Failed)
		})
	}
}

func TestRun_TheDefaultTimeoutIs90Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		report, err := Run(t.Context(), "http://127.0.0.1:2020", Options{Client: hanging{}})
		require.ErrorIs(t, err, ErrTimeout)
		require.Equal(t, 90*time.Second, report.Took)
	})
}

type hanging struct{}

func (hanging) Do(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestRun_ClosedConnectionsAreExplained(t *testing.T) {
	for name, die := range map[string]func(net.Conn){
		"reset":           func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) },
		"closed":          func(net.Conn) {},
		"in the answer":   func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") },
		"in long answers": func(c net.Conn) { _, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n%05000d", 0) },
	} {
		t.Run(name, func(t *testing.T) {
			app := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				die(conn)
				_ = conn.Close()
			})
			report, err := Run(t.Context(), app.URL, Options{Concurrency: 3})
			require.Error(t, err)
			require.Equal(t, 3, report.Failed)
			require.EqualValues(t, 3, app.requests.Load())
			require.Equal(t, 1, strings.Count(err.Error(), "the server closed the connection"), err.Error())
			require.ErrorContains(t, err, "a worker has died")
		})
	}
}

func TestRun_NobodyListens(t *testing.T) {
	app := serve(t, answerOK)
	app.Close()
	_, err := Run(t.Context(), app.URL, Options{})
	require.ErrorContains(t, err, "connection refused (6 of 6 requests")
	require.ErrorContains(t, err, "nothing listens there")
}

func TestRun_OtherErrorsOfTheClientAreShownOnce(t *testing.T) {
	broken := errors.New("no route today")
	_, err := Run(t.Context(), "http://127.0.0.1:2020", Options{Client: clientFunc(func(r *http.Request) (*http.Response, error) {
		return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: broken}
	})})
	require.ErrorIs(t, err, broken)
	require.Equal(t, 1, strings.Count(err.Error(), "no route today"))
}

type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

func TestRun_ABodyWithoutEndIsReadToTheBound(t *testing.T) {
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		block := bytes.Repeat([]byte("x"), 1<<16)
		for r.Context().Err() == nil {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	report, err := Run(t.Context(), app.URL, Options{Concurrency: 1, MaxRequests: 1})
	require.NoError(t, err)
	require.Equal(t, 200, report.Samples[0].Status)
}

func TestRun_CancellingReturnsWhatWasDone(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the operator pressed ^C")
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/second" {
			cancel(why)
			<-r.Context().Done()
		}
	})
	report, err := Run(ctx, app.URL, Options{Paths: []string{"/", "/second"}, Concurrency: 2})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, why)
	var failure *Error
	require.NotErrorAs(t, err, &failure, "what was cancelled has not failed")
	require.Equal(t, 2, report.Requests)
	require.Zero(t, report.Failed)
	require.Equal(t, 2, report.Cold.Requests)
	require.Zero(t, report.Warm)
}

func TestRun_TheCallersDeadlineIsNotATimeoutOfTheApplication(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	app := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	_, err := Run(ctx, app.URL, Options{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, ErrTimeout)
}

func TestRun_NothingIsSentAfterTheContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	app := serve(t, answerOK)
	for _, workers := range []func(context.Context) (Workers, error){nil, counts(Workers{1, 1})} {
		_, err := Run(ctx, app.URL, Options{Workers: workers})
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Zero(t, app.requests.Load())
}

func TestRun_AnErrorOfTheCountEndsTheRun(t *testing.T) {
	app := serve(t, answerOK)
	_, err := Run(t.Context(), app.URL, Options{Workers: func(context.Context) (Workers, error) {
		return Workers{}, os.ErrNotExist
	}})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "count workers")
	require.Zero(t, app.requests.Load())
}

func TestRun_ACountThatHangsEndsToo(t *testing.T) {
	_, err := Run(t.Context(), "http://127.0.0.1:2020", Options{
		Timeout: time.Millisecond,
		Workers: func(ctx context.Context) (Workers, error) { <-ctx.Done(); return Workers{}, ctx.Err() },
	})
	require.ErrorContains(t, err, "count workers: no complete answer in time")
	require.NotErrorIs(t, err, context.DeadlineExceeded)
}

func TestRun_WorkerHeaderCountsWhatIsSeen(t *testing.T) {
	workers, busy := newCrew(3), newBarrier(3)
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		workers.work(func(id int) {
			busy.wait(r.Context())
			w.Header().Set("X-Worker", strconv.Itoa(id))
		})
	})
	report, err := Run(t.Context(), app.URL, Options{WorkerHeader: "X-Worker"})
	require.NoError(t, err)
	require.Equal(t, Workers{Reached: 3}, report.Workers)
	require.Contains(t, report.String(), "3 workers seen")
}

func TestRun_ProgressIsSerialAndEndsAtItsTotal(t *testing.T) {
	app := serve(t, answerOK)
	var all []Progress // without a lock: the race detector sees two calls at a time
	report, err := Run(t.Context(), app.URL, Options{
		Workers:    counts(Workers{2, 0}, Workers{2, 1}, Workers{2, 2}),
		OnProgress: func(p Progress) { all = append(all, p) },
	})
	require.NoError(t, err)
	for i, p := range all {
		require.LessOrEqual(t, p.Done, p.Total)
		if i > 0 {
			require.GreaterOrEqual(t, p.Done, all[i-1].Done)
			require.GreaterOrEqual(t, p.Elapsed, all[i-1].Elapsed)
		}
	}
	last := all[len(all)-1]
	require.Equal(t, report.Requests, last.Done)
	require.Equal(t, last.Done, last.Total)
	require.Equal(t, report.Workers, last.Workers)
}

func TestRun_RefusesWhatCannotBeAsked(t *testing.T) {
	const good = "http://127.0.0.1:2020"
	for name, c := range map[string]struct {
		target string
		opts   Options
		want   string
	}{
		"no target":          {"", Options{}, "http URL with a host"},
		"https":              {"https://127.0.0.1:2020", Options{}, "http URL with a host"},
		"no scheme":          {"127.0.0.1:2020", Options{}, "127.0.0.1:2020"},
		"only a port":        {"http://:2020", Options{}, "http URL with a host"},
		"path in target":     {good + "/x", Options{}, "Options.Paths"},
		"query in target":    {good + "?x", Options{}, "Options.Paths"},
		"password":           {"http://me:pw@127.0.0.1", Options{}, "Options.Paths"},
		"relative path":      {good, Options{Paths: []string{"/", "x"}}, `path "x": it must begin`},
		"empty path":         {good, Options{Paths: []string{""}}, `path "": it must begin`},
		"blank in path":      {good, Options{Paths: []string{"/a b"}}, "blanks or control"},
		"line break in path": {good, Options{Paths: []string{"/a\r\nX: y"}}, "blanks or control"},
		"broken escape":      {good, Options{Paths: []string{"/%zz"}}, "invalid URL escape"},
		"fragment":           {good, Options{Paths: []string{"/#top"}}, "must not contain #"},
		"line break in host": {good, Options{Host: "h\r\nX: y"}, "host"},
		"blank in host":      {good, Options{Host: "a b"}, "host"},
		"path in host":       {good, Options{Host: "a/b"}, "host"},
		"bad port":           {good, Options{Host: "a:b"}, "invalid port"},
		"not ASCII":          {good, Options{Host: "bücher.example"}, "xn--"},
		"host as header":     {good, Options{Header: http.Header{"host": {"x"}}}, "Options.Host"},
		"bad header name":    {good, Options{Header: http.Header{"a b": {"x"}}}, `header "a b"`},
		"bad header value":   {good, Options{Header: http.Header{"A": {"x\ny"}}}, `header "A"`},
		"too concurrent":     {good, Options{Concurrency: 1001}, "1 to 1000"},
		"negative":           {good, Options{Concurrency: -1}, "1 to 1000"},
		"limit under paths":  {good, Options{Paths: []string{"/", "/a"}, MaxRequests: 1}, "there are 2 paths"},
		"negative limit":     {good, Options{MaxRequests: -1}, "limit of -1"},
		"negative timeout":   {good, Options{Timeout: -1}, "must be positive"},
	} {
		t.Run(name, func(t *testing.T) {
			c.opts.Client = clientFunc(func(*http.Request) (*http.Response, error) { panic("nothing may be sent") })
			_, err := Run(t.Context(), c.target, c.opts)
			require.ErrorContains(t, err, c.want)
		})
	}
}
