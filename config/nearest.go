package config

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// minBeginning is the least length, in bytes, of a beginning that tells what was meant.
const minBeginning = 4

// Nearest returns the known name that is most like a mistyped one, or else the first that begins with it; ok is false
// where there is neither. Names are alike when they differ in a third at most.
func Nearest(name string, known []string) (nearest string, ok bool) {
	// What all the settings begin with says nothing about how alike two of them are.
	name = strings.TrimPrefix(name, Prefix)
	least := 0
	for _, candidate := range known {
		short := strings.TrimPrefix(candidate, Prefix)
		apart := levenshtein.ComputeDistance(name, short)
		if 3*apart <= max(len(name), len(short)) && (!ok || apart < least) {
			nearest, least, ok = candidate, apart, true
		}
	}
	if ok || len(name) < minBeginning {
		return nearest, ok
	}
	for _, candidate := range known {
		if strings.HasPrefix(strings.TrimPrefix(candidate, Prefix), name) {
			return candidate, true
		}
	}
	return "", false
}
