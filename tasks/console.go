package tasks

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/hadjango/hadjango/site"
)

// console shows what a verb does: a line a step as it ends, and where somebody
// is watching a last line that says what is under way.
type console struct {
	out      *os.File
	terminal bool
	mu       sync.Mutex
	running  []*step
	done     chan struct{}
	ended    sync.WaitGroup
}

// redraw is how often the last line of a terminal is drawn anew.
const redraw = 100 * time.Millisecond

func newConsole(out *os.File) *console {
	c := &console{out: out, terminal: term.IsTerminal(int(out.Fd())), done: make(chan struct{})}
	if c.terminal {
		c.ended.Go(c.keepDrawing)
	}
	return c
}

func (c *console) close() {
	close(c.done)
	c.ended.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
}

func (c *console) keepDrawing() {
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
			c.mu.Lock()
			c.draw()
			c.mu.Unlock()
		}
	}
}

// Begin implements [site.Reporter].
func (c *console) Begin(name string) site.Step {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &step{console: c, name: name, start: time.Now()}
	c.running = append(c.running, s)
	c.draw()
	return s
}

// Note implements [site.Reporter].
func (c *console) Note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line("· " + text)
}

// line writes a line that stays.
func (c *console) line(text string) {
	c.clear()
	fmt.Fprintln(c.out, visible(text))
	c.draw()
}

func (c *console) clear() {
	if c.terminal {
		fmt.Fprint(c.out, "\r\x1b[K")
	}
}

// draw writes the last line of a terminal, no longer than it is wide.
func (c *console) draw() {
	if !c.terminal || len(c.running) == 0 {
		return
	}
	var parts []string
	for _, s := range c.running {
		parts = append(parts, s.String())
	}
	text := []rune(visible("… " + strings.Join(parts, " · ")))
	if width, _, err := term.GetSize(int(c.out.Fd())); err == nil && len(text) >= width {
		text = text[:max(0, width-1)]
	}
	fmt.Fprintf(c.out, "\r\x1b[K%s", string(text))
}

type step struct {
	console     *console
	name        string
	start       time.Time
	count, goal int
}

func (s *step) String() string {
	text := fmt.Sprintf("%s %s", s.name, elapsed(s.start))
	if s.goal > 0 {
		text += " " + bar(s.count, s.goal)
	}
	return text
}

// Progress implements [site.Step].
func (s *step) Progress(done, total int) {
	s.console.mu.Lock()
	defer s.console.mu.Unlock()
	s.count, s.goal = done, total
}

// End implements [site.Step].
func (s *step) End(detail string, err error) {
	c := s.console
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range c.running {
		if other == s {
			c.running = append(c.running[:i:i], c.running[i+1:]...)
			break
		}
	}
	mark := "✓"
	if err != nil {
		mark, detail = "✗", ""
	}
	text := fmt.Sprintf("%s %s · %s", mark, s.name, elapsed(s.start))
	if detail != "" {
		text += " · " + detail
	}
	c.line(text)
}

func elapsed(start time.Time) string { return fmt.Sprintf("%.1f s", time.Since(start).Seconds()) }

// barWidth is the width of a bar in characters.
const barWidth = 20

func bar(done, total int) string {
	full := min(barWidth, barWidth*done/total)
	return "[" + strings.Repeat("█", full) + strings.Repeat("░", barWidth-full) + fmt.Sprintf("] %d/%d", done, total)
}
