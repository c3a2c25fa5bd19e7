package tasks

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/hadjango/hadjango/internal/human"
	"github.com/hadjango/hadjango/site"
)

// writeStatus writes a site's status for a person.
func writeStatus(w io.Writer, status site.Status) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "BUILD\tPOINTER\tSTATE\tPORT\tTAG\tAGE\tREADY\tBUSY\tMEMORY\tSIZE\tOWN")
	for _, b := range status.Builds {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			b.Name, dash(b.Pointer), b.State, b.Port, dash(b.Tag), age(b.Created),
			workers(b), busy(b), bytes(int64(b.MemoryBytes)), bytes(b.SizeBytes), bytes(b.OwnBytes))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "\nlive       %s\nstage      %s\ndashboard  %s\n%s\n", status.LiveURL, status.StageURL, status.DashboardURL, servers(status)); err != nil {
		return err
	}
	if status.HalfDone == nil {
		return nil
	}
	_, err := fmt.Fprintf(w, "half done: %s · %s\n", status.HalfDone, status.HalfDone.Next())
	return err
}

// writeHistory writes what the journal holds for a person.
func writeHistory(w io.Writer, records []site.Past, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHEN\tWHO\tTASK\tFROM → TO\tTOOK\tRESULT")
	for _, r := range records {
		fmt.Fprintf(table, "%s\t%s@%s\t%s\t%s\t%s\t%s\n",
			r.Began.Local().Format(time.DateTime), r.User, r.Host, r.Title(), way(r), took(r, now), result(r))
	}
	return table.Flush()
}

func way(r site.Past) string {
	if r.From == "" && r.To == "" {
		return "–"
	}
	return dash(string(r.From)) + " → " + dash(string(r.To))
}

func took(r site.Past, now time.Time) string {
	d := r.Took()
	if r.Running {
		d = now.Sub(r.Began)
	} else if r.Ended.IsZero() {
		return "–"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func result(r site.Past) string {
	switch {
	case r.Running:
		return "running"
	case r.SettledBy != "":
		return "cut short, settled since"
	case r.Ended.IsZero():
		return "cut short"
	case r.Error != "":
		return string(r.Result) + ": " + r.Error
	}
	return string(r.Result)
}

func servers(status site.Status) string {
	if status.Servers.Up() && status.Kept && status.Servers.Dashboard {
		return "servers run"
	}
	if status.Servers.Up() && status.Kept {
		return "servers run, but the dashboard does not: mage up"
	}
	if status.Servers.Up() {
		return "servers run, but one that dies is not brought back: mage up"
	}
	state := func(up bool) string {
		if up {
			return "runs"
		}
		return "down"
	}
	return fmt.Sprintf("servers: emperor of vassals %s, emperor of zergs %s, nginx %s · start them: mage up",
		state(status.Servers.Vassals), state(status.Servers.Zergs), state(status.Servers.Nginx))
}

func dash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

func workers(b site.BuildStatus) string {
	if b.WorkersMax == 0 {
		return "–"
	}
	return fmt.Sprintf("%d/%d", b.WorkersReady, b.WorkersMax)
}

func busy(b site.BuildStatus) string {
	if b.WorkersMax == 0 {
		return "–"
	}
	return fmt.Sprint(b.WorkersBusy)
}

// age is how long ago a time was, in its largest unit.
func age(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}

func bytes(n int64) string {
	if n == 0 {
		return "–"
	}
	return human.Bytes(n)
}
