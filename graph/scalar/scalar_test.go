package scalar_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"latchkey/fault"
	"latchkey/graph/scalar"
)

const secret = "hunter2"

// refused is what a value is answered with that is not of the scalar, and does not show the value.
func refused(t *testing.T, name string, v any, err error) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.KindBadUserInput {
		t.Errorf("%s: %#v: got %v, want BAD_USER_INPUT", name, v, err)
		return
	}
	if strings.Contains(f.PublicMessage(), secret) || !strings.HasPrefix(f.PublicMessage(), name) {
		t.Errorf("%s: %#v: got %q", name, v, f.PublicMessage())
	}
}

func TestStringTakesTextAndNothingElse(t *testing.T) {
	for _, text := range []string{"", "a", " a ", "ä😀", "\x01\x7f", strings.Repeat("a", 1<<20)} {
		if got, err := scalar.UnmarshalString(text); err != nil || got != text {
			t.Errorf("%.20q: got %.20q, %v", text, got, err)
		}
	}
	for _, v := range []any{nil, true, 1, int64(1), 1.5, json.Number("1"), []any{secret}, map[string]any{secret: secret}, []byte(secret)} {
		_, err := scalar.UnmarshalString(v)
		refused(t, "String", v, err)
		refused(t, "String", v, scalar.Check("String", v))
	}
}

func TestTextCannotHoldNullCharacters(t *testing.T) {
	for _, text := range []string{"\x00", "hunter2\x00", "\x00a", "a\x00b"} {
		for name, unmarshal := range map[string]func(any) (string, error){"String": scalar.UnmarshalString, "ID": scalar.UnmarshalID} {
			got, err := unmarshal(text)
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Kind != fault.KindBadUserInput || f.Message != "Null characters are not allowed." || got != "" {
				t.Errorf("%s: %q: got %q, %v", name, text, got, err)
			}
			// The type is right: where the value is used, the argument can be named.
			if err := scalar.Check(name, text); err != nil {
				t.Errorf("%s: %q: Check: %v", name, text, err)
			}
		}
	}
}

func TestIDTakesTextAndWholeNumbers(t *testing.T) {
	for _, test := range []struct {
		v    any
		want string
	}{
		{"", ""},
		{"7", "7"},
		{"a b", "a b"},
		{int64(7), "7"},
		{int64(-1), "-1"},
		{json.Number("9007199254740993"), "9007199254740993"},
		{json.Number("9223372036854775807"), "9223372036854775807"},
		{json.Number("-0"), "0"},
	} {
		if got, err := scalar.UnmarshalID(test.v); err != nil || got != test.want {
			t.Errorf("%#v: got %q, %v, want %q", test.v, got, err, test.want)
		}
		if err := scalar.Check("ID", test.v); err != nil {
			t.Errorf("%#v: Check: %v", test.v, err)
		}
	}
	for _, v := range []any{nil, true, 1.0, json.Number("1.0"), json.Number("1e3"), json.Number("9223372036854775808"), []any{secret}, map[string]any{secret: 1}} {
		_, err := scalar.UnmarshalID(v)
		refused(t, "ID", v, err)
		refused(t, "ID", v, scalar.Check("ID", v))
	}
}

func TestIntTakesWholeNumbersOf32Bits(t *testing.T) {
	for _, test := range []struct {
		v    any
		want int
	}{
		{int64(0), 0},
		{int64(2147483647), 2147483647},
		{int64(-2147483648), -2147483648},
		{json.Number("7"), 7},
		{json.Number("2147483647"), 2147483647},
		{json.Number("-2147483648"), -2147483648},
		{json.Number("-2147483648.0"), -2147483648},
		{json.Number("1.0"), 1},
		{json.Number("1e3"), 1000},
		{json.Number("-0"), 0},
		{json.Number("-0.0"), 0},
		{json.Number("10e-1"), 1},
	} {
		if got, err := scalar.UnmarshalInt(test.v); err != nil || got != test.want {
			t.Errorf("%#v: got %d, %v, want %d", test.v, got, err, test.want)
		}
		if err := scalar.Check("Int", test.v); err != nil {
			t.Errorf("%#v: Check: %v", test.v, err)
		}
	}
	for _, v := range []any{
		nil, true, "1", secret, 1.0, int64(2147483648), int64(-2147483649), json.Number("2147483648"), json.Number("-2147483649"),
		json.Number("2147483647.5"), json.Number("0.5"), json.Number("1e10"), json.Number("1e999"), json.Number("-1e999"), json.Number(secret),
		[]any{1},
	} {
		_, err := scalar.UnmarshalInt(v)
		refused(t, "Int", v, err)
		refused(t, "Int", v, scalar.Check("Int", v))
	}
}

