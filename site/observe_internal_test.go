package site

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/config"
	"github.com/hadjango/hadjango/internal/golden"
	"github.com/hadjango/hadjango/uwsgi"
)

// recordedSite is a site whose builds' instances say what was recorded from
// uWSGI 2.0.21 in testdata/stats: each file is of one build, and "" is a socket
// whose owner never answers.
func recordedSite(t *testing.T, zergs map[builds.Name]string) *Site {
	t.Helper()
	dir, err := os.MkdirTemp("", "hj")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	c := config.Default()
	c.Port = 20000
	s, err := newSite(dir, c, Options{})
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(s.run, 0o755))
	for name, zerg := range zergs {
		require.NoError(t, os.MkdirAll(s.store.Path(name), 0o755))
		require.NoError(t, builds.Manifest{Tag: "t", Created: time.Unix(1, 0), Complete: true}.Write(s.store.Path(name)))
		for _, link := range []string{s.vassal(name).Link, s.zerg(name, slots[0]).Link} {
			require.NoError(t, os.WriteFile(link, nil, 0o644))
		}
		answerStats(t, s, s.vassal(name).Stats, "vassal.json")
		answerStats(t, s, s.zerg(name, slots[0]).Stats, zerg)
	}
	return s
}

var pids = regexp.MustCompile(`"pid": [1-9][0-9]*`)

// answerStats lets a socket say what was recorded, of processes that live.
func answerStats(t *testing.T, s *Site, socket, recorded string) {
	t.Helper()
	_ = os.Remove(socket)
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	if recorded == "" {
		return
	}
	data, err := os.ReadFile(filepath.Join("testdata/stats", recorded))
	require.NoError(t, err)
	data = pids.ReplaceAll(data, []byte(`"pid": `+strconv.Itoa(os.Getpid())))
	data = bytes.ReplaceAll(data, []byte("/srv/shop"), []byte(s.root))
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write(data)
			_ = conn.Close()
		}
	}()
}

func look(t *testing.T, o *Observer) Status {
	t.Helper()
	status, err := o.Look(t.Context())
	require.NoError(t, err)
	return status
}

func states(b BuildStatus) (states []WorkerState) {
	for _, w := range b.Workers {
		states = append(states, w.State)
	}
	return states
}

func TestObserver_TellsWhatEachWorkerDoes(t *testing.T) {
	s := recordedSite(t, map[builds.Name]string{"a": "busy.json", "b": "paused.json"})

	status := look(t, s.Observe(time.Minute))

	a, b := status.Builds[0], status.Builds[1]
	require.Equal(t, []WorkerState{WorkerBusy, WorkerIdle, WorkerCheaped, WorkerCheaped}, states(a))
	require.Equal(t, []WorkerState{WorkerBusy, WorkerPaused, WorkerCheaped, WorkerCheaped}, states(b), "one rests only after its request")
	require.Equal(t, Active, a.State)
	require.Empty(t, a.Trouble)
	require.Equal(t, int64(31), a.Requests)
	busy := a.Workers[0]
	require.Equal(t, "GET", busy.Request.Method)
	require.Equal(t, "/slow", busy.Request.Path, "a query is nobody's to read")
	require.Positive(t, busy.MemoryBytes)
	require.Equal(t, time.Unix(1795544910, 0), busy.Started)
	require.Equal(t, []int{1, 2, 3, 4}, []int{a.Workers[0].ID, a.Workers[1].ID, a.Workers[2].ID, a.Workers[3].ID})
	require.InDelta(t, busy.RunningSeconds/float64(busy.Requests), busy.AverageResponseSeconds, 1e-6)
}

func TestStateOf_IsWhatTheKernelAndUWSGISay(t *testing.T) {
	dead := exec.Command("true")
	require.NoError(t, dead.Run())
	for want, worker := range map[WorkerState]string{
		WorkerIdle:     `{"pid": 1, "accepting": 1, "status": "idle", "apps": [{}], "cores": [{}]}`,
		WorkerBusy:     `{"pid": 1, "accepting": 1, "status": "pause", "apps": [{}], "cores": [{}, {"in_request": 1}]}`,
		WorkerPaused:   `{"pid": 1, "accepting": 1, "status": "pause", "apps": [{}], "cores": [{}]}`,
		WorkerStarting: `{"pid": 1, "accepting": 0, "status": "idle", "apps": []}`,
		WorkerCheaped:  `{"pid": 1, "accepting": 0, "status": "cheap"}`,
		WorkerGone:     fmt.Sprintf(`{"pid": %d, "accepting": 1, "status": "busy", "apps": [{}]}`, dead.Process.Pid),
	} {
		var w uwsgi.Worker
		require.NoError(t, json.Unmarshal([]byte(worker), &w))
		require.Equal(t, want, stateOf(w))
	}
}

