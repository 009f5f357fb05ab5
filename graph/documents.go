package graph

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// document is a text that passed every limit and every rule: what is left to do for a request is its own.
// It is shared by requests, and but for its place in the store not written to any more.
type document struct {
	text       string
	query      *ast.QueryDocument
	conditions map[*ast.OperationDefinition][]string                  // the variables that decide about @skip and @include, where there are any
	ready      map[*ast.OperationDefinition]*graphql.OperationContext // of the operations without variables
	priced     bool                                                   // its cost does not depend on variables, and was found to be fine
	weight     int                                                    // estimate of the memory it takes, in bytes

	vouched atomic.Bool // whether its place in documents is of that class; only documents writes to it
}

// documents keeps the documents that were used last, within a bound of memory. Strangers fill it, so it has three
// classes, and what is in one cannot be pushed out by anything that only reached a lower one. It is safe for use by many
// goroutines.
type documents struct {
	limit int // in bytes of weight

	mu     sync.Mutex
	recent [classes]list.List // of *entry, the latest in front
	weight [classes]int
	texts  map[string]*entry
	hashes map[[sha256.Size]byte]*entry
}

// class is how much speaks for a document that it will be asked for again.
type class int

const (
	seen    class = iota // it was sent once
	again                // it was sent or asked for again
	vouched              // somebody used it who is signed in, or who had a password or a token that is good
	classes
)

// share is how much of the limit a class may take; of seen, it is all that the others leave. Whatever a class has no room for,
// the longest unused first, falls into the one below.
func (s *documents) share(c class) int {
	switch c {
	case vouched:
		return s.limit / 2
	case again:
		return s.limit / 4
	default:
		return s.limit
	}
}

// entry is a document's place in the store.
type entry struct {
	*document
	class class
	at    *list.Element
	hash  [sha256.Size]byte
	named bool // it can be asked for by its hash
}

func newDocuments(limit int) *documents {
	return &documents{limit: limit, texts: map[string]*entry{}, hashes: map[[sha256.Size]byte]*entry{}}
}

// byText returns the document with exactly this text, or nil.
func (s *documents) byText(text []byte) *document {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.use(s.texts[string(text)])
}

// byHash returns the document that was named by this SHA-256, or nil.
func (s *documents) byHash(hash [sha256.Size]byte) *document {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.use(s.hashes[hash])
}

func (s *documents) use(e *entry) *document {
	if e == nil {
		return nil
	}
	s.put(e, max(e.class, again))
	s.settle()
	return e.document
}

// add keeps d and returns it, or the document with the same text that another request has put there meanwhile.
// A document heavier than the whole store is not kept.
func (s *documents) add(d *document) *document {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.texts[d.text]; e != nil {
		return s.use(e)
	}
	if d.weight > s.limit {
		return d
	}
	e := &entry{document: d}
	s.texts[d.text] = e
	s.put(e, seen)
	s.settle()
	return d
}

// name lets d be asked for by the SHA-256 of its text for as long as it is kept.
func (s *documents) name(d *document, hash [sha256.Size]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.texts[d.text]
	if e == nil {
		return
	}
	e.hash, e.named = hash, true
	s.hashes[hash] = e
}

// vouch notes that d was used by somebody who is known. A document that is not kept stays so.
func (s *documents) vouch(d *document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.texts[d.text]; e != nil && e.document == d {
		s.put(e, vouched)
		s.settle()
	}
}

// put makes an entry the latest of a class.
func (s *documents) put(e *entry, c class) {
	if e.at != nil && e.class == c {
		s.recent[c].MoveToFront(e.at)
		return
	}
	s.remove(e)
	e.class = c
	e.at = s.recent[c].PushFront(e)
	s.weight[c] += e.document.weight
	e.vouched.Store(c == vouched)
}

func (s *documents) remove(e *entry) {
	if e.at != nil {
		s.recent[e.class].Remove(e.at)
		s.weight[e.class] -= e.document.weight
	}
}

// settle brings every class to its share, and all of them to the limit.
func (s *documents) settle() {
	for c := vouched; c > seen; c-- {
		for s.weight[c] > s.share(c) {
			s.put(s.last(c), c-1)
		}
	}
	for c := seen; c < classes && s.total() > s.limit; c++ {
		for s.total() > s.limit && s.recent[c].Len() > 0 {
			s.drop(s.last(c))
		}
	}
}

func (s *documents) last(c class) *entry { return s.recent[c].Back().Value.(*entry) }

func (s *documents) total() int {
	sum := 0
	for _, weight := range s.weight {
		sum += weight
	}
	return sum
}

func (s *documents) drop(e *entry) {
	s.remove(e)
	delete(s.texts, e.text)
	if e.named {
		delete(s.hashes, e.hash)
	}
}

// prepare returns the document with this text, from the store or freshly compiled.
func (h *handler) prepare(text []byte) (*document, *refusal) {
	if d := h.documents.byText(text); d != nil {
		return d, nil
	}
	d, errs := h.compiler.compile(string(text))
	if errs != nil {
		return nil, &refusal{errors: errs}
	}
	return h.documents.add(d), nil
}
