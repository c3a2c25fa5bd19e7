// Package lines shortens what programs print to what a person reads.
package lines

import "strings"

// Last returns the last n lines of a text.
func Last(text string, n int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// First returns the first n lines of a text.
func First(text string, n int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[:min(n, len(all))], "\n")
}

// Clip returns the first n characters of a text, with a mark where there are more.
func Clip(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n]) + "…"
	}
	return text
}

// Indent sets a text apart from what stands around it.
func Indent(text string) string {
	const margin = "    "
	return margin + strings.ReplaceAll(text, "\n", "\n"+margin)
}
