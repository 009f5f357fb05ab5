package django

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what is read, those of Django or more: what is kept in memory, in an index or in a token has one.
const (
	maxName     = 150 // characters of names: of users, groups, permissions, apps and models
	maxEmail    = 254 // characters
	maxPassword = 512 // characters of a hash

	maxID int64 = 1<<53 - 1 // the highest that JavaScript knows exactly; above it there is room for new ones
)

// parse reads the record in r.text.
func (r *Reader) parse(at Position) (Record, error) {
	text := bytes.Trim(r.text, " \t\r\n")
	if err := checkObject(text); err != nil {
		return Record{}, &Error{At: at, Reason: err.Error()}
	}
	r.outer = appendMembers(r.outer[:0], text)
	record := Record{At: at}
	var err error
	if record.Model, err = textOf(r.outer.get("model")); err != nil || record.Model == "" {
		return Record{}, &Error{At: at, Reason: `it does not say of which "model" it is`}
	}
	record.Model = strings.ToLower(record.Model)
	if err := r.fillIn(&record); err != nil {
		return Record{}, &Error{At: at, Reason: record.Model + ": " + err.Error()}
	}
	return record, nil
}

// fillIn reads the fields, where the model is one of those that are known.
func (r *Reader) fillIn(record *Record) error {
	var read func(*fields, int64)
	switch record.Model {
	case r.o.UserModel:
		read = func(f *fields, id int64) { record.User = r.user(f, id) }
	case modelGroup:
		read = func(f *fields, id int64) { record.Group = group(f, id) }
	case modelPermission:
		read = func(f *fields, id int64) { record.Permission = permission(f, id) }
	case modelContentType:
		read = func(f *fields, id int64) { record.ContentType = contentType(f, id) }
	default:
		return nil
	}
	id, err := primaryKey(r.outer.get("pk"))
	if err != nil {
		return err
	}
	inner := r.outer.get("fields")
	if !bytes.HasPrefix(inner, []byte("{")) {
		return errors.New(`"fields" is no object`)
	}
	r.inner = appendMembers(r.inner[:0], inner)
	f := fields{values: r.inner}
	read(&f, id)
	return f.err
}

func (r *Reader) user(f *fields, id int64) *User {
	if id == 0 {
		f.fail(`it has no "pk"; dump users without --natural-primary: tokens name users by it`)
	}
	u := &User{
		ID:       id,
		Username: f.text(r.o.UsernameField, true, maxName), Email: f.text("email", false, maxEmail),
		FirstName: f.text("first_name", false, maxName), LastName: f.text("last_name", false, maxName),
		Password: f.text("password", true, maxPassword),
		IsActive: f.truth("is_active", true), IsStaff: f.truth("is_staff", false), IsSuperuser: f.truth("is_superuser", false),
		LastLogin: f.moment("last_login"),
		Groups:    f.keys("groups", 1), Permissions: f.keys("user_permissions", 3),
	}
	if joined := f.moment("date_joined"); joined != nil {
		u.DateJoined = *joined
	}
	if u.Username == "" {
		f.fail("its %q is empty", r.o.UsernameField)
	}
	return u
}

func group(f *fields, id int64) *Group {
	g := &Group{ID: id, Name: f.text("name", true, maxName), Permissions: f.keys("permissions", 3)}
	if g.Name == "" {
		f.fail("its name is empty")
	}
	return g
}

func permission(f *fields, id int64) *Permission {
	p := &Permission{ID: id, Codename: f.text("codename", true, maxName)}
	var err error
	if p.ContentType, err = key(f.values.get("content_type"), 2); err != nil {
		f.fail(`its "content_type" %v`, err)
	}
	if p.Codename == "" {
		f.fail("its codename is empty")
	}
	return p
}

func contentType(f *fields, id int64) *ContentType {
	return &ContentType{ID: id, AppLabel: f.text("app_label", true, maxName), Model: f.text("model", true, maxName)}
}

// fields reads the values of a record, and keeps the first that is wrong.
type fields struct {
	values members
	err    error
}

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

