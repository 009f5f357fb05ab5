package django_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/django"
)

// all reads a dump to its end and returns the records, and the errors that came between and behind them.
func all(in io.Reader, o django.Options) (records []django.Record, faults []string) {
	r := django.NewReader(in, o)
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return records, faults
		}
		if err != nil {
			faults = append(faults, err.Error())
			if e, ok := errors.AsType[*django.Error](err); !ok || e.Fatal {
				return records, append(faults, "fatal")
			}
			continue
		}
		records = append(records, record)
	}
}

const ada = `{"model": "auth.user", "pk": 1, "fields": {"password": "!", "last_login": "2026-01-02T03:04:05.678Z", "is_superuser": true, "username": "ada", "first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org", "is_staff": true, "is_active": false, "date_joined": "2019-05-17T10:30:00.123456+02:00", "groups": [1, ["editors"]], "user_permissions": [7, ["add_user", "auth", "user"]]}}`

func grace(id int) string {
	return fmt.Sprintf(`{"model":"auth.user","pk":%d,"fields":{"username":"grace%d","password":""}}`, id, id)
}

func TestAUserComesWithEverything(t *testing.T) {
	login := time.Date(2026, 1, 2, 3, 4, 5, 678000000, time.UTC)
	records, faults := all(strings.NewReader("["+ada+"]"), django.Options{})
	want := []django.Record{{
		At: django.Position{Record: 1, Line: 1, Byte: 1}, Model: "auth.user",
		User: &django.User{
			ID: 1, Username: "ada", Email: "ada@example.org", FirstName: "Ada", LastName: "Lovelace", Password: "!",
			IsStaff: true, IsSuperuser: true, DateJoined: time.Date(2019, 5, 17, 8, 30, 0, 123456000, time.UTC), LastLogin: &login,
			Groups:      []django.Key{{ID: 1}, {Natural: []string{"editors"}}},
			Permissions: []django.Key{{ID: 7}, {Natural: []string{"add_user", "auth", "user"}}},
		},
	}}
	if diff := cmp.Diff(want, records); diff != "" || faults != nil {
		t.Errorf("faults %q (-want +got):\n%s", faults, diff)
	}
}

func TestAUserModelOfOnesOwn(t *testing.T) {
	dump := `[{"model":"accounts.member","pk":9,"fields":{"mail":"a@example.org","password":"!","last_login":null}},` + ada + `]`
	records, faults := all(strings.NewReader(dump), django.Options{UserModel: "Accounts.Member", UsernameField: "mail"})
	want := &django.User{ID: 9, Username: "a@example.org", Password: "!", IsActive: true}
	if diff := cmp.Diff(want, records[0].User); diff != "" || faults != nil || len(records) != 2 || records[1].User != nil {
		t.Errorf("%d records, faults %q (-want +got):\n%s", len(records), faults, diff)
	}
}

func TestTheFormatIsDetected(t *testing.T) {
	a, b := grace(1), grace(2)
	for _, test := range []struct{ name, dump string }{
		{"array", "[" + a + "," + b + "]"},
		{"array with room", " [ \n" + a + "\r\n,\t" + b + " ] \n"},
		{"array behind a byte order mark", "\ufeff[" + a + "," + b + "]"},
		{"lines", a + "\n" + b + "\n"},
		{"lines, the last one without its end", a + "\n" + b},
		{"lines of Windows", a + "\r\n" + b + "\r\n"},
		{"lines with empty ones", "\n\n" + a + "\n\n" + b + "\n\n"},
		{"lines behind a byte order mark", "\ufeff" + a + "\n" + b},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, in := range map[string]io.Reader{
				"at once": strings.NewReader(test.dump), "byte by byte": iotest.OneByteReader(strings.NewReader(test.dump)),
				"with the end": iotest.DataErrReader(strings.NewReader(test.dump)),
			} {
				records, faults := all(in, django.Options{})
				if len(records) != 2 || faults != nil || records[1].User.ID != 2 {
					t.Errorf("%s: %d records, faults %q", name, len(records), faults)
				}
				for i, r := range records {
					if at := int64(strings.Index(test.dump, []string{a, b}[i])); r.At.Byte != at || r.At.Record != i+1 ||
						r.At.Line != 1+strings.Count(test.dump[:at], "\n") {
						t.Errorf("%s: record %d is at %v", name, i+1, r.At)
					}
				}
			}
		})
	}
	for _, dump := range []string{"[]", " [ ] ", "\ufeff[]\n"} {
		if records, faults := all(strings.NewReader(dump), django.Options{}); records != nil || faults != nil {
			t.Errorf("%q: %d records, faults %q", dump, len(records), faults)
		}
	}
}

