package site_test

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/load"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/uwsgi"
)

// race is what may be lost where an emperor or a vassal dies under load: as a
// rule nothing, and a few where uWSGI ends a worker that has just accepted. It
// is not understood to the end why that can be more than one a worker.
const race = clients

// victims are the processes that a site consists of, each with the requests
// that may be lost when it is killed: at most those it was working on. nginx's
// own death is for nginx to bear: it closes its idle connections, and its port
// too where its sockets cannot be had.
var victims = []struct {
	name string
	find func(testSite) []proc.Process
	may  int
}{
	{"a worker", func(s testSite) []proc.Process { return s.open(s.workers("a")[0].PID) }, race},
	{"the zerg (its uWSGI master)", func(s testSite) []proc.Process { return s.open(s.instance("a").PID) }, race},
	{"the vassal, which holds the sockets", func(s testSite) []proc.Process { return s.open(s.vassal("a").PID) }, race},
	{"the emperor of the zergs", func(s testSite) []proc.Process { return s.emperor("zergs")[1:2] }, race},
	{"its uWSGI master", func(s testSite) []proc.Process { return s.emperor("zergs")[:1] }, race},
	{"the emperor of the vassals", func(s testSite) []proc.Process { return s.emperor("vassals")[1:2] }, race},
	{"its uWSGI master", func(s testSite) []proc.Process { return s.emperor("vassals")[:1] }, race},
	{"a worker of nginx", func(s testSite) []proc.Process { return s.nginx()[1:2] }, math.MaxInt},
	{"the dashboard", func(s testSite) []proc.Process { return []proc.Process{s.helper("dashboard")} }, 0},
	{"nginx's master", func(s testSite) []proc.Process { return s.nginx()[:1] }, math.MaxInt},
}

func (s testSite) open(pid int) []proc.Process {
	p, err := proc.Open(pid)
	require.NoError(s.t, err)
	return []proc.Process{p}
}

func (s testSite) vassal(name builds.Name) uwsgi.Instance {
	instance, err := uwsgi.ReadInstance(s.t.Context(), s.unit(name, "vassal").Stats)
	require.NoError(s.t, err)
	return instance
}

func (s testSite) pid(file string) int {
	pid, err := strconv.Atoi(strings.TrimSpace(s.read("deploy/" + file)))
	require.NoError(s.t, err)
	return pid
}

// emperor is an emperor's uWSGI master, the emperor, and all that it runs.
func (s testSite) emperor(name string) []proc.Process {
	return proc.Family(s.pid("run/" + name + ".pid"))
}

func (s testSite) nginx() []proc.Process { return proc.Family(s.pid("nginx.pid")) }

// Every process of a site is killed under load, one after the other, and comes
// back by itself.
func TestKill_EveryProcessComesBackByItself(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	require.NoError(t, s.Init(t.Context()))
	var table strings.Builder
	for _, victim := range victims {
		outcome := s.killUnderLoad(victim.find(s))
		fmt.Fprintf(&table, "| %s | %d | %d | %s | %s |\n", victim.name,
			outcome.requests, outcome.lost, outcome.longest.Round(10*time.Millisecond), outcome.whole.Round(10*time.Millisecond))
		require.LessOrEqual(t, outcome.lost, victim.may, "%s: %v", victim.name, outcome.first)
	}
	s.powerCut()
	start := time.Now()
	require.NoError(t, s.Up(t.Context()))
	s.awaitWhole()
	fmt.Fprintf(&table, "| all at once, then `mage up` | | | | %s |\n", time.Since(start).Round(10*time.Millisecond))
	t.Logf("| killed | requests | lost | longest wait | whole again after |\n%s", &table)
}

type outcome struct {
	requests, lost int
	longest, whole time.Duration
	first          load.Answer
}

func (s testSite) killUnderLoad(victims []proc.Process) (o outcome) {
	answers := s.underLoad(func() {
		s.requireAnswers(20)
		start := time.Now()
		for _, victim := range victims {
			require.NoError(s.t, victim.Signal(syscall.SIGKILL))
		}
		s.awaitWhole()
		o.whole = time.Since(start)
		s.requireAnswers(20)
	})
	o.requests = len(answers)
	for _, a := range answers {
		o.longest = max(o.longest, a.End.Sub(a.Start))
		if !a.OK() {
			o.lost++
			if o.lost == 1 {
				o.first = a
			}
		}
	}
	return o
}

// requireAnswers lets the load go on for a while.
func (s testSite) requireAnswers(count int) {
	s.t.Helper()
	for range count {
		s.requireServes("live.localhost", "a")
	}
}

// awaitWhole returns when all is as it was before something was killed.
func (s testSite) awaitWhole() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		status, err := s.Status(s.t.Context())
		return err == nil && status.Servers.Up() && status.Servers.Dashboard && status.Kept && s.isAttached("a") && s.livingWorkers("a") == 2 && s.answers()
	}, 3*time.Minute, 5*time.Millisecond)
}

func (s testSite) isAttached(name builds.Name) bool {
	attached, err := uwsgi.Attached(s.t.Context(), s.unit(name, "vassal"), s.unit(name, "zerg"))
	return err == nil && attached
}

// livingWorkers does not trust a master that has not noticed yet.
func (s testSite) livingWorkers(name builds.Name) (count int) {
	instance, err := uwsgi.ReadInstance(s.t.Context(), s.unit(name, "zerg").Stats)
	if err != nil {
		return 0
	}
	for _, worker := range instance.Ready() {
		if p, err := proc.Open(worker.PID); err == nil && p.Alive() {
			count++
		}
	}
	return count
}

func (s testSite) answers() bool {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	request, err := http.NewRequest(http.MethodGet, "http://"+s.address+"/", nil)
	if err != nil {
		return false
	}
	request.Host = "live.localhost"
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// powerCut ends every process of the site at once.
func (s testSite) powerCut() {
	s.t.Helper()
	for len(s.allProcesses()) > 0 {
		for _, p := range s.allProcesses() {
			require.NoError(s.t, p.Signal(syscall.SIGKILL))
		}
	}
}

func (s testSite) allProcesses() []proc.Process {
	s.t.Helper()
	self, err := os.Executable()
	require.NoError(s.t, err)
	found, err := proc.Under(s.dir, "nginx", "uwsgi", "uwsgi-core", filepath.Base(self))
	require.NoError(s.t, err)
	return found
}
