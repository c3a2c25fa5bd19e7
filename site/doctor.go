package site

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/stack"
)

// Severity says how much a finding matters.
type Severity string

const (
	// Problem keeps a build from being served, or the next one from being made.
	Problem Severity = "problem"
	// Warning is what may become a problem.
	Warning Severity = "warning"
)

// Finding is one thing that is not as it should be.
type Finding struct {
	// Check is the name of the check that found it.
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	What     string   `json:"what"`
	// Where is a path or an address; empty where What says it all.
	Where string `json:"where,omitempty"`
	// Why is why it matters.
	Why string `json:"why"`
	// Mend is the command that mends it, as for a shell, or the setting to change.
	Mend string `json:"mend"`
}

// Diagnosis is all that [Site.Doctor] has found, problems first.
type Diagnosis struct {
	Findings []Finding `json:"findings"`
	// Checks is how many were made, and Millis how long they took together.
	Checks int   `json:"checks"`
	Millis int64 `json:"ms"`
	// Task is the one that was changing the site meanwhile; what it has half done
	// is no finding.
	Task string `json:"task,omitempty"`
}

// Well tells whether nothing was found.
func (d Diagnosis) Well() bool { return len(d.Findings) == 0 }

func (d Diagnosis) String() string {
	if d.Well() {
		return fmt.Sprintf("all is well (%d checks)", d.Checks)
	}
	var counts []string
	for _, severity := range []Severity{Problem, Warning} {
		n := 0
		for _, f := range d.Findings {
			if f.Severity == severity {
				n++
			}
		}
		if n > 0 {
			counts = append(counts, count(n, string(severity)))
		}
	}
	return strings.Join(counts, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// check looks for one kind of trouble. It must change nothing.
type check struct {
	name string
	look func(patient, context.Context) []Finding
}

// machineChecks can be made before anything is deployed.
var machineChecks = []check{
	{"programs", patient.programs},
	{"socket paths", patient.socketPaths},
	{"backlog", patient.backlog},
	{"room", patient.room},
}

var siteChecks = []check{
	// the servers and what they run
	{"servers", patient.servers},
	{"keeper", patient.keeper},
	{"locks", patient.locks},
	{"dashboard", patient.dashboardAnswers},
	{"instances", patient.instances},
	{"strays", patient.strays},
	{"run files", patient.runFiles},
	{"pid files", patient.pidFiles},
	{"queues", patient.queues},
	{"open files", patient.openFiles},
	{"answers", patient.answers},
	{"configuration", patient.configuration},
	// what is on disk
	{"pointers", patient.pointers},
	{"journal", patient.journaled},
	{"pythons", patient.pythons},
	{"modes", patient.modes},
	{"user", patient.whoRuns},
	{"clock", patient.clock},
	// what tasks have not finished
	{"half done", patient.halfDone},
	{"incomplete builds", patient.incomplete},
	{"leftovers", patient.leftovers},
	{"database", patient.databaseMark},
}

// patient is a site that is looked at, with what many checks need to know.
type patient struct {
	*Site
	running stack.Health
	masters stack.Masters
	names   []builds.Name
	// busy says that a task is changing the site.
	busy bool
}

// Doctor looks for all that is wrong with the site. It changes nothing, takes
// no lock and waits for nobody: the checks are made side by side, each with a
// limit of its own, so that what hangs costs only its own check.
func (s *Site) Doctor(ctx context.Context) (Diagnosis, error) {
	if s.foreign != nil {
		return Diagnosis{}, fmt.Errorf("doctor: %w", s.foreign)
	}
	start := time.Now()
	names, err := s.store.List()
	if err != nil {
		return Diagnosis{}, fmt.Errorf("doctor: %w", err)
	}
	holder, held := builds.Held(s.lockFile())
	masters := s.stack(stack.Programs{}).Masters()
	p := patient{Site: s, running: s.withElsewhere(masters.Health()), masters: masters, names: names, busy: held && holder.Task != ""}
	checks := p.checks()
	found := make([][]Finding, len(checks))
	var group sync.WaitGroup
	for i, c := range checks {
		group.Go(func() { found[i] = p.examine(ctx, c) })
	}
	group.Wait()
	d := Diagnosis{Findings: slices.Concat(found...), Checks: len(checks), Task: holder.Task, Millis: time.Since(start).Milliseconds()}
	slices.SortStableFunc(d.Findings, func(a, b Finding) int { return cmp.Compare(a.Severity, b.Severity) })
	return d, ctx.Err()
}

func (p patient) checks() []check {
	if _, err := os.Stat(p.builds()); err != nil {
		return append(slices.Clone(machineChecks), check{"pointers", patient.pointers})
	}
	return slices.Concat(machineChecks, siteChecks)
}

const (
	// checkLimit bounds one check: reading a large site's files takes a second.
	checkLimit = 10 * time.Second
	// answerLimit bounds what answers at once when it is well.
	answerLimit = 2 * time.Second
)

// examine gives up a check that does not even end with its context: a file
// system that hangs holds whoever asks it.
func (p patient) examine(ctx context.Context, c check) []Finding {
	inner, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	done := make(chan []Finding, 1)
	go func() { done <- c.look(p, inner) }()
	var found []Finding
	select {
	case found = <-done:
	case <-time.After(checkLimit + answerLimit):
		found = []Finding{{
			Severity: Problem, What: fmt.Sprintf("the check of %s did not end within %s", c.name, checkLimit+answerLimit),
			Why: "a disk or a process that it asks does not answer", Mend: "dmesg | tail",
		}}
	}
	for i := range found {
		found[i].Check = c.name
	}
	return found
}

// eachSideBySide collects what is found at each build.
func (p patient) eachSideBySide(look func(builds.Name) []Finding) []Finding {
	found := make([][]Finding, len(p.names))
	var group sync.WaitGroup
	for i, name := range p.names {
		group.Go(func() { found[i] = look(name) })
	}
	group.Wait()
	return slices.Concat(found...)
}
