package token

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestReadObjectKeepsValuesAsTheyAreWritten(t *testing.T) {
	for _, tt := range []struct {
		text string
		want object
	}{
		{`{}`, object{}},
		{" \t\r\n{ } ", object{}},
		{`{"a":1}`, object{"a": `1`}},
		{`{"a":-0.5e+10 ,"b":true,"c":null}`, object{"a": `-0.5e+10`, "b": `true`, "c": `null`}},
		{`{"a":"","":"b"}`, object{"a": `""`, "": `"b"`}},
		{`{"a":"\"","b":"\\","c":"\\\""}`, object{"a": `"\""`, "b": `"\\"`, "c": `"\\\""`}},
		{`{"a":"}","b":"]","c":",:"}`, object{"a": `"}"`, "b": `"]"`, "c": `",:"`}},
		{`{"a":{"b":[{}, "}"]} , "c" : [ ] }`, object{"a": `{"b":[{}, "}"]}`, "c": `[ ]`}},
		{`{"\u0061":1,"\ud83d\ude00":2}`, object{"a": `1`, "😀": `2`}},
	} {
		got, err := readObject([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

// FuzzReadObject holds readObject against encoding/json, which it is stricter than in three ways alone.
func FuzzReadObject(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"a":1}`, ` { "a" : [ 1 , {"b":"\"}"} ] , "c":"\\" } `, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"\ud800":1}`,
		`null`, `[]`, `{"a":tru}`, `{"a":"\u12"}`, `{"a":1}{`, "{\"\xff\":1}", `{"a":-}`, `{"a":01}`, `{,}`, `{"a"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readObject(b)
		var want map[string]json.RawMessage
		if json.Unmarshal(b, &want) != nil || want == nil {
			if err == nil {
				t.Fatalf("%q is read as %v", b, got)
			}
			return
		}
		if err != nil {
			if utf8.Valid(b) && !repeatsName(b) && !strings.Contains(strings.Join(slices.Collect(maps.Keys(want)), ""), "\ufffd") {
				t.Fatalf("%q: %v", b, err)
			}
			return
		}
		texts := object{}
		for name, raw := range want {
			texts[name] = string(raw)
		}
		if diff := cmp.Diff(texts, got); diff != "" {
			t.Fatalf("%q (-encoding/json +here):\n%s", b, diff)
		}
	})
}

// repeatsName reports, by another way than readObject's, whether a JSON object has two members of one name.
func repeatsName(b []byte) bool {
	d := json.NewDecoder(strings.NewReader(string(b)))
	seen, depth, isName := map[string]bool{}, 0, true
	for {
		tok, err := d.Token()
		if err != nil {
			return false
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			depth++
			isName = depth == 1
			continue
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth != 1 {
			continue
		}
		if name, ok := tok.(string); ok && isName {
			if seen[name] {
				return true
			}
			seen[name] = true
			isName = false
			continue
		}
		isName = true
	}
}
