package builds_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
)

func newJournal(t *testing.T) builds.Journal {
	t.Helper()
	return builds.OpenJournal(filepath.Join(t.TempDir(), "journal.jsonl"))
}

// begin begins a task that a test then ends, or not.
func begin(t *testing.T, j builds.Journal, intent builds.Intent) *builds.Entry {
	t.Helper()
	entry, err := j.Begin(intent)
	require.NoError(t, err)
	return entry
}

func read(t *testing.T, j builds.Journal) []builds.Record {
	t.Helper()
	records, err := j.Read(0)
	require.NoError(t, err)
	return records
}

func TestJournal_SaysWhatWasBegunDoneAndEnded(t *testing.T) {
	j := newJournal(t)
	require.Empty(t, read(t, j), "a journal that is not there yet is empty")
	before := builds.State{Live: "a", Stage: "b", Open: []builds.Name{"a", "b", "c"}, Running: []builds.Name{"a", "b"}}
	swap := begin(t, j, builds.Intent{Task: "swapLive", Args: []string{"c"}, User: "ann", Host: "web1", PID: 7, Started: 8, Before: before})
	swap.Step("activate c", 1500000000, "")
	swap.Step("warm up c", 0, "503")
	outcome := builds.Outcome{Result: builds.OK, From: "a", To: "c", After: &builds.State{Live: "c", Stage: "a", Running: []builds.Name{"a", "c"}}}
	require.NoError(t, swap.End(outcome))
	begin(t, j, builds.Intent{Task: "up"})

	records := read(t, j)

	require.Len(t, records, 2)
	require.Equal(t, "up", records[0].Title(), "the newest is first")
	require.True(t, records[0].Open())
	done := records[1]
	require.False(t, done.Open())
	require.Equal(t, "swapLive c", done.Title())
	require.Equal(t, before, done.Before)
	require.Equal(t, outcome, done.Outcome)
	require.Equal(t, []builds.TaskStep{{Name: "activate c", Millis: 1500}, {Name: "warm up c", Error: "503"}}, done.Steps)
	require.Equal(t, done.Ended.Sub(done.Began), done.Took())
	newest, err := j.Read(1)
	require.NoError(t, err)
	require.Equal(t, records[:1], newest)
	info, err := os.Stat(j.Path())
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
}

// Only a task that ended well has ended the one that was cut short before it.
func TestJournal_KnowsWhatWasSettled(t *testing.T) {
	j := newJournal(t)
	begin(t, j, builds.Intent{Task: "rm", Args: []string{"c"}})
	cut := read(t, j)[0]

	failed := begin(t, j, builds.Intent{Task: "rm", Args: []string{"c"}, Settles: cut.ID})
	require.NoError(t, failed.End(builds.Outcome{Result: builds.Failed, Error: "no"}))
	require.True(t, read(t, j)[1].Open())
	again := begin(t, j, builds.Intent{Task: "rm", Args: []string{"c"}, Settles: cut.ID})
	require.True(t, read(t, j)[2].Open(), "not before it has ended")
	require.NoError(t, again.End(builds.Outcome{Result: builds.OK}))

	records := read(t, j)
	require.False(t, records[2].Open())
	require.Equal(t, records[0].ID, records[2].SettledBy)
	require.Zero(t, records[2].Took())
}

// A crash tears the last line at any byte: what was written before is read, and
// what is written next is too.
func TestJournal_PassesOverATornLine(t *testing.T) {
	whole := newJournal(t)
	first := begin(t, whole, builds.Intent{Task: "stage", Args: []string{"c"}})
	require.NoError(t, first.End(builds.Outcome{Result: builds.OK}))
	data, err := os.ReadFile(whole.Path())
	require.NoError(t, err)
	kept := strings.Index(string(data), "\n") + 1
	for cut := kept; cut < len(data); cut++ {
		torn := newJournal(t)
		require.NoError(t, os.WriteFile(torn.Path(), data[:cut], 0o640))

		second := begin(t, torn, builds.Intent{Task: "up"})
		require.NoError(t, second.End(builds.Outcome{Result: builds.OK}))

		records := read(t, torn)
		require.Len(t, records, 2, cut)
		require.Equal(t, "up", records[0].Task)
		require.False(t, records[0].Open())
		require.Equal(t, "stage", records[1].Task)
	}
}

