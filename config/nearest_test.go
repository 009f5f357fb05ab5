package config_test

import (
	"testing"

	"latchkey/config"
)

func TestNearest(t *testing.T) {
	for _, test := range []struct {
		reason, name string
		known        []string
		want         string // empty: none
	}{
		{"one letter is wrong", "srve", []string{"serve", "schema"}, "serve"},
		{"the nearer one of two", "migrat", []string{"migrated", "migrate"}, "migrate"},
		{"the first of two that are as near", "bat", []string{"cat", "hat"}, "cat"},
		{"more than a third is wrong", "status", []string{"serve", "schema"}, ""},
		{"what all begin with does not count", "LATCHKEY_AB", []string{"LATCHKEY_CD"}, ""},
		{"the beginning of a name", "password", []string{"email", "password-stdin"}, "password-stdin"},
		{"too short a beginning", "pas", []string{"password-stdin"}, ""},
		{"nothing is known", "serve", nil, ""},
	} {
		got, ok := config.Nearest(test.name, test.known)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%s: got %q, %t, want %q", test.reason, got, ok, test.want)
		}
	}
}
