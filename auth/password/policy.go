package password

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// Kind is the kind of a Problem.
type Kind string

// The kinds of problems a new password can have.
const (
	TooShort   Kind = "too_short"   // fewer than MinLength characters
	TooLong    Kind = "too_long"    // more than MaxLength characters
	TooCommon  Kind = "too_common"  // one of the passwords tried first
	TooSimilar Kind = "too_similar" // close to something known of the user
	Invalid    Kind = "invalid"     // not text, with a NUL, or blank
)

// Problem is one reason not to take a password.
type Problem struct {
	Kind    Kind
	Message string // for people, in English; never repeats the password
}

// Attributes are what is known of the user a password is for. Empty ones are
// ignored.
type Attributes struct {
	Username  string
	Email     string
	FirstName string
	LastName  string
}

// Policy judges new passwords by NIST SP 800-63B and with the checks and words
// of Django: length, a list of common passwords, likeness to the user's own
// data, and no rule on what characters to mix. It is safe for use by several
// goroutines.
type Policy struct {
	common func() commonList // unpacked when it is first asked for
}

// NewPolicy returns a Policy. Its first Check unpacks about a megabyte; keep what it returns.
func NewPolicy() *Policy {
	return &Policy{common: sync.OnceValue(loadCommon)}
}

// Check returns every reason not to take password for the user that about
// describes; none means it is good. The time taken grows with the length of the
// password and of the attributes, not with their product. A password that is
// too long is not looked at further.
func (p *Policy) Check(password string, about Attributes) []Problem {
	if tooLong(password) {
		return []Problem{{TooLong, fmt.Sprintf("This password is too long. It must contain at most %d characters.", MaxLength)}}
	}

	var problems []Problem
	add := func(kind Kind, message string) { problems = append(problems, Problem{kind, message}) }

	if !utf8.ValidString(password) {
		add(Invalid, "This password is not valid text.")
	}
	if strings.ContainsRune(password, 0) {
		add(Invalid, "Null characters are not allowed.")
	}
	if password != "" && strings.TrimSpace(password) == "" {
		add(Invalid, "Blank passwords aren't allowed.")
	}
	if utf8.RuneCountInString(password) < MinLength {
		add(TooShort, fmt.Sprintf("This password is too short. It must contain at least %d characters.", MinLength))
	}
	if p.common().contains(password) {
		add(TooCommon, "This password is too common.")
	}
	for _, name := range about.similarTo(password) {
		add(TooSimilar, fmt.Sprintf("The password is too similar to the %s.", name))
	}
	return problems
}
