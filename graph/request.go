package graph

import (
	"net/http"
	"net/url"

	"latchkey/fault"
)

// request is what a client asks for, read but not understood yet.
type request struct {
	document      []byte // valid until the body's buffer is used again
	operationName []byte // likewise
	variables     map[string]any
	persisted     *persisted
}

// readBodyRequest reads a request from the JSON body of a POST. Members that GraphQL over HTTP does not know are
// skipped.
func readBodyRequest(body []byte) (request, *refusal) {
	var req request
	r, err := newJSONReader(body)
	if err != nil {
		return req, badJSON("body", err)
	}
	switch r.peek() {
	case '{':
	case '[':
		return req, badRequest("Batches are not supported: send one operation a request.")
	default:
		return req, badRequest("The body must be a JSON object.")
	}

	var seen struct{ query, operationName, variables, extensions bool }
	var wrong *refusal
	once := func(flag *bool) error {
		if *flag {
			return r.duplicate()
		}
		*flag = true
		return nil
	}
	err = r.members(1, func(name []byte) error {
		switch string(name) {
		case "query":
			if err := once(&seen.query); err != nil {
				return err
			}
			return readText(&r, "query", &req.document, &wrong)
		case "operationName":
			if err := once(&seen.operationName); err != nil {
				return err
			}
			return readText(&r, "operationName", &req.operationName, &wrong)
		case "variables":
			if err := once(&seen.variables); err != nil {
				return err
			}
			return readMap(&r, "variables", &req.variables, &wrong)
		case "extensions":
			if err := once(&seen.extensions); err != nil {
				return err
			}
			return readExtensions(&r, &req, &wrong)
		default:
			_, err := r.value(2)
			return err
		}
	})
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return req, badJSON("body", err)
	}
	return req.complete(wrong)
}

// readURLRequest reads a request from the query string of a GET, where variables and extensions are JSON texts.
func readURLRequest(u *url.URL) (request, *refusal) {
	var req request
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return req, badRequest("The query string of the URL is not well-formed.")
	}
	for _, name := range []string{"query", "operationName", "variables", "extensions"} {
		if len(values[name]) > 1 {
			return req, badRequest("The query string of the URL has " + name + " twice.")
		}
	}
	var wrong *refusal
	for name, read := range map[string]func(*jsonReader) error{
		"variables":  func(r *jsonReader) error { return readMap(r, "variables", &req.variables, &wrong) },
		"extensions": func(r *jsonReader) error { return readExtensions(r, &req, &wrong) },
	} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		r, err := newJSONReader([]byte(text))
		if err == nil {
			err = read(&r)
		}
		if err == nil {
			err = r.end()
		}
		if err != nil {
			return req, badJSON(name, err)
		}
	}
	req.document, req.operationName = []byte(values.Get("query")), []byte(values.Get("operationName"))
	if firstInvalid(req.document) < len(req.document) {
		return req, badRequest("The document is not valid UTF-8.")
	}
	return req.complete(wrong)
}

// complete checks what only can be checked when all has been read.
func (req request) complete(wrong *refusal) (request, *refusal) {
	if wrong != nil {
		return req, wrong
	}
	if len(req.document) == 0 && req.persisted == nil {
		return req, badRequest("The request has no document: put one into query.")
	}
	return req, nil
}

// readText reads a member that must be text or null. Another type of value is wrong, but not bad JSON: what follows
// is read all the same.
func readText(r *jsonReader, name string, into *[]byte, wrong **refusal) error {
	if r.peek() == '"' {
		text, err := r.string()
		*into = text
		return err
	}
	v, err := r.value(2)
	if v != nil {
		*wrong = badRequest("The member " + name + " must be a string.")
	}
	return err
}

// readMap reads a member that must be an object or null.
func readMap(r *jsonReader, name string, into *map[string]any, wrong **refusal) error {
	v, err := r.value(2)
	m, ok := v.(map[string]any)
	if !ok && v != nil {
		*wrong = badRequest("The member " + name + " must be an object.")
	}
	*into = m
	return err
}

// readExtensions reads the extensions of a request. All but a persisted query is for others.
func readExtensions(r *jsonReader, req *request, wrong **refusal) error {
	var extensions map[string]any
	if err := readMap(r, "extensions", &extensions, wrong); err != nil {
		return err
	}
	v, ok := extensions["persistedQuery"]
	if !ok || v == nil {
		return nil
	}
	p, refused := readPersisted(v)
	if refused != nil {
		*wrong = refused
	}
	req.persisted = p
	return nil
}

// badRequest refuses what is no GraphQL request.
func badRequest(message string) *refusal {
	return refuse(http.StatusBadRequest, fault.KindValidationFailed, message)
}

// badJSON refuses a text that is no JSON, and says where but not what.
func badJSON(what string, err error) *refusal {
	return refuse(http.StatusBadRequest, fault.KindParseFailed, "The "+what+" could not be read. "+err.Error()+".")
}
