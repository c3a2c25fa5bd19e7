package site_test

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/golden"
	"github.com/hadjango/hadjango/internal/human"
	"github.com/hadjango/hadjango/internal/load"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/uwsgi"
)

// victim is a process that a site consists of.
type victim struct {
	name string
	// find finds it; what has none is all that there are.
	find func(testSite) []proc.Process
	// may be lost: the requests it was working on. Zero is none.
	may int
	// lost is said of what may be lost, with # for how many requests there were.
	lost string
	// back brings it back; what has none comes back by itself.
	back func(testSite)
}

// perConnection is what the end of a worker of nginx may cost: it closes idle
// connections too, each once, while their clients are about to write on them.
const perConnection = clients

func victims() []victim {
	return []victim{
		{name: "a worker", find: func(s testSite) []proc.Process { return s.open(s.workers("a")[0].PID) }, may: 1, lost: "the request it was working on"},
		{name: "the zerg (its uWSGI master)", find: func(s testSite) []proc.Process { return s.open(s.instance("a").PID) }},
		{name: "the vassal, which holds the sockets", find: func(s testSite) []proc.Process { return s.open(s.vassal("a").PID) }},
		{name: "the emperor of the zergs", find: func(s testSite) []proc.Process { return s.emperor("zergs")[1:2] }},
		{name: "the uWSGI master of the emperor of the zergs", find: func(s testSite) []proc.Process { return s.emperor("zergs")[:1] }},
		{name: "the emperor of the vassals", find: func(s testSite) []proc.Process { return s.emperor("vassals")[1:2] }},
		{name: "the uWSGI master of the emperor of the vassals", find: func(s testSite) []proc.Process { return s.emperor("vassals")[:1] }},
		{name: "a worker of nginx", find: func(s testSite) []proc.Process { return s.nginx()[1:2] }, may: perConnection, lost: "one for each of its connections, at most"},
		{name: "nginx's master", find: func(s testSite) []proc.Process { return s.nginx()[:1] }, may: perConnection, lost: "one for each idle connection that is closed, at most"},
		{name: "the dashboard", find: func(s testSite) []proc.Process { return []proc.Process{s.helper("dashboard")} }},
		{name: "the keeper, which the next task brings back", find: func(s testSite) []proc.Process { return []proc.Process{s.helper("keep")} }, back: func(s testSite) { s.call("warmup a") }},
		{name: "all of them at once, as by a power cut", back: func(s testSite) { s.call("up") }, lost: "all until `mage up`, 0 of # before and after"},
	}
}

