package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"latchkey/fault"
)

// persisted is the `persistedQuery` extension of a request: the document goes by its SHA-256, and is sent along only
// where the server does not know it (Apollo's automatic persisted queries, version 1).
type persisted struct {
	hash [sha256.Size]byte
}

func readPersisted(v any) (*persisted, *refusal) {
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, badRequest("The extension persistedQuery must be an object.")
	}
	if version, _ := fields["version"].(json.Number); version != "1" {
		return nil, badRequest("Only version 1 of the extension persistedQuery is supported.")
	}
	text, _ := fields["sha256Hash"].(string)
	var p persisted
	if len(text) != hex.EncodedLen(len(p.hash)) {
		return nil, badRequest("The member sha256Hash of persistedQuery must have 64 hexadecimal digits.")
	}
	if _, err := hex.Decode(p.hash[:], []byte(text)); err != nil {
		return nil, badRequest("The member sha256Hash of persistedQuery must have 64 hexadecimal digits.")
	}
	return &p, nil
}

// documentFor returns the document of a request, ready to run. A document is kept under its hash only after it has
// passed every limit and every rule, in the same store and within the same bound of memory as all others.
func (h *handler) documentFor(req *request) (*document, *refusal) {
	if req.persisted == nil {
		return h.prepare(req.document)
	}
	if len(req.document) == 0 {
		if d := h.documents.byHash(req.persisted.hash); d != nil {
			return d, nil
		}
		// Clients go by this text as well as by the code.
		return nil, refuse(0, fault.KindPersistedQueryMissing, fault.Lookup(fault.KindPersistedQueryMissing).Message)
	}
	if sha256.Sum256(req.document) != req.persisted.hash {
		return nil, refuse(0, fault.KindValidationFailed, "The member sha256Hash is not the hash of the document.")
	}
	d, refused := h.prepare(req.document)
	if refused != nil {
		return nil, refused
	}
	h.documents.name(d, req.persisted.hash)
	return d, nil
}
