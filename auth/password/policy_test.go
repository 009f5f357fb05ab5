package password_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth/password"
)

func kinds(problems []password.Problem) []password.Kind {
	var all []password.Kind
	for _, p := range problems {
		all = append(all, p.Kind)
	}
	return all
}

func TestCheck(t *testing.T) {
	jane := password.Attributes{Username: "jane.doe", Email: "jdoe77@example.com", FirstName: "Jane", LastName: "Featherstonehaugh"}
	tests := []struct {
		name     string
		password string
		about    password.Attributes
		want     []password.Kind
	}{
		{"a good one", "correct horse battery", jane, nil},
		{"letters only", "vqzkwjxh", jane, nil},
		{"digits only", "8305927461", jane, nil},
		{"seven characters", "vqzkwjx", jane, []password.Kind{password.TooShort}},
		{"seven characters of four bytes", strings.Repeat("🔑🗝", 3) + "🔒", jane, []password.Kind{password.TooShort}},
		{"eight characters of four bytes", strings.Repeat("🔑🗝", 4), jane, nil},
		{"empty", "", jane, []password.Kind{password.TooShort}},
		{"the longest", strings.Repeat("xy🔑z", password.MaxLength/4), jane, nil},
		{"one too long", strings.Repeat("xy🔑z", password.MaxLength/4) + "x", jane, []password.Kind{password.TooLong}},
		{"bytes beyond count", strings.Repeat("a", 8<<20), jane, []password.Kind{password.TooLong}},
		{"spaces inside and around", " four words of mine ", jane, nil},
		{"blank", "          ", jane, []password.Kind{password.Invalid}},
		{"blank and short", "\t \n", jane, []password.Kind{password.Invalid, password.TooShort}},
		{"a NUL", "correct\x00horse", jane, []password.Kind{password.Invalid}},
		{"not UTF-8", "correct\xffhorse", jane, []password.Kind{password.Invalid}},
		{"common", "password123", jane, []password.Kind{password.TooCommon}},
		{"common in another case", "PassWord123", jane, []password.Kind{password.TooCommon}},
		{"common with space around", " password123 ", jane, []password.Kind{password.TooCommon}},
		{"common and short", "123456", jane, []password.Kind{password.TooShort, password.TooCommon}},
		{"the username", "jane.doe", jane, []password.Kind{password.TooSimilar}},
		{"the username in capitals with a digit", "JANE.DOE7", jane, []password.Kind{password.TooSimilar}},
		{"the username backwards", "eod.enaj", jane, []password.Kind{password.TooSimilar}},
		{"the local part of the address", "jdoe77..", jane, []password.Kind{password.TooSimilar}},
		{"the domain of the address", "example.com", jane, []password.Kind{password.TooSimilar}},
		{"the local part of many words", "hgfedcba5", password.Attributes{Email: "ab.cd.ef.gh@example.com"}, []password.Kind{password.TooSimilar}},
		{"the last name", "featherstonehaugh!", jane, []password.Kind{password.TooSimilar}},
		{"a word of the last name", "featherstonehaugh", password.Attributes{LastName: "Featherstonehaugh-Cholmondeley von Greif"}, []password.Kind{password.TooSimilar}},
		{"a short name in a long password", "jane picks turnips", jane, nil},
		{
			"everything at once", "admin",
			password.Attributes{Username: "admin", Email: "admin@example.com"},
			[]password.Kind{password.TooShort, password.TooCommon, password.TooSimilar, password.TooSimilar},
		},
		{"nothing known of the user", "jane.doe", password.Attributes{}, nil},
		{"names of one letter", "abcdefgj", password.Attributes{Username: "a", FirstName: "b", LastName: "c"}, nil},
		{"folded as German does", "STRASSENFEST", password.Attributes{Username: "straßenfest"}, []password.Kind{password.TooSimilar}},
		{"exactly at the limit", "gfedcba579", password.Attributes{Username: "abcdefgxyz"}, []password.Kind{password.TooSimilar}},
		{"just below the limit", "fedcba5793", password.Attributes{Username: "abcdefwxyz"}, nil},
	}
	policy := password.NewPolicy()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := policy.Check(test.password, test.about)
			if diff := cmp.Diff(test.want, kinds(got)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			for _, problem := range got {
				if problem.Message == "" {
					t.Errorf("%s has no message", problem.Kind)
				}
			}
		})
	}
}

func TestCheckSpeaksAsDjangoDoes(t *testing.T) {
	about := password.Attributes{Username: "monkey", Email: "monkey@zoo.example", FirstName: "Monkey", LastName: "Monkey"}
	want := []password.Problem{
		{Kind: password.TooShort, Message: "This password is too short. It must contain at least 8 characters."},
		{Kind: password.TooCommon, Message: "This password is too common."},
		{Kind: password.TooSimilar, Message: "The password is too similar to the username."},
		{Kind: password.TooSimilar, Message: "The password is too similar to the email address."},
		{Kind: password.TooSimilar, Message: "The password is too similar to the first name."},
		{Kind: password.TooSimilar, Message: "The password is too similar to the last name."},
	}
	if diff := cmp.Diff(want, password.NewPolicy().Check("monkey", about)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestTheEmbeddedList(t *testing.T) {
	list := password.CommonPasswords()
	text := strings.Join(list, "\n") + "\n"
	if got, want := fmt.Sprintf("%x", sha256.Sum256([]byte(text))), "53c25655c51b5a0189a429872391895f947ae59eb46a9140e2df128b208ac236"; got != want {
		t.Errorf("digest = %s, want that of NOTICE, %s", got, want)
	}
	if !slices.IsSorted(list) {
		t.Error("it is not in order, so a binary search fails")
	}
	long := 0
	for _, p := range list {
		if p != strings.ToLower(strings.TrimSpace(p)) {
			t.Errorf("%q is not lower-case or has space around", p)
		}
		if utf8.RuneCountInString(p) >= password.MinLength {
			long++
		}
	}
	if least := 10_000; long < least {
		t.Errorf("%d passwords on it are long enough, want %d or more", long, least)
	}
}

func TestEveryCommonPasswordIsRefusedInCapitalsToo(t *testing.T) {
	policy := password.NewPolicy()
	for _, p := range password.CommonPasswords() {
		if got := kinds(policy.Check(strings.ToUpper(p), password.Attributes{})); !slices.Contains(got, password.TooCommon) {
			t.Errorf("%q in capitals: %v, want TooCommon", p, got)
		}
	}
}
