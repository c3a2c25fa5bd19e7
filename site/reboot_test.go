package site_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/site"
)

// machine is one that systemd boots: a container whose disk is this machine's
// own, and whose changes to it are forgotten, but for the site. Its network is
// this machine's too.
type machine struct {
	t     testing.TB
	s     testSite
	unit  site.Unit
	units string
	boot  *exec.Cmd
	init  proc.Process
	out   *bytes.Buffer
}

// askedFor is what lets the test run that boots a machine: it changes nothing of
// this one, but takes what only root may, and a minute.
const askedFor = "HADJANGO_TEST_SYSTEMD"

func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Getenv(askedFor) == "" {
		t.Skip("the units are not tried under a systemd that runs: set " + askedFor + "=1 for that")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may boot a container")
	}
	for _, program := range []string{"systemd-nspawn", "unshare", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err, "; apt-get install systemd-container util-linux")
		}
	}
	s := newTestSite(t, "timeouts: {drain: 60s, request: 30s}\n")
	m := &machine{t: t, s: s, units: filepath.Join(s.dir, "units")}
	require.NoError(t, os.Mkdir(m.units, 0o755))
	program := filepath.Join(s.dir, "hadjango")
	compile := exec.CommandContext(t.Context(), "go", "tool", "mage", "-compile", program)
	compile.Dir, compile.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	out, err := compile.CombinedOutput()
	require.NoError(t, err, string(out))
	m.unit, err = s.SystemdUnit(program)
	require.NoError(t, err)
	require.NoError(t, m.unit.Write(m.units))
	// what else this machine has for multi-user.target is not for this test
	target := "[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=" + m.unit.Name + "\n"
	require.NoError(t, site.Unit{Name: "hadjango-test.target", Text: target}.Write(m.units))
	return m
}

// bootScript makes the disk in a mount namespace of its own, and becomes the
// container.
const bootScript = `set -e
mkdir "$1/disk"
mount -t tmpfs tmpfs "$1/disk"
mkdir "$1/disk/changes" "$1/disk/work" "$1/disk/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/disk/changes,workdir=$1/disk/work" "$1/disk/root"
mkdir -p "$1/disk/root/etc/systemd/system"
cp "$1/units/"* "$1/disk/root/etc/systemd/system/"
exec systemd-nspawn --directory="$1/disk/root" --machine="$2" --register=no --keep-unit --bind="$1" \
	--boot --console=pipe systemd.unit=hadjango-test.target
`

// start boots it, and returns when the unit has started or failed.
func (m *machine) start() {
	m.t.Helper()
	require.NoError(m.t, os.RemoveAll(filepath.Join(m.s.dir, "disk")))
	m.out = &bytes.Buffer{}
	m.boot = exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", bootScript, "sh", m.s.dir, filepath.Base(m.s.dir))
	m.boot.Stdout, m.boot.Stderr = m.out, m.out
	require.NoError(m.t, m.boot.Start())
	boot := m.boot
	ended := make(chan struct{})
	go func() { _ = boot.Wait(); close(ended) }()
	m.t.Cleanup(func() {
		for _, p := range proc.Family(boot.Process.Pid) {
			_ = p.Signal(syscall.SIGKILL)
		}
		<-ended
	})
	state := ""
	require.Eventually(m.t, func() bool {
		var ok bool
		if m.init, ok = initOf(boot.Process.Pid); !ok {
			return false
		}
		out, _ := m.inside("systemctl", "is-active", m.unit.Name)
		state = strings.TrimSpace(string(out))
		return state == "active" || state == "failed"
	}, 2*time.Minute, 100*time.Millisecond, "%s", &state)
	if state != "active" {
		out, _ := m.inside("journalctl", "--no-pager", "--unit", m.unit.Name)
		m.t.Fatalf("the unit is %s: %s", state, out)
	}
}

// initOf is the container's first process.
func initOf(boot int) (proc.Process, bool) {
	for _, p := range proc.Family(boot) {
		if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID)); err == nil && strings.Contains(string(status), fmt.Sprintf("\nNSpid:\t%d\t1\n", p.PID)) {
			return p, true
		}
	}
	return proc.Process{}, false
}

// inside runs a program in the container.
func (m *machine) inside(args ...string) ([]byte, error) {
	enter := []string{"--target", fmt.Sprint(m.init.PID), "--mount", "--uts", "--ipc", "--pid", "--root", "--wd", "--"}
	cmd := exec.CommandContext(m.t.Context(), "nsenter", append(enter, args...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HADJANGO_SITE=" + m.s.dir}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s%s", err, out, exit.Stderr)
	}
	return out, err
}

func (m *machine) status() (status site.Status) {
	m.t.Helper()
	out, err := m.inside(filepath.Join(m.s.dir, "hadjango"), "status", "-json")
	require.NoError(m.t, err)
	require.NoError(m.t, json.Unmarshal(out, &status), string(out))
	return status
}

// shutDown ends it as a person would, and powerCut all of it at once.
func (m *machine) shutDown() { m.end(m.boot.Process.Pid, syscall.SIGTERM) }
func (m *machine) powerCut() { m.end(m.init.PID, syscall.SIGKILL) }

func (m *machine) end(pid int, sig syscall.Signal) {
	m.t.Helper()
	require.NoError(m.t, syscall.Kill(pid, sig))
	require.NoError(m.t, proc.Wait(within(m.t, 2*time.Minute), []proc.Process{m.init}))
	m.s.eventually(func(s testSite) bool { return len(s.allProcesses()) == 0 })
}

func (m *machine) eventually(look func(m *machine) bool) {
	m.t.Helper()
	m.s.eventually(func(s testSite) bool {
		one := *m
		one.t = s.t
		return look(&one)
	})
}

// The unit under a systemd that runs, confined as it is there: at boot all comes
// back as it was, what dies meanwhile too, the machine's end waits for the last
// request, and a power cut takes nothing away.
func TestSystemd_ARebootBringsBackWhatWasThere(t *testing.T) {
	m := newMachine(t)
	s := m.s
	require.NoError(t, s.Init(t.Context()))
	s.call("createBuild c", "createBuild d", "activate c", "swapLive")
	before := s.states()
	require.Equal(t, []string{"a stage active", "b live active", "c  active", "d  stopped"}, before)
	s.call("down")

	for _, cut := range []bool{true, false, false} {
		m.start()
		require.Equal(t, before, statesOf(m.status()))
		s.requireServes("live.localhost", "b")
		s.requireServes("stage.localhost", "a")

		_, err := m.inside("sh", "-c", "kill -9 $(cat "+filepath.Join(s.dir, "deploy/run/vassals.pid")+" "+filepath.Join(s.dir, "deploy/nginx.pid")+")")
		require.NoError(t, err)
		m.eventually(func(m *machine) bool {
			_, err := m.inside(filepath.Join(s.dir, "hadjango"), "doctor")
			require.NoError(m.t, err)
			return slices.Equal(before, statesOf(m.status())) && s.answers()
		})
		if cut {
			m.powerCut()
			continue
		}
		slow := make(chan string, 1)
		go func() { slow <- s.slow("3") }()
		m.eventually(func(m *machine) bool { return m.status().Builds[1].WorkersBusy == 1 })
		m.shutDown()
		require.Equal(t, "200 OK by b", <-slow)
	}
}