// again is how often each victim is killed: once, or as often as whoever looks
// for a rare race, or for what is usual, says.
func again() int {
	n, err := strconv.Atoi(os.Getenv("HADJANGO_TEST_KILLS"))
	if err != nil {
		return 1
	}
	return n
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
// back by itself, or is brought back by the next task.
func TestKill_EveryProcessComesBack(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	require.NoError(t, s.Init(t.Context()))
	table, all := "| killed | lost | longest wait | whole again after |\n| --- | --- | --- | --- |\n", true
	for _, victim := range victims() {
		ran := false // it need not have been chosen
		well := t.Run(victim.name, func(t *testing.T) {
			s := s
			s.t = t
			var outcomes []outcome
			for range again() {
				outcomes = append(outcomes, s.killUnderLoad(victim))
			}
			table += victim.row(outcomes)
			ran = true
		})
		all = all && ran && well
	}
	t.Log(table)
	if all {
		golden.RequireMeasured(t, "../docs/reliability.md", "kills", table, again() > 1)
	}
}

// row is what became of it, for people.
func (v victim) row(outcomes []outcome) string {
	requests := 0
	var longest, whole []time.Duration
	for _, o := range outcomes {
		requests += o.requests
		longest, whole = append(longest, o.longest), append(whole, o.whole)
	}
	lost := strings.ReplaceAll(cmp.Or(v.lost, "0 of #"), "#", human.Count(requests))
	return fmt.Sprintf("| %s | %s | %s | %s |\n", v.name, lost, spread(longest), spread(whole))
}

// spread is the median of times, and the worst.
func spread(times []time.Duration) string {
	slices.Sort(times)
	return fmt.Sprintf("%.1f s, at most %.1f", times[len(times)/2].Seconds(), times[len(times)-1].Seconds())
}

// A task may take minutes, and servers that die meanwhile are not away for as
// long: the keeper does not wait for it.
func TestKill_WhileATaskIsUnderWay(t *testing.T) {
	s := newTestSite(t, "")
	s.kept()
	require.NoError(t, s.Init(t.Context()))
	end, err := builds.Lock(t.Context(), filepath.Join(s.dir, "deploy/lock"), builds.Holder{Task: "createBuild c", PID: os.Getpid()})
	require.NoError(t, err)
	for _, victim := range victims() {
		if victim.back == nil {
			o := s.killUnderLoad(victim)
			t.Logf("%s: %d lost, longest wait %s, whole after %s", victim.name, o.lost, o.longest, o.whole)
		}
	}
	end()
}

// wholeWithin is by far longer than it takes, also on a machine that has much
// else to do, and shorter than a mending that waits in vain.
const wholeWithin = 30 * time.Second

// outcome is what a kill has cost. Requests are those that somebody should have
// answered.
type outcome struct {
	requests, lost int
	longest, whole time.Duration
}

func (s testSite) killUnderLoad(victim victim) (o outcome) {
	var start, back time.Time
	var answers []load.Answer
	events := s.record()
	defer func() {
		events.stop()
		if s.t.Failed() {
			events.print(start, answers)
		}
	}()
	// some requests take a while, so that others wait
	options := load.Options{Clients: clients, Paths: []string{"/", "/slow?0.01"}}
	if victim.find == nil {
		options.Every = 20 * time.Millisecond // who is refused at once would only try, and let nothing else run
	}
	answers = s.loaded(options, func() {
		s.requireAnswers(5)
		start = time.Now()
		s.strike(victim)
		if victim.back != nil {
			victim.back(s)
		}
		back = time.Now()
		s.awaitWhole()
		o.whole = time.Since(start)
		s.requireAnswers(5)
	})
	assert.Less(s.t, o.whole, wholeWithin)
	for _, a := range answers {
		if victim.find == nil && !a.OK() && a.End.After(start) && a.Start.Before(back) {
			continue // there was nobody
		}
		o.requests++
		o.longest = max(o.longest, a.End.Sub(a.Start))
		if !a.OK() {
			o.lost++
		}
	}
	assert.LessOrEqual(s.t, o.lost, victim.may)
	return o
}

func (s testSite) strike(victim victim) {
	s.t.Helper()
	if victim.find == nil {
		s.powerCut()
		return
	}
	s.killAll(victim.find(s))
}

func (s testSite) killAll(processes []proc.Process) {
	s.t.Helper()
	for _, p := range processes {
		require.NoError(s.t, p.Signal(syscall.SIGKILL))
	}
	require.NoError(s.t, proc.Wait(s.t.Context(), processes))
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
	s.eventually(func(s testSite) bool {
		status, err := s.Status(s.t.Context())
		return err == nil && status.Servers.Up() && status.Servers.Dashboard && status.Kept && s.hasEmperors() && s.serves("a") && s.serves("b") && s.answers()
	})
}

// hasEmperors does not trust an emperor's uWSGI master, which runs on without it
// for a moment.
func (s testSite) hasEmperors() bool {
	return len(s.emperor("vassals")) > 1 && len(s.emperor("zergs")) > 1
}

// serves tells whether a build is as it was; a mending that is not over disturbs
// what comes next.
func (s testSite) serves(name builds.Name) bool {
	return s.isAttached(name) && s.livingWorkers(name) == 2
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
	found, err := proc.Under(s.dir, append([]string{filepath.Base(self)}, serverPrograms...)...)
	require.NoError(s.t, err)
	return found
}