func TestBooleanTakesTrueAndFalse(t *testing.T) {
	for _, v := range []bool{true, false} {
		if got, err := scalar.UnmarshalBoolean(v); err != nil || got != v {
			t.Errorf("%v: got %v, %v", v, got, err)
		}
	}
	for _, v := range []any{nil, "true", "", 0, int64(1), json.Number("1"), []any{true}} {
		_, err := scalar.UnmarshalBoolean(v)
		refused(t, "Boolean", v, err)
		refused(t, "Boolean", v, scalar.Check("Boolean", v))
	}
}

func TestDateTimeTakesRFC3339WithAnOffset(t *testing.T) {
	want := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{
		"2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z", "2026-01-31T13:00:00+01:00", "2026-01-31T06:30:00.000000000-05:30",
	} {
		got, err := scalar.UnmarshalDateTime(text)
		if err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, v := range []any{
		nil, "", secret, "2026-01-31", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z", "2026-02-30T12:00:00Z", "2026-01-31T25:00:00Z",
		"2026-01-31T12:00:00,5Z", "2026-01-31T9:00:00Z", "2026-01-31T12:00:00+24:00", json.Number("1700000000"), int64(1), true,
	} {
		_, err := scalar.UnmarshalDateTime(v)
		refused(t, "DateTime", v, err)
		refused(t, "DateTime", v, scalar.Check("DateTime", v))
	}
}

func TestAnotherScalarIsNotChecked(t *testing.T) {
	if err := scalar.Check("Upload", secret); err != nil {
		t.Error(err)
	}
}

func TestScalarsAreWrittenAsJSON(t *testing.T) {
	paris := time.FixedZone("", 3600)
	for want, m := range map[string]graphql.Marshaler{
		`"a \"b\" \\ \n"`:            scalar.MarshalString("a \"b\" \\ \n"),
		`"7"`:                        scalar.MarshalID("7"),
		`-7`:                         scalar.MarshalInt(-7),
		`true`:                       scalar.MarshalBoolean(true),
		`"2026-01-31T12:00:00.000Z"`: scalar.MarshalDateTime(time.Date(2026, 1, 31, 13, 0, 0, 0, paris)),
		`"2026-01-31T12:00:00.123Z"`: scalar.MarshalDateTime(time.Date(2026, 1, 31, 12, 0, 0, 123999999, time.UTC)),
	} {
		var b bytes.Buffer
		m.MarshalGQL(&b)
		if b.String() != want {
			t.Errorf("got %s, want %s", b.String(), want)
		}
	}
}

// TestTextIsWrittenSoThatItCanBeReadBack is for text that was made to break out of its quotes, or is not even Unicode.
func TestTextIsWrittenSoThatItCanBeReadBack(t *testing.T) {
	for _, text := range []string{"", "\x00\x1f\x7f", "\u2028\u2029", "</script>", "\ufeff😀", `\u0022`, "a\xffb", "\xed\xa0\x80"} {
		for _, m := range []graphql.Marshaler{scalar.MarshalString(text), scalar.MarshalID(text)} {
			var b bytes.Buffer
			m.MarshalGQL(&b)
			var got string
			if err := json.Unmarshal(b.Bytes(), &got); err != nil {
				t.Errorf("%q: %s: %v", text, b.String(), err)
			}
			if want := strings.ToValidUTF8(text, "\ufffd"); strings.Trim(got, "\ufffd") != strings.Trim(want, "\ufffd") {
				t.Errorf("%q: got %q", text, got)
			}
		}
	}
}
