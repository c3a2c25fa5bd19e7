package command_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/account"
	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/proc"
)

func shell(script string) command.Command {
	return command.Command{Args: []string{"/bin/sh", "-c", script}}
}

func TestOutput_IsWhatTheProgramWroteToItsStandardOutput(t *testing.T) {
	out, err := shell("echo out; echo err >&2").Output(t.Context())

	require.NoError(t, err)
	require.Equal(t, "out\n", string(out))
}

func TestRun_FailsWithTheEndOfWhatWasPrinted(t *testing.T) {
	err := shell("for i in $(seq 100); do echo line $i; done; echo why >&2; exit 3").Run(t.Context())

	var failed *command.Error
	require.ErrorAs(t, err, &failed)
	lines := strings.Split(failed.Tail, "\n")
	require.Len(t, lines, 15)
	require.Equal(t, "line 87", lines[0])
	require.Equal(t, "why", lines[14], "what was printed last, though to another stream")
	require.ErrorContains(t, err, "exit 3: exit status 3\n    line 87\n    line 88\n")
	require.True(t, strings.HasSuffix(err.Error(), "\n    line 100\n    why"), "no log is named")
}

func TestRun_FailsWithTheEndOfALongLine(t *testing.T) {
	err := shell("head -c 100000 /dev/zero | tr '\\0' x; echo end; exit 1").Run(t.Context())

	var failed *command.Error
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Tail, 16<<10-len("\n"))
	require.True(t, strings.HasSuffix(failed.Tail, "xend"))
}

func TestRun_TellsTheExitStatus(t *testing.T) {
	err := shell("exit 42").Run(t.Context())

	var status *exec.ExitError
	require.ErrorAs(t, err, &status)
	require.Equal(t, 42, status.ExitCode())
	require.EqualError(t, err, "/bin/sh -c exit 42: exit status 42")
}

func TestRun_NamesAProgramThatIsNotThere(t *testing.T) {
	err := command.Command{Args: []string{"nosuchprogram", "x"}}.Run(t.Context())

	require.ErrorIs(t, err, exec.ErrNotFound)
	require.ErrorContains(t, err, "nosuchprogram x: ")
}

func TestRun_LogsEverythingAfterTheCommandLine(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	first, second := shell("echo out; echo err >&2"), shell("seq 1000; exit 1")
	first.Log, second.Log = log, log

	require.NoError(t, first.Run(t.Context()))
	err := second.Run(t.Context())

	require.ErrorContains(t, err, "\nthe whole log: "+log)
	data, readErr := os.ReadFile(log)
	require.NoError(t, readErr)
	parts := strings.SplitAfter(string(data), "$ ")
	require.Len(t, parts, 3, "a line each for the two commands")
	require.True(t, strings.HasPrefix(parts[1], "/bin/sh -c echo out; echo err >&2\n"), parts[1])
	require.Contains(t, parts[1], "\nout\nerr\n")
	require.True(t, strings.HasPrefix(parts[2], "/bin/sh -c seq 1000; exit 1\n1\n2\n"), parts[2])
	require.True(t, strings.HasSuffix(parts[2], "\n999\n1000\n"))
}

func TestRun_StartsNothingThatItCannotLog(t *testing.T) {
	dir := t.TempDir()
	touch := command.Command{Args: []string{"touch", "ran"}, Dir: dir, Log: filepath.Join(dir, "missing", "log")}

	err := touch.Run(t.Context())

	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "log of touch: ")
	require.NoFileExists(t, filepath.Join(dir, "ran"))
}

func TestOutput_ExpandsNothingInArguments(t *testing.T) {
	args := []string{"$HOME", ";", "exit 1", "*", "`id`", "$(id)", "a b", "", "~", ">x", "%d", "\\n"}

	out, err := command.Command{Args: append([]string{"printf", `%s\n`}, args...), Dir: t.TempDir()}.Output(t.Context())

	require.NoError(t, err)
	require.Equal(t, strings.Join(args, "\n")+"\n", string(out))
}

