package password

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
)

// maxSimilarity is the likeness from which on a password is too similar:
// Django's default.
const maxSimilarity = 0.7

// similarTo returns the names, in Django's words, of the attributes that
// password is too similar to.
func (a Attributes) similarTo(password string) []string {
	letters := countLetters(fold(password))
	var names []string
	for _, attribute := range []struct{ name, value string }{
		{"username", a.Username},
		{"email address", a.Email},
		{"first name", a.FirstName},
		{"last name", a.LastName},
	} {
		for _, part := range parts(attribute.value) {
			if letters.similarity(part) >= maxSimilarity {
				names = append(names, attribute.name)
				break
			}
		}
	}
	return names
}

// parts returns what of an attribute a password is compared with: all of it,
// what is before the last @, and each word.
func parts(value string) []string {
	if value == "" {
		return nil
	}
	value = fold(value)
	all := append([]string{value}, strings.FieldsFunc(value, isNoWord)...)
	if at := strings.LastIndexByte(value, '@'); at > 0 {
		all = append(all, value[:at])
	}
	return all
}

// isNoWord is \W of Python's regular expressions.
func isNoWord(r rune) bool {
	return r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r)
}

// fold makes two texts equal that differ in case only. A Caser may keep state,
// so each call has its own.
func fold(s string) string { return cases.Fold().String(s) }

// letterCount tells how often each character occurs in a text of so many.
type letterCount struct {
	of    map[rune]int
	total int
}

func countLetters(s string) letterCount {
	count := letterCount{of: make(map[rune]int), total: utf8.RuneCountInString(s)}
	for _, r := range s {
		count.of[r]++
	}
	return count
}

// similarity is the quick ratio of Python's difflib, which Django uses here:
// twice the number of characters the texts share, wherever they stand, over
// the number both have. 1 is the same characters, so also a name backwards; a
// name much shorter than the password comes out low, even if it is in it.
func (c letterCount) similarity(other string) float64 {
	shared, total := 0, 0
	seen := make(map[rune]int)
	for _, r := range other {
		total++
		if seen[r] < c.of[r] {
			seen[r]++
			shared++
		}
	}
	return 2 * float64(shared) / float64(c.total+total)
}
