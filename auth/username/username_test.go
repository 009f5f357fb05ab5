package username_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth/username"
)

func TestNormalize(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "jane.doe+1@example-site_x", "jane.doe+1@example-site_x"},
		{"case is kept", "JaneDoe", "JaneDoe"},
		{"full width", "ａｄｍｉｎ", "admin"},
		{"decomposed", "cafe\u0301", "caf\u00e9"},
		{"Ohm sign", "iamtheΩ", "iamtheΩ"},
		{"ligature", "ﬁona", "fiona"},
		{"superscript", "x²", "x2"},
		{"spaces stay", " jane ", " jane "},
		{"a wide space becomes a space and stays", "jane\u3000doe", "jane doe"},
		{"Cyrillic stays Cyrillic", "аdmin", "аdmin"},
		{"empty", "", ""},
		{"not UTF-8", "ａ\xff", "ａ\xff"},
		{"a NUL", "ａ\x00", "ａ\x00"},
		{"the longest", strings.Repeat("ａ", 150), strings.Repeat("a", 150)},
		{"longer", strings.Repeat("ａ", 151), strings.Repeat("ａ", 151)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := username.Normalize(test.in); got != test.want {
				t.Errorf("Normalize(%q) = %q, want %q", test.in, got, test.want)
			}
		})
	}
}

func TestPlausible(t *testing.T) {
	tests := []struct {
		name, in string
		want     bool
	}{
		{"plain", "jane", true},
		{"one that Check would refuse", "jane doe!", true},
		{"150 characters of four bytes", strings.Repeat("𐐨", 150), true},
		{"151 characters", strings.Repeat("a", 151), false},
		{"megabytes", strings.Repeat("a", 8<<20), false},
		{"empty", "", false},
		{"a NUL", "jane\x00", false},
		{"not UTF-8", "jane\xff", false},
		{"a surrogate in UTF-8", "\xed\xa0\x80", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := username.Plausible(test.in); got != test.want {
				t.Errorf("Plausible = %t, want %t", got, test.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name, in string
		want     []username.Kind
	}{
		{"letters", "joe", nil},
		{"every sign that is allowed", "Jane.Doe+tag@example-site_1", nil},
		{"digits only", "12345", nil},
		{"one character", "x", nil},
		{"one sign", ".", nil},
		{"letters of other scripts", "René", nil},
		{"Cyrillic", "Иван", nil},
		{"Arabic", "ﻣﺮﻳﻢ", nil},
		{"Chinese", "王小明", nil},
		{"digits of other scripts", "user٣", nil},
		{"Roman numeral", "louisⅩⅣ", nil},
		{"decomposed, yet composed after all", "Rene\u0301", nil},
		{"full width", "ａｄｍｉｎ", nil},
		{"150 characters", strings.Repeat("я", 150), nil},
		{"empty", "", []username.Kind{username.Required}},
		{"151 characters", strings.Repeat("я", 151), []username.Kind{username.TooLong}},
		{"151 characters, 150 when composed", strings.Repeat("a", 149) + "e\u0301", []username.Kind{username.TooLong}},
		{"9 characters that become 162", strings.Repeat("\ufdfa", 9), []username.Kind{username.TooLong}},
		{"megabytes", strings.Repeat("a", 8<<20), []username.Kind{username.TooLong}},
		{"a space inside", "jane doe", []username.Kind{username.Invalid}},
		{"a space in front", " jane", []username.Kind{username.Invalid}},
		{"a space behind", "jane ", []username.Kind{username.Invalid}},
		{"a space of another kind", "jane\u00a0doe", []username.Kind{username.Invalid}},
		{"a line break", "jane\n", []username.Kind{username.Invalid}},
		{"blank", "   ", []username.Kind{username.Invalid}},
		{"another sign", "jane!", []username.Kind{username.Invalid}},
		{"an apostrophe", "o'connell", []username.Kind{username.Invalid}},
		{"a slash", "jane/doe", []username.Kind{username.Invalid}},
		{"an emoji", "jane🔑", []username.Kind{username.Invalid}},
		{"a fraction, which has a slash", "jane½", []username.Kind{username.Invalid}},
		{"a mark that does not compose", "q\u0301", []username.Kind{username.Invalid}},
		{"an em quad", "jane\u2001doe", []username.Kind{username.Invalid}},
		{"a joiner of width zero", "jane\u200ddoe", []username.Kind{username.Invalid}},
		{"a right-to-left override", "jane\u202edoe", []username.Kind{username.Invalid}},
		{"a ligature of words", "\ufdfa", []username.Kind{username.Invalid}},
		{"a letter that cannot be seen", "jane\u3164", []username.Kind{username.Invalid}},
		{"a replacement character", "jane\ufffd", []username.Kind{username.Invalid}},
		{"a NUL", "jane\x00", []username.Kind{username.Invalid}},
		{"not UTF-8", "jane\xff", []username.Kind{username.Invalid}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []username.Kind
			for _, p := range username.Check(test.in) {
				got = append(got, p.Kind)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckSpeaksAsDjangoDoes(t *testing.T) {
	for in, want := range map[string]username.Problem{
		"":                       {Kind: username.Required, Message: "This field is required."},
		strings.Repeat("a", 151): {Kind: username.TooLong, Message: "Ensure this value has at most 150 characters."},
		"jane doe":               {Kind: username.Invalid, Message: "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."},
	} {
		if diff := cmp.Diff([]username.Problem{want}, username.Check(in)); diff != "" {
			t.Errorf("Check(%q) (-want +got):\n%s", in, diff)
		}
	}
}

func TestWhatCheckTakesIsPlausibleInItsStoredForm(t *testing.T) {
	for _, name := range []string{"joe", "ａｄｍｉｎ", "Rene\u0301", strings.Repeat("\ufdf2", 37) + "ab", strings.Repeat("я", 150)} {
		if problems := username.Check(name); problems != nil {
			t.Errorf("Check(%q) = %v, want none", name, problems)
		}
		if stored := username.Normalize(name); !username.Plausible(stored) {
			t.Errorf("Plausible(%q) = false, want true", stored)
		}
	}
}
