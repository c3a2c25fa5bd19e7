package browser

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// observed is what happened in one tab.
type observed struct {
	mu       sync.Mutex
	troubles []string
	answered []string
	underWay map[network.RequestID]request
}

// request is one of a document's, which its loader stands for. A stream of
// events has no end that anybody waits for.
type request struct {
	url    string
	loader cdp.LoaderID
	stream bool
}

func newObserved() *observed { return &observed{underWay: map[network.RequestID]request{}} }

func (o *observed) troublesSoFar() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.troubles)
}
func (o *observed) answeredSoFar() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.answered)
}

func (o *observed) underWaySoFar() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var urls []string
	for _, r := range o.underWay {
		if !r.stream {
			urls = append(urls, r.url)
		}
	}
	return urls
}

// see is told every event, in the order in which they happen.
func (o *observed) see(event any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		o.underWay[e.RequestID] = request{e.Request.URL, e.LoaderID, e.Type == network.ResourceTypeEventSource}
	case *page.EventFrameNavigated:
		o.leave(e.Frame)
	case *network.EventResponseReceived:
		o.answer(e.Response)
	case *network.EventLoadingFinished:
		delete(o.underWay, e.RequestID)
	case *network.EventLoadingFailed:
		o.fail(e)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			o.trouble("console: %s", describe(e.Args))
		}
	case *runtime.EventExceptionThrown:
		o.trouble("exception: %s %s", e.ExceptionDetails.Text, describe([]*runtime.RemoteObject{e.ExceptionDetails.Exception}))
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			o.trouble("browser: %s %s", e.Entry.Text, e.Entry.URL)
		}
	}
}

func (o *observed) trouble(format string, args ...any) {
	o.troubles = append(o.troubles, fmt.Sprintf(format, args...))
}

func (o *observed) answer(response *network.Response) {
	o.answered = append(o.answered, response.URL)
	if response.Status >= http.StatusBadRequest {
		o.trouble("status %d: %s", response.Status, response.URL)
	}
}

// leave forgets what a document that is left was waiting for: nobody tells of
// its end.
func (o *observed) leave(now *cdp.Frame) {
	maps.DeleteFunc(o.underWay, func(_ network.RequestID, r request) bool {
		return now.ParentID == "" && r.loader != now.LoaderID
	})
}

// fail does not count what the page itself has given up, such as the pictures
// of a page that was left.
func (o *observed) fail(e *network.EventLoadingFailed) {
	if !e.Canceled {
		o.trouble("failed: %s: %s", e.ErrorText, o.underWay[e.RequestID].url)
	}
	delete(o.underWay, e.RequestID)
}

func describe(values []*runtime.RemoteObject) string {
	var words []string
	for _, v := range values {
		if v != nil {
			words = append(words, strings.TrimSpace(v.Description+" "+string(v.Value)))
		}
	}
	return strings.Join(words, " ")
}
