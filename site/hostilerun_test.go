package site_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/disktest"
	"github.com/hadjango/hadjango/internal/golden"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/internal/usertest"
)

// workerTrick is one way in which a worker, whose application has been taken over, could
// lead what root does on the site that runs.
type workerTrick struct {
	what string
	// script is run as the workers' user in deploy; $CANARY is a directory of root's
	// with a file and the socket of a daemon. It goes on until the task has ended.
	script string
	// task is what root does then.
	task string
	// after are the tasks by which all is well again.
	after []string
}

// stay lets a script go on, with what it has open.
const stay = "\necho ready; read end"

var workerTricks = []workerTrick{
	{"`run/c.zerg.fifo` is a link to a file of root's", `ln -sf "$CANARY/secret" run/c.zerg.fifo`, "deactivate c", []string{"down", "up", "deactivate c", "activate c"}},
	{"`run/c.zerg.fifo` is a file", `rm run/c.zerg.fifo; touch run/c.zerg.fifo`, "rm c", []string{"down", "up"}},
	{"`run/c.zerg.stats` is a link to a socket of root's daemon, whose answers name the daemon as the worker", `ln -sf "$CANARY/daemon.sock" run/c.zerg.stats`, "deactivate c", []string{"down", "up"}},
	{"`run/zergs.stats` is one", `ln -sf "$CANARY/daemon.sock" run/zergs.stats`, "activate c", []string{"down", "up"}},
	{"`run/dashboard.sock` is one", `ln -sf "$CANARY/daemon.sock" run/dashboard.sock`, "down", []string{"up"}},
	{"the answers at `run/c.zerg.stats` have no end", `rm run/c.zerg.stats; exec python3 -u -c '
import socket
s = socket.socket(socket.AF_UNIX); s.bind("run/c.zerg.stats"); s.listen(); print("ready")
while True:
    c, _ = s.accept()
    try:
        c.sendall(b"{\"pid\": 1,")
        while True: c.sendall(b" " * 1000000)
    except OSError: pass
'`, "deactivate c", []string{"down", "up"}},
	{"`run/zergs.pid` is a pipe on which a reader waits for ever", `rm run/zergs.pid; mkfifo run/zergs.pid`, "up", []string{"down", "up"}},
	{"`run/vassals.pid` is a file of 8 TB, all of it holes", `truncate -s 8T run/vassals.pid`, "up", []string{"down", "up"}},
	{"so are the logs of its build", `truncate -s 8T logs/c.zerg.log logs/c.vassal.log`, "restart c", nil},
	{"it opens the lock of all tasks", `(exec 3<lock) 2>/dev/null && exit 1`, "warmup a", nil},
	{"it holds that lock, which it has had open since before it was closed", `flock -s 3`, "warmup a", nil},
}

// A worker that is hostile may do with its own what it likes. Root, whose tasks
// look at that and signal its processes, is led by it to nobody else's file or
// process, and waits for nothing that has no end.
func TestHostileWorker_LeadsRootNowhere(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("an ordinary user's workers are that user")
	}
	around := usertest.OpenDir(t)
	s := newTestSiteIn(t, around, "timeouts: {drain: 2m}")
	s.call("init", "createBuild c", "activate c")
	canary := filepath.Join(around, "canary")
	require.NoError(t, os.Mkdir(canary, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(canary, "secret"), []byte("secret"), 0o600))
	daemon := startDaemon(t, canary)
	table := "| what a worker does | root's task | what becomes of it |\n| --- | --- | --- |\n"
	for _, trick := range workerTricks {
		before := disktest.Snapshot(t, around, s.deploy())
		outcome := s.tryWorker(trick, canary)
		require.Equal(t, before, disktest.Snapshot(t, around, s.deploy()), trick.what)
		require.True(t, daemon.Alive(), trick.what)
		s.call(trick.after...)
		table += fmt.Sprintf("| %s | `%s` | %s |\n", trick.what, trick.task, outcome)
	}
	golden.RequireSection(t, "../docs/reliability.md", "runtime tricks by a worker", table)
}