func TestObserver_ShowsQueriesWhereTheyAreAskedFor(t *testing.T) {
	s := recordedSite(t, map[builds.Name]string{"a": "busy.json"})
	s.config.Dashboard.Queries = true

	text, err := json.Marshal(look(t, s.Observe(time.Minute)))

	require.NoError(t, err)
	require.Contains(t, string(text), `"path":"/slow?token=secret\u0026s=2"`)
	require.NotContains(t, string(text), "sessionid")
}

func TestObserver_WhatHangsCostsItsOwnBuildOnly(t *testing.T) {
	s := recordedSite(t, map[builds.Name]string{"a": "busy.json", "b": "", "c": "paused.json"})
	took := func(o *Observer) time.Duration {
		start := time.Now()
		look(t, o)
		return time.Since(start)
	}
	patient := took(s.Observe(time.Minute))
	o := s.Observe(time.Second)

	require.Less(t, took(o), patient, "it ends before uwsgi gives up")
	status := look(t, o)

	require.Equal(t, 4, status.Builds[0].WorkersMax)
	require.Equal(t, 4, status.Builds[2].WorkersMax)
	hung := status.Builds[1]
	require.Equal(t, "the workers' stats socket does not answer: they start, or hang", hung.Trouble)
	require.Equal(t, Starting, hung.State)
	require.Empty(t, hung.Workers)
}

// Each recording is made into status.json, which testdata/status holds without
// what is of the machine and the moment.
func TestStatus_OfWhatWasRecorded(t *testing.T) {
	for name, recorded := range map[string]struct{ vassal, first, second, emperor string }{
		"busy":     {first: "busy.json"},
		"paused":   {first: "paused.json"},
		"starting": {first: "starting.json"},
		"full":     {first: "full.json", vassal: "tcp.json"},
		"restart":  {first: "full.json", second: "second.json"},
		"dies":     {emperor: "zergs.json"},
	} {
		t.Run(name, func(t *testing.T) {
			s := recordedSite(t, map[builds.Name]string{"b": recorded.first})
			if recorded.vassal != "" {
				answerStats(t, s, s.vassal("b").Stats, recorded.vassal)
			}
			if recorded.second != "" {
				second := s.zerg("b", slots[1])
				require.NoError(t, os.WriteFile(second.Link, nil, 0o644))
				answerStats(t, s, second.Stats, recorded.second)
			}
			if recorded.emperor != "" {
				require.NoError(t, os.Remove(s.zerg("b", slots[0]).Stats))
				answerStats(t, s, s.zergs.Stats, recorded.emperor)
				answerStats(t, s, s.vassals.Stats, "vassals.json")
			}
			text, err := json.MarshalIndent(timeless(look(t, s.Observe(time.Minute))), "", " ")
			require.NoError(t, err)
			golden.Require(t, "status/"+name+".json", string(text)+"\n")
		})
	}
}

// timeless is a status without what differs from one look, and one machine, to another.
func timeless(status Status) Status {
	status.Time = time.Time{}
	for i := range status.Builds {
		b := &status.Builds[i]
		b.Created, b.MemoryBytes, b.SizeBytes, b.OwnBytes = b.Created.UTC(), 0, 0, 0
		for j := range b.Workers {
			w := &b.Workers[j]
			w.MemoryBytes, w.PID = 0, min(w.PID, 1)
			if !w.Started.IsZero() {
				w.Started = w.Started.UTC()
			}
			if w.Request != nil {
				w.Request.RunningSeconds = 0
			}
		}
	}
	return status
}

