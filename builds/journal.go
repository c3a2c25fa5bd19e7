package builds

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/hadjango/hadjango/internal/files"
)

// Journal is a file in which every task that changes something writes what it
// is about to do, its steps as they end, and how it ended: one line of JSON
// each, on disk before the task goes on. A task without an end was cut short,
// by a kill or by the machine. When the file has grown large it becomes the
// older of two, and the one before that is deleted.
//
// One task writes at a time, which [Lock] sees to; anybody may read.
type Journal struct{ path string }

// journalLimit is the size at which the file becomes the older one. It keeps
// some thousand tasks, and lets all of them be read in milliseconds at the
// beginning of each.
const journalLimit = 1 << 20

// OpenJournal returns the journal at path, which need not exist yet.
func OpenJournal(path string) Journal { return Journal{path} }

// Path is the journal's file.
func (j Journal) Path() string { return j.path }

// Intent is what a task writes before it changes anything.
type Intent struct {
	Task string   `json:"task"`
	Args []string `json:"args,omitempty"`
	User string   `json:"user,omitempty"`
	Host string   `json:"host,omitempty"`
	PID  int      `json:"pid,omitempty"`
	// Started is when the process started, in ticks: a pid alone may be
	// another's by the time it is read.
	Started uint64 `json:"started,omitempty"`
	// Before is what there was: the way back.
	Before State `json:"before,omitzero"`
	// Settles is the ID of a task that was cut short and that this one ends,
	// and Undoes tells that it does so by taking it back.
	Settles string `json:"settles,omitempty"`
	Undoes  bool   `json:"undoes,omitempty"`
}

// State is what of a store a task may change.
type State struct {
	Live  Name `json:"live,omitempty"`
	Stage Name `json:"stage,omitempty"`
	// Open are the builds that hold their sockets, Running those with workers.
	Open    []Name `json:"open,omitempty"`
	Running []Name `json:"running,omitempty"`
}

// Outcome is how a task ended.
type Outcome struct {
	Result Result `json:"result"`
	// Error is for people, and short.
	Error string `json:"error,omitempty"`
	// From and To are the builds that the task went from and to.
	From Name `json:"from,omitempty"`
	To   Name `json:"to,omitempty"`
	// After is what there was then; nil where who wrote it did not say.
	After *State `json:"after,omitempty"`
}

// Result says in a word how a task ended.
type Result string

// The results of a task. It has none while it runs, and when it was cut short.
const (
	OK          Result = "ok"
	Failed      Result = "error"
	Interrupted Result = "interrupted"
)

// Record is all that the journal says of one task.
type Record struct {
	ID string `json:"id"`
	Intent
	Outcome
	Began time.Time `json:"began"`
	// Ended is zero when the task has not ended.
	Ended time.Time  `json:"ended,omitzero"`
	Steps []TaskStep `json:"steps,omitempty"`
	// SettledBy is the ID of the task that has ended this one, which was cut short.
	SettledBy string `json:"settled_by,omitempty"`
}

// TaskStep is one step of a task.
type TaskStep struct {
	Name string `json:"name"`
	// Millis is how long the step took, in milliseconds.
	Millis int64  `json:"ms"`
	Error  string `json:"error,omitempty"`
}

// Open tells whether the task has neither ended nor been ended by another.
func (r Record) Open() bool { return r.Ended.IsZero() && r.SettledBy == "" }

// Title is the task with its arguments, as it was called.
func (r Record) Title() string { return strings.Join(append([]string{r.Task}, r.Args...), " ") }

// Took is how long the task ran; zero when it has not ended.
func (r Record) Took() time.Duration { return max(0, r.Ended.Sub(r.Began)) }

// line is one line of the file. All three kinds have the ID of their task.
type line struct {
	ID    string    `json:"id"`
	At    time.Time `json:"at"`
	Begin *Intent   `json:"begin,omitempty"`
	Step  *TaskStep `json:"step,omitempty"`
	End   *Outcome  `json:"end,omitempty"`
}