// startDaemon is a process of root's that has nothing to do with the site.
func startDaemon(t *testing.T, dir string) proc.Process {
	t.Helper()
	daemon := exec.Command("python3", "-u", "-c", `
import json, os, socket
s = socket.socket(socket.AF_UNIX); s.bind("daemon.sock"); s.listen(); print("ready")
worker = {"id": 1, "pid": os.getpid(), "accepting": 1, "status": "idle", "apps": [{"id": 0}]}
while True:
    c, _ = s.accept()
    try: c.sendall(json.dumps({"pid": os.getpid(), "workers": [worker], "vassals": []}).encode())
    except OSError: pass
    c.close()
`)
	daemon.Dir = dir
	awaitReady(t, daemon)
	p, err := proc.Open(daemon.Process.Pid)
	require.NoError(t, err)
	return p
}

// awaitReady starts a program that says when it is ready, and ends with the test.
func awaitReady(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
}

func (s testSite) tryWorker(trick workerTrick, canary string) (outcome string) {
	t := s.t.(*testing.T)
	t.Helper()
	lock, err := os.Open(filepath.Join(s.deploy(), "lock"))
	require.NoError(t, err)
	defer lock.Close()
	user, err := account.Lookup("www-data")
	require.NoError(t, err)
	worker := exec.Command("sh", "-c", trick.script+stay)
	worker.Dir, worker.ExtraFiles = s.deploy(), []*os.File{lock}
	worker.Env = append(os.Environ(), "CANARY="+canary)
	worker.SysProcAttr = &syscall.SysProcAttr{Credential: user.Credential()}
	end, err := worker.StdinPipe()
	require.NoError(t, err)
	awaitReady(t, worker)
	err = call(within(t, soon), s.Site, trick.task)
	require.NotErrorIs(t, err, context.DeadlineExceeded, trick.what)
	require.NoError(t, end.Close())
	_ = worker.Process.Kill()
	_ = worker.Wait()
	if err == nil {
		return "done, as always"
	}
	return "refused: " + s.reason(err)
}

// reason is what an error says, in any run of the tests.
func (s testSite) reason(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	text := strings.ReplaceAll(first, s.dir+"/", "")
	// whichever comes first
	text = regexp.MustCompile(`((read unix .*: )?i/o timeout|it says more than 64 MB|context deadline exceeded)$`).ReplaceAllString(text, "it has no end")
	text = regexp.MustCompile(`process \d+ \([^)]*\)`).ReplaceAllString(text, "process 4711 (sh)")
	return regexp.MustCompile(`kill \d+`).ReplaceAllString(text, "kill 4711")
}

// A file of the application's may be called by a command, which is not run by who
// removes it; what it keeps among its own data is its own.
func TestDoctor_OffersNoNameThatAShellObeys(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	s.write("deploy/data/.database.tmp-1", "")
	s.awaitWell(t)
	for name, said := range map[string]string{"q.$(touch pwned)": "1 socket of q", ".$(touch pwned).tmp-1": "1 leftover"} {
		path := filepath.Join(s.deploy(), "run", name)
		require.NoError(t, syscall.Mkfifo(path, 0o600))
		mend := exec.CommandContext(t.Context(), "sh", "-c", s.awaits(t, said).Mend)
		mend.Dir = s.dir
		require.NoError(t, mend.Run())
		require.NoFileExists(t, path)
		require.NoFileExists(t, filepath.Join(s.dir, "pwned"))
	}
	s.awaitWell(t)
}

func TestDoctor_NamesWhoHoldsALockAndIsNoTask(t *testing.T) {
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	lock, err := os.Open(filepath.Join(s.deploy(), "lock"))
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_SH))
	found := s.awaits(t, "lock is held by process")
	require.Contains(t, found.What, fmt.Sprintf("process %d (", os.Getpid()))
	require.Contains(t, found.What, "which is no task")
	// a child of another test may have it too, for a moment
	require.Regexp(t, fmt.Sprintf(`^kill -9 .*\b%d\b`, os.Getpid()), found.Mend)
	require.NoError(t, lock.Close())
	s.awaitWell(t)
}
