package graph

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"

	"latchkey/fault"
)

// definition is an operation or a fragment, as the tokens it is written with.
type definition struct {
	isFragment bool
	name       string
	tokens     []lexer.Token // without comments
	spreads    []string      // the fragments it names
}

// definitions takes a document apart without understanding more of it than brackets. Whether it is GraphQL is for the
// parser to say; what is allowed to reach the parser is decided by what comes out here.
func definitions(text string) ([]definition, *gqlerror.Error) {
	lex := lexer.New(&ast.Source{Input: text})
	var list []definition
	var current definition
	open := 0
	for {
		token, err := lex.ReadToken()
		if err != nil {
			return nil, lexicalError(err)
		}
		switch token.Kind {
		case lexer.EOF:
			if len(current.tokens) > 0 {
				return nil, problem(fault.KindParseFailed, "Syntax error: a definition is not closed.", &current.tokens[0].Pos)
			}
			return list, nil
		case lexer.Comment:
			continue
		case lexer.BraceL, lexer.BracketL, lexer.ParenL:
			open++
		case lexer.BraceR, lexer.BracketR, lexer.ParenR:
			open--
		}
		current.tokens = append(current.tokens, token)
		if token.Kind == lexer.BraceR && open <= 0 {
			current.describe()
			list = append(list, current)
			current, open = definition{}, 0
		}
	}
}

// describe reads off the tokens what kind of definition they are, its name and what it spreads.
func (d *definition) describe() {
	if d.tokens[0].Kind == lexer.Name {
		d.isFragment = d.tokens[0].Value == "fragment"
		if d.tokens[1].Kind == lexer.Name {
			d.name = d.tokens[1].Value
		}
	}
	for i, token := range d.tokens[1:] {
		if token.Kind == lexer.Name && token.Value != "on" && d.tokens[i].Kind == lexer.Spread {
			d.spreads = append(d.spreads, token.Value)
		}
	}
}

// text writes the definition anew: GraphQL again, the same for all that differ in white space, commas, comments and the
// way a string is quoted alone.
func (d *definition) text() string { return written(d.tokens) }

// key is text without what makes no difference to whether an operation is allowed: clients add `__typename` to what is
// selected, some write `query` in front of a selection that others begin with, and graphql-codegen puts the variables into order.
func (d *definition) key() string {
	var kept []lexer.Token
	values, sets := 0, 0
	for i, token := range d.tokens {
		switch token.Kind {
		case lexer.ParenL, lexer.BracketL:
			values++
		case lexer.ParenR, lexer.BracketR:
			values--
		case lexer.BraceL:
			sets++
		case lexer.BraceR:
			sets--
		}
		if values == 0 && sets > 0 && d.isPlainTypename(i) {
			continue
		}
		kept = append(kept, token)
	}
	if len(kept) > 1 && kept[0].Value == "query" && kept[1].Kind == lexer.BraceL {
		kept = kept[1:]
	}
	return written(inOrder(kept))
}

// inOrder returns an operation with its variables in the order of their names.
func inOrder(tokens []lexer.Token) []lexer.Token {
	first := slices.IndexFunc(tokens, func(t lexer.Token) bool { return t.Kind == lexer.Dollar })
	set := slices.IndexFunc(tokens, func(t lexer.Token) bool { return t.Kind == lexer.BraceL || t.Kind == lexer.At })
	if first < 0 || set < first { // no variables, or they are not defined here
		return tokens
	}
	// Neither a default nor a directive within the parentheses can have a variable: each `$` begins a definition.
	var list [][]lexer.Token
	end, open := first, 1
	for ; end < len(tokens) && open > 0; end++ {
		switch tokens[end].Kind {
		case lexer.ParenL:
			open++
		case lexer.ParenR:
			open--
		case lexer.Dollar:
			list = append(list, nil)
		}
		if open > 0 {
			list[len(list)-1] = append(list[len(list)-1], tokens[end])
		}
	}
	slices.SortStableFunc(list, func(a, b []lexer.Token) int { return strings.Compare(written(a), written(b)) })
	return slices.Concat(tokens[:first], slices.Concat(list...), tokens[end-1:])
}

// isPlainTypename reports whether the token, which is in a selection set, is the field `__typename` under its own name
// and without anything to it.
func (d *definition) isPlainTypename(i int) bool {
	if d.tokens[i].Kind != lexer.Name || d.tokens[i].Value != "__typename" {
		return false
	}
	switch d.tokens[i-1].Kind {
	case lexer.Colon, lexer.Spread, lexer.At, lexer.Dollar:
		return false
	case lexer.Name:
		if d.tokens[i-1].Value == "on" && d.tokens[i-2].Kind == lexer.Spread {
			return false
		}
	}
	switch d.tokens[i+1].Kind {
	case lexer.Colon, lexer.ParenL, lexer.At, lexer.BraceL:
		return false
	}
	return true
}

// written writes tokens with a space between any two.
func written(tokens []lexer.Token) string {
	var b strings.Builder
	for i, token := range tokens {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch token.Kind {
		case lexer.Name, lexer.Int, lexer.Float:
			b.WriteString(token.Value)
		case lexer.String, lexer.BlockString:
			quoted, _ := json.Marshal(token.Value) // a string always encodes, and its escapes are GraphQL's
			b.Write(quoted)
		default:
			b.WriteString(token.Kind.String())
		}
	}
	return b.String()
}

// operations returns each operation of a document with the fragments that it uses, directly and through others, in the
// order of their names.
func operations(list []definition, fragments map[string]*definition) [][]*definition {
	var found [][]*definition
	for i := range list {
		if list[i].isFragment {
			continue
		}
		found = append(found, append([]*definition{&list[i]}, used(&list[i], fragments)...))
	}
	return found
}

func used(operation *definition, fragments map[string]*definition) []*definition {
	reached := map[string]*definition{}
	var follow func(*definition)
	follow = func(d *definition) {
		for _, name := range d.spreads {
			if f := fragments[name]; f != nil && reached[name] == nil {
				reached[name] = f
				follow(f)
			}
		}
	}
	follow(operation)
	var list []*definition
	for _, f := range reached {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b *definition) int { return strings.Compare(a.name, b.name) })
	return list
}

// fragmentsOf returns the fragments of a document by name.
func fragmentsOf(list []definition) (map[string]*definition, error) {
	fragments := map[string]*definition{}
	for i := range list {
		if !list[i].isFragment {
			continue
		}
		if fragments[list[i].name] != nil {
			return nil, fmt.Errorf("there are two fragments of the name %s", list[i].name)
		}
		fragments[list[i].name] = &list[i]
	}
	return fragments, nil
}

// fingerprint is one for all ways to write an operation and the fragments it uses, see key.
func fingerprint(parts []*definition) [sha256.Size]byte {
	h := sha256.New()
	for _, part := range parts {
		h.Write([]byte(part.key()))
		h.Write([]byte{'\n'}) // not in any key: strings have it escaped
	}
	return [sha256.Size]byte(h.Sum(nil))
}
