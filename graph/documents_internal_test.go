package graph

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

func testCompiler(tb testing.TB) *compiler {
	tb.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: `
		type Query { a(text: String, tags: [String]): A  b: String }
		type A { a(text: String): A  b: String  list(first: Int): [A] }`})
	if err != nil {
		tb.Fatal(err)
	}
	limits := Limits{}.withDefaults()
	return &compiler{schema: schema, limits: &limits, introspection: true, rules: rulesFor(true)}
}

func TestTheStoreForgetsWhatWasUsedLongestAgo(t *testing.T) {
	s := newDocuments(30)
	for _, text := range []string{"a", "b", "c"} {
		s.add(&document{text: text, weight: 10})
	}
	s.byText([]byte("a"))
	s.add(&document{text: "d", weight: 10})
	for text, want := range map[string]bool{"a": true, "b": false, "c": true, "d": true} {
		if got := s.byText([]byte(text)) != nil; got != want {
			t.Errorf("%s: kept: got %v, want %v", text, got, want)
		}
	}
}

func TestTheStoreHoldsToItsWeight(t *testing.T) {
	s := newDocuments(100)
	for i := range 50 {
		d := s.add(&document{text: fmt.Sprint(i), weight: i})
		s.name(d, sha256.Sum256([]byte(d.text)))
		if i%3 > 0 {
			s.byText([]byte(d.text))
		}
		if i%3 > 1 {
			s.vouch(d)
		}
		checkStore(t, s)
	}
}

// checkStore compares what a store says of itself with what is in it.
func checkStore(t *testing.T, s *documents) {
	t.Helper()
	total, kept := 0, 0
	for c := range classes {
		sum := 0
		for at := s.recent[c].Front(); at != nil; at = at.Next() {
			e := at.Value.(*entry)
			if e.class != c || e.at != at || s.texts[e.text] != e || e.named && s.hashes[e.hash] != e || e.vouched.Load() != (c == vouched) {
				t.Fatalf("class %d has %q, whose place is another", c, e.text)
			}
			sum += e.document.weight
			kept++
		}
		if sum != s.weight[c] || sum > s.share(c) {
			t.Fatalf("class %d has a weight of %d, says it is %d, and may have %d", c, sum, s.weight[c], s.share(c))
		}
		total += sum
	}
	if total > s.limit || len(s.texts) != kept || len(s.hashes) > kept {
		t.Fatalf("%d of %d; %d texts and %d hashes of %d", total, s.limit, len(s.texts), len(s.hashes), kept)
	}
}

// TestStrangersPushOutOnlyWhatNobodyVouchedFor also shows that they cannot push out with documents that are sent once what is
// sent again and again.
func TestStrangersPushOutOnlyWhatNobodyVouchedFor(t *testing.T) {
	s := newDocuments(4_000)
	for i := range 10 {
		for _, kind := range []string{"known", "often", "once"} {
			d := s.add(&document{text: fmt.Sprint(kind, i), weight: 100})
			switch kind {
			case "known":
				s.vouch(d)
			case "often":
				s.byText([]byte(d.text))
			}
		}
	}
	count := func(kind string) (n int) {
		for text := range s.texts {
			if strings.HasPrefix(text, kind) {
				n++
			}
		}
		return n
	}
	for i := range 100_000 {
		s.add(&document{text: fmt.Sprint("flood", i), weight: 50})
	}
	checkStore(t, s)
	if count("known") != 10 || count("often") != 10 || count("once") != 0 {
		t.Errorf("after a flood: %d, %d, %d are left", count("known"), count("often"), count("once"))
	}
	for i := range 1_000 {
		for range 5 {
			s.add(&document{text: fmt.Sprint("flood", i), weight: 50})
		}
		checkStore(t, s)
	}
	if count("known") != 10 || count("often") != 0 {
		t.Errorf("after one of documents sent again and again: %d, %d are left", count("known"), count("often"))
	}
	for i := range 1_000 {
		s.vouch(s.add(&document{text: fmt.Sprint("user", i), weight: 50}))
		checkStore(t, s)
	}
	if count("known") != 0 || count("user") == 0 {
		t.Errorf("after many documents of somebody known: %d, %d are left", count("known"), count("user"))
	}
}

