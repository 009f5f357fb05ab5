package password

import (
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
)

// commonGzip is the list of common passwords, packed: lower-case, in order,
// one a line. NOTICE says where it comes from, common_generate.go makes it.
//
//go:embed common.txt.gz
var commonGzip string

// commonList is a list of lower-case passwords in order.
type commonList []string

// loadCommon unpacks the embedded list.
func loadCommon() commonList {
	reader, err := gzip.NewReader(strings.NewReader(commonGzip))
	if err != nil {
		panic(fmt.Sprintf("password: embedded list: %v", err))
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		panic(fmt.Sprintf("password: embedded list: %v", err))
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// contains tells whether password is on the list, whatever its case and the
// space around it, as Django compares.
func (l commonList) contains(password string) bool {
	_, found := slices.BinarySearch(l, strings.ToLower(strings.TrimSpace(password)))
	return found
}