func TestAMalformedRecordIsToldWithItsPlaceAndPassedOver(t *testing.T) {
	user := func(fields string) string { return `{"model":"auth.user","pk":7,"fields":{` + fields + `}}` }
	for _, test := range []struct{ name, bad, why string }{
		{"no JSON", `{"model":x}`, "it is no JSON, from its byte 9 on"},
		{"two values without a comma", grace(7) + " " + grace(8), "it is no JSON, from its byte 74 on"},
		{"a number", "7", "it is no JSON object"},
		{"a text", `"auth.user"`, "it is no JSON object"},
		{"null", "null", "it is no JSON object"},
		{"a list", "[[1,2],3]", "it is no JSON object"},
		{"not UTF-8", "{\"model\":\"\xff\"}", "it is not UTF-8"},
		{"no model", `{"pk":7}`, `it does not say of which "model" it is`},
		{"a model that is no text", `{"model":7}`, `it does not say of which "model" it is`},
		{"names in other letters", `{"Model":"auth.user"}`, `it does not say of which "model" it is`},
		{"no fields", `{"model":"auth.user","pk":7}`, `auth.user: "fields" is no object`},
		{"fields that are none", `{"model":"auth.user","pk":7,"fields":[]}`, `auth.user: "fields" is no object`},
		{"no pk", `{"model":"auth.user","fields":{}}`, `auth.user: it has no "pk"; dump users without --natural-primary: tokens name users by it`},
		{"a pk of 0", `{"model":"auth.user","pk":0,"fields":{}}`, `auth.user: its "pk" is no whole number from 1 to 9007199254740991, as ids are here`},
		{"a negative pk", `{"model":"auth.user","pk":-7,"fields":{}}`, `auth.user: its "pk" is no whole number from 1 to 9007199254740991, as ids are here`},
		{"a pk that is a text", `{"model":"auth.user","pk":"7","fields":{}}`, `auth.user: its "pk" is no whole number from 1 to 9007199254740991, as ids are here`},
		{"a pk with a fraction", `{"model":"auth.user","pk":7.5,"fields":{}}`, `auth.user: its "pk" is no whole number from 1 to 9007199254740991, as ids are here`},
		{"a pk above what JavaScript knows", `{"model":"auth.user","pk":9007199254740992,"fields":{}}`, `auth.user: its "pk" is no whole number from 1 to 9007199254740991, as ids are here`},
		{"a pk that is too large", `{"model":"auth.user","pk":9223372036854775808,"fields":{}}`, `auth.user: its "pk" is no whole number from 1 to 9007199254740991, as ids are here`},
		{"no username", user(`"password":"!"`), `auth.user: it has no field "username"`},
		{"no password", user(`"username":"a"`), `auth.user: it has no field "password"`},
		{"a username of null", user(`"username":null,"password":"!"`), `auth.user: its "username" is no text`},
		{"an empty username", user(`"username":"","password":"!"`), `auth.user: its "username" is empty`},
		{"a long username", user(`"username":"` + strings.Repeat("é", 151) + `","password":"!"`), `auth.user: its "username" has 151 characters, more than 150`},
		{"a long first name", user(`"username":"a","password":"!","first_name":"` + strings.Repeat("é", 151) + `"`), `auth.user: its "first_name" has 151 characters, more than 150`},
		{"a long last name", user(`"username":"a","password":"!","last_name":"` + strings.Repeat("é", 151) + `"`), `auth.user: its "last_name" has 151 characters, more than 150`},
		{"a long e-mail", user(`"username":"a","password":"!","email":"` + strings.Repeat("a", 255) + `"`), `auth.user: its "email" has 255 characters, more than 254`},
		{"a long hash", user(`"username":"a","password":"` + strings.Repeat("a", 513) + `"`), `auth.user: its "password" has 513 characters, more than 512`},
		{"a NUL", user(`"username":"a\u0000","password":"!"`), `auth.user: its "username" has a character NUL`},
		{"half a character", user(`"username":"a\ud83e","password":"!"`), `auth.user: its "username" has half a character of UTF-16`},
		{"the other half", user(`"username":"\udd8a a","password":"!"`), `auth.user: its "username" has half a character of UTF-16`},
		{"two first halves", user(`"username":"\ud83e\ud83e","password":"!"`), `auth.user: its "username" has half a character of UTF-16`},
		{"an e-mail that is a number", user(`"username":"a","password":"!","email":7`), `auth.user: its "email" is no text`},
		{"a truth that is a text", user(`"username":"a","password":"!","is_active":"false"`), `auth.user: its "is_active" is neither true nor false`},
		{"a truth of null", user(`"username":"a","password":"!","is_superuser":null`), `auth.user: its "is_superuser" is neither true nor false`},
		{"a date that is none", user(`"username":"a","password":"!","date_joined":"yesterday"`), `auth.user: its "date_joined" is no time as in 2026-01-31T12:00:00Z, of the years 1 to 9999 in UTC`},
		{"a date that is after the year 9999 in UTC", user(`"username":"a","password":"!","date_joined":"9999-12-31T23:59:59.999999-12:00"`), `auth.user: its "date_joined" is no time as in 2026-01-31T12:00:00Z, of the years 1 to 9999 in UTC`},
		{"a date that is before the year 1 in UTC", user(`"username":"a","password":"!","last_login":"0001-01-01T00:00:00+14:00"`), `auth.user: its "last_login" is no time as in 2026-01-31T12:00:00Z, of the years 1 to 9999 in UTC`},
		{"groups of null", user(`"username":"a","password":"!","groups":null`), `auth.user: its "groups" is no list`},
		{"a group by half a key", user(`"username":"a","password":"!","groups":[[]]`), `auth.user: in its "groups" a key is neither a whole number from 1 to 9007199254740991 nor a list of 1 texts of up to 150 characters`},
		{"a permission by half a key", user(`"username":"a","password":"!","user_permissions":[["a","b"]]`), `auth.user: in its "user_permissions" a key is neither a whole number from 1 to 9007199254740991 nor a list of 3 texts of up to 150 characters`},
		{"a group by a long key", user(`"username":"a","password":"!","groups":[["` + strings.Repeat("g", 151) + `"]]`), `auth.user: in its "groups" a key is neither a whole number from 1 to 9007199254740991 nor a list of 1 texts of up to 150 characters`},
		{"a group without a name", `{"model":"auth.group","pk":7,"fields":{"name":"","permissions":[]}}`, `auth.group: its name is empty`},
		{"a permission of nothing", `{"model":"auth.permission","pk":7,"fields":{"codename":"x"}}`, `auth.permission: its "content_type" is neither a whole number from 1 to 9007199254740991 nor a list of 2 texts of up to 150 characters`},
		{"a group with a long name", `{"model":"auth.group","pk":7,"fields":{"name":"` + strings.Repeat("é", 151) + `","permissions":[]}}`, `auth.group: its "name" has 151 characters, more than 150`},
		{"a long codename", `{"model":"auth.permission","pk":7,"fields":{"codename":"` + strings.Repeat("x", 151) + `","content_type":1}}`, `auth.permission: its "codename" has 151 characters, more than 150`},
		{"a long app", `{"model":"contenttypes.contenttype","pk":7,"fields":{"app_label":"` + strings.Repeat("x", 151) + `","model":"a"}}`, `contenttypes.contenttype: its "app_label" has 151 characters, more than 150`},
		{"a long model", `{"model":"contenttypes.contenttype","pk":7,"fields":{"app_label":"a","model":"` + strings.Repeat("x", 151) + `"}}`, `contenttypes.contenttype: its "model" has 151 characters, more than 150`},
		{"a huge field", user(`"username":"` + strings.Repeat("a", 1<<20) + `","password":"!"`), "it is longer than 1048576 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, format := range []struct{ name, open, between, end string }{
				{"array", "[", ",\n", "]"}, {"lines", "", "\n", "\n"},
			} {
				for place := range 3 {
					parts := []string{grace(1), grace(2)}
					parts = append(parts[:place], append([]string{test.bad}, parts[place:]...)...)
					dump := format.open + strings.Join(parts, format.between) + format.end
					if format.name == "lines" && place == 0 && test.bad[0] != '{' {
						continue // it is another format then
					}
					at := len(format.open) + len(strings.Join(parts[:place], format.between))
					if place > 0 {
						at += len(format.between)
					}
					want := fmt.Sprintf("record %d (line %d, byte %d): %s", place+1, place+1, at, test.why)
					records, faults := all(strings.NewReader(dump), django.Options{})
					if len(records) != 2 || len(faults) != 1 || faults[0] != want {
						t.Errorf("%s, place %d: %d records, faults\n%q, want\n%q", format.name, place, len(records), faults, want)
					}
				}
			}
		})
	}
}

