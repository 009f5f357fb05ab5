// Package password hashes passwords, checks them, judges how good new ones
// are, and makes random ones.
//
// Hashes are argon2id (RFC 9106) in the PHC string format; those that Django
// stored are read, too. All hashing of a process is meant to go through one Hasher, which bounds how many hashes run
// at once and so how much memory they take.
//
// A password is a string of Unicode code points and is hashed byte for byte as
// it was sent: never trimmed, cut, case-folded or normalised. Text that is not
// valid UTF-8, holds a NUL or is longer than MaxLength is no password at all.
package password

import (
	"strings"
	"unicode/utf8"
)

const (
	// MinLength is the fewest characters (Unicode code points) a new password
	// may have (NIST SP 800-63B).
	MinLength = 8

	// MaxLength is the most characters (Unicode code points) a password may
	// have. It keeps a huge password from costing anything.
	MaxLength = 1024
)

// hashable tells whether password is text that may be hashed at all. It says
// nothing about how good a password it is.
func hashable(password string) bool {
	return !tooLong(password) && utf8.ValidString(password) && !strings.ContainsRune(password, 0)
}

// tooLong tells whether password has more than MaxLength characters. It reads
// no more of a huge one than its length in bytes.
func tooLong(password string) bool {
	return len(password) > MaxLength*utf8.UTFMax || utf8.RuneCountInString(password) > MaxLength
}
