package token

import (
	"encoding/json"
	"iter"
	"strings"
	"unicode/utf8"
)

// object is a JSON object: the value of each member, as it is written, by the member's exact name.
type object map[string]string

// white is what JSON has for white space.
const white = " \t\r\n"

// readObject reads an object. Unlike encoding/json it refuses a repeated name, whatever its spelling, and invalid
// UTF-8. It takes the object apart itself, since encoding/json shows only the last of several members of one name.
func readObject(b []byte) (object, error) {
	if !utf8.Valid(b) || !json.Valid(b) {
		return nil, malformed("not JSON")
	}
	s := strings.Trim(string(b), white)
	if s[0] != '{' {
		return nil, malformed("not a JSON object")
	}
	o := make(object, 16)
	name, isName := "", true
	for piece := range pieces(s) {
		if !isName {
			o[name], isName = piece, true
			continue
		}
		var ok bool
		if name, ok = unquote(piece); !ok {
			return nil, malformed("a member's name is no text")
		}
		if _, ok := o[name]; ok {
			return nil, malformed("a member is there twice")
		}
		isName = false
	}
	return o, nil
}

// pieces yields what a JSON object or array holds, one after the other; of an object name, value, name, value.
// It relies on valid JSON without white space around it.
func pieces(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := 1; i < len(s)-1; {
			if strings.IndexByte(white+",:", s[i]) >= 0 {
				i++
				continue
			}
			n := valueLength(s[i:])
			if !yield(s[i : i+n]) {
				return
			}
			i += n
		}
	}
}

// valueLength returns the length of the JSON value that s, a piece of valid JSON, begins with.
func valueLength(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			for i++; s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // the end of a number or literal, and of what it stands in
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(s)
}

// unquote returns the text of a JSON string; ok is false where s is something else, or is escaped and not Unicode.
func unquote(s string) (text string, ok bool) {
	if s[0] != '"' {
		return "", false
	}
	if strings.IndexByte(s, '\\') < 0 {
		return s[1 : len(s)-1], true
	}
	return unescape(s)
}

// unescape is apart from unquote so that only texts with escapes, which are rare, cost an allocation.
func unescape(s string) (text string, ok bool) {
	if json.Unmarshal([]byte(s), &text) != nil || strings.ContainsRune(text, utf8.RuneError) { // half a surrogate pair
		return "", false
	}
	return text, true
}