func TestOutput_GivesExactlyTheEnvironment(t *testing.T) {
	t.Setenv("HADJANGO_TEST_OURS", "1")
	env := command.Command{Args: []string{"/usr/bin/env"}, Dir: t.TempDir(), Env: []string{"ONE=1", "TWO=$ONE"}}

	out, err := env.Output(t.Context())
	require.NoError(t, err)
	require.Equal(t, "ONE=1\nTWO=$ONE\n", string(out))

	env.Env = []string{}
	out, err = env.Output(t.Context())
	require.NoError(t, err)
	require.Empty(t, string(out))

	env.Env = nil
	out, err = env.Output(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(out), "HADJANGO_TEST_OURS=1\n")
}

func TestOutput_WorksInTheDirectory(t *testing.T) {
	dir := t.TempDir()

	out, err := command.Command{Args: []string{"/bin/pwd", "-P"}, Dir: dir}.Output(t.Context())

	require.NoError(t, err)
	require.Equal(t, dir+"\n", string(out))
}

func TestOutput_ReadsNothing(t *testing.T) {
	out, err := command.Command{Args: []string{"cat"}}.Output(t.Context())

	require.NoError(t, err)
	require.Empty(t, out)
}

func TestOutput_IsOfTheUser(t *testing.T) {
	me, err := account.Current()
	require.NoError(t, err)
	users := []account.User{me}
	if me.UID == 0 {
		nobody, err := account.Lookup("nobody")
		require.NoError(t, err)
		users = append(users, nobody)
	}
	for _, u := range users {
		out, err := command.Command{Args: []string{"id", "-u"}, Dir: "/", User: u}.Output(t.Context())
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(int(u.UID)), strings.TrimSpace(string(out)))
	}
}

// The scripts write the pids of themselves and of all they have started to a
// file when they are ready.
func TestRun_EndsTheWholeProcessGroupWithTheContext(t *testing.T) {
	for name, script := range map[string]string{
		"waits for its child":  `sleep 1000 & echo $! $$ >pids.new; mv pids.new pids; wait`,
		"grandchild":           `(sleep 1000 & echo $! $$ >pids.new; mv pids.new pids; wait) & wait`,
		"child without output": `sleep 1000 >/dev/null 2>&1 & echo $! $$ >pids.new; mv pids.new pids; wait`,
		"stubborn child":       `(trap '' TERM; exec sleep 1000 >/dev/null 2>&1) & echo $! $$ >pids.new; mv pids.new pids; wait`,
		"program ends on TERM": `trap 'exit 0' TERM; sleep 1000 >/dev/null 2>&1 & echo $! $$ >pids.new; mv pids.new pids; wait`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			running := shell(script)
			running.Dir = dir
			done := make(chan error, 1)
			go func() { done <- running.Run(ctx) }()
			processes := waitPIDs(t, filepath.Join(dir, "pids"))
			require.Len(t, proc.Living(processes), 2)

			cancel()

			require.ErrorIs(t, <-done, context.Canceled)
			// a signal that was sent arrives, but nobody says when
			gone, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			require.NoError(t, proc.Wait(gone, processes))
		})
	}
}

// Not the program alone: its children may have something to clean up too.
func TestRun_LetsTheWholeProcessGroupCleanUp(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	running := shell(`
trap : TERM
(trap 'echo cleaned >said; exit' TERM; sleep 1000 & echo $! $$ >pids.new; mv pids.new pids; wait) &
wait
wait`)
	running.Dir = dir
	done := make(chan error, 1)
	go func() { done <- running.Run(ctx) }()
	waitPIDs(t, filepath.Join(dir, "pids"))

	cancel()

	require.ErrorIs(t, <-done, context.Canceled)
	require.FileExists(t, filepath.Join(dir, "said"))
}

func waitPIDs(t *testing.T, path string) []proc.Process {
	t.Helper()
	var data []byte
	require.Eventually(t, func() bool {
		var err error
		data, err = os.ReadFile(path)
		return err == nil
	}, time.Minute, 5*time.Millisecond)
	var processes []proc.Process
	for field := range strings.FieldsSeq(string(data)) {
		pid, err := strconv.Atoi(field)
		require.NoError(t, err)
		p, err := proc.Open(pid)
		require.NoError(t, err)
		processes = append(processes, p)
	}
	return processes
}

func TestRun_StartsNothingAfterTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()

	err := command.Command{Args: []string{"touch", "ran"}, Dir: dir}.Run(ctx)

	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, filepath.Join(dir, "ran"))
}
