package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/files"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/internal/watch"
	"github.com/hadjango/hadjango/stack"
	"github.com/hadjango/hadjango/uwsgi"
	"github.com/hadjango/hadjango/uwsgiconf"
)

const downAndUp = "mage down && mage up"

func (p patient) programs(ctx context.Context) []Finding {
	_, err := p.findForBuild(ctx)
	if err == nil {
		return nil
	}
	var missing *stack.MissingError
	if !errors.As(err, &missing) {
		return []Finding{{
			Severity: Problem, What: first(err), Where: p.config.Project, Why: "no build can be made", Mend: "change what it names",
		}}
	}
	return []Finding{{
		Severity: Problem, What: "packages are missing: " + strings.Join(missing.Packages, ", "),
		Why: "servers and builds are made of them", Mend: missing.Command(),
	}}
}

// nearMax is how near the longest path of a socket may come to uWSGI's limit.
const nearMax = 5

func (p patient) socketPaths(context.Context) []Finding {
	longest := p.runFile(longestSocket)
	if len(longest) <= uwsgiconf.MaxSocketPath-nearMax {
		return nil
	}
	return []Finding{{
		Severity: Warning, What: fmt.Sprintf("paths of sockets have up to %d of the %d bytes that uWSGI takes", len(longest), uwsgiconf.MaxSocketPath),
		Where: p.run, Why: "a directory above that gets a longer name makes the site unusable",
		Mend: "set run in " + ConfigFile + " to a shorter directory, for example /run/hadjango",
	}}
}

func (p patient) backlog(context.Context) []Finding {
	limit := somaxconn()
	if p.config.Backlog <= limit {
		return nil
	}
	return []Finding{{
		Severity: Warning, What: fmt.Sprintf("backlog is %d, and the kernel allows %d", p.config.Backlog, limit),
		Where: ConfigFile, Why: "it is cut to what the kernel allows, so fewer requests may wait than you think",
		Mend: fmt.Sprintf("sysctl -w net.core.somaxconn=%d", p.config.Backlog),
	}}
}

func (p patient) servers(context.Context) []Finding {
	var found []Finding
	for _, server := range []struct {
		name string
		up   bool
		why  func() string
	}{
		{"the emperor of vassals", p.running.Vassals, func() string { return "nobody opens the sockets of a build, or opens them again" }},
		{"the emperor of zergs", p.running.Zergs, func() string { return "nobody starts workers, or starts them again" }},
		{"nginx", p.running.Nginx, p.whyNoNginx},
	} {
		if !server.up {
			found = append(found, Finding{Severity: Problem, What: server.name + " does not run", Why: server.why(), Mend: "mage up"})
		}
	}
	return found
}

// keeper looks for who brings back a server that dies, where up starts one. It
// does not take the keeper's lock, as a task would.
func (p patient) keeper(context.Context) []Finding {
	if _, kept := builds.Held(p.keeperLock()); kept || len(p.keep) == 0 || !p.running.Up() {
		return nil
	}
	return []Finding{{
		Severity: Warning, What: "the keeper does not run",
		Why: "nobody brings back a server that dies", Mend: "mage up",
	}}
}

// dashboardAnswers asks the dashboard, where up starts one.
func (p patient) dashboardAnswers(ctx context.Context) []Finding {
	if len(p.dashboard) == 0 || !p.running.Up() || p.busy {
		return nil
	}
	f := Finding{Severity: Warning, What: "the dashboard does not run", Where: p.log("dashboard.log"), Why: "nobody can look on; visitors are served all the same", Mend: "mage up"}
	if p.running.Dashboard {
		err := p.askDashboard(ctx)
		if err == nil {
			return nil
		}
		f.What, f.Mend = "the dashboard does not answer: "+first(err), fmt.Sprintf("kill -9 %d && mage up", p.masters.Dashboard[0].PID)
	}
	return []Finding{f}
}

func (p patient) whyNoNginx() string {
	if p.elsewhere != "" {
		return fmt.Sprintf("nobody reaches a build; nginx is to run elsewhere, and does not answer as %s", p.elsewhere)
	}
	for _, address := range p.config.Listen {
		_, port, _ := net.SplitHostPort(address)
		n, _ := strconv.Atoi(port)
		if holder, taken := proc.Listening(n); taken {
			return fmt.Sprintf("nobody reaches a build; %s has port %d", holder, n)
		}
	}
	return "nobody reaches a build"
}

