package graph

import (
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth bounds how deep the values of a request nest. No input of the schema comes near it.
const maxJSONDepth = 64

// maxJSONValues bounds how many values of any kind a request has: most of the cost of one is in making them.
const maxJSONValues = 10_000

// jsonError says what is wrong with a JSON text and at which byte, and never shows a piece of it: a password may
// stand where the mistake is.
type jsonError struct {
	text string
	at   int
}

func (e *jsonError) Error() string { return e.text + " (at byte " + strconv.Itoa(e.at) + ")" }

// jsonReader reads one JSON text (RFC 8259), stricter than encoding/json: names are exact and unique, strings are
// Unicode (no invalid UTF-8 and no lone surrogate, which encoding/json would both turn into U+FFFD, so that two
// passwords would become one), nesting is bounded, and nothing may follow. Numbers keep their digits.
type jsonReader struct {
	text   []byte
	at     int
	most   int // values that are read; 0: as many as there are
	values int
}

// newJSONReader returns a reader of text, or an error when text is not UTF-8.
func newJSONReader(text []byte) (jsonReader, error) {
	if !utf8.Valid(text) {
		return jsonReader{}, &jsonError{"The text is not valid UTF-8", firstInvalid(text)}
	}
	return jsonReader{text: text}, nil
}

func firstInvalid(text []byte) int {
	at := 0
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return at
}

func (r *jsonReader) fail(text string) error { return &jsonError{text, r.at} }

// unexpected is the error for a byte, or an end, that JSON has no place for.
func (r *jsonReader) unexpected() error {
	if r.at >= len(r.text) {
		return r.fail("The JSON text ends too early")
	}
	return r.fail("The JSON text has a character that does not belong there")
}

// peek skips white space and returns the byte that follows, or 0 at the end.
func (r *jsonReader) peek() byte {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return c
		}
	}
	return 0
}

// end returns an error when anything but white space is left.
func (r *jsonReader) end() error {
	r.peek()
	if r.at < len(r.text) {
		return r.fail("Something follows the JSON value")
	}
	return nil
}

// value reads any value: map[string]any, []any, string, json.Number, bool or nil.
func (r *jsonReader) value(depth int) (any, error) {
	if r.values++; r.most > 0 && r.values > r.most {
		return nil, r.fail("The JSON text has more than " + strconv.Itoa(r.most) + " values")
	}
	switch c := r.peek(); c {
	case '{':
		return r.object(depth)
	case '[':
		return r.array(depth)
	case '"':
		s, err := r.string()
		return string(s), err
	case 't':
		return true, r.literal("true")
	case 'f':
		return false, r.literal("false")
	case 'n':
		return nil, r.literal("null")
	default:
		if c == '-' || isDigit(c) {
			return r.number()
		}
		return nil, r.unexpected()
	}
}

func (r *jsonReader) literal(word string) error {
	if len(r.text)-r.at < len(word) || string(r.text[r.at:r.at+len(word)]) != word {
		return r.unexpected()
	}
	r.at += len(word)
	return nil
}

func (r *jsonReader) object(depth int) (map[string]any, error) {
	m := map[string]any{}
	err := r.members(depth, func(name []byte) error {
		if _, taken := m[string(name)]; taken {
			return r.duplicate()
		}
		key := string(name)
		v, err := r.value(depth + 1)
		m[key] = v
		return err
	})
	return m, err
}

func (r *jsonReader) duplicate() error { return r.fail("An object has the same name twice") }

// members reads an object and calls member after each name and its colon; member reads the value.
// The name is only valid until then.
func (r *jsonReader) members(depth int, member func(name []byte) error) error {
	if err := r.open('{', depth); err != nil {
		return err
	}
	if r.peek() == '}' {
		r.at++
		return nil
	}
	for {
		if r.peek() != '"' {
			return r.unexpected()
		}
		name, err := r.string()
		if err != nil {
			return err
		}
		if r.peek() != ':' {
			return r.unexpected()
		}
		r.at++
		if err := member(name); err != nil {
			return err
		}
		if more, err := r.more('}'); !more {
			return err
		}
	}
}