// Entry is a task that is being written down. Its methods may be called by many
// at once.
type Entry struct {
	journal Journal
	id      string
	mu      sync.Mutex
	errs    []error
}

// Begin writes what a task is about to do. The task must not begin when that
// fails.
func (j Journal) Begin(intent Intent) (*Entry, error) {
	if err := j.rotate(); err != nil {
		return nil, fmt.Errorf("write the journal: %w", err)
	}
	e := &Entry{journal: j, id: rand.Text()[:idLength]}
	return e, j.append(line{ID: e.id, At: time.Now(), Begin: &intent})
}

// idLength is how many of its 32 letters an ID has: enough to tell all tasks
// of two files apart.
const idLength = 12

// maxText is the most bytes of a name or an error that are kept.
const maxText = 300

// Step writes that a step has ended. That it could not be written is told by End.
func (e *Entry) Step(name string, took time.Duration, failure string) {
	step := TaskStep{Name: shorten(name), Millis: took.Milliseconds(), Error: shorten(failure)}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.errs = append(e.errs, e.journal.append(line{ID: e.id, At: time.Now(), Step: &step}))
}

// End writes how the task ended.
func (e *Entry) End(outcome Outcome) error {
	outcome.Error = shorten(outcome.Error)
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(append(e.errs, e.journal.append(line{ID: e.id, At: time.Now(), End: &outcome}))...)
}

// shorten keeps the first line of a text, if that is not too long itself, and
// nothing that a terminal would obey.
func shorten(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

func (j Journal) older() string {
	ext := filepath.Ext(j.path)
	return strings.TrimSuffix(j.path, ext) + ".1" + ext
}

func (j Journal) rotate() error {
	info, err := os.Stat(j.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() < journalLimit {
		return nil
	}
	if err != nil {
		return err
	}
	return files.Rename(j.path, j.older())
}

// append adds a line with one write. It begins a new line when the last one was
// torn by a crash.
func (j Journal) append(l line) error {
	data, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := files.Append(j.path, append(data, '\n'), 0o640); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	files.Reserve(j.path, journalReserve)
	return nil
}

// journalReserve is kept for the tasks that make room on a disk that is full.
const journalReserve = 64 << 10

// Read returns the last n tasks, or all when n is 0, the newest first. Lines
// that are torn or mean nothing are passed over, and so is what a later version
// may have added to them.
func (j Journal) Read(n int) ([]Record, error) {
	var all records
	for _, path := range []string{j.older(), j.path} {
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		for text := range bytes.Lines(data) {
			all.add(text)
		}
	}
	return all.newest(n), nil
}

// records are tasks in the order in which they began.
type records struct {
	list []*Record
	byID map[string]*Record
}

func (r *records) add(text []byte) {
	var l line
	if json.Unmarshal(text, &l) != nil || l.ID == "" {
		return
	}
	if l.Begin != nil {
		r.begin(l)
	}
	record := r.byID[l.ID]
	if record == nil {
		return
	}
	if l.Step != nil {
		record.Steps = append(record.Steps, *l.Step)
	}
	if l.End != nil {
		record.Outcome, record.Ended = *l.End, l.At
		r.settle(record)
	}
}

func (r *records) begin(l line) {
	if r.byID == nil {
		r.byID = map[string]*Record{}
	}
	if r.byID[l.ID] == nil {
		r.byID[l.ID] = &Record{ID: l.ID, Intent: *l.Begin, Began: l.At}
		r.list = append(r.list, r.byID[l.ID])
	}
}

// settle ends what was cut short: only a task that ended well does.
func (r *records) settle(by *Record) {
	if cut := r.byID[by.Settles]; cut != nil && cut.Open() && by.Result == OK {
		cut.SettledBy = by.ID
	}
}

func (r *records) newest(n int) []Record {
	if n <= 0 || n > len(r.list) {
		n = len(r.list)
	}
	newest := make([]Record, 0, n)
	for i := range n {
		newest = append(newest, *r.list[len(r.list)-1-i])
	}
	return newest
}
