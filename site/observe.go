package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hadjango/hadjango/builds"
	"github.com/hadjango/hadjango/internal/lines"
	"github.com/hadjango/hadjango/internal/proc"
	"github.com/hadjango/hadjango/uwsgi"
)

// Observer looks at a site again and again. It keeps what rates need, and reads
// seldom what is expensive.
type Observer struct {
	site   *Site
	redact redactor
	// limit is how long a look waits for whom it asks; 0 for as long as they may take.
	limit time.Duration
	// looking is held by who looks.
	looking sync.Mutex
	tree    seldom[string, proc.Tree]
	memory  seldom[builds.Name, memoryUse]
	files   seldom[filesKey, filesUse]
	past    journalCache
	seen    map[builds.Name]*seen
}

const (
	memoryEvery = 3 * time.Second
	filesEvery  = 30 * time.Second
)

// filesKey is a build as it was made: another one of its name has other files.
type filesKey struct {
	name     builds.Name
	created  int64
	complete bool
}

type filesUse struct{ size, shared int64 }

type memoryUse struct {
	sum   uint64
	byPID map[int]uint64
}

// Observe returns who looks at the site. A look waits no longer than limit for
// whom it asks, whatever hangs; 0 is for as long as they may take.
func (s *Site) Observe(limit time.Duration) *Observer {
	return &Observer{
		site: s, redact: s.redactor(), limit: limit, seen: map[builds.Name]*seen{},
		tree:   seldom[string, proc.Tree]{every: memoryEvery},
		memory: seldom[builds.Name, memoryUse]{every: memoryEvery}, files: seldom[filesKey, filesUse]{every: filesEvery},
	}
}

// journalCache reads the journal anew only when it has changed.
type journalCache struct {
	info    os.FileInfo
	records []builds.Record
}

func (c *journalCache) read(journal builds.Journal) ([]builds.Record, error) {
	info, err := os.Stat(journal.Path())
	if err == nil && c.info != nil && os.SameFile(info, c.info) && info.Size() == c.info.Size() && info.ModTime().Equal(c.info.ModTime()) {
		return c.records, nil
	}
	records, err := journal.Read(0)
	if err != nil {
		return nil, err
	}
	c.info, c.records = info, records
	return records, nil
}

// statusJournal is how many tasks a status names.
const statusJournal = 10

// Look looks at the site. It changes nothing and waits for no task; the builds
// are looked at side by side, and what hangs costs its own build only.
func (o *Observer) Look(ctx context.Context) (Status, error) {
	if o.site.foreign != nil {
		return Status{}, fmt.Errorf("status: %w", o.site.foreign)
	}
	o.looking.Lock()
	defer o.looking.Unlock()
	if o.limit > 0 {
		limited, cancel := context.WithTimeout(ctx, o.limit)
		defer cancel()
		ctx = limited
	}
	names, err := o.site.store.List()
	if err != nil {
		return Status{}, err
	}
	records, err := o.past.read(o.site.journal)
	if err != nil {
		return Status{}, err
	}
	status := o.frame(records)
	status.Builds = o.lookAt(ctx, names)
	return status, nil
}

// frame is all of a status but the builds.
func (o *Observer) frame(records []builds.Record) Status {
	s := o.site
	status := Status{
		Time: time.Now().Truncate(time.Millisecond), Servers: s.health(), Kept: s.isKept(),
		LiveURL: s.url(builds.Live), StageURL: s.url(builds.Stage),
		HalfDone: o.redact.halfDone(s.halfDoneOf(records)), Journal: []Past{},
	}
	status.DashboardURL = strings.TrimSuffix(status.LiveURL, "/") + DashboardPath
	for _, r := range records[:min(statusJournal, len(records))] {
		status.Journal = append(status.Journal, Past{o.redact.record(r), s.running(r)})
	}
	return status
}

// emperors tell what they run. They are asked once a look, beside the builds.
type emperors struct{ vassals, zergs func() (uwsgi.Census, error) }

func (s *Site) emperors(ctx context.Context) emperors {
	return emperors{
		sync.OnceValues(func() (uwsgi.Census, error) { return s.vassals.Census(ctx) }),
		sync.OnceValues(func() (uwsgi.Census, error) { return s.zergs.Census(ctx) }),
	}
}

func (o *Observer) lookAt(ctx context.Context, names []builds.Name) []BuildStatus {
	found := make([]BuildStatus, len(names))
	before := o.seen
	o.seen = map[builds.Name]*seen{}
	emperors := o.site.emperors(ctx)
	var group sync.WaitGroup
	group.Go(func() { _, _ = emperors.vassals() })
	group.Go(func() { _, _ = emperors.zergs() })
	for i, name := range names {
		seen := cmp.Or(before[name], &seen{})
		o.seen[name] = seen
		group.Go(func() { found[i] = o.buildStatus(ctx, name, seen, emperors) })
	}
	group.Wait()
	o.memory.forget()
	o.files.forget()
	return found
}