// Where nobody can tell where a record ends, nothing behind it is read.
func TestADumpThatIsBrokenIsReadNoFurther(t *testing.T) {
	a := grace(1)
	for _, test := range []struct{ name, dump, why string }{
		{"nothing", "", "line 1, byte 0: the dump is empty, without even the [] of a dump of nothing"},
		{"white space", " \n", "line 2, byte 2: the dump is empty, without even the [] of a dump of nothing"},
		{"XML", "<?xml version=\"1.0\"?>", "line 1, byte 0: the dump is neither JSON nor JSON Lines, which begin with [ and {"},
		{"UTF-16", "\xff\xfe[\x00]\x00", "line 1, byte 0: the dump is UTF-16, as some shells write it; let dumpdata write the file, with its flag -o FILE"},
		{"gzip", "\x1f\x8b\x08\x00", "line 1, byte 0: the dump is compressed; unpack it, and give it on standard input"},
		{"cut short at the beginning", "[", "line 1, byte 1: the dump ends here, without its last ]: it was cut short"},
		{"cut short behind a record", "[\n" + a, "record 1 (line 2, byte 75): the dump ends here, without its last ]: it was cut short"},
		{"cut short behind a comma", "[" + a + ",", "record 1 (line 1, byte 75): the dump ends here, without its last ]: it was cut short"},
		{"cut short in a text", "[" + a + `,{"mod`, "record 2 (line 1, byte 80): the dump ends here, without its last ]: it was cut short"},
		{"something behind it", "[" + a + "] x", "line 1, byte 76: something follows the ] that ends the dump"},
		{"two arrays", "[" + a + "]\n[]", "line 2, byte 76: something follows the ] that ends the dump"},
		{"the wrong bracket", "[" + a + `,{"a":[1}]`, "record 2 (line 1, byte 82): the record has a } where none can be, so that its end cannot be told"},
		{"a bracket too many", "[" + a + "}]", "record 1 (line 1, byte 74): the record has a } where none can be, so that its end cannot be told"},
		{"a text without an end", "[{\"a\":\"b},\n" + a + "]", "record 1 (line 1, byte 10): the record has a line break or control character inside a text, so that its end cannot be told"},
		{"a text that turns inside out", `[{"a":"b,"c":"x \" y"}]`, `record 1 (line 1, byte 16): the record has a \ outside of a text, so that its end cannot be told`},
		{"brackets for ever", "[" + strings.Repeat("[", 70), "record 1 (line 1, byte 65): the record has more than 64 brackets within each other"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, faults := all(strings.NewReader(test.dump), django.Options{})
			if len(faults) != 2 || faults[0] != test.why || faults[1] != "fatal" {
				t.Errorf("faults\n%q, want\n%q", faults, test.why)
			}
		})
	}
	t.Run("a comma too many", func(t *testing.T) {
		records, faults := all(strings.NewReader("["+a+",]"), django.Options{})
		if len(records) != 1 || len(faults) != 1 || !strings.HasPrefix(faults[0], "record 2 (line 1, byte 75): it is no JSON") {
			t.Errorf("%d records, faults %q", len(records), faults)
		}
	})
	t.Run("the input fails", func(t *testing.T) {
		broken := errors.New("the disk is broken")
		r := django.NewReader(io.MultiReader(strings.NewReader("["+a+","), iotest.ErrReader(broken)), django.Options{})
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := r.Next(); !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestWhatIsWrongIsNotRepeated(t *testing.T) {
	const secret = "swordfish"
	for _, dump := range []string{
		`[{"model":"auth.user","pk":"` + secret + `","fields":{}}]`,
		`[{"model":"auth.user","pk":1,"fields":{"username":"a","password":["` + secret + `"]}}]`,
		`[{"model":"auth.user","pk":1,"fields":{"username":"a","password":` + secret + `}}]`,
		`[{"model":"auth.user","pk":1,"fields":{"username":"a","password":"` + secret + `\u0000"}}]`,
		`[` + secret + `]`,
	} {
		_, faults := all(strings.NewReader(dump), django.Options{})
		if len(faults) == 0 || strings.Contains(strings.Join(faults, ""), secret) {
			t.Errorf("%s: faults %q", dump, faults)
		}
	}
}

// What has its bound in Django is imported up to it.
func TestAUserAtTheBounds(t *testing.T) {
	name, email, hash := strings.Repeat("é", 150), strings.Repeat("a", 254), strings.Repeat("h", 512)
	dump := fmt.Sprintf(`[{"model":"auth.user","pk":9007199254740991,"fields":{"username":%q,"first_name":%q,"last_name":%q,"email":%q,"password":%q,"groups":[[%q]]}}]`,
		name, name, name, email, hash, name)
	records, faults := all(strings.NewReader(dump), django.Options{})
	if faults != nil {
		t.Fatal(faults)
	}
	want := &django.User{
		ID: 1<<53 - 1, Username: name, FirstName: name, LastName: name, Email: email, Password: hash, IsActive: true,
		Groups: []django.Key{{Natural: []string{name}}},
	}
	if diff := cmp.Diff(want, records[0].User); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTimesOfDjango(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2019-05-17T08:30:00.123Z":      time.Date(2019, 5, 17, 8, 30, 0, 123000000, time.UTC),
		"2019-05-17T08:30:00Z":          time.Date(2019, 5, 17, 8, 30, 0, 0, time.UTC),
		"2019-05-17T10:30:00.123+02:00": time.Date(2019, 5, 17, 8, 30, 0, 123000000, time.UTC),
		"2019-05-17T08:30:00":           time.Date(2019, 5, 17, 8, 30, 0, 0, time.UTC), // USE_TZ = False
		"0001-01-01T00:00:00Z":          time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
		"9999-12-31T23:59:59.999999Z":   time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC),
		"2019-05-17T08:30:00.123":       time.Date(2019, 5, 17, 8, 30, 0, 123000000, time.UTC),
	} {
		dump := `[{"model":"auth.user","pk":1,"fields":{"username":"a","password":"","date_joined":"` + text + `"}}]`
		records, faults := all(strings.NewReader(dump), django.Options{})
		if faults != nil || !records[0].User.DateJoined.Equal(want) {
			t.Errorf("%s: faults %q, got %v", text, faults, records)
		}
	}
}

// users writes a dump of so many users without ever having it.
func users(n int) io.Reader {
	out, in := io.Pipe()
	go func() {
		_, _ = io.WriteString(in, "[")
		for i := range n {
			comma := ""
			if i > 0 {
				comma = ","
			}
			_, _ = fmt.Fprintf(in, `%s{"model":"auth.user","pk":%d,"fields":{"username":"user%d","password":"pbkdf2_sha256$260000$abcdefghijklmnopqrstuv$%s","groups":[],"email":"user%d@example.org"}}`,
				comma, i+1, i+1, strings.Repeat("A", 44), i+1)
		}
		_, _ = io.WriteString(in, "]")
		_ = in.Close()
	}()
	return out
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMemoryDoesNotGrowWithTheDump(t *testing.T) {
	const n = 50_000
	before := heap()
	var most uint64
	survey, err := django.NewSurvey(django.NewReader(users(n), django.Options{}), nil, func(e *django.Error) { t.Error(e) }, func(count int) {
		if count%10_000 == 0 {
			most = max(most, heap())
		}
	})
	if err != nil || survey.Users != n {
		t.Fatalf("%v, %v", survey, err)
	}
	if grown := int64(most) - int64(before); grown > n*60 { // the dump has some 220 bytes a user
		t.Errorf("the survey of %d users took %d bytes", n, grown)
	}
	after := heap()
	if grown := int64(after) - int64(before); grown > 1<<19 {
		t.Errorf("the survey of %d users keeps %d bytes", n, grown)
	}
	runtime.KeepAlive(survey)
}

func FuzzReader(f *testing.F) {
	for _, name := range []string{"pk.json", "natural.json", "pk_types.jsonl", "natural_primary.json"} {
		dump, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(dump[:1500]))
		f.Add(string(dump[len(dump)-1500:]))
	}
	f.Add("[" + ada + "," + grace(2) + "]")
	f.Add(ada + "\n" + grace(2))
	f.Add(`[{"model":"auth.user","pk":1,"fields":{"username":"\ud83e\udd8a","password":"\\"}},]`)
	f.Fuzz(func(t *testing.T, dump string) {
		at := int64(-1)
		r := django.NewReader(iotest.HalfReader(strings.NewReader(dump)), django.Options{})
		for range len(dump) + 2 {
			record, err := r.Next()
			if errors.Is(err, io.EOF) {
				if r.Offset() != int64(len(dump)) {
					t.Errorf("the end is at %d of %d bytes", r.Offset(), len(dump))
				}
				return
			}
			place := record.At
			if e, ok := errors.AsType[*django.Error](err); ok {
				if e.Fatal {
					return
				}
				place = e.At
			} else if err != nil {
				t.Fatal(err)
			}
			if place.Byte <= at || place.Byte > int64(len(dump)) || place.Line != 1+strings.Count(dump[:place.Byte], "\n") {
				t.Errorf("a record at %v, behind one at byte %d", place, at)
			}
			at = place.Byte
			if u := record.User; u != nil && (u.ID <= 0 || u.ID > 1<<53-1 || u.Username == "" || strings.ContainsRune(u.Username, 0)) {
				t.Errorf("the user %+v", u)
			}
		}
		t.Error("there is no end")
	})
}
