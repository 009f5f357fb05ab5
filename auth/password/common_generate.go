//go:build ignore

// Makes common.txt.gz out of the three lists that NOTICE names:
//
//	go run common_generate.go DJANGO.txt.gz SECLISTS.txt ZXCVBN.json
//
// The same lists give the same text; TestTheEmbeddedList pins its digest.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: go run common_generate.go DJANGO.txt.gz SECLISTS.txt ZXCVBN.json")
	}
	set := make(map[string]bool)
	add := func(passwords []string, least int) {
		for _, p := range passwords {
			if p = strings.ToLower(strings.TrimSpace(p)); len(p) >= least {
				set[p] = true
			}
		}
	}
	// The first two are what people expect to be told about, short ones too;
	// of the long tail only what the minimum length lets through is of use.
	add(strings.Split(gunzip(read(os.Args[1])), "\n"), 1)
	add(strings.Split(string(read(os.Args[2])), "\n"), 1)
	var tail []string
	check(json.Unmarshal(read(os.Args[3]), &tail))
	add(tail, 8)

	text := strings.Join(slices.Sorted(maps.Keys(set)), "\n") + "\n"
	check(os.WriteFile("common.txt.gz", pack(text), 0o644))
	fmt.Printf("%d passwords, SHA-256 %x\n", len(set), sha256.Sum256([]byte(text)))
}

func read(name string) []byte {
	b, err := os.ReadFile(name)
	check(err)
	return b
}

func gunzip(b []byte) string {
	r, err := gzip.NewReader(bytes.NewReader(b))
	check(err)
	text, err := io.ReadAll(r)
	check(err)
	return string(text)
}

func pack(text string) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	check(err)
	_, err = io.WriteString(w, text)
	check(err)
	check(w.Close())
	return out.Bytes()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
