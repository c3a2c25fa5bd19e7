package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxBytes = 1 << 20
	// maxTokens and maxDepth keep a hostile file cheap: go-yaml's parser takes time that grows with the square of
	// either (https://github.com/goccy/go-yaml/pull/902), its lexer does not.
	maxTokens = 10_000
	maxDepth  = 10
)

// document returns the one value that data holds; nil when it holds none or cannot be read, which is then recorded.
func (r *report) document(data []byte) ast.Node {
	source := strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")
	if p, problem := unreadable(source); problem != "" {
		r.failAt(p, "", "%s", problem)
		return nil
	}
	tokens := withoutComments(lexer.Tokenize(source))
	if r.refuse(tokens); len(r.problems) > 0 {
		return nil
	}
	file, err := tree(tokens)
	if err != nil {
		r.syntax(err)
		return nil
	}
	if len(file.Docs) == 0 {
		return nil
	}
	return file.Docs[0].Body
}

// unreadable finds the first thing in source that is no text for people.
func unreadable(source string) (place, string) {
	p := place{1, 1}
	if len(source) > maxBytes {
		return p, fmt.Sprintf("the file is too long: expected at most %d bytes", maxBytes)
	}
	for i, c := range source {
		switch {
		case c == '\n':
			p = place{p.line + 1, 0}
		case c == '\t':
			return p, `found a tab: expected spaces (in a value, "\t" in double quotes)`
		case unicode.IsControl(c):
			return p, fmt.Sprintf("found the control character %U: expected text", c)
		case c == utf8.RuneError && !strings.HasPrefix(source[i:], "\ufffd"):
			return p, fmt.Sprintf("found the byte %#x, which is not UTF-8: expected text in UTF-8", source[i])
		}
		p.column++
	}
	return place{}, ""
}

func withoutComments(tokens token.Tokens) token.Tokens {
	var kept token.Tokens
	for _, t := range tokens {
		if t.Type != token.CommentType {
			kept = append(kept, t)
		}
	}
	return kept
}

// unwanted is what of YAML a configuration does without, as a person would name it. The tokens' own text is never shown:
// it may be a part of a secret that should have stood in quotes.
var unwanted = map[token.Type]string{
	token.AnchorType:         `an anchor, "&"`,
	token.AliasType:          `an alias, "*"`,
	token.TagType:            `a tag, "!"`,
	token.DirectiveType:      `a directive, "%"`,
	token.MappingKeyType:     `a complex key, "?"`,
	token.MergeKeyType:       `a merge key, "<<"`,
	token.DocumentHeaderType: `a second document, "---"`,
	token.DocumentEndType:    `an end of document, "..."`,
}

// refuse records the tokens that are no part of a configuration, and a file that would cost too much to parse.
func (r *report) refuse(tokens token.Tokens) {
	if len(tokens) > maxTokens {
		r.failAt(at(tokens[maxTokens]), "", "the file has too many words: expected at most %d", maxTokens)
		return
	}
	depth := 0
	for i, t := range tokens {
		depth += nesting(t.Type)
		switch what, found := unwanted[t.Type]; {
		case found && (i > 0 || t.Type != token.DocumentHeaderType):
			r.failAt(at(t), "", "found %s: expected plain keys and values (a text that begins so needs quotes)", what)
		case depth > maxDepth:
			r.failAt(at(t), "", "found more than %d brackets inside one another: expected at most 3", maxDepth)
			return
		}
	}
}

func nesting(t token.Type) int {
	switch t {
	case token.MappingStartType, token.SequenceStartType:
		return 1
	case token.MappingEndType, token.SequenceEndType:
		return -1
	}
	return 0
}

var errGaveUp = errors.New("the parser gave up")

// tree parses tokens. Malformed files have made go-yaml panic before (issues 191, 274, 479 and 890 of goccy/go-yaml are
// some); to a caller such a file is malformed like any other.
func tree(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errGaveUp
		}
	}()
	// Repeated keys are our own to find: the parser would stop at the first.
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// syntax records what the parser says without the lines and the words it quotes: they may hold secrets.
func (r *report) syntax(err error) {
	p, message := place{1, 1}, errGaveUp.Error()
	if e, ok := errors.AsType[yaml.Error](err); ok {
		message, _, _ = strings.Cut(e.GetMessage(), `: "`)
		if t := e.GetToken(); t != nil {
			p = at(t)
		}
	}
	r.failAt(p, "", "not YAML: %s: expected keys and values (a value with any of : # [ ] { } , needs quotes)", message)
}

func at(t *token.Token) place { return place{t.Position.Line, t.Position.Column} }

// start is where a person sees n begin. go-yaml has a block of keys begin at its first colon.
func start(n ast.Node) place {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return at(m.Values[0].Key.GetToken())
	}
	return at(n.GetToken())
}

// A kind is what YAML makes of a value.
type kind uint8

const (
	text kind = 1 << iota
	number
	boolean
	list
	mapping
	nothing
)

func (k kind) String() string {
	return map[kind]string{text: "text", number: "a number", boolean: "a boolean", list: "a list", mapping: "a map", nothing: "nothing"}[k]
}

func kindOf(n ast.Node) kind {
	switch n := n.(type) {
	case *ast.StringNode:
		// A number too long for 64 bits is a string to go-yaml.
		if n.Token.Type == token.StringType && digits.MatchString(n.Value) {
			return number
		}
		return text
	case *ast.LiteralNode:
		return text
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return number
	case *ast.BoolNode:
		return boolean
	case *ast.SequenceNode:
		return list
	case *ast.MappingNode:
		return mapping
	}
	return nothing
}

// textOf is what stands in the file for a scalar, without its quotes.
func textOf(n ast.Node) string {
	if block, ok := n.(*ast.LiteralNode); ok {
		return block.Value.Value
	}
	return n.GetToken().Value
}