// A master that hangs, or is late because the machine is busy, has workers all the same.
func TestObserver_RemembersAnInstanceThatIsLate(t *testing.T) {
	s := recordedSite(t, map[builds.Name]string{"a": "busy.json"})
	o := s.Observe(time.Minute)
	before := look(t, o).Builds[0]
	answerStats(t, s, s.zerg("a", slots[0]).Stats, "")
	o.limit = 100 * time.Millisecond

	late := look(t, o).Builds[0]

	require.Contains(t, late.Trouble, "the workers' stats socket does not answer: what is shown of them is ")
	require.Equal(t, Active, late.State)
	require.Equal(t, states(before), states(late))
	require.Equal(t, []int{2, 1, 4}, []int{late.WorkersReady, late.WorkersBusy, late.WorkersMax})
	require.Equal(t, int64(31), late.Requests)
	require.Positive(t, late.ResponseSeconds)
	require.Equal(t, before.ResponseSeconds, late.ResponseSeconds, "a counter never goes back")
	require.False(t, late.Uncounted)

	answerStats(t, s, s.zerg("a", slots[0]).Stats, "busy.json")
	o.limit = time.Minute
	again := look(t, o).Builds[0]
	require.Empty(t, again.Trouble)
	require.Equal(t, before.Requests, again.Requests)
}

func TestObserver_RemembersNobodyWhoHasDied(t *testing.T) {
	child := exec.Command("sleep", "1000")
	require.NoError(t, child.Start())
	s := &seen{}
	s.recall(answered(child.Process.Pid, 1, 1), time.Unix(1, 0))
	silent := []reading{{slot: slots[0], err: context.DeadlineExceeded}}
	s.recall(silent, time.Unix(2, 0))
	require.Len(t, silent[0].instance.Workers, 1)
	require.Equal(t, time.Second, silent[0].late)

	require.NoError(t, child.Process.Kill())
	_ = child.Wait()

	silent = []reading{{slot: slots[0], err: context.DeadlineExceeded}}
	s.recall(silent, time.Unix(3, 0))
	require.Empty(t, silent[0].instance.Workers)
	require.Equal(t, int64(1), s.rates(silent, time.Unix(3, 0)).requests)
}

// testdata/stats/zergs.json is of an emperor that runs a and has tried b often.
func TestObserver_SaysWhatTheEmperorSays(t *testing.T) {
	s := recordedSite(t, map[builds.Name]string{"a": "busy.json", "b": "", "c": ""})
	answerStats(t, s, s.zergs.Stats, "zergs.json")
	answerStats(t, s, s.vassals.Stats, "vassals.json")
	for _, name := range []builds.Name{"b", "c"} {
		require.NoError(t, os.Remove(s.zerg(name, slots[0]).Stats))
	}
	require.NoError(t, os.Chtimes(s.zerg("c", slots[0]).Link, time.Time{}, time.Now().Add(-time.Minute)))

	status := look(t, s.Observe(time.Minute))

	require.Empty(t, status.Builds[0].Trouble)
	require.Regexp(t, `^the workers' master dies again and again: attempt \d+, next in 0 s$`, status.Builds[1].Trouble)
	require.Equal(t, Starting, status.Builds[1].State)
	require.Equal(t, "the workers' master is linked, but its emperor does not run it", status.Builds[2].Trouble)

	hung := recordedSite(t, map[builds.Name]string{"a": "busy.json"})
	answerStats(t, hung, hung.zergs.Stats, "")
	answerStats(t, hung, hung.vassals.Stats, "")
	a := look(t, hung.Observe(time.Second)).Builds[0]
	require.Equal(t, Active, a.State, "an emperor that hangs costs no build")
}

func TestObserver_SaysThatTheVassalHasDied(t *testing.T) {
	s := recordedSite(t, map[builds.Name]string{"a": "busy.json"})
	require.NoError(t, os.Remove(s.vassal("a").Stats))

	a := look(t, s.Observe(time.Minute)).Builds[0]

	require.Equal(t, "the vassal, which holds the sockets, does not run", a.Trouble)
	require.Equal(t, Active, a.State, "its workers answer what is left")
}

func TestStatus_SaysWhatToDoAboutWhatIsHalfDone(t *testing.T) {
	s := recordedSite(t, nil)
	_, err := s.journal.Begin(builds.Intent{Task: "stage", Args: []string{"b"}})
	require.NoError(t, err)

	text, err := json.Marshal(look(t, s.Observe(0)).HalfDone)

	require.NoError(t, err)
	require.Contains(t, string(text), `"task":"stage b"`)
	require.Contains(t, string(text), `"next":"finish it with mage resume, or take it back with mage undo"`)
}

func answered(pid int, requests, micros int64) []reading {
	r := reading{slot: slots[0]}
	r.instance.PID = pid
	text := `{"requests": ` + strconv.FormatInt(requests, 10) + `, "running_time": ` + strconv.FormatInt(micros, 10) + `}`
	if err := json.Unmarshal([]byte(`{"pid": `+strconv.Itoa(pid)+`, "workers": [`+text+`]}`), &r.instance); err != nil {
		panic(err)
	}
	return []reading{r}
}