func (r *jsonReader) array(depth int) ([]any, error) {
	list := []any{}
	if err := r.open('[', depth); err != nil {
		return nil, err
	}
	if r.peek() == ']' {
		r.at++
		return list, nil
	}
	for {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if more, err := r.more(']'); !more {
			return list, err
		}
	}
}

func (r *jsonReader) open(bracket byte, depth int) error {
	if r.peek() != bracket {
		return r.unexpected()
	}
	if depth > maxJSONDepth {
		return r.fail("The JSON text nests deeper than " + strconv.Itoa(maxJSONDepth) + " levels")
	}
	r.at++
	return nil
}

// more steps over a comma, or over the closing bracket, and reports whether another element follows.
func (r *jsonReader) more(closing byte) (bool, error) {
	switch r.peek() {
	case ',':
		r.at++
		return true, nil
	case closing:
		r.at++
		return false, nil
	default:
		return false, r.unexpected()
	}
}

// string reads a string. What it returns may be a part of the text.
func (r *jsonReader) string() ([]byte, error) {
	r.at++
	start := r.at
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return r.text[start : r.at-1], nil
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			return nil, r.fail("A string has a control character that is not escaped")
		default:
			r.at++
		}
	}
	return nil, r.unexpected()
}

// escaped reads the rest of a string that has an escape.
func (r *jsonReader) escaped(start int) ([]byte, error) {
	out := append(make([]byte, 0, r.at-start+64), r.text[start:r.at]...)
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return out, nil
		case c < ' ':
			return nil, r.fail("A string has a control character that is not escaped")
		case c != '\\':
			out = append(out, c)
			r.at++
		default:
			char, err := r.escape()
			if err != nil {
				return nil, err
			}
			out = utf8.AppendRune(out, char)
		}
	}
	return nil, r.unexpected()
}

// escape reads one escape, which is two for a character outside of the Basic Multilingual Plane.
func (r *jsonReader) escape() (rune, error) {
	r.at++
	if r.at >= len(r.text) {
		return 0, r.unexpected()
	}
	c := r.text[r.at]
	r.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
	default:
		r.at--
		return 0, r.unexpected()
	}
	char, err := r.hex4()
	if err != nil || !utf16.IsSurrogate(char) {
		return char, err
	}
	if r.at+1 < len(r.text) && r.text[r.at] == '\\' && r.text[r.at+1] == 'u' {
		r.at += 2
		low, err := r.hex4()
		if err != nil {
			return 0, err
		}
		if pair := utf16.DecodeRune(char, low); pair != utf8.RuneError {
			return pair, nil
		}
	}
	return 0, r.fail("A string has half of a surrogate pair")
}

func (r *jsonReader) hex4() (rune, error) {
	var char rune
	for range 4 {
		if r.at >= len(r.text) {
			return 0, r.unexpected()
		}
		digit, ok := hexDigit(r.text[r.at])
		if !ok {
			return 0, r.unexpected()
		}
		char = char<<4 | digit
		r.at++
	}
	return char, nil
}

func hexDigit(c byte) (rune, bool) {
	switch {
	case isDigit(c):
		return rune(c - '0'), true
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (r *jsonReader) number() (json.Number, error) {
	start := r.at
	r.accept('-')
	if !r.accept('0') && !r.digits() {
		return "", r.unexpected()
	}
	if r.accept('.') && !r.digits() {
		return "", r.unexpected()
	}
	if r.accept('e') || r.accept('E') {
		if !r.accept('+') {
			r.accept('-')
		}
		if !r.digits() {
			return "", r.unexpected()
		}
	}
	return json.Number(r.text[start:r.at]), nil
}

func (r *jsonReader) accept(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *jsonReader) digits() bool {
	start := r.at
	for r.at < len(r.text) && isDigit(r.text[r.at]) {
		r.at++
	}
	return r.at > start
}
