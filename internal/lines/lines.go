// Package lines shortens what programs print to what a person reads.
package lines

import (
	"fmt"
	"strings"
)

// Last returns the last n lines of a text.
func Last(text string, n int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// Indent sets a text apart from what stands around it.
func Indent(text string) string {
	const margin = "    "
	return margin + strings.ReplaceAll(text, "\n", "\n"+margin)
}

// Bytes is a size as a person says it.
func Bytes(n int64) string {
	const unit = 1024
	value, units := float64(n)/unit, []string{"kB", "MB", "GB"}
	for value >= unit && len(units) > 1 {
		value, units = value/unit, units[1:]
	}
	if value < 10 {
		return fmt.Sprintf("%.1f %s", value, units[0])
	}
	return fmt.Sprintf("%.0f %s", value, units[0])
}
