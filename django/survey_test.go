package django_test

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/django"
)

// survey surveys a dump and returns what it reports, too.
func survey(t *testing.T, dump string, own ...string) (*django.Survey, []string) {
	t.Helper()
	var faults []string
	s, err := django.NewSurvey(django.NewReader(strings.NewReader(dump), django.Options{}), own,
		func(e *django.Error) { faults = append(faults, e.Error()) }, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return s, faults
}

// described tells of everything that a dump says, a line a user or role.
func described(t *testing.T, dump string) []string {
	t.Helper()
	s, faults := survey(t, dump)
	lines := faults
	for _, role := range s.Roles() {
		lines = append(lines, fmt.Sprintf("role %q %v", role.Name, role.Permissions))
	}
	records, _ := all(strings.NewReader(dump), django.Options{})
	for _, r := range records {
		if r.User == nil {
			continue
		}
		roles, permissions, err := s.Member(r.At, r.User)
		if err != nil {
			lines = append(lines, err.Error())
			continue
		}
		algorithm, _, _ := strings.Cut(r.User.Password, "$")
		if strings.HasPrefix(algorithm, "!") {
			algorithm = "!"
		}
		lines = append(lines, fmt.Sprintf("user %d %q %s %v %v", r.User.ID, r.User.Username, algorithm, roles, permissions))
	}
	return lines
}

func TestRealDumps(t *testing.T) {
	people := func(clara string) []string {
		return []string{
			`user 1 "ada" pbkdf2_sha256 [editors support & care] []`,
			`user 2 "Clara" pbkdf2_sha256 [editors] [` + clara + `]`,
			`user 3 "ciara" pbkdf2_sha1 [] []`,
			`user 4 "root@example.org" pbkdf2_sha256 [] []`,
			`user 5 "gone+left" pbkdf2_sha256 [] []`,
			`user 6 "sso" ! [] []`,
			`user 7 "old" md5 [] []`,
			`user 8 "e` + "\u0301" + `mile smith" pbkdf2_sha256 [] []`,
		}
	}
	full := slices.Concat([]string{
		`role "editors" [sessions.add_session sessions.view_session]`,
		`role "support & care" [auth.change_user auth.view_user]`,
	}, people("sessions.delete_session"))
	bare := slices.Concat([]string{
		`role "editors" [add_session view_session]`,
		`role "support & care" [change_user view_user]`,
	}, people("delete_session"))
	for name, want := range map[string][]string{
		"pk.json": bare, "indent.json": bare, "pk_types.json": full, "pk_types.jsonl": full, "natural.json": full,
	} {
		t.Run(name, func(t *testing.T) {
			dump, err := os.ReadFile("testdata/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, described(t, string(dump))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("natural_primary.json", func(t *testing.T) {
		dump, err := os.ReadFile("testdata/natural_primary.json")
		if err != nil {
			t.Fatal(err)
		}
		got := described(t, string(dump))
		if len(got) != 8+2 || !strings.Contains(got[0], `it has no "pk"`) || got[8] != full[0] || got[9] != full[1] {
			t.Errorf("got %q", got)
		}
	})
}

func TestTheOrderOfRecordsDoesNotMatter(t *testing.T) {
	records := []string{
		`{"model":"auth.user","pk":5,"fields":{"username":"ada","password":"!","groups":[3],"user_permissions":[7]}}`,
		`{"model":"auth.group","pk":3,"fields":{"name":"editors","permissions":[7,8]}}`,
		`{"model":"auth.permission","pk":7,"fields":{"codename":"view_x","content_type":2,"name":"Can view x"}}`,
		`{"model":"auth.permission","pk":8,"fields":{"codename":"add_x","content_type":["shop","x"],"name":"Can add x"}}`,
		`{"model":"contenttypes.contenttype","pk":2,"fields":{"app_label":"shop","model":"x"}}`,
	}
	want := []string{`role "editors" [shop.add_x shop.view_x]`, `user 5 "ada" ! [editors] [shop.view_x]`}
	var permute func(list []string, k int)
	permute = func(list []string, k int) {
		if k == len(list) {
			if diff := cmp.Diff(want, described(t, "["+strings.Join(list, ",")+"]")); diff != "" {
				t.Errorf("%q (-want +got):\n%s", list, diff)
			}
			return
		}
		for i := k; i < len(list); i++ {
			list[k], list[i] = list[i], list[k]
			permute(list, k+1)
			list[k], list[i] = list[i], list[k]
		}
	}
	permute(records, 0)
}

func TestWhatTheDumpCannotSay(t *testing.T) {
	user := `{"model":"auth.user","pk":1,"fields":{"username":"ada","password":"!"%s}}`
	group := `{"model":"auth.group","pk":3,"fields":{"name":"editors","permissions":[%s]}}`
	permission := `{"model":"auth.permission","pk":7,"fields":{"codename":%q,"content_type":2}}`
	for _, test := range []struct {
		name string
		dump []string
		want string
	}{
		{
			"an id twice",
			[]string{fmt.Sprintf(user, ""), `{"model":"auth.user","pk":1,"fields":{"username":"bob","password":"!"}}`},
			"record 2 (line 2, byte 74): the dump had a user with pk 1 before",
		},
		{
			"a username twice",
			[]string{fmt.Sprintf(user, ""), `{"model":"auth.user","pk":2,"fields":{"username":"ada","password":"!"}}`},
			`record 2 (line 2, byte 74): the dump had a user "ada" before`,
		},
		{
			"a group twice",
			[]string{fmt.Sprintf(group, ""), fmt.Sprintf(group, "")},
			"record 2 (line 2, byte 77): auth.group: the dump had one of that pk or name before",
		},
		{
			"a permission twice",
			[]string{fmt.Sprintf(permission, "a"), fmt.Sprintf(permission, "b")},
			"record 2 (line 2, byte 80): auth.permission: the dump had one with pk 7 before",
		},
		{
			"a group that is missing",
			[]string{fmt.Sprintf(user, `,"groups":[3]`)},
			`record 1 (line 1, byte 1): the user "ada" is in group 3, which cannot be taken from the dump; dump auth.group, too`,
		},
		{
			"a group that is missing by name",
			[]string{fmt.Sprintf(user, `,"groups":[["editors"]]`)},
			`record 1 (line 1, byte 1): the user "ada" is in group ["editors"], which cannot be taken from the dump; dump auth.group, too`,
		},
		{
			"a permission that is missing",
			[]string{fmt.Sprintf(user, `,"user_permissions":[7]`)},
			`record 1 (line 1, byte 1): the user "ada": it has permission 7, which cannot be taken from the dump; dump auth.permission, too, or use --natural-foreign`,
		},
		{
			"a permission of a group that is missing",
			[]string{fmt.Sprintf(group, "7")},
			`record 1 (line 1, byte 1): auth.group: it has permission 7, which cannot be taken from the dump; dump auth.permission, too, or use --natural-foreign`,
		},
		{
			"a permission that would mean something here",
			[]string{fmt.Sprintf(permission, "users:write")},
			`record 1 (line 1, byte 1): auth.permission: without its app it would be "users:write", which means something here; dump contenttypes.contenttype, too`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			dump := "[" + strings.Join(test.dump, ",\n") + "]"
			s, faults := survey(t, dump, "users:write")
			records, _ := all(strings.NewReader(dump), django.Options{})
			for _, r := range records {
				if r.User == nil || s.Refused(r.At) {
					continue
				}
				if _, _, err := s.Member(r.At, r.User); err != nil {
					faults = append(faults, err.Error())
				}
			}
			if diff := cmp.Diff([]string{test.want}, faults); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestASurveyCountsWhatIsNotImported(t *testing.T) {
	s, faults := survey(t, `[{"model":"shop.order","pk":"x"},{"model":"shop.order"},{"model":"auth.permission","pk":7,"fields":{"codename":"a","content_type":2}}]`)
	if faults != nil || s.Ignored["shop.order"] != 2 || s.Bare != 1 || s.Users != 0 {
		t.Errorf("%+v, faults %q", s, faults)
	}
}

// However many models a dump has, and however long their names are, little is kept of them.
func TestASurveyKeepsLittleOfWhatIsIgnored(t *testing.T) {
	out, in := io.Pipe()
	go func() {
		for i := range 500 {
			_, _ = fmt.Fprintf(in, `{"model":"%06d%s"}`+"\n", i, strings.Repeat("é", 10_000))
		}
		_ = in.Close()
	}()
	before := heap()
	s, err := django.NewSurvey(django.NewReader(out, django.Options{}), nil, func(e *django.Error) { t.Error(e) }, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if grown := int64(heap()) - int64(before); grown > 1<<20 {
		t.Errorf("the survey keeps %d bytes", grown)
	}
	if len(s.Ignored) != 301 || s.Ignored["000007"+strings.Repeat("é", 74)] != 1 || s.Ignored[""] != 200 {
		t.Errorf("%d names, %d beyond", len(s.Ignored), s.Ignored[""])
	}
}

func TestASurveyEndsWhereTheDumpCannotBeRead(t *testing.T) {
	for _, in := range []io.Reader{strings.NewReader("[" + ada), strings.NewReader("")} {
		if s, err := django.NewSurvey(django.NewReader(in, django.Options{}), nil, func(*django.Error) {}, func(int) {}); err == nil {
			t.Errorf("got %+v", s)
		}
	}
}
