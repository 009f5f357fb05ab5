package graph

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"

	"latchkey/fault"
)

// scan checks what can be known of a text without parsing it, and returns the number of its tokens. The parser
// recurses once for each bracket and once for each token: after scan, neither can hurt.
func scan(text string, limits *Limits) (int, *gqlerror.Error) {
	if err := check("The document is %s bytes long", len(text), limits.Document, nil); err != nil {
		return 0, err
	}
	source := &ast.Source{Input: text}
	lex := lexer.New(source)
	tokens, directives, open, deepest := 0, 0, 0, 0
	for {
		token, err := lex.ReadToken()
		if err != nil {
			return 0, lexicalError(err)
		}
		if token.Kind == lexer.EOF {
			break
		}
		tokens++
		switch token.Kind {
		case lexer.At:
			directives++
		case lexer.BraceL, lexer.BracketL, lexer.ParenL:
			open++
			deepest = max(deepest, open)
		case lexer.BraceR, lexer.BracketR, lexer.ParenR:
			open--
		case lexer.Name:
			if err := check("A name in the document is %s bytes long", len(token.Value), limits.Name, &token.Pos); err != nil {
				return 0, err
			}
		case lexer.String:
			if isMisread(token.Value, text) {
				return 0, problem(fault.KindParseFailed, "A string in the document escapes a surrogate. "+
					"Write the character itself, or pass the string as a variable.", &token.Pos)
			}
		}
	}
	if err := check("The document has %s tokens", tokens, limits.Tokens, nil); err != nil {
		return 0, err
	}
	if err := check("The document nests brackets %s deep", deepest, limits.Nesting, nil); err != nil {
		return 0, err
	}
	return tokens, check("The document has %s directives", directives, limits.Directives, nil)
}

// isMisread reports whether the lexer may have put U+FFFD in place of something that a string of text escapes: it does
// so for half of a surrogate pair. Two different passwords would then be one.
func isMisread(value, text string) bool {
	return strings.ContainsRune(value, '\uFFFD') && strings.Contains(text, `\u`)
}
