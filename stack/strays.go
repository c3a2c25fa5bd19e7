package stack

import (
	"os"
	"regexp"
	"slices"
	"strconv"

	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/python"
)

// Masters are the servers of a site that run, each a master with all that it
// has started; one that does not run is empty.
type Masters struct{ Vassals, Zergs, Nginx, Dashboard []proc.Process }

// Masters looks for the servers' processes.
func (s Stack) Masters() Masters {
	all := s.processes()
	return Masters{
		Vassals: familyOf(s.Vassals.masters(all)),
		Zergs:   familyOf(s.Zergs.masters(all)),
		Nginx:   familyOf(s.Nginx.masters(all)),

		Dashboard: s.Dashboard.processes(),
	}
}

// familyOf is that of the first candidate.
func familyOf(candidates []proc.Process) []proc.Process {
	for _, p := range candidates {
		return proc.Family(p.PID)
	}
	return nil
}

// Heads are the processes whose end would be the end of a server.
func (m Masters) Heads() []proc.Process {
	var heads []proc.Process
	for _, family := range [][]proc.Process{m.Vassals, m.Zergs, m.Nginx, m.Dashboard} {
		heads = append(heads, family[:min(1, len(family))]...)
	}
	return heads
}

// Health says which of them run.
func (m Masters) Health() Health {
	return Health{Vassals: len(m.Vassals) > 0, Zergs: len(m.Zergs) > 0, Nginx: len(m.Nginx) > 0, Dashboard: len(m.Dashboard) > 0}
}

// Strays returns the processes of this site that none of its servers owns: an
// nginx worker whose master was killed, a second emperor. Those that another
// stray has started are not named.
func (s Stack) Strays() []proc.Process {
	m := s.Masters()
	owned := map[int]bool{}
	for _, p := range slices.Concat(m.Vassals, m.Zergs, m.Nginx) {
		owned[p.PID] = true
	}
	return heads(slices.DeleteFunc(s.processes(), func(p proc.Process) bool { return owned[p.PID] || !p.Alive() }))
}

func heads(processes []proc.Process) []proc.Process {
	below := map[int]bool{}
	for _, p := range processes {
		for _, other := range proc.Family(p.PID) {
			if other != p {
				below[other.PID] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(processes), func(p proc.Process) bool { return below[p.PID] })
}

// WorkerConnections is how many connections a worker of nginx may have by the
// configuration as it is written; 0 when it does not say.
func (s Stack) WorkerConnections() int {
	text, _ := os.ReadFile(s.Nginx.Config)
	match := workerConnections.FindSubmatch(text)
	if match == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(match[1]))
	return n
}

var workerConnections = regexp.MustCompile(`(?m)^\s*worker_connections\s+([0-9]+);`)

// PluginPython is the version of Python, such as 3.11, that uWSGI's plugin is
// linked with; only virtualenvs of that version run under it.
func PluginPython() (string, error) { return python.LinkedVersion(pythonPlugin) }
