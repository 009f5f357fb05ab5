package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"latchkey/fault"
)

// persisted is the `persistedQuery` extension of a request: the document goes by its SHA-256, and is sent along only
// where the server does not know it (Apollo's automatic persisted queries, version 1). Among trusted documents an id of
// any other kind may stand in its place.
type persisted struct {
	id string
}

func readPersisted(v any) (*persisted, *refusal) {
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, badRequest("The extension persistedQuery must be an object.")
	}
	if version, _ := fields["version"].(json.Number); version != "1" {
		return nil, badRequest("Only version 1 of the extension persistedQuery is supported.")
	}
	id, ok := fields["sha256Hash"].(string)
	if !ok || id == "" {
		return nil, badHash()
	}
	return &persisted{id}, nil
}

func badHash() *refusal {
	return badRequest("The member sha256Hash of persistedQuery must have 64 hexadecimal digits.")
}

// readHash reads a SHA-256 and reports whether it is one.
func readHash(text string) (hash [sha256.Size]byte, ok bool) {
	if len(text) != hex.EncodedLen(len(hash)) {
		return hash, false
	}
	_, err := hex.Decode(hash[:], []byte(text))
	return hash, err == nil
}

// unknownHash has a text by which clients go as well as by the code: they send the document.
func unknownHash() *refusal {
	return refuse(0, fault.KindPersistedQueryMissing, fault.Lookup(fault.KindPersistedQueryMissing).Message)
}

// documentFor returns the document of a request, ready to run. A document is kept under its hash only after it has
// passed every limit and every rule, in the same store and within the same bound of memory as all others.
func (h *handler) documentFor(req *request) (*document, *refusal) {
	if h.trusted != nil {
		return h.trustedFor(req)
	}
	if req.persisted == nil {
		if len(req.document) == 0 {
			return nil, refuse(0, fault.KindPersistedQueryMissing, "This server has no trusted documents: put the document into query.")
		}
		return h.prepare(req.document)
	}
	hash, ok := readHash(req.persisted.id)
	if !ok {
		return nil, badHash()
	}
	if len(req.document) == 0 {
		if d := h.documents.byHash(hash); d != nil {
			return d, nil
		}
		return nil, unknownHash()
	}
	if sha256.Sum256(req.document) != hash {
		return nil, refuse(0, fault.KindValidationFailed, "The member sha256Hash is not the hash of the document.")
	}
	d, refused := h.prepare(req.document)
	if refused != nil {
		return nil, refused
	}
	h.documents.name(d, hash)
	return d, nil
}