// instances looks at what each emperor runs, and whether what is to serve does.
func (p patient) instances(ctx context.Context) []Finding {
	var found []Finding
	for _, e := range []struct {
		name    string
		emperor uwsgi.Emperor
		family  []proc.Process
	}{
		{"vassals", p.vassals, p.masters.Vassals},
		{"zergs", p.zergs, p.masters.Zergs},
	} {
		if len(e.family) == 0 {
			return nil
		}
		found = append(found, p.hungEmperor(ctx, e.name, e.emperor, e.family)...)
	}
	if len(found) > 0 {
		return found
	}
	return p.eachSideBySide(func(name builds.Name) []Finding { return p.instancesOf(ctx, name) })
}

func (p patient) hungEmperor(ctx context.Context, name string, emperor uwsgi.Emperor, family []proc.Process) []Finding {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if _, err := emperor.Troubles(ctx, answerLimit); err == nil {
		return nil
	}
	mend := downAndUp
	if len(family) > 1 {
		// the first is its uWSGI master, which starts it again
		mend = fmt.Sprintf("kill -9 %d", family[1].PID)
	}
	return []Finding{{
		Severity: Problem, What: fmt.Sprintf("the emperor of %s does not answer within %s", name, answerLimit),
		Where: emperor.Stats, Why: "no build can be started or ended", Mend: mend,
	}}
}

func (p patient) instancesOf(ctx context.Context, name builds.Name) []Finding {
	units := []uwsgi.Unit{p.zerg(name, slots[0]), p.zerg(name, slots[1])}
	vassal, err := p.vassals.Troubles(ctx, answerLimit, p.vassal(name))
	zergs, err2 := p.zergs.Troubles(ctx, answerLimit, units...)
	if errors.Join(err, err2) != nil {
		return nil // the emperor has just ended: the check of servers says so
	}
	var found []Finding
	for _, t := range vassal {
		found = append(found, p.trouble("vassal", name, t)...)
	}
	for _, t := range zergs {
		found = append(found, p.trouble("zerg", name, t)...)
	}
	if len(found) > 0 {
		return found
	}
	return append(p.detached(ctx, name), p.resting(ctx, name)...)
}

// trouble words what an emperor says of an instance.
func (p patient) trouble(role string, name builds.Name, t uwsgi.Trouble) []Finding {
	who := fmt.Sprintf("%s of %s", role, name)
	f := Finding{Severity: Problem, Where: t.Unit.Log, Mend: fmt.Sprintf("mage activate %s", name)}
	switch {
	case t.Ending > 0 && (p.busy || t.Ending < endingLimit):
		return nil
	case t.Ending > 0:
		f.Severity, f.Mend = Warning, fmt.Sprintf("kill -9 %d", t.PID)
		f.What = fmt.Sprintf("%s has been ending for %s", who, t.Ending.Round(time.Second))
		f.Why = "its emperor waits for it and starts nothing in its place; a worker that answers a request finishes it all the same"
	case t.Tries > 0:
		f.What = fmt.Sprintf("%s is throttled by its emperor (%s, next in %d s)", who, tries(t.Tries), int(t.Next.Seconds()+0.5))
		f.Why = "it ends as soon as it starts: " + t.Cause
	case t.Hung:
		f.What, f.Where, f.Mend = who+" does not answer", t.Unit.Stats, fmt.Sprintf("kill -9 %d", t.PID)
		f.Why = "nobody can tell whether it serves; its emperor starts it anew, and requests wait meanwhile"
	default:
		f.What, f.Where = who+" is to run, and its emperor does not run it", t.Unit.Link
		f.Why = "the build does not serve"
	}
	return []Finding{f}
}

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

// endingLimit is how long an end may take that nobody need hear of.
const endingLimit = 5 * time.Second

// detached finds zergs that hold the sockets of a vassal that has died.
func (p patient) detached(ctx context.Context, name builds.Name) []Finding {
	var found []Finding
	for _, slot := range p.linked(name) {
		unit := p.zerg(name, slot)
		if attached, err := uwsgi.Attached(ctx, p.vassal(name), unit); err == nil && !attached {
			found = append(found, Finding{
				Severity: Problem, What: fmt.Sprintf("%s of %s holds the sockets of a vassal that has died", slot, name),
				Where: unit.Link, Why: "requests wait in sockets that nobody reads", Mend: "mage up",
			})
		}
	}
	return found
}

