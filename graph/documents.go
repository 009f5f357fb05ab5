package graph

import (
	"container/list"
	"crypto/sha256"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// document is a text that passed every limit and every rule: what is left to do for a request is its own.
// It is shared by requests and not written to any more.
type document struct {
	text       string
	query      *ast.QueryDocument
	conditions map[*ast.OperationDefinition][]string                  // the variables that decide about @skip and @include, where there are any
	ready      map[*ast.OperationDefinition]*graphql.OperationContext // of the operations without variables
	priced     bool                                                   // its cost does not depend on variables, and was found to be fine
	weight     int                                                    // estimate of the memory it takes, in bytes
}

// documents keeps the documents that were used last, within a bound of memory: strangers fill it. It is safe for use
// by many goroutines.
type documents struct {
	limit int // in bytes of weight

	mu     sync.Mutex
	weight int
	recent list.List // of *entry, the latest in front
	texts  map[string]*list.Element
	hashes map[[sha256.Size]byte]*list.Element
}

// entry is a document's place in the store.
type entry struct {
	*document
	hash  [sha256.Size]byte
	named bool // it can be asked for by its hash
}

func newDocuments(limit int) *documents {
	return &documents{
		limit:  limit,
		texts:  map[string]*list.Element{},
		hashes: map[[sha256.Size]byte]*list.Element{},
	}
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

func (s *documents) use(at *list.Element) *document {
	if at == nil {
		return nil
	}
	s.recent.MoveToFront(at)
	return at.Value.(*entry).document
}

// add keeps d and returns it, or the document with the same text that another request has put there meanwhile.
// A document heavier than the whole store is not kept.
func (s *documents) add(d *document) *document {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.texts[d.text]; at != nil {
		return s.use(at)
	}
	if d.weight > s.limit {
		return d
	}
	s.texts[d.text] = s.recent.PushFront(&entry{document: d})
	s.weight += d.weight
	for s.weight > s.limit {
		s.drop(s.recent.Back())
	}
	return d
}

// name lets d be asked for by the SHA-256 of its text for as long as it is kept.
func (s *documents) name(d *document, hash [sha256.Size]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.texts[d.text]
	if at == nil {
		return
	}
	e := at.Value.(*entry)
	e.hash, e.named = hash, true
	s.hashes[hash] = at
}

func (s *documents) drop(at *list.Element) {
	e := s.recent.Remove(at).(*entry)
	s.weight -= e.weight
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
