package rest

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
)

// The media types of bodies.
const (
	mediaJSON      = "application/json"
	mediaForm      = "application/x-www-form-urlencoded"
	mediaMultipart = "multipart/form-data"
)

// maxBody bounds a body, in bytes.
const maxBody = 1 << 20

// drainLimit is how much is read of a body that is too long, in bytes: a client that is still sending does not look for
// an answer.
const drainLimit = 16 << 20

// readBody returns the value that a request's body holds. An empty one, of whatever type, is an empty object.
func readBody(r *http.Request) (value, *answer) {
	body, refused := readAll(r)
	if refused != nil || len(body) == 0 {
		return value{kind: kindObject}, refused
	}
	contentType := strings.Join(r.Header["Content-Type"], ", ")
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		params = nil
	}
	charset := params["charset"]
	switch {
	case matches(mediaJSON, contentType):
		text, err := decode(body, charset)
		if err != nil {
			return value{}, jsonProblem(err)
		}
		v, err := readJSON(text)
		if err != nil {
			return value{}, jsonProblem(err)
		}
		return v, nil
	case matches(mediaForm, contentType):
		return value{kind: kindObject, members: readForm(body, charset)}, nil
	case matches(mediaMultipart, contentType):
		if problem := boundaryProblem(params); problem != "" {
			return value{}, refuse(http.StatusBadRequest, "Multipart form parse error - "+problem)
		}
		return value{kind: kindObject, members: readMultipart(body, params["boundary"], charset)}, nil
	}
	return value{}, refuse(http.StatusUnsupportedMediaType,
		fmt.Sprintf(`Unsupported media type "%s" in request.`, strings.ToValidUTF8(contentType, "\ufffd")))
}

func jsonProblem(err error) *answer {
	return refuse(http.StatusBadRequest, "JSON parse error - "+err.Error())
}

// readAll reads a body whole, up to maxBody.
func readAll(r *http.Request) ([]byte, *answer) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case len(body) > maxBody:
		if r.Header.Get("Expect") == "" { // who asks before sending is told by the answer itself
			io.CopyN(io.Discard, r.Body, drainLimit) //nolint:errcheck // it is thrown away
		}
		return nil, refuse(http.StatusRequestEntityTooLarge,
			fmt.Sprintf("The body is too long; the limit is %d bytes.", maxBody))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(http.StatusRequestTimeout, "The body took too long to arrive.")
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "The body could not be read to its end.")
	}
	return body, nil
}

// matches reports whether a media type with parameters, of which either half may be *, is the type given.
func matches(media, asked string) bool {
	asked, _, _ = strings.Cut(asked, ";")
	main, sub, _ := strings.Cut(strings.ToLower(strings.TrimSpace(asked)), "/")
	wantMain, wantSub, _ := strings.Cut(media, "/")
	return (main == wantMain || main == "*") && (sub == wantSub || sub == "*")
}
