package graph

import (
	"cmp"
	"net/http"
	"net/url"
	"unicode/utf8"

	"latchkey/fault"
)

// request is what a client asks for, read but not understood yet.
type request struct {
	document      []byte // valid until the buffer of the body is used again
	operationName []byte // likewise
	variables     map[string]any
	persisted     *persisted
	documentID    []byte // likewise; of a trusted document
}

// requestReader reads the members of a request from JSON.
type requestReader struct {
	json  jsonReader
	req   request
	wrong *refusal // for a member of another type than it must have, which is no reason to stop reading
}

// readBodyRequest reads a request from the JSON body of a POST. Members that GraphQL over HTTP does not know are
// skipped.
func readBodyRequest(body []byte) (request, *refusal) {
	var r requestReader
	var err error
	if r.json, err = newJSONReader(body); err != nil {
		return request{}, badJSON("body", err)
	}
	r.json.most = maxJSONValues
	switch r.json.peek() {
	case '{':
	case '[':
		return request{}, badRequest("Batches are not supported: send one operation a request.")
	default:
		return request{}, badRequest("The body must be a JSON object.")
	}
	if err = r.body(); err == nil {
		err = r.json.end()
	}
	if err != nil {
		return request{}, badJSON("body", err)
	}
	return r.complete()
}

// readURLRequest reads a request from the query string of a GET, where variables and extensions are JSON texts.
func readURLRequest(u *url.URL) (request, *refusal) {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return request{}, badRequest("The query string of the URL is not well-formed.")
	}
	for _, name := range []string{"query", "documentId", "operationName", "variables", "extensions"} {
		if len(values[name]) > 1 {
			return request{}, badRequest("The query string of the URL has " + name + " twice.")
		}
	}
	var r requestReader
	if err := r.within(values.Get("variables"), func() error { return r.object("variables", &r.req.variables) }); err != nil {
		return request{}, badJSON("variables", err)
	}
	if err := r.within(values.Get("extensions"), r.extensions); err != nil {
		return request{}, badJSON("extensions", err)
	}
	r.req.document, r.req.operationName = []byte(values.Get("query")), []byte(values.Get("operationName"))
	r.req.documentID = []byte(values.Get("documentId"))
	if !utf8.Valid(r.req.document) {
		return request{}, badRequest("The document is not valid UTF-8.")
	}
	return r.complete()
}

// within reads a JSON text of its own, unless it is empty.
func (r *requestReader) within(text string, read func() error) (err error) {
	if text == "" {
		return nil
	}
	if r.json, err = newJSONReader([]byte(text)); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	return r.json.end()
}

// body reads the object that is a request.
func (r *requestReader) body() error {
	var seen struct{ query, documentID, operationName, variables, extensions bool }
	once := func(flag *bool) error {
		if *flag {
			return r.json.duplicate()
		}
		*flag = true
		return nil
	}
	return r.json.members(1, func(name []byte) error {
		switch string(name) {
		case "query":
			return cmp.Or(once(&seen.query), r.text("query", &r.req.document))
		case "documentId", "doc_id": // as GraphQL over HTTP has it, and as Relay's clients do
			return cmp.Or(once(&seen.documentID), r.id(&r.req.documentID))
		case "operationName":
			return cmp.Or(once(&seen.operationName), r.text("operationName", &r.req.operationName))
		case "variables":
			return cmp.Or(once(&seen.variables), r.object("variables", &r.req.variables))
		case "extensions":
			return cmp.Or(once(&seen.extensions), r.extensions())
		default:
			_, err := r.json.value(2)
			return err
		}
	})
}

// text reads a member that must be a string or null.
func (r *requestReader) text(name string, into *[]byte) error {
	if r.json.peek() == '"' {
		text, err := r.json.string()
		*into = text
		return err
	}
	v, err := r.json.value(2)
	if v != nil {
		r.wrong = badRequest("The member " + name + " must be a string.")
	}
	return err
}

// id reads a member that names a document if it is a string. Else it is one of those that are skipped.
func (r *requestReader) id(into *[]byte) error {
	if r.json.peek() == '"' {
		text, err := r.json.string()
		*into = text
		return err
	}
	_, err := r.json.value(2)
	return err
}

// object reads a member that must be an object or null.
func (r *requestReader) object(name string, into *map[string]any) error {
	v, err := r.json.value(2)
	m, ok := v.(map[string]any)
	if !ok && v != nil {
		r.wrong = badRequest("The member " + name + " must be an object.")
	}
	*into = m
	return err
}

// extensions reads the extensions of a request. All but a persisted query are for others.
func (r *requestReader) extensions() error {
	var extensions map[string]any
	if err := r.object("extensions", &extensions); err != nil {
		return err
	}
	v, ok := extensions["persistedQuery"]
	if !ok || v == nil {
		return nil
	}
	p, refused := readPersisted(v)
	if refused != nil {
		r.wrong = refused
	}
	r.req.persisted = p
	return nil
}

// complete checks what can only be checked when all has been read.
func (r *requestReader) complete() (request, *refusal) {
	if r.wrong != nil {
		return request{}, r.wrong
	}
	if len(r.req.document) == 0 && len(r.req.documentID) == 0 && r.req.persisted == nil {
		return request{}, badRequest("The request has no document: put one into query.")
	}
	return r.req, nil
}

// badRequest refuses what is no GraphQL request.
func badRequest(message string) *refusal {
	return refuse(http.StatusBadRequest, fault.KindValidationFailed, message)
}

// badJSON refuses a text that is no JSON, and says where but not what.
func badJSON(what string, err error) *refusal {
	return refuse(http.StatusBadRequest, fault.KindParseFailed, "The "+what+" could not be read. "+err.Error()+".")
}
