package site_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/site"
)

func TestSystemdUnit_IsAsSystemdWantsIt(t *testing.T) {
	s := newTestSite(t, "timeouts: {start: 20s, drain: 100s}\n")
	program := filepath.Join(s.dir, "hadjango")
	_, err := s.SystemdUnit(program)
	require.ErrorContains(t, err, "no such file")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/true\n"), 0o755))

	unit, err := s.SystemdUnit("")

	require.NoError(t, err)
	require.Equal(t, "hadjango-"+filepath.Base(s.dir)+".service", unit.Name)
	for _, line := range []string{
		"ExecStart=" + program + " up", "ExecStop=" + program + " down", "KillMode=process", "Type=oneshot",
		"TimeoutStartSec=50", "TimeoutStopSec=230", "Environment=HADJANGO_SITE=" + s.dir, "NoNewPrivileges=yes",
	} {
		require.Contains(t, unit.Text, "\n"+line+"\n")
	}
	target, verify := "default.target", []string{"--user", "verify", "--man=no"}
	if os.Geteuid() == 0 {
		target, verify = "multi-user.target", verify[1:]
	}
	require.Contains(t, unit.Text, "\nWantedBy="+target+"\n")
	require.NoError(t, unit.Write(s.dir))
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip(err)
	}
	check := exec.CommandContext(t.Context(), analyze, append(verify, filepath.Join(s.dir, unit.Name))...)
	check.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+s.dir)
	out, err := check.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), unit.Name, "no complaint of ours")
}

func TestSystemdUnit_RefusesWhatIsNotThereAtTheNextBoot(t *testing.T) {
	s := newTestSite(t, "")
	hash := filepath.Join(s.dir, strings.Repeat("0a", 20))
	require.NoError(t, os.WriteFile(hash, nil, 0o755))
	spaced := filepath.Join(s.dir, "has spaces")
	require.NoError(t, os.WriteFile(spaced, nil, 0o755))

	_, err := s.SystemdUnit(hash)
	require.ErrorContains(t, err, "go tool mage -compile "+filepath.Join(s.dir, "hadjango"))
	_, err = s.SystemdUnit(spaced)
	require.ErrorContains(t, err, "holds characters that systemd would take for something else")
}

// After a power cut nothing runs, and what lay on a file system in memory is
// gone, here the sockets' directory. Up brings back exactly what was there.
func TestUp_AfterAPowerCutRestoresWhatWasThere(t *testing.T) {
	s := newTestSite(t, "")
	run, err := os.MkdirTemp("", "hj")
	require.NoError(t, err)
	require.NoError(t, os.Remove(run))
	t.Cleanup(func() { _ = os.RemoveAll(run) })
	s.reopen(s.read("hadjango.yml") + "run: " + run + "\n")
	require.NoError(t, s.Init(t.Context()))
	for _, name := range []builds.Name{"c", "d", "e"} {
		require.NoError(t, s.CreateBuild(t.Context(), name))
	}
	require.NoError(t, s.Activate(t.Context(), "c"))
	require.NoError(t, s.Activate(t.Context(), "d"))
	require.NoError(t, s.Deactivate(t.Context(), "d"))
	require.NoError(t, s.Restart(t.Context(), "a"), "its workers are in the second slot")
	_, err = s.SwapLive(t.Context(), "")
	require.NoError(t, err)
	before := s.states()

	s.powerCut()
	require.NoError(t, os.RemoveAll(run))
	require.NotEqual(t, before, s.states())
	require.NoError(t, s.Up(t.Context()))

	require.Equal(t, before, s.states())
	require.Equal(t, []string{"a stage active", "b live active", "c  active", "d  idle", "e  stopped"}, before)
	s.requireServes("live.localhost", "b")
	s.requireServes("stage.localhost", "a")
	s.awaitWell(t)
}

func (s testSite) states() []string {
	s.t.Helper()
	status, err := s.Status(s.t.Context())
	require.NoError(s.t, err)
	return statesOf(status)
}

func statesOf(status site.Status) (states []string) {
	for _, b := range status.Builds {
		states = append(states, fmt.Sprintf("%s %s %s", b.Name, b.Pointer, b.State))
	}
	return states
}