// text returns a text of so many characters at most; an empty one for null, or for a field that is not there, where it
// need not be.
func (f *fields) text(name string, required bool, most int) string {
	raw := f.values.get(name)
	if !required && isNothing(raw) {
		return ""
	}
	if raw == nil {
		f.fail("it has no field %q", name)
		return ""
	}
	text, err := textOf(raw)
	if err != nil {
		f.fail("its %q %v", name, err)
	}
	if n := utf8.RuneCountInString(text); n > most {
		f.fail("its %q has %d characters, more than %d", name, n, most)
	}
	return text
}

func (f *fields) truth(name string, otherwise bool) bool {
	switch raw := f.values.get(name); {
	case raw == nil:
		return otherwise
	case string(raw) == "true":
		return true
	case string(raw) != "false":
		f.fail("its %q is neither true nor false", name)
	}
	return false
}

// moment returns a time; nil for null, or for a field that is not there.
func (f *fields) moment(name string) *time.Time {
	raw := f.values.get(name)
	if isNothing(raw) {
		return nil
	}
	text, err := textOf(raw)
	if err == nil {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999"} { // the second with USE_TZ = False
			at, err := time.Parse(layout, text)
			if at = at.UTC().Truncate(time.Microsecond); err == nil && at.Year() >= 1 && at.Year() <= 9999 {
				return &at
			}
		}
	}
	f.fail("its %q is no time as in 2026-01-31T12:00:00Z, of the years 1 to 9999 in UTC", name)
	return nil
}

// keys returns the keys in a list; natural ones have so many parts.
func (f *fields) keys(name string, parts int) []Key {
	raw := f.values.get(name)
	if raw == nil {
		return nil
	}
	if raw[0] != '[' {
		f.fail("its %q is no list", name)
		return nil
	}
	var keys []Key
	for _, raw := range elements(raw) {
		k, err := key(raw, parts)
		if err != nil {
			f.fail("in its %q a key %v", name, err)
			return nil
		}
		keys = append(keys, k)
	}
	return keys
}

// key reads a primary key, or a natural one of so many parts.
func key(raw []byte, parts int) (Key, error) {
	wrong := fmt.Errorf("is neither a whole number from 1 to %d nor a list of %d texts of up to %d characters", maxID, parts, maxName)
	if !bytes.HasPrefix(raw, []byte("[")) {
		id, err := primaryKey(raw)
		if err != nil || id == 0 {
			return Key{}, wrong
		}
		return Key{ID: id}, nil
	}
	list := elements(raw)
	if len(list) != parts {
		return Key{}, wrong
	}
	natural := make([]string, parts)
	for i, raw := range list {
		text, err := textOf(raw)
		if err != nil || utf8.RuneCountInString(text) > maxName {
			return Key{}, wrong
		}
		natural[i] = text
	}
	return Key{Natural: natural}, nil
}

// primaryKey reads a number; 0 where there is none.
func primaryKey(raw []byte) (int64, error) {
	if isNothing(raw) {
		return 0, nil
	}
	id, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || id <= 0 || id > maxID {
		return 0, fmt.Errorf(`its "pk" is no whole number from 1 to %d, as ids are here`, maxID)
	}
	return id, nil
}

// textOf reads a JSON text. What no database can keep is refused, and so is half a character of UTF-16, which would be
// read as another one.
func textOf(raw []byte) (string, error) {
	if !bytes.HasPrefix(raw, []byte(`"`)) {
		return "", errors.New("is no text")
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", errors.New("is no text")
	}
	if strings.ContainsRune(text, 0) {
		return "", errors.New("has a character NUL")
	}
	if strings.ContainsRune(text, utf8.RuneError) && halfCharacter(raw) {
		return "", errors.New("has half a character of UTF-16")
	}
	return text, nil
}

// halfCharacter reports whether an escape of the text is a surrogate without its other half (RFC 8259 section 8.2).
func halfCharacter(raw []byte) bool {
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			i++
			continue
		}
		unit := codeUnit(raw[i:])
		switch {
		case unit < 0:
			i += 2
		case unit < 0xD800 || unit > 0xDFFF:
			i += 6
		default:
			low := codeUnit(raw[i+6:])
			if unit > 0xDBFF || low < 0xDC00 || low > 0xDFFF {
				return true
			}
			i += 12
		}
	}
	return false
}

// codeUnit returns the number of a \uXXXX that the text begins with; -1 where it does not.
func codeUnit(text []byte) int64 {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int64(n)
}
