package config

import (
	"fmt"
	"slices"
	"strings"
)

// schema lists the keys of hadjango.yml in the order of the reference, each with its place in c and the rule it keeps.
func schema(c *Config) section {
	return section{
		{"project", one(&c.Project, directory)},
		{"overlay", one(&c.Overlay, optional(directory))},
		{"settings", one(&c.Settings, optional(module))},
		{"wsgi", one(&c.WSGI, optional(application))},
		{"requirements", one(&c.Requirements, optional(inProject))},
		{"build", many(&c.Build, 0, "commands, each a list of a program and its arguments", command)},
		{"database", many(&c.Database, 0, "commands, each a list of a program and its arguments", command)},
		{"populate", many(&c.Populate, 0, "commands, each a list of a program and its arguments", command)},
		{"tests", section{
			{"runner", one(&c.Tests.Runner, among(RunnerPytest, RunnerDjango))},
			{"requirements", one(&c.Tests.Requirements, optional(inProject))},
		}},
		{"env", environment{&c.Env}},
		{"live", many(&c.Live, 1, "host names", host)},
		{"stage", many(&c.Stage, 1, "host names", host)},
		{"listen", many(&c.Listen, 1, "addresses", each(address))},
		{"https", one(&c.HTTPS, truth)},
		{"health", one(&c.Health, urlPath)},
		{"max_body", one(&c.MaxBody, size)},
		{"dashboard", section{
			{"queries", one(&c.Dashboard.Queries, truth)},
			{"allow", many(&c.Dashboard.Allow, 0, "networks", each(network))},
		}},
		{"user", one(&c.User, optional(account))},
		{"run", one(&c.Run, runPath)},
		{"switch", one(&c.Switch, among(SwitchPointer, SwitchReload))},
		{"port", one(&c.Port, from(1024, 55000))},
		{"workers", section{
			{"min", one(&c.Workers.Min, from(0, 512))},
			{"max", one(&c.Workers.Max, from(0, 512))},
			{"preload", one(&c.Workers.Preload, truth)},
		}},
		{"backlog", one(&c.Backlog, from(1, 65535))},
		{"timeouts", section{
			{"request", one(&c.Timeouts.Request, duration)},
			{"start", one(&c.Timeouts.Start, duration)},
			{"drain", one(&c.Timeouts.Drain, duration)},
			{"switch", one(&c.Timeouts.Switch, duration)},
		}},
		{"watch", one(&c.Watch, pause)},
		{"warmup", section{
			{"concurrency", one(&c.Warmup.Concurrency, from(1, 512))},
			{"requests", one(&c.Warmup.Requests, from(1, 100_000))},
			{"paths", many(&c.Warmup.Paths, 1, "paths", each(urlPath))},
		}},
		{"python", one(&c.Python, optional(interpreter))},
	}
}

// each is the same rule for every item of a list.
func each(r rule[string]) func(int, *string) value {
	return func(_ int, dst *string) value { return one(dst, r) }
}

func host(i int, dst *string) value {
	if i == 0 {
		return one(dst, firstHost)
	}
	return one(dst, hostName)
}

func command(_ int, dst *Command) value {
	return many((*[]string)(dst), 1, "a program and its arguments", word)
}

func word(i int, dst *string) value {
	if i == 0 {
		return one(dst, program)
	}
	return one(dst, argument)
}

// A conflict is a problem between values that are each allowed. It is reported at the first of its keys that the file
// holds.
type conflict struct {
	keys    []string
	problem string
}

func conflicts(c *Config) []conflict {
	var all []conflict
	add := func(found bool, problem string, keys ...string) {
		if found {
			all = append(all, conflict{keys, problem})
		}
	}
	add(c.Settings == "" && c.WSGI == "", "neither settings nor wsgi is set: expected exactly one of them", "settings", "wsgi")
	add(c.Settings != "" && c.WSGI != "", "both settings and wsgi are set: expected exactly one of them", "wsgi", "settings")
	add(c.Workers.Max != 0 && c.Workers.Min > c.Workers.Max,
		fmt.Sprintf("min is %d and max is %d: expected min to be at most max", c.Workers.Min, c.Workers.Max),
		"workers.min", "workers.max")
	add(c.Timeouts.Drain < c.Timeouts.Request,
		fmt.Sprintf("drain is %v and request is %v: expected drain to be at least request", c.Timeouts.Drain, c.Timeouts.Request),
		"timeouts.drain", "timeouts.request")
	add(c.Warmup.Requests < len(c.Warmup.Paths),
		fmt.Sprintf("%d requests cannot ask for %d paths: expected at least one request each", c.Warmup.Requests, len(c.Warmup.Paths)),
		"warmup.requests", "warmup.paths")
	_, own := c.Env["DJANGO_SETTINGS_MODULE"]
	add(own && c.Settings != "", "settings sets this variable too: expected it in one place only",
		"env.DJANGO_SETTINGS_MODULE", "settings")
	all = append(all, twice("host name", names{"live", c.Live}, names{"stage", c.Stage})...)
	all = append(all, twice("address", names{"listen", c.Listen})...)
	return append(all, twice("network", names{"dashboard.allow", c.Dashboard.Allow})...)
}

// names is the list that stands at a key.
type names struct {
	key  string
	list []string
}

// twice finds what is named more than once in the lists together.
func twice(what string, lists ...names) []conflict {
	var all []conflict
	first := map[string]string{}
	for _, names := range lists {
		for i, name := range names.list {
			here := item(names.key, i)
			if there, found := first[name]; found {
				problem := fmt.Sprintf("%s is in %s and in %s: expected each %s once", quote(name), there, here, what)
				all = append(all, conflict{[]string{here, there}, problem})
				continue
			}
			first[name] = here
		}
	}
	return all
}

// conflicts records those conflicts of c that are not the echo of another problem.
func (r *report) conflicts(c *Config) {
	for _, conflict := range conflicts(c) {
		if slices.ContainsFunc(conflict.keys, r.failed) {
			continue
		}
		key := conflict.keys[0]
		if i := slices.IndexFunc(conflict.keys, r.has); i >= 0 {
			key = conflict.keys[i]
		}
		r.fail(key, "%s%s", conflict.problem, r.defaults(conflict.keys))
	}
}

// defaults tells which of keys are not in the file, for who looks for them there.
func (r *report) defaults(keys []string) string {
	var missing []string
	for _, key := range keys {
		if r.file != "" && !r.has(key) {
			missing = append(missing, key)
		}
	}
	if missing == nil {
		return ""
	}
	return " (default: " + strings.Join(missing, ", ") + ")"
}
