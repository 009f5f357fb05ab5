package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readJSON reads a whole text.
func readJSON(text []byte) (any, error) {
	r, err := newJSONReader(text)
	if err != nil {
		return nil, err
	}
	v, err := r.value(1)
	if err != nil {
		return nil, err
	}
	return v, r.end()
}

func TestAJSONErrorSaysWhere(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":hunter2}`:         "The JSON text has a character that does not belong there (at byte 5)",
		`{"a":"b","a":1}`:       "An object has the same name twice (at byte 13)",
		`{"a":1} x`:             "Something follows the JSON value (at byte 8)",
		`["`:                    "The JSON text ends too early (at byte 2)",
		"[\"a\xffb\"]":          "The text is not valid UTF-8 (at byte 3)",
		"[\"\n\"]":              "A string has a control character that is not escaped (at byte 2)",
		"[\"\\u00e4\n\"]":       "A string has a control character that is not escaped (at byte 8)",
		`["\ud83d"]`:            "A string has half of a surrogate pair (at byte 8)",
		`["\ud83d\u0041"]`:      "A string has half of a surrogate pair (at byte 14)",
		strings.Repeat("[", 65): "The JSON text nests deeper than 64 levels (at byte 64)",
	} {
		_, err := readJSON([]byte(text))
		if jsonErr, ok := errors.AsType[*jsonError](err); !ok || jsonErr.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestJSONMayNestAsDeepAsTheLimit(t *testing.T) {
	if _, err := readJSON([]byte(strings.Repeat("[", maxJSONDepth) + strings.Repeat("]", maxJSONDepth))); err != nil {
		t.Error(err)
	}
}

// FuzzJSON compares the reader with encoding/json: what it takes, both read as the same value, and what it refuses,
// encoding/json refuses too, unless it is one of the things that this reader is stricter about.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{
		``, `null`, `true`, `[]`, `{}`, `[1,-0,1.5e+3,0e-1,"a"]`, `{"a":{"b":[null,false]},"c":"\u00e4\ud83d\ude00\n"}`,
		`{"a":1,"a":2}`, `"\ud83d"`, `[01]`, `[1.]`, `{"a":}`, "\"\x00\"", "\"\xff\"", ` { } `, `[,]`, `{,}`, `"`, `tru`, `-`, `1e`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := readJSON(text)
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var want any
		wantErr := decoder.Decode(&want)
		valid := wantErr == nil && json.Valid(text)
		if err != nil {
			if valid && !isStricter(err) {
				t.Fatalf("%q: refused: %v", text, err)
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Fatalf("%q: a piece of it in the error: %v", text, err)
			}
			return
		}
		if !valid {
			t.Fatalf("%q: taken, and encoding/json says: %v", text, wantErr)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", text, diff)
		}
	})
}

func isStricter(err error) bool {
	for _, text := range []string{"twice", "surrogate", "UTF-8", "deeper"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}