func TestJournal_PassesOverWhatItDoesNotKnow(t *testing.T) {
	j := newJournal(t)
	require.NoError(t, os.WriteFile(j.Path(), []byte(`
not json
{"id":"x","step":{"name":"of nothing that was begun"}}
{"id":"y","begin":{"task":"rm","before":{"live":"../etc"}}}
{"id":"z","later":1,"begin":{"task":"later","args":["c"],"more":{"x":[1]},"before":{"live":"a","other":"b"}}}
[]
{"begin":{"task":"nobody's"}}
{"id":"z","begin":{"task":"twice"}}
{"id":"z","end":{"result":"ok","to":"c"}}
`), 0o640))

	records := read(t, j)

	require.Len(t, records, 1)
	require.Equal(t, "later c", records[0].Title())
	require.Equal(t, builds.OK, records[0].Result)
	require.Nil(t, records[0].After, "an earlier version did not say")
	require.Equal(t, builds.Name("a"), records[0].Before.Live)
}

func TestJournal_KeepsTwoFilesThatCannotGrowForEver(t *testing.T) {
	j := newJournal(t)
	fill := func() {
		require.NoError(t, os.WriteFile(j.Path(), []byte(`{"id":"old","begin":{"task":"old"}}`+strings.Repeat("\n", 1<<20)), 0o640))
	}
	fill()
	require.NoError(t, begin(t, j, builds.Intent{Task: "new"}).End(builds.Outcome{Result: builds.OK}))

	records := read(t, j)
	require.Len(t, records, 2)
	require.Equal(t, "new", records[0].Task)
	require.True(t, records[1].Open(), "what was cut short is known from the older file too")
	fill()
	begin(t, j, builds.Intent{Task: "newer"})
	found, err := filepath.Glob(filepath.Join(filepath.Dir(j.Path()), "*"))
	require.NoError(t, err)
	require.Len(t, found, 2)
}

func TestJournal_KeepsErrorsShort(t *testing.T) {
	j := newJournal(t)
	entry := begin(t, j, builds.Intent{Task: "stage"})
	require.NoError(t, entry.End(builds.Outcome{Result: builds.Failed, Error: "\x1b[31m" + strings.Repeat("ä", 1000) + "\nsecond line"}))

	text := read(t, j)[0].Error

	require.Less(t, len(text), 310)
	require.True(t, strings.HasPrefix(text, "[31mää"), text)
	require.True(t, strings.HasSuffix(text, "ä…"), text)
}

func TestJournal_SaysWhenItCannotBeWritten(t *testing.T) {
	j := builds.OpenJournal(filepath.Join(t.TempDir(), "nowhere", "journal.jsonl"))

	_, err := j.Begin(builds.Intent{Task: "stage"})

	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "write the journal")
}

// Whatever the file holds, it can be read, names in it are names, and what is
// written after it is found.
func FuzzJournal_Read(f *testing.F) {
	f.Add([]byte(`{"id":"z","begin":{"task":"rm","args":["c"],"before":{"live":"a","running":["b"]}}}`))
	f.Add([]byte("{\"id\":\"z\",\"end\":{\"result\":\"ok\"}}\n{\"id\""))
	f.Add([]byte("{\"id\":\"z\",\"begin\":{}}\n{\"id\":\"z\",\"end\":{\"after\":{\"live\":\"a\",\"stage\":\"b\"}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		j := newJournal(t)
		require.NoError(t, os.WriteFile(j.Path(), data, 0o640))
		entry := begin(t, j, builds.Intent{Task: "new"})
		require.NoError(t, entry.End(builds.Outcome{Result: builds.Failed, Error: string(data)}))

		records := read(t, j)

		require.Equal(t, "new", records[0].Task)
		require.Equal(t, builds.Failed, records[0].Result)
		require.False(t, strings.ContainsFunc(records[0].Error, unicode.IsControl))
		for _, r := range records {
			names := append([]builds.Name{r.From, r.To, r.Before.Live, r.Before.Stage}, r.Before.Running...)
			if r.After != nil {
				names = append(names, r.After.Live, r.After.Stage)
			}
			for _, name := range names {
				_, err := builds.ParseName(string(name))
				require.True(t, name == "" || err == nil, name)
			}
		}
	})
}

func ExampleJournal() {
	dir, err := os.MkdirTemp("", "builds")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	journal := builds.OpenJournal(filepath.Join(dir, "journal.jsonl"))

	for _, task := range []struct {
		name string
		do   func() error
	}{
		{"stage", func() error { return nil }},
		{"swapLive", func() error { return errors.New("it does not answer") }},
	} {
		entry, err := journal.Begin(builds.Intent{Task: task.name, Args: []string{"c"}})
		if err != nil {
			panic(err)
		}
		outcome := builds.Outcome{Result: builds.OK, To: "c"}
		if err := task.do(); err != nil {
			outcome = builds.Outcome{Result: builds.Failed, Error: err.Error()}
		}
		if err := entry.End(outcome); err != nil {
			panic(err)
		}
	}

	records, _ := journal.Read(10)
	for _, r := range records {
		fmt.Println(r.Title(), r.Result, r.Error)
	}
	// Output:
	// swapLive c error it does not answer
	// stage c ok
}
