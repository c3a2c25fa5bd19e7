package config

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// A value is a place in a Config that one key fills, together with the rule it keeps.
type value interface {
	// read fills the place from n, or records why it cannot.
	read(r *report, key string, n ast.Node)
	// check records in what the place breaks its rule.
	check(r *report, key string)
}

// one is a value that is a single scalar.
func one[T any](dst *T, rule rule[T]) value { return scalar[T]{dst, rule} }

type scalar[T any] struct {
	dst  *T
	rule rule[T]
}

func (s scalar[T]) read(r *report, key string, n ast.Node) {
	kind := kindOf(n)
	if kind&s.rule.takes == 0 {
		r.fail(key, "found %s: expected %s%s", described(kind, n), s.rule.want, s.hint(kind))
		return
	}
	got, err := s.rule.parse(textOf(n))
	if err != nil {
		r.fail(key, "%s %v: expected %s", s.shown(kind, textOf(n)), err, s.rule.want)
		return
	}
	*s.dst = got
}

func (s scalar[T]) check(r *report, key string) {
	own := fmt.Sprint(*s.dst)
	got, err := s.rule.parse(own)
	switch {
	case err != nil:
		r.fail(key, "%s %v: expected %s", s.shown(text, own), err, s.rule.want)
	case fmt.Sprint(got) != own:
		r.fail(key, "%s is not in its plain form: expected %s", quote(own), quote(fmt.Sprint(got)))
	}
}

// hint is for the 2024 that was meant as a directory's name.
func (s scalar[T]) hint(found kind) string {
	if s.rule.takes&text != 0 && found&(number|boolean) != 0 {
		return " (in quotes it is text)"
	}
	return ""
}

func (s scalar[T]) shown(k kind, own string) string {
	switch {
	case s.rule.secret:
		return "the value"
	case k == text:
		return quote(own)
	}
	return clip(own)
}

// described is what was found where something else was expected.
func described(k kind, n ast.Node) string {
	switch k {
	case text:
		return "the text " + quote(textOf(n))
	case number:
		return "the number " + clip(textOf(n))
	case boolean:
		return "the boolean " + textOf(n)
	}
	return k.String()
}

// many is a value that is a list of at least least items; item gives the rule of each.
func many[T any](dst *[]T, least int, what string, item func(i int, dst *T) value) value {
	return sequence[T]{dst, least, what, item}
}

type sequence[T any] struct {
	dst   *[]T
	least int
	what  string
	item  func(i int, dst *T) value
}

func (s sequence[T]) read(r *report, key string, n ast.Node) {
	nodes, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(key, "found %v: expected a list of %s", kindOf(n), s.what)
		return
	}
	items := make([]T, len(nodes.Values))
	for i, n := range nodes.Values {
		key := item(key, i)
		r.at[key] = start(n)
		s.item(i, &items[i]).read(r, key, n)
	}
	*s.dst = items
	s.count(r, key)
}

func (s sequence[T]) check(r *report, key string) {
	s.count(r, key)
	for i := range *s.dst {
		s.item(i, &(*s.dst)[i]).check(r, item(key, i))
	}
}

func (s sequence[T]) count(r *report, key string) {
	if len(*s.dst) < s.least {
		r.fail(key, "found an empty list: expected a list of %s", s.what)
	}
}

// A section is a value that is a map of known keys.
type section []field

type field struct {
	key   string
	value value
}

func (s section) read(r *report, key string, n ast.Node) {
	for name, n := range r.entries(key, n, "the keys "+strings.Join(s.keys(), ", "), s.known) {
		i := slices.Index(s.keys(), name)
		s[i].value.read(r, join(key, name), n)
	}
}

func (s section) check(r *report, key string) {
	for _, field := range s {
		field.value.check(r, join(key, field.key))
	}
}

func (s section) keys() []string {
	var keys []string
	for _, field := range s {
		keys = append(keys, field.key)
	}
	return keys
}

func (s section) known(name string) error {
	keys := s.keys()
	if slices.Contains(keys, name) {
		return nil
	}
	guess := ""
	if near := nearest(name, keys); near != "" {
		guess = fmt.Sprintf("did you mean %q? ", near)
	}
	return fmt.Errorf("unknown key %s: %sknown keys: %s", quote(name), guess, strings.Join(keys, ", "))
}

// An environment is a value that is a map of variables.
type environment struct{ dst *Env }

func (e environment) read(r *report, key string, n ast.Node) {
	env := Env{}
	for name, n := range r.entries(key, n, "a map of variables and their values", checkVariable) {
		var own string
		one(&own, secretValue).read(r, join(key, name), n)
		env[name] = own
	}
	*e.dst = env
}

func (e environment) check(r *report, key string) {
	for _, name := range slices.Sorted(maps.Keys(*e.dst)) {
		if err := checkVariable(name); err != nil {
			r.fail(key, "%v", err)
			continue
		}
		own := (*e.dst)[name]
		one(&own, secretValue).check(r, join(key, name))
	}
}

// entries yields the values of the map n by name and notes where each stands. Anything but a map, a name that is not
// accepted and a name that comes again are recorded and not yielded.
func (r *report) entries(key string, n ast.Node, want string, accept func(name string) error) iter.Seq2[string, ast.Node] {
	return func(yield func(string, ast.Node) bool) {
		m, ok := n.(*ast.MappingNode)
		if !ok {
			r.fail(key, "found %v: expected %s", kindOf(n), want)
			return
		}
		first := map[string]place{}
		for _, entry := range m.Values {
			name, p := textOf(entry.Key), at(entry.Key.GetToken())
			if err := accept(name); err != nil {
				r.failAt(p, key, "%v", err)
				continue
			}
			if before, again := first[name]; again {
				r.failAt(p, join(key, name), "set again after line %d: expected each key once", before.line)
				continue
			}
			first[name] = p
			r.at[join(key, name)] = p
			if kindOf(entry.Value) != nothing {
				r.at[join(key, name)] = start(entry.Value)
			}
			if !yield(name, entry.Value) {
				return
			}
		}
	}
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

func item(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }
