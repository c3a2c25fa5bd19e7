package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
)

// An nginx in a container of its own is neither a process that is seen here nor
// one that can be signalled. What is on a volume that both see is: it is asked
// to reload by a file, and answers by another.

// elsewhereLimit bounds asking whether an nginx elsewhere takes connections.
const elsewhereLimit = 2 * time.Second

// AnswersElsewhere tells whether an nginx that is not ours to start takes connections.
func (n Nginx) AnswersElsewhere() bool {
	if n.Elsewhere == "" {
		return false
	}
	conn, err := net.DialTimeout("tcp", n.Elsewhere, elsewhereLimit)
	return err == nil && conn.Close() == nil
}

func (n Nginx) whereabouts() string {
	if n.AnswersElsewhere() {
		return "runs elsewhere, as " + n.Elsewhere
	}
	return fmt.Sprintf("runs elsewhere, and does not answer yet as %s", n.Elsewhere)
}

// askReload lets an nginx elsewhere check its configuration and take it over,
// and returns what came of it.
func (s Stack) askReload(ctx context.Context) error {
	if !s.Nginx.AnswersElsewhere() {
		return fmt.Errorf("nginx does not answer as %s: start its container", s.Nginx.Elsewhere)
	}
	question := rand.Text()
	if err := files.Write(s.Nginx.Ask, []byte(question), 0o644); err != nil {
		return fmt.Errorf("ask nginx to reload: %w", err)
	}
	return poll(ctx, func() (again bool, err error) {
		text, err := os.ReadFile(s.Nginx.Answer)
		answered, refused, _ := strings.Cut(string(text), "\n")
		switch {
		case err != nil || answered != question:
			return true, fmt.Errorf("nginx elsewhere (%s) has not reloaded: see the log of its container", s.Nginx.Elsewhere)
		case refused != "":
			return false, errors.New(refused)
		}
		return false, nil
	})
}

// ServeNginx runs nginx, and nothing else of the stack, for as long as ctx lasts:
// it is started as soon as there is a configuration, and again when it dies, and
// reloads when a stack elsewhere asks for it. In the end it answers what it has
// begun, within the limit.
func (s Stack) ServeNginx(ctx context.Context, limit time.Duration, report Report) error {
	changed, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer changed.Close()
	if err := changed.Add(filepath.Dir(s.Nginx.Config)); err != nil {
		return fmt.Errorf("watch nginx's configuration: %w", err)
	}
	said := ""
	for ctx.Err() == nil {
		err := s.tendNginx(ctx, limit, report)
		if err == nil {
			err = s.awaitNginx(ctx, changed)
		} else {
			pause(ctx, changed)
		}
		// what cannot be mended here is said once, and tried again and again
		if text := fmt.Sprint(err); text != said {
			said = text
			if err != nil && ctx.Err() == nil {
				report("nginx", text)
			}
		}
	}
	return s.endNginx(context.WithoutCancel(ctx), limit, report)
}

// tendNginx starts nginx where it does not run, and answers who has asked.
func (s Stack) tendNginx(ctx context.Context, limit time.Duration, report Report) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if !exists(s.Nginx.Config) {
		return nil
	}
	if len(s.Nginx.masters(s.processes())) == 0 {
		if err := s.upNginx(ctx, report); err != nil {
			return err
		}
	}
	question, err := os.ReadFile(s.Nginx.Ask)
	answer, _ := os.ReadFile(s.Nginx.Answer)
	if answered, _, _ := strings.Cut(string(answer), "\n"); err != nil || answered == string(question) {
		return nil
	}
	outcome := "reloaded"
	text := string(question) + "\n"
	if err := s.ReloadNginx(ctx); err != nil {
		outcome = err.Error()
		text += outcome
	}
	report("nginx", outcome)
	return files.Write(s.Nginx.Answer, []byte(text), 0o644)
}

// lookAgain is how long a change of a volume may go unnoticed that tells nobody
// of its changes, as those of networks.
const lookAgain = time.Second

// awaitNginx returns when nginx has ended or somebody may have asked something.
func (s Stack) awaitNginx(ctx context.Context, changed *fsnotify.Watcher) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		pause(ctx, changed)
	}()
	if err := proc.AwaitEnd(ctx, s.Nginx.masters(s.processes())); ctx.Err() == nil {
		return err
	}
	return nil
}

func pause(ctx context.Context, changed *fsnotify.Watcher) {
	select {
	case <-ctx.Done():
	case <-changed.Events:
	case <-time.After(lookAgain):
	}
}