// resting finds builds that are to serve and do not, though nothing is wrong
// with their instances.
func (p patient) resting(ctx context.Context, name builds.Name) []Finding {
	pointer, pointed := p.store.PointerTo(name)
	if p.busy || p.active(ctx, name) || !pointed && len(p.linked(name)) == 0 {
		return nil
	}
	f := Finding{
		Severity: Problem, What: fmt.Sprintf("no worker of %s takes requests", name),
		Why: "a task that was interrupted has left them resting, or they still start", Mend: fmt.Sprintf("mage activate %s", name),
	}
	if pointed && len(p.linked(name)) == 0 {
		f.What, f.Why = fmt.Sprintf("%s is %s and not active", name, pointer), fmt.Sprintf("%s answers nobody", pointer)
	}
	return []Finding{f}
}

// strayLimit is how long a process may go on without its master: workers whose
// master has ended leave by themselves.
const strayLimit = time.Second

func (p patient) strays(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, strayLimit)
	defer cancel()
	var left []proc.Process
	_ = watch.Until(ctx, askEvery, func() (bool, error) {
		left = p.stack(stack.Programs{}).Strays()
		return len(left) == 0, nil
	})
	var found []Finding
	for _, stray := range left {
		found = append(found, Finding{
			Severity: Problem, What: fmt.Sprintf("%s belongs to no server of the site", stray), Where: p.deploy,
			Why: "it may hold a port or sockets, or serve what nobody asked it to", Mend: p.endStray(stray),
		})
	}
	return found
}

func (p patient) endStray(stray proc.Process) string {
	switch {
	case !strings.HasPrefix(stray.Name(), "nginx"):
		return fmt.Sprintf("kill -INT %d", stray.PID)
	case p.running.Nginx:
		return fmt.Sprintf("kill -QUIT %d", stray.PID)
	}
	return "mage up"
}

// runFiles finds sockets and fifos of builds that are gone or stopped, and of
// what never was a build.
func (p patient) runFiles(context.Context) []Finding {
	if p.busy {
		return nil
	}
	stale := map[string][]string{}
	entries, _ := os.ReadDir(p.run)
	for _, entry := range entries {
		owner, _, _ := strings.Cut(entry.Name(), ".")
		if !entry.Type().IsRegular() && !p.serverFile(entry.Name()) && p.isStale(owner, entry) {
			stale[owner] = append(stale[owner], p.runFile(entry.Name()))
		}
	}
	var found []Finding
	for owner, paths := range stale {
		f := Finding{
			Severity: Warning, What: fmt.Sprintf("%s of %s, which does not run: %s", count(len(paths), "socket"), owner, filepath.Base(paths[0])),
			Where: paths[0], Why: "nobody listens there; who asks waits in vain", Mend: "rm " + shellquote.Join(paths...),
		}
		if slices.Contains(p.names, builds.Name(owner)) {
			f.Mend = "mage stop " + owner
		}
		found = append(found, f)
	}
	return found
}

// isStale tells whether nobody uses a file of run that bears an owner's name. The
// project may have sockets of its own there, on which somebody listens.
func (p patient) isStale(owner string, entry fs.DirEntry) bool {
	if name, err := builds.ParseName(owner); err == nil {
		_, err = os.Lstat(p.vassal(name).Link)
		return err != nil
	}
	if entry.Type()&(fs.ModeSocket|fs.ModeNamedPipe) == 0 {
		return false
	}
	_, err := uwsgi.ReadQueue(p.runFile(entry.Name()))
	return err != nil
}

func (p patient) serverFile(name string) bool {
	return slices.Contains([]string{"vassals.stats", "zergs.stats", "dashboard.sock"}, name)
}

// pidFiles finds those of running servers that name another process: a task
// would take the server for dead.
func (p patient) pidFiles(context.Context) []Finding {
	servers := p.stack(stack.Programs{})
	var found []Finding
	for _, e := range []struct {
		stack.Emperor
		family []proc.Process
	}{{servers.Vassals, p.masters.Vassals}, {servers.Zergs, p.masters.Zergs}} {
		text, _ := files.Read(e.PIDFile)
		named := strings.TrimSpace(string(text))
		if len(e.family) > 0 && named != strconv.Itoa(e.family[0].PID) {
			found = append(found, Finding{
				Severity: Warning, What: fmt.Sprintf("the pid file of the %s names %s instead of %d", e.Name, or(named, "nothing"), e.family[0].PID),
				Where: e.PIDFile, Why: "others who read it would signal another process", Mend: downAndUp,
			})
		}
	}
	return found
}