func (o *Observer) buildStatus(ctx context.Context, name builds.Name, seen *seen, emperors emperors) BuildStatus {
	s := o.site
	manifest, err := s.store.Manifest(name)
	port, _ := builds.Endpoint{Build: name}.Port(s.config.Port)
	b := BuildStatus{
		Name: name, Port: port, Tag: manifest.Tag, Created: manifest.Created, State: Stopped, Workers: []WorkerStatus{},
	}
	if p, ok := s.store.PointerTo(name); ok {
		b.Pointer = p.String()
	}
	o.lookAtProcesses(ctx, &b, seen, emperors)
	files := o.files.get(ctx, filesKey{name, manifest.Created.UnixNano(), manifest.Complete}, func() (use filesUse) {
		use.size, use.shared = diskUsage(s.store.Path(name), s.static(name))
		return use
	})
	b.SizeBytes, b.SharedBytes, b.OwnBytes = files.size, files.shared, files.size-files.shared
	if err != nil {
		b.State = Broken
	} else if !manifest.Complete {
		b.State = Incomplete
	}
	return b
}

// reading is what an instance has answered, or why it has not.
type reading struct {
	slot     string
	instance uwsgi.Instance
	err      error
	// late is for how long the instance has owed an answer, where another one from
	// before is in its place.
	late time.Duration
}

// hangs tells whether somebody listens who does not answer as they should.
func (r reading) hangs() bool {
	return r.err != nil && !errors.Is(r.err, os.ErrNotExist) && !errors.Is(r.err, unix.ECONNREFUSED)
}

// readInstances reads the stats of a build's vassal and its zergs, side by side.
func (s *Site) readInstances(ctx context.Context, name builds.Name) (vassal reading, zergs []reading) {
	var group sync.WaitGroup
	read := func(r *reading, unit uwsgi.Unit) {
		group.Go(func() { r.instance, r.err = uwsgi.ReadInstance(ctx, unit.Stats) })
	}
	read(&vassal, s.vassal(name))
	linked := s.linked(name)
	zergs = make([]reading, len(linked))
	for i, slot := range linked {
		zergs[i].slot = slot
		read(&zergs[i], s.zerg(name, slot))
	}
	group.Wait()
	return vassal, zergs
}

func (o *Observer) lookAtProcesses(ctx context.Context, b *BuildStatus, seen *seen, emperors emperors) {
	vassal, zergs := o.site.readInstances(ctx, b.Name)
	now := time.Now()
	seen.recall(zergs, now)
	if vassal.err == nil || vassal.hangs() {
		b.State = Idle
	}
	b.Trouble = o.site.troubleOf(b.Name, vassal, zergs, emperors)
	if b.State == Stopped && len(zergs) == 0 {
		return
	}
	o.lookAtQueue(b, vassal)
	memory := o.memory.get(ctx, b.Name, func() memoryUse { return memoryUseOf(append(zergs, vassal), o.processes()) })
	b.MemoryBytes = memory.sum
	for _, zerg := range zergs {
		b.add(zerg, memory, seen, now)
	}
	if !o.site.config.Dashboard.Queries {
		b.hideQueries()
	}
	served := seen.rates(zergs, now)
	b.Requests, b.ResponseSeconds, b.Uncounted = served.requests, seconds(served.micros), served.unknown
	b.RequestsPerSecond, b.AverageResponseSeconds = served.perSecond, served.average
}

// troubleOf says what of a build could not be looked at or does not run, in words
// for who may not know this machine.
func (s *Site) troubleOf(name builds.Name, vassal reading, zergs []reading, emperors emperors) string {
	var troubles []string
	if vassal.hangs() {
		troubles = append(troubles, "the vassal's stats socket does not answer")
	} else if trouble := ruled(emperors.vassals, s.vassal(name)); trouble != "" {
		troubles = append(troubles, "the vassal, which holds the sockets, "+trouble)
	} else if _, err := os.Lstat(s.vassal(name).Link); vassal.err != nil && err == nil {
		troubles = append(troubles, "the vassal, which holds the sockets, does not run")
	}
	for _, zerg := range zergs {
		if trouble := ruled(emperors.zergs, s.zerg(name, zerg.slot)); trouble != "" {
			troubles = append(troubles, "the workers' master "+trouble)
		} else if zerg.late > 0 {
			troubles = append(troubles, fmt.Sprintf("the workers' stats socket does not answer: what is shown of them is %.0f s old", zerg.late.Seconds()))
		} else if zerg.hangs() {
			troubles = append(troubles, "the workers' stats socket does not answer: they start, or hang")
		}
	}
	return strings.Join(troubles, "; ")
}

// wakeLimit is how long an emperor may take to see a link.
const wakeLimit = 3 * time.Second