func TestADocumentHeavierThanTheStoreIsNotKept(t *testing.T) {
	s := newDocuments(10)
	s.add(&document{text: "small", weight: 5})
	d := s.add(&document{text: "large", weight: 11})
	s.name(d, sha256.Sum256([]byte("large")))
	if d.text != "large" || s.byText([]byte("large")) != nil || s.byHash(sha256.Sum256([]byte("large"))) != nil {
		t.Error("it is kept")
	}
	if s.byText([]byte("small")) == nil {
		t.Error("another had to go for it")
	}
}

func TestTheSameTextIsKeptOnce(t *testing.T) {
	s := newDocuments(100)
	first := s.add(&document{text: "a", weight: 10})
	if second := s.add(&document{text: "a", weight: 10}); second != first {
		t.Error("the second took the place of the first")
	}
	if s.total() != 10 {
		t.Errorf("weight: got %d, want 10", s.total())
	}
}

func TestTheStoreServesManyAtOnce(t *testing.T) {
	s := newDocuments(500)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 500 {
				text := fmt.Sprint(i * worker % 97)
				hash := sha256.Sum256([]byte(text))
				d := s.add(&document{text: text, weight: 10})
				s.name(d, hash)
				if i%3 == 0 {
					s.vouch(d)
				}
				if d := s.byText([]byte(text)); d != nil && d.text != text {
					t.Errorf("got %q for %q", d.text, text)
				}
				if d := s.byHash(hash); d != nil && d.text != text {
					t.Errorf("got %q for the hash of %q", d.text, text)
				}
			}
		})
	}
	wg.Wait()
	checkStore(t, s)
}

// TestTheBoundIsOneOfMemory fills the store with the documents that take most, and looks at the heap.
func TestTheBoundIsOneOfMemory(t *testing.T) {
	padded := func(text string, i int) string { return fmt.Sprintf("%s # %d", text, i) }
	for name, text := range map[string]string{
		"fields":    "{a{" + strings.Repeat("b ", 990) + "}}",
		"arguments": "{a{" + strings.Repeat(`a(text:""){b}`, 110) + "}}",
		"values":    "{a(tags:[" + strings.Repeat(`"" `, 980) + "]){b}}",
		"fragments": "{a{" + strings.Repeat("...F ", 200) + "}}fragment F on A{b}",
		"inline":    "{a{" + strings.Repeat("...{b}", 240) + "}}",
		"a string":  `{a(text:"` + strings.Repeat("x", 19_000) + `"){b}}`,
		"comments":  "{b}" + strings.Repeat("#\n", 980),
		"variables": "query(" + numbered(100, "$v#:String ") + "){x:a(tags:[" + numbered(100, "$v# ") + "]){b}}",
		"small":     "{b}",
	} {
		t.Run(name, func(t *testing.T) {
			const limit = 4 << 20
			c := testCompiler(t)
			s := newDocuments(limit)
			before := heap()
			kept := 0
			for i := 0; kept == len(s.texts); i++ { // until one had to go
				d, errs := c.compile(padded(text, i))
				if errs != nil {
					t.Fatal(errs)
				}
				s.add(d)
				kept++
			}
			grown := heap() - before
			t.Logf("%d documents of %d bytes: %d kB of %d kB", len(s.texts), len(text), grown>>10, limit>>10)
			if grown > limit {
				t.Errorf("the heap grew by %d bytes, the limit is %d", grown, limit)
			}
			runtime.KeepAlive(s)
		})
	}
}

func numbered(n int, text string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(text, "#", fmt.Sprint(i)))
	}
	return b.String()
}

// heap returns the bytes in use.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
