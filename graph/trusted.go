package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"latchkey/fault"
)

// Trusted is a list of documents. Where a handler has one, it runs nothing else.
type Trusted struct {
	ids        map[string]*document
	texts      map[string]*document
	operations map[[sha256.Size]byte]bool // fingerprints of what may run
	sources    map[string]string          // where an id comes from
}

// Len returns how many operations are trusted.
func (t *Trusted) Len() int { return len(t.operations) }

// ReadTrusted reads the trusted documents in a file, or in the files of a folder and the folders within it. A name that
// ends in .json is a manifest: an object of documents by their ids, as graphql-codegen and relay-compiler write it, or
// Apollo's. One that ends in .graphql or .gql has operations, whose fragments may be in other such files. Anything else
// in a folder is passed over.
//
// Every document is checked as one that is sent to a handler made with the same options is. The error names the file and
// the operation of the first that would not run.
func ReadTrusted(path string, o Options) (*Trusted, error) {
	list, err := readDocuments(path)
	if err != nil {
		return nil, err
	}
	limits := o.Limits.withDefaults()
	c := newCompiler(o, &limits)
	t := &Trusted{
		ids: map[string]*document{}, texts: map[string]*document{}, operations: map[[sha256.Size]byte]bool{}, sources: map[string]string{},
	}
	for _, one := range list {
		if err := t.add(c, one); err != nil {
			return nil, fmt.Errorf("%s: %w", one.place(), err)
		}
	}
	if t.Len() == 0 {
		return nil, fmt.Errorf("%s: there is no operation in it", path)
	}
	return t, nil
}

// kept is a document as it was read.
type kept struct {
	file string
	name string   // of an operation in it, or what else tells it from others in the file
	ids  []string // by which it can be asked for, beside the SHA-256 of its text
	text string
}

func (k *kept) place() string {
	if k.name == "" {
		return k.file
	}
	return k.file + ": " + k.name
}

func (t *Trusted) add(c *compiler, one kept) error {
	d := t.texts[one.text]
	if d == nil {
		var errs []string
		compiled, list := c.compile(one.text)
		for _, err := range list {
			errs = append(errs, err.Message)
		}
		if len(errs) > 0 {
			return fmt.Errorf("%s", strings.Join(limitedTexts(errs), " "))
		}
		parts, refused := definitions(one.text)
		if refused != nil {
			return refused
		}
		fragments, err := fragmentsOf(parts)
		if err != nil {
			return err
		}
		for _, operation := range operations(parts, fragments) {
			t.operations[fingerprint(operation)] = true
		}
		d = compiled
		d.vouched.Store(true) // it is in no store, so there is nothing to note
		t.texts[one.text] = d
	}
	sum := sha256.Sum256([]byte(one.text))
	for _, id := range append(one.ids, hex.EncodeToString(sum[:])) {
		id = withoutAlgorithm(id)
		if other := t.ids[id]; other != nil && other != d {
			return fmt.Errorf("its id %s stands for another document in %s", id, t.sources[id])
		}
		t.ids[id], t.sources[id] = d, one.place()
	}
	return nil
}

// limitedTexts returns the first of some errors: one line is to tell them.
func limitedTexts(texts []string) []string { return texts[:min(len(texts), 3)] }

// withoutAlgorithm returns an id without the prefix that GraphQL over HTTP gives to a SHA-256.
func withoutAlgorithm(id string) string { return strings.TrimPrefix(id, "sha256:") }

// trustedFor returns the trusted document that a request names or holds. A document that is sent whole need not be the
// same letter for letter: all of its operations must be trusted ones, see fingerprint, and then it is run as it is, with
// every limit and every rule.
func (h *handler) trustedFor(req *request) (*document, *refusal) {
	if len(req.document) == 0 {
		return h.trustedByID(req)
	}
	if d := h.trusted.texts[string(req.document)]; d != nil {
		return d, nil
	}
	d := h.documents.byText(req.document)
	if d == nil {
		if refused := h.checkTrusted(string(req.document)); refused != nil {
			return nil, refused
		}
		var refused *refusal
		if d, refused = h.prepare(req.document); refused != nil {
			return nil, refused
		}
	}
	if req.persisted != nil {
		if hash, ok := readHash(req.persisted.id); ok && hash == sha256.Sum256(req.document) {
			h.documents.name(d, hash)
		}
	}
	return d, nil
}

func (h *handler) trustedByID(req *request) (*document, *refusal) {
	if req.persisted == nil {
		if d := h.trusted.ids[withoutAlgorithm(string(req.documentID))]; d != nil {
			return d, nil
		}
		return nil, refuse(0, fault.KindPersistedQueryMissing, "No trusted document has this id.")
	}
	if d := h.trusted.ids[withoutAlgorithm(req.persisted.id)]; d != nil {
		return d, nil
	}
	if hash, ok := readHash(req.persisted.id); ok {
		if d := h.documents.byHash(hash); d != nil {
			return d, nil
		}
	}
	return nil, unknownHash()
}

// checkTrusted refuses a text with an operation that is not trusted. It costs one pass of the lexer.
func (h *handler) checkTrusted(text string) *refusal {
	if _, refused := scan(text, &h.limits); refused != nil {
		return &refusal{errors: gqlerror.List{refused}}
	}
	parts, refused := definitions(text)
	if refused != nil {
		return &refusal{errors: gqlerror.List{refused}}
	}
	fragments, err := fragmentsOf(parts)
	list := operations(parts, fragments)
	if err != nil || len(list) == 0 {
		return untrusted()
	}
	for _, operation := range list {
		if !h.trusted.operations[fingerprint(operation)] {
			return untrusted()
		}
	}
	return nil
}

// untrusted has a code by which no client tries again with more: neither the text nor a token would help.
func untrusted() *refusal {
	return refuse(0, fault.KindValidationFailed, "The operation is not one of the trusted documents, and this server runs no other.")
}
