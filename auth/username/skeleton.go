package username

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Skeleton returns the key that usernames share if a reader may take one for
// the other: names that differ in case, in compatible forms (full width,
// mathematical letters), in characters that cannot be seen, or in characters
// that UTS #39 calls confusable, such as Latin a and Cyrillic а, O and 0, rn
// and m. The letters I, i, l and the digit 1 are all one: UTS #39 has I, l and
// 1 as confusable, and case makes I and i the same.
//
// A skeleton is a key and not for show. Keys of two releases compare only if
// SkeletonVersion is the same in both. A name that is not Plausible is its own
// skeleton. Skeleton(Skeleton(name)) is Skeleton(name), and so is
// Skeleton(Normalize(name)). It has at most 21 bytes for each character of
// Normalize(name).
func Skeleton(name string) string {
	name = Normalize(name)
	if !Plausible(name) {
		return name
	}
	var b strings.Builder
	b.Grow(len(name))
	for _, r := range caseless(name) {
		if isIgnorable(r) {
			continue
		}
		i, found := slices.BinarySearchFunc(confusables[:], r, func(c confusable, r rune) int { return cmp.Compare(c.from, r) })
		if found {
			b.WriteString(confusables[i].to)
		} else {
			b.WriteRune(r)
		}
	}
	return norm.NFKD.String(b.String())
}

// caseless makes names equal that differ in case or in compatible forms. To
// fold what is decomposed is enough: nothing that folding leaves decomposes or
// folds once more. The Fold of x/text passes over Cherokee, hence the ToLower.
func caseless(name string) string {
	fold := cases.Fold() // may keep state: not to be shared
	return strings.ToLower(fold.String(norm.NFKD.String(name)))
}

// confusable maps a character, in the form that caseless leaves, to its
// skeleton.
type confusable struct {
	from rune
	to   string
}
