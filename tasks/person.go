package tasks

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/hadjango/hadjango/site"
)

// person is whoever sits at the terminal.
type person struct {
	in  *bufio.Reader
	out io.Writer
}

// whoAsks is nil where nobody can answer: a question in a log waits for ever.
func whoAsks() site.Person {
	if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	return person{bufio.NewReader(os.Stdin), stderr}
}

// Confirm implements [site.Person]. Enter alone is yes: what is asked here is
// what the task was started for.
func (p person) Confirm(ctx context.Context, question string) (bool, error) {
	for {
		answer, err := p.Type(ctx, question+" [Y/n]")
		if err != nil {
			return false, err
		}
		switch strings.ToLower(answer) {
		case "", "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
	}
}

// Type implements [site.Person]. A terminal that is closed is no answer.
func (p person) Type(ctx context.Context, question string) (string, error) {
	fmt.Fprintf(p.out, "? %s ", question)
	type read struct {
		line string
		err  error
	}
	answered := make(chan read, 1)
	go func() {
		line, err := p.in.ReadString('\n')
		answered <- read{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.out)
		return "", context.Cause(ctx)
	case answer := <-answered:
		if answer.err != nil {
			return "", fmt.Errorf("%s %w", question, answer.err)
		}
		return strings.TrimSpace(answer.line), nil
	}
}