func TestRates_AreOverTheLastSeconds(t *testing.T) {
	s, start := &seen{}, time.Unix(1000, 0)
	look := func(zergs []reading, seconds float64) served {
		now := start.Add(time.Duration(seconds * float64(time.Second)))
		s.recall(zergs, now)
		return s.rates(zergs, now)
	}
	silent := []reading{{slot: slots[0], err: context.DeadlineExceeded}}

	require.True(t, look(silent, -1).unknown, "who has never answered")

	all := look(answered(1, 100, 1e6), 0)
	require.False(t, all.unknown)
	require.Equal(t, counted{100, 1e6}, all.counted)
	require.Zero(t, all.perSecond, "nobody knows when they came")
	require.Zero(t, all.average)

	all = look(answered(1, 110, 2e6), 1)
	require.Equal(t, 10.0, all.perSecond)
	require.Equal(t, 0.1, all.average)

	for i := range 6 {
		all = look(answered(1, 110, 2e6), 1.5+float64(i)/2)
	}
	require.Zero(t, all.perSecond, "three seconds later they are over")
	require.Zero(t, all.average)

	require.Zero(t, look(silent, 5).perSecond, "who does not answer has not begun anew")
	require.InDelta(t, 1, look(answered(1, 113, 2e6), 5.5).perSecond, 0.2)

	all = look(answered(2, 3, 1e6), 6)
	require.Equal(t, counted{3, 1e6}, all.counted, "another master counts anew")
	require.InDelta(t, 1, all.perSecond, 0.2)

	require.Equal(t, counted{3, 1e6}, look(silent, 300).counted, "however long nobody looked")
	require.Zero(t, look(answered(2, 10000, 1e6), 600).perSecond, "what has come while nobody looked says nothing about now")

	require.Equal(t, served{}, look(nil, 601))
	require.Equal(t, served{}, look(silent, 602), "one that starts has answered nobody")
}

func TestRequestSince_KnowsWhatTheLookBeforeHasSeen(t *testing.T) {
	s, w, second := &seen{}, worker{"zerg", 1}, int64(1000)
	now := time.Unix(second, 0).Add(900 * time.Millisecond)

	require.Equal(t, 900*time.Millisecond, s.requestSince(w, 5, second, now))
	s.samples = []sample{{at: now}}
	require.Equal(t, 1400*time.Millisecond, s.requestSince(w, 5, second, now.Add(500*time.Millisecond)), "the same one")
	later := now.Add(600 * time.Millisecond)
	require.Equal(t, 600*time.Millisecond, s.requestSince(w, 6, second, later), "another one, which was not there then")
	require.Zero(t, s.requestSince(w, 7, second+60, later), "clocks differ")
}

func TestSeldom_WaitsForTheFirstValueOnly(t *testing.T) {
	s := seldom[string, int32]{every: time.Nanosecond}
	var reads atomic.Int32
	block := make(chan struct{})
	slow := func() int32 {
		n := reads.Add(1)
		if n > 1 {
			<-block
		}
		return n
	}

	require.Equal(t, int32(1), s.get(t.Context(), "k", slow))
	require.Equal(t, int32(1), s.get(t.Context(), "k", slow), "the old value, while the new one is read")
	require.Equal(t, int32(1), s.get(t.Context(), "k", slow))
	require.Eventually(t, func() bool { return reads.Load() == 2 }, time.Minute, time.Millisecond, "one reads for all")
	close(block)
	require.Eventually(t, func() bool { return s.get(t.Context(), "k", slow) >= 2 }, time.Minute, time.Millisecond)

	s.forget()
	s.forget()
	require.Empty(t, s.values)
}

func TestSeldom_WaitsNoLongerThanItMay(t *testing.T) {
	s := seldom[string, int]{every: time.Hour}
	block := make(chan struct{})
	defer close(block)

	require.Zero(t, s.get(ended(t.Context()), "k", func() int { <-block; return 1 }))
}

func TestClip_KeepsAnAddressShort(t *testing.T) {
	require.Equal(t, "/a", clip("/a"))
	require.Equal(t, strings.Repeat("é", 300)+"…", clip(strings.Repeat("é", 5000)))
	require.Equal(t, "/\uFFFD", clip("/\xff"))
}
