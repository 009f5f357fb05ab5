package django

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// checkObject makes sure that the text is one JSON object. What is behind it here relies on that, so that nothing of a
// record is checked twice.
func checkObject(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("it is not UTF-8")
	}
	if !json.Valid(text) {
		var nothing struct{}
		if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(text, &nothing)); ok {
			return fmt.Errorf("it is no JSON, from its byte %d on", max(syntax.Offset-1, 0)) // the offset is behind what is wrong
		}
	}
	if !bytes.HasPrefix(text, []byte("{")) {
		return errors.New("it is no JSON object")
	}
	return nil
}

// members are those of a JSON object, with their values as they stand there. Names count exactly as they are written.
type members []member

type member struct {
	name  string
	value []byte
}

// get returns the value of a name, the last one where there are several, as Python reads it; nil where there is none.
func (m members) get(name string) []byte {
	for i := len(m) - 1; i >= 0; i-- {
		if m[i].name == name {
			return m[i].value
		}
	}
	return nil
}

// appendMembers appends the members of an object, which is valid.
func appendMembers(list members, object []byte) members {
	parts := elements(object)
	for i := 0; i+1 < len(parts); i += 2 {
		name := string(parts[i][1 : len(parts[i])-1])
		if bytes.IndexByte(parts[i], '\\') >= 0 {
			_ = json.Unmarshal(parts[i], &name) // it is valid
		}
		list = append(list, member{name, parts[i+1]})
	}
	return list
}

// elements returns the values that an array or object has in it, both valid; of an object the names, too.
func elements(text []byte) [][]byte {
	list := make([][]byte, 0, 2*16) // the fields of a user
	for i := 1; i < len(text)-1; {
		switch text[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
			i++
		default:
			n := valueLength(text[i:])
			list = append(list, text[i:i+n])
			i += n
		}
	}
	return list
}

// valueLength returns how long the value is that valid text begins with.
func valueLength(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // it ends what the value is in
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ' ', '\t', '\r', '\n', ',':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

// isNothing reports whether a value is null or not there.
func isNothing(value []byte) bool { return value == nil || string(value) == "null" }