// ruled says what an emperor has to say of an instance that it is to run.
func ruled(emperor func() (uwsgi.Census, error), unit uwsgi.Unit) string {
	link, err := os.Lstat(unit.Link)
	census, failed := emperor()
	if err != nil || failed != nil {
		return ""
	}
	t, found := census.Trouble(unit)
	switch {
	case t.Tries > 0:
		return fmt.Sprintf("dies again and again: attempt %d, next in %.0f s", t.Tries, t.Next.Seconds())
	case found && t.Ending == 0 && time.Since(link.ModTime()) > wakeLimit:
		return "is linked, but its emperor does not run it"
	}
	return ""
}

// lookAtQueue takes the longest of the queues: nginx uses one of the sockets.
func (o *Observer) lookAtQueue(b *BuildStatus, vassal reading) {
	local, err := uwsgi.ReadQueue(o.site.socket(b.Name))
	queue := vassal.instance.TCPQueue()
	if err == nil {
		queue = local.Longer(queue)
	}
	b.ListenQueue, b.ListenQueueMax = queue.Length, queue.Limit
}

// processes are those of the machine, looked at once for all builds.
func (o *Observer) processes() proc.Tree {
	return o.tree.get(context.Background(), "", readTree)
}

func readTree() proc.Tree {
	tree, _ := proc.ReadTree()
	return tree
}

func memoryUseOf(instances []reading, tree proc.Tree) memoryUse {
	use := memoryUse{byPID: map[int]uint64{}}
	for _, r := range instances {
		for _, p := range tree.Family(r.instance.PID) {
			if pss, err := proc.Memory(p.PID); err == nil {
				use.byPID[p.PID] = pss
				use.sum += pss
			}
		}
	}
	return use
}

// memoryOf is the memory that a build's processes take.
func (s *Site) memoryOf(ctx context.Context, name builds.Name) uint64 {
	vassal, zergs := s.readInstances(ctx, name)
	return memoryUseOf(append(zergs, vassal), readTree()).sum
}

// add adds an instance's workers to a build.
func (b *BuildStatus) add(zerg reading, memory memoryUse, seen *seen, now time.Time) {
	if b.State == Idle || b.State == Stopped {
		b.State = Starting
	}
	for i, w := range zerg.instance.Workers {
		// one that was never started has no number
		w.ID = i + 1
		status := workerStatus(zerg.slot, w, b.Tag, memory, seen, now)
		b.Workers = append(b.Workers, status)
		if status.State != WorkerGone && w.Ready() {
			b.WorkersReady++
		}
		if status.State == WorkerBusy {
			b.WorkersBusy++
		}
	}
	b.WorkersMax += len(zerg.instance.Workers)
	if b.WorkersReady > 0 {
		b.State = Active
	}
}

// hideQueries leaves queries away, which may hold what is nobody's to read.
func (b *BuildStatus) hideQueries() {
	for _, w := range b.Workers {
		if w.Request != nil {
			w.Request.Path, _, _ = strings.Cut(w.Request.Path, "?")
		}
	}
}

func workerStatus(slot string, w uwsgi.Worker, tag string, memory memoryUse, seen *seen, now time.Time) WorkerStatus {
	status := WorkerStatus{
		ID: w.ID, Tag: tag, State: stateOf(w), Requests: w.Requests, RunningSeconds: seconds(w.RunningMicros), Exceptions: w.Exceptions,
	}
	if slot != slots[0] {
		status.Instance = "second"
	}
	if w.Requests > 0 {
		status.AverageResponseSeconds = mean(counted{w.Requests, w.RunningMicros})
	}
	if w.Cheap() {
		return status
	}
	status.PID, status.Started = w.PID, time.Unix(w.LastSpawn, 0)
	status.RequestsSinceStart, status.MemoryBytes = w.DeltaRequests, memory.byPID[w.PID]
	if core, working := w.Working(); working && status.State == WorkerBusy {
		status.Request = &RequestStatus{
			Method: clip(core.Request.Method), Path: clip(core.Request.URI),
			RunningSeconds: round(seen.requestSince(worker{slot, w.ID}, w.Requests, core.Info.Start, now).Seconds(), 1000),
		}
	}
	return status
}

func stateOf(w uwsgi.Worker) WorkerState {
	switch {
	case w.Cheap():
		return WorkerCheaped
	case !isAlive(w.PID):
		return WorkerGone
	case w.Busy():
		return WorkerBusy
	case w.Resting():
		return WorkerPaused
	case !w.Ready():
		return WorkerStarting
	}
	return WorkerIdle
}

func isAlive(pid int) bool {
	p, err := proc.Open(pid)
	return err == nil && p.Alive()
}

// clip keeps what somebody sends from filling what everybody gets.
func clip(text string) string {
	const most = 300
	return lines.Clip(strings.ToValidUTF8(text, "\uFFFD"), most)
}