func (p patient) queues(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	return p.eachSideBySide(func(name builds.Name) []Finding {
		queue, err := p.queueOf(ctx, name)
		// nearly full is three quarters
		if err != nil || queue.Length*4 < queue.Limit*3 {
			return nil
		}
		f := Finding{
			Severity: Warning, What: fmt.Sprintf("%d of %d places in the listen queue of %s are taken", queue.Length, queue.Limit, name),
			Where: p.socket(name), Why: "who comes when it is full is sent away",
			Mend: fmt.Sprintf("raise workers.max, or backlog, in %s, then mage restart %s", ConfigFile, name),
		}
		if queue.Length >= queue.Limit {
			f.Severity = Problem
		}
		return []Finding{f}
	})
}

// filesPerConnection are those of the visitor and of the build.
const filesPerConnection = 2

func (p patient) openFiles(context.Context) []Finding {
	need := uint64(p.stack(stack.Programs{}).WorkerConnections() * filesPerConnection)
	for _, worker := range p.masters.Nginx[min(1, len(p.masters.Nginx)):] {
		limit, err := worker.MaxOpenFiles()
		if err != nil || limit >= need {
			continue
		}
		return []Finding{{
			Severity: Warning, What: fmt.Sprintf("nginx may have %d files open, and its connections take %d", limit, need), Where: worker.String(),
			Why: "visitors are refused long before nginx has all the connections it is configured for", Mend: fmt.Sprintf("ulimit -n %d && %s", need, downAndUp),
		}}
	}
	return nil
}

// answers asks live and stage as a visitor does.
func (p patient) answers(ctx context.Context) []Finding {
	if !p.running.Nginx {
		return nil
	}
	var found []Finding
	for _, pointer := range []builds.Pointer{builds.Live, builds.Stage} {
		if name, err := p.store.Pointed(pointer); err == nil {
			found = append(found, p.answerOf(ctx, pointer, name)...)
		}
	}
	return found
}

func (p patient) answerOf(ctx context.Context, pointer builds.Pointer, name builds.Name) []Finding {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	where := "http://" + p.hosts(pointer)[0] + p.config.Health
	got, err := p.whoServes(ctx, pointer)
	if now, _ := p.store.Pointed(pointer); now != name {
		return nil // swapped meanwhile
	}
	switch {
	case got == string(name): // whatever it answered
	case err != nil:
		return []Finding{{
			Severity: Problem, What: fmt.Sprintf("%s does not answer through nginx: %s", pointer, first(err)), Where: where,
			Why: "this is what its visitors get", Mend: p.mendAnswer(ctx, name),
		}}
	default:
		return []Finding{{
			Severity: Problem, What: fmt.Sprintf("%s names %s, and %s answers", pointer, name, got), Where: where,
			Why: "nginx serves by a configuration that it should have left", Mend: "mage nginxReload",
		}}
	}
	return p.unhealthy(ctx, pointer, name)
}

func (p patient) mendAnswer(ctx context.Context, name builds.Name) string {
	switch {
	case ctx.Err() != nil:
		return downAndUp
	case p.active(ctx, name):
		return "mage nginxReload"
	}
	return fmt.Sprintf("mage activate %s", name)
}

func (p patient) unhealthy(ctx context.Context, pointer builds.Pointer, name builds.Name) []Finding {
	if !p.running.Zergs || !p.running.Vassals {
		return nil
	}
	err := p.checkHealth(ctx, name)
	if err == nil {
		return nil
	}
	mend := p.stageAnother()
	if stage, failed := p.store.Pointed(builds.Stage); pointer == builds.Live && failed == nil && p.checkHealth(ctx, stage) == nil {
		mend = "mage swapLive"
	}
	return []Finding{{
		Severity: Problem, What: fmt.Sprintf("%s, which is %s, is not healthy", name, pointer), Where: p.config.Health,
		Why: first(err), Mend: mend,
	}}
}

// first is the first line of an error.
func first(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
