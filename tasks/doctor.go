package tasks

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hadjango/hadjango/site"
)

// Doctor says what is wrong, and the command that mends it; its exit status is 0 only when all is well.
func Doctor(
	ctx context.Context,
	// for programs
	json *bool,
) error {
	return with(ctx, func(ctx context.Context, s *site.Site) error {
		diagnosis, err := s.Doctor(ctx)
		if err != nil {
			return err
		}
		if isSet(json) {
			err = printJSON(diagnosis)
		} else {
			err = writeDiagnosis(stdout, diagnosis)
		}
		if err != nil || diagnosis.Well() {
			return err
		}
		return errors.New(diagnosis.String())
	})
}

// writeDiagnosis writes two lines a finding: what and the way to mend it, then
// why. What it comes to is the error's to say, unless all is well.
func writeDiagnosis(w io.Writer, diagnosis site.Diagnosis) error {
	marks := map[site.Severity]string{site.Problem: "✗", site.Warning: "!"}
	for _, f := range diagnosis.Findings {
		if _, err := fmt.Fprintf(w, "%s %s · %s\n    %s\n", marks[f.Severity], f.What, f.Mend, f.Why); err != nil {
			return err
		}
	}
	if diagnosis.Task != "" {
		fmt.Fprintf(w, "· %s runs: what it has half done is not counted\n", diagnosis.Task)
	}
	if !diagnosis.Well() {
		return nil
	}
	_, err := fmt.Fprintf(w, "✓ %s\n", diagnosis)
	return err
}
