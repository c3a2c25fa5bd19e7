package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/lines"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/internal/watch"
)

func (s Stack) upEmperor(ctx context.Context, e Emperor, report Report) error {
	if len(e.masters(s.processes())) > 0 {
		if err := waitAnswer(ctx, e.Stats, nil); err != nil {
			return fmt.Errorf("%s: it runs, but not with the stats socket %s: if the configuration has changed, run mage down and up: %w", e.Name, e.Stats, err)
		}
		report(e.Name, "runs")
		return nil
	}
	start := time.Now()
	if err := s.startEmperor(ctx, e); err != nil {
		return fmt.Errorf("start %s: %w", e.Name, err)
	}
	report(e.Name, fmt.Sprintf("started in %.1f s", time.Since(start).Seconds()))
	return nil
}

func (s Stack) startEmperor(ctx context.Context, e Emperor) error {
	// what a dead emperor has left must not be taken for the new one's; and on a pipe
	// that the application has put there uWSGI would wait for a reader
	if err := errors.Join(os.RemoveAll(e.Stats), os.RemoveAll(e.PIDFile)); err != nil {
		return err
	}
	ended, err := command.Server{
		Args: []string{s.Programs.UWSGI, "--ini", e.Config}, Dir: s.Dir, Log: e.Log, Credential: s.User.Credential(),
		// the workers inherit this, so it must not depend on whose shell started them
		Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=" + s.User.Home, "PYTHONDONTWRITEBYTECODE=1"},
	}.Start()
	if err != nil {
		return err
	}
	return waitServer(ctx, e.Stats, e.Log, ended)
}

// waitServer waits for the socket of a server that was started, and says what it
// wrote when it has ended.
func waitServer(ctx context.Context, socket, log string, ended <-chan error) error {
	if err := waitAnswer(ctx, socket, ended); err != nil {
		return fmt.Errorf("%w; it wrote:\n%s\nthe whole log: %s", err, lastWords(log), log)
	}
	return nil
}

// lastWords is the end of a log.
func lastWords(log string) string {
	const most, part = 8, 16 << 10
	from := int64(0)
	if info, err := os.Stat(log); err == nil {
		from = max(0, info.Size()-part)
	}
	data, _ := files.ReadFrom(log, from, part)
	return lines.Indent(lines.Last(string(data), most))
}

// answerPoll is how often a socket is tried that is about to exist.
const answerPoll = 5 * time.Millisecond

// waitAnswer returns when somebody listens at the socket, or the process that
// was to listen has ended.
func waitAnswer(ctx context.Context, socket string, ended <-chan error) error {
	return poll(ctx, func() (again bool, err error) {
		select {
		case err := <-ended:
			return false, fmt.Errorf("it ended at once: %w", cmp.Or(err, errEnded))
		default:
		}
		conn, _, err := proc.Dial(ctx, socket)
		if err != nil {
			return true, err
		}
		return false, conn.Close()
	})
}

// nudgeEvery is how often an emperor that ends is woken to look again at what
// it waits for; by itself it looks once a second.
const nudgeEvery = 10 * time.Millisecond

var errEnded = errors.New("exit status 0")

// endEmperor lets every instance of an emperor finish its requests. The first
// of the family is the emperor's uWSGI master, which notices the end of the
// emperor up to a second late and has nothing else to do, so it is not waited for.
func endEmperor(ctx context.Context, family []proc.Process) error {
	master, others := family[0], family[1:]
	if err := master.Signal(syscall.SIGINT); err != nil {
		return err
	}
	err := watch.Until(ctx, nudgeEvery, func() (bool, error) {
		if len(proc.Living(others)) == 0 {
			return true, nil
		}
		return false, others[0].Signal(syscall.SIGWINCH)
	})
	if err != nil {
		return err
	}
	return errors.Join(master.Signal(syscall.SIGKILL), proc.Wait(ctx, family))
}
