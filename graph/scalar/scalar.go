// Package scalar reads and writes the scalars of the schema.
//
// Input is read as section 3.5 of the GraphQL specification asks: a String takes no number, an Int takes no text and
// nothing beyond 32 bits. The errors are public ones of package fault and never repeat the value, which may be a
// password in the wrong place.
package scalar

import (
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"latchkey/fault"
)

// Check returns an error when v, which is not null, cannot be a value of the named scalar. A number is an int64 or a
// json.Number. A scalar that is not one of this package takes anything.
//
// It is asked before anything of an operation is run. What a value that is of the right type must not hold besides,
// the Unmarshal functions refuse where the value is used, so that the error can name the argument.
func Check(name string, v any) error {
	var err error
	switch name {
	case "String":
		_, err = text(v)
	case "ID":
		_, err = id(v)
	case "Int":
		_, err = UnmarshalInt(v)
	case "Boolean":
		_, err = UnmarshalBoolean(v)
	case "DateTime":
		_, err = UnmarshalDateTime(v)
	}
	return err
}

// MarshalString writes a String.
func MarshalString(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalString reads a String: text without U+0000, which PostgreSQL cannot keep.
func UnmarshalString(v any) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	return withoutNull(s)
}

func text(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", fault.BadUserInput("String cannot represent a non string value")
	}
	return s, nil
}

// withoutNull refuses U+0000 with the words of Django REST framework.
func withoutNull(s string) (string, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return "", fault.BadUserInput("Null characters are not allowed.")
	}
	return s, nil
}

// MarshalID writes an ID.
func MarshalID(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalID reads an ID: text without U+0000, or a whole number of 64 bits.
func UnmarshalID(v any) (string, error) {
	s, err := id(v)
	if err != nil {
		return "", err
	}
	return withoutNull(s)
}

func id(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return strconv.FormatInt(n, 10), nil
		}
	}
	return "", fault.BadUserInput("ID cannot represent a non-string and non-integer value")
}

// MarshalInt writes an Int.
func MarshalInt(i int) graphql.Marshaler { return graphql.MarshalInt(i) }

// UnmarshalInt reads an Int: a whole number of 32 bits.
func UnmarshalInt(v any) (int, error) {
	switch v := v.(type) {
	case int64:
		if v >= math.MinInt32 && v <= math.MaxInt32 {
			return int(v), nil
		}
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 32); err == nil {
			return int(n), nil
		}
		// 1.0 and 1e3 are whole numbers as well (section 3.5.1).
		f, err := v.Float64()
		if err == nil && f == math.Trunc(f) && f >= math.MinInt32 && f <= math.MaxInt32 {
			return int(f), nil
		}
	}
	return 0, fault.BadUserInput("Int cannot represent a value that is not a whole number of 32 bits")
}

// MarshalBoolean writes a Boolean.
func MarshalBoolean(b bool) graphql.Marshaler { return graphql.MarshalBoolean(b) }

// UnmarshalBoolean reads a Boolean: true or false.
func UnmarshalBoolean(v any) (bool, error) {
	b, ok := v.(bool)
	if !ok {
		return false, fault.BadUserInput("Boolean cannot represent a non boolean value")
	}
	return b, nil
}

// dateTimeLayout is RFC 3339 with exactly three digits of a second, the form of the scalar's specification.
const dateTimeLayout = "2006-01-02T15:04:05.000Z07:00"

// MarshalDateTime writes a DateTime in UTC.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		io.WriteString(w, t.UTC().Format(`"`+dateTimeLayout+`"`)) //nolint:errcheck // the transport writes to memory
	})
}

// UnmarshalDateTime reads a DateTime: RFC 3339 with an offset. The result is in UTC.
func UnmarshalDateTime(v any) (time.Time, error) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, fault.BadUserInput("DateTime cannot represent a non string value")
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || !isRFC3339(s) {
		return time.Time{}, fault.BadUserInput("DateTime must be written as RFC 3339 with an offset")
	}
	return t.UTC(), nil
}

// isRFC3339 refuses what time.Parse takes beyond RFC 3339: an hour of one digit, a comma before the fraction, and an
// offset of a day and more.
func isRFC3339(s string) bool {
	if s[len("2006-01-02T15")] != ':' || strings.Contains(s, ",") {
		return false
	}
	return s[len(s)-1] == 'Z' || s[len(s)-len("07:00"):len(s)-len(":00")] < "24" && s[len(s)-len("00"):] < "60"
}
