// Package username normalises usernames, checks new ones, and tells which look
// alike.
//
// The rules are those of Django's default user: 1 to 150 letters, digits and
// @ . + - _ of any script, in Unicode's normalization form NFKC. Case counts
// when a name is looked up; names that a reader would take for one another are
// found by their Skeleton.
package username

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxLength is the most characters (Unicode code points) a username may have,
// before and after normalisation.
const MaxLength = 150

// Normalize returns the form of name that is stored and looked up: NFKC
// (UAX #15), as Django does on every way in. Nothing is trimmed, and case is
// kept. A name that is not Plausible comes back unchanged, and costs nothing.
func Normalize(name string) string {
	if !Plausible(name) {
		return name
	}
	return norm.NFKC.String(name)
}

// Plausible tells whether a stored username could be equal to Normalize(name):
// whether name is valid UTF-8, without a NUL, and of 1 to MaxLength characters.
// It is for signing in, where a name that was stored under other rules than
// Check's must be found too, and anything else need not reach the database.
func Plausible(name string) bool {
	return name != "" && !tooLong(name) && utf8.ValidString(name) && !strings.ContainsRune(name, 0)
}

// tooLong tells whether name has more than MaxLength characters. It reads no
// more of a huge one than its length in bytes.
func tooLong(name string) bool {
	return len(name) > MaxLength*utf8.UTFMax || utf8.RuneCountInString(name) > MaxLength
}

// Kind is the kind of a Problem.
type Kind string

// The kinds of problems a new username can have.
const (
	Required Kind = "required" // empty
	TooLong  Kind = "too_long" // more than MaxLength characters
	Invalid  Kind = "invalid"  // a character that is not allowed, or not text
)

// Problem is a reason not to take a username.
type Problem struct {
	Kind    Kind
	Message string // for people, in English; never repeats the name
}

// Check returns the reasons not to take Normalize(name) as a new username, in
// Django's words; none means it is good. It does not know which names are taken.
//
// Beyond Django's rule it refuses letters that cannot be seen, such as the
// Hangul filler U+3164.
func Check(name string) []Problem {
	if name == "" {
		return []Problem{{Required, "This field is required."}}
	}
	normalized := Normalize(name) // may be longer: U+FDFA becomes 18 characters
	if tooLong(normalized) {
		return []Problem{{TooLong, "Ensure this value has at most 150 characters."}}
	}
	if !utf8.ValidString(normalized) || strings.ContainsFunc(normalized, isNotAllowed) {
		return []Problem{{Invalid, "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."}}
	}
	return nil
}

// isNotAllowed is [^\w.@+-] of Python's regular expressions, where \w is what
// Unicode calls a letter or a number of any kind, and the underscore; and what
// cannot be seen.
func isNotAllowed(r rune) bool {
	if strings.ContainsRune("@.+-_", r) {
		return false
	}
	return !unicode.IsLetter(r) && !unicode.IsNumber(r) || isIgnorable(r)
}

// isIgnorable tells whether r shows nothing of itself (the property
// Default_Ignorable_Code_Point, and all of format control).
func isIgnorable(r rune) bool {
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Cf)
}
