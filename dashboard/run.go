package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/hadjango/hadjango/site"
)

// lookLimit is how long a look may take: a vassal that hangs must not be in the
// way of those that do not.
const lookLimit = 300 * time.Millisecond

// Run makes this process the dashboard of a site, until ctx ends or its socket is
// taken away: nobody reaches it any more then.
func Run(ctx context.Context, s *site.Site) error {
	listener, err := s.ListenForDashboard()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	gone, err := watchFile(listener.Addr().String())
	if err != nil {
		return errors.Join(fmt.Errorf("dashboard: %w", err), listener.Close())
	}
	defer gone.Close()
	go func() {
		if awaitRemoval(gone, listener.Addr().String()) {
			cancel(errGone)
		}
	}()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	err = New(s.Observe(lookLimit), Options{Allow: networks(s.Config().Dashboard.Allow), Log: log}).Serve(ctx, listener)
	if cause := context.Cause(ctx); errors.Is(cause, errGone) {
		return errors.Join(fmt.Errorf("dashboard: %w", cause), err)
	}
	return err
}

var errGone = errors.New("its socket was taken away")

// networks takes what hadjango.yml may say, an address or a network.
func networks(allow []string) (all []netip.Prefix) {
	for _, text := range allow {
		if address, err := netip.ParseAddr(text); err == nil {
			all = append(all, netip.PrefixFrom(address, address.BitLen()))
		} else if prefix, err := netip.ParsePrefix(text); err == nil {
			all = append(all, prefix)
		}
	}
	return all
}

func watchFile(path string) (*fsnotify.Watcher, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	// the directory tells of a socket's end, which the socket itself does not while it is open
	if err := watcher.Add(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, watcher.Close())
	}
	return watcher, nil
}

// awaitRemoval returns true when nothing, or something else, is at the path; false
// when nobody watches any more.
func awaitRemoval(watcher *fsnotify.Watcher, path string) bool {
	own, err := os.Lstat(path)
	for err == nil {
		if _, open := <-watcher.Events; !open {
			return false
		}
		now, failed := os.Lstat(path)
		if failed != nil || !os.SameFile(own, now) {
			return true
		}
	}
	return true
}
