package rest

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep a JSON body nests. No view wants more than an object of texts.
const maxDepth = 512

// maxIntDigits is how many digits Python turns into an int.
const maxIntDigits = 4300

// kind is what a value of a body is.
type kind int

const (
	kindNull kind = iota
	kindBool
	kindInt
	kindFloat
	kindText
	kindList
	kindObject
	kindFile // of a multipart form
)

// python names the kinds as Python names their types, where JSON has them and a message does.
var python = map[kind]string{kindBool: "bool", kindInt: "int", kindFloat: "float", kindText: "str", kindList: "list"}

// value is one value of a body.
type value struct {
	kind    kind
	text    string           // of a text; of a number as Python writes it
	half    rune             // in a text: the first half of a surrogate pair without the other, which text has as U+FFFD
	members map[string]value // of the outermost object
}

// number is what JSON has for a number (RFC 8259 section 6).
var number = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?`)

// jsonReader reads a JSON text as Python's json module does: of several members of one name the last counts, and
// what is wrong is said in the same words and at the same place, counted in characters. encoding/json can do neither,
// folds the case of names and turns lone surrogates into U+FFFD. What nests deeper than the views ever look is checked
// and not kept.
type jsonReader struct {
	text  []byte // UTF-8
	at    int
	depth int
}

// readJSON reads a text in UTF-8. The error is what Python says.
func readJSON(text []byte) (value, error) {
	r := &jsonReader{text: text}
	if bytes.HasPrefix(text, []byte("\ufeff")) {
		return value{}, r.fail("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0)
	}
	r.skip()
	v, err := r.value()
	if err != nil {
		return value{}, err
	}
	if r.skip(); r.at < len(r.text) {
		return value{}, r.fail("Extra data", r.at)
	}
	return v, nil
}

// fail returns an error about the place at that byte.
func (r *jsonReader) fail(message string, at int) error {
	before := r.text[:at]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return fmt.Errorf("%s: line %d column %d (char %d)", message,
		bytes.Count(before, []byte("\n"))+1, utf8.RuneCount(line)+1, utf8.RuneCount(before))
}

// skip steps over white space.
func (r *jsonReader) skip() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

// accept steps over the byte, if it comes next.
func (r *jsonReader) accept(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

// words are the values that are one word.
var words = []struct {
	text string
	kind kind
	none bool // Python reads it, and Django REST framework refuses it
}{
	{"null", kindNull, false},
	{"true", kindBool, false},
	{"false", kindBool, false},
	{"NaN", kindFloat, true},
	{"Infinity", kindFloat, true},
	{"-Infinity", kindFloat, true},
}

func (r *jsonReader) value() (value, error) {
	switch {
	case r.accept('"'):
		return r.string()
	case r.accept('{'):
		return r.nested(r.object)
	case r.accept('['):
		return r.nested(r.list)
	}
	for _, w := range words {
		if !bytes.HasPrefix(r.text[r.at:], []byte(w.text)) {
			continue
		}
		if w.none {
			return value{}, fmt.Errorf("Out of range float values are not JSON compliant: '%s'", w.text) //nolint:staticcheck // the words are Django REST framework's
		}
		r.at += len(w.text)
		return value{kind: w.kind}, nil
	}
	return r.number()
}

// nested reads what the bracket just read has opened.
func (r *jsonReader) nested(read func() (value, error)) (value, error) {
	if r.depth == maxDepth {
		return value{}, r.fail(fmt.Sprintf("Nested deeper than %d levels", maxDepth), r.at-1)
	}
	r.depth++
	v, err := read()
	r.depth--
	return v, err
}

func (r *jsonReader) object() (value, error) {
	v := value{kind: kindObject}
	if r.depth == 1 {
		v.members = map[string]value{}
	}
	if r.skip(); r.accept('}') {
		return v, nil
	}
	for {
		if !r.accept('"') {
			return value{}, r.fail("Expecting property name enclosed in double quotes", r.at)
		}
		name, err := r.string()
		if err != nil {
			return value{}, err
		}
		if r.skip(); !r.accept(':') {
			return value{}, r.fail("Expecting ':' delimiter", r.at)
		}
		r.skip()
		member, err := r.value()
		if err != nil {
			return value{}, err
		}
		if v.members != nil {
			v.members[name.text] = member
		}
		if more, err := r.more('}'); !more {
			return v, err
		}
	}
}

func (r *jsonReader) list() (value, error) {
	v := value{kind: kindList}
	if r.skip(); r.accept(']') {
		return v, nil
	}
	for {
		if _, err := r.value(); err != nil {
			return value{}, err
		}
		if more, err := r.more(']'); !more {
			return v, err
		}
	}
}

// more steps over the closing bracket, or over a comma, and reports whether it was a comma.
func (r *jsonReader) more(closing byte) (bool, error) {
	r.skip()
	if r.accept(closing) {
		return false, nil
	}
	if !r.accept(',') {
		return false, r.fail("Expecting ',' delimiter", r.at)
	}
	r.skip()
	return true, nil
}

func (r *jsonReader) number() (value, error) {
	m := number.FindSubmatch(r.text[r.at:])
	if m == nil {
		return value{}, r.fail("Expecting value", r.at)
	}
	r.at += len(m[0])
	text := string(m[0])
	if m[1] == nil && m[2] == nil {
		if digits := len(strings.TrimPrefix(text, "-")); digits > maxIntDigits {
			return value{}, fmt.Errorf("Exceeds the limit (%d digits) for integer string conversion: value has %d digits; "+ //nolint:staticcheck // the words are Python's
				"use sys.set_int_max_str_digits() to increase the limit", maxIntDigits, digits)
		}
		if text == "-0" {
			text = "0"
		}
		return value{kind: kindInt, text: text}, nil
	}
	f, _ := strconv.ParseFloat(text, 64) // what is too large is infinite, in Python too
	return value{kind: kindFloat, text: floatText(f)}, nil
}

// floatText writes a number as Python's repr does: the shortest text that reads back the same.
func floatText(f float64) string {
	scientific := strconv.FormatFloat(f, 'e', -1, 64)
	_, exponent, finite := strings.Cut(scientific, "e")
	if !finite {
		return strings.TrimPrefix(strings.ToLower(scientific), "+") // inf, -inf
	}
	if e, _ := strconv.Atoi(exponent); e < -4 || e >= 16 {
		return scientific
	}
	plain := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(plain, ".") {
		plain += ".0"
	}
	return plain
}

// string reads the rest of a string, whose opening quote was read.
func (r *jsonReader) string() (value, error) {
	v := value{kind: kindText}
	opening := r.at - 1
	var out []byte
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			v.text = string(out)
			return v, nil
		case c < ' ':
			return value{}, r.fail("Invalid control character at", r.at)
		case c != '\\':
			out = append(out, c)
			r.at++
		case r.at+1 == len(r.text):
			r.at++
		default:
			char, err := r.escape()
			if err != nil {
				return value{}, err
			}
			if utf16.IsSurrogate(char) && v.half == 0 {
				v.half = char
			}
			out = utf8.AppendRune(out, char)
		}
	}
	return value{}, r.fail("Unterminated string starting at", opening)
}

// simple are the escapes of one letter, each with what it stands for.
const simple = "\"\"\\\\//b\bf\fn\nr\rt\t"

// escape reads an escape, or two that make one character. A half of a surrogate pair without the other is returned
// as it is.
func (r *jsonReader) escape() (rune, error) {
	backslash := r.at
	c := r.text[r.at+1]
	if c != 'u' {
		for i := 0; i < len(simple); i += 2 {
			if c == simple[i] {
				r.at += 2
				return rune(simple[i+1]), nil
			}
		}
		return 0, r.fail(`Invalid \escape`, backslash)
	}
	char, err := r.hex4()
	if err != nil || char < 0xd800 || char >= 0xdc00 || !bytes.HasPrefix(r.text[r.at:], []byte(`\u`)) {
		return char, err
	}
	between := r.at
	low, err := r.hex4()
	if err != nil {
		return 0, err
	}
	if pair := utf16.DecodeRune(char, low); pair != utf8.RuneError {
		return pair, nil
	}
	r.at = between
	return char, nil
}

// hex4 reads an escape of the form \u0000.
func (r *jsonReader) hex4() (rune, error) {
	u := r.at + 1
	digits := r.text[u+1:]
	if len(digits) > 4 { // with the quote, at least, that must follow
		n, err := strconv.ParseUint(string(digits[:4]), 16, 16)
		if err == nil {
			r.at = u + 5
			return rune(n), nil
		}
	}
	return 0, r.fail(`Invalid \uXXXX escape`, u)
}
