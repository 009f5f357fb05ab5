package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"latchkey/fault"
)

// drainLimit is how much is read of a body that nobody wants, in bytes. A client that is still sending does not look
// for an answer, and where the server closes the connection meanwhile, gets an error of the network instead.
const drainLimit = 16 << 20

// keepBuffer is the size of the largest buffer that is kept for another request, in bytes.
const keepBuffer = 64 << 10

// textNotAsked tells how to send a query by GET.
const textNotAsked = "The request was refused because a foreign page could have made it. Send the header " +
	"Content-Type: application/json, or a header Apollo-Require-Preflight that is not empty."

// buffer holds the body of a request and then that of the answer, and is used again for others.
type buffer struct {
	bytes.Buffer
	limited io.LimitedReader
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	buf := h.buffers.Get().(*buffer)
	buf.Reset()
	defer func() {
		if buf.Cap() <= keepBuffer {
			h.buffers.Put(buf)
		}
	}()

	header := w.Header()
	ctx := newExchange(r.Context(), header, h.limits.Timeout)
	ctx.jar = jar{browsers: &h.browsers, request: r}
	defer ctx.end()
	media, acceptable := negotiate(r.Header["Accept"])
	a, refused := h.answer(ctx, r, acceptable, buf)
	if refused != nil {
		drain(r)
		a.errors = limited(refused.errors, maxRequestErrors)
		if refused.allow != "" {
			header.Set("Allow", refused.allow)
		}
	} else {
		a.errors = limited(a.errors, maxFieldErrors)
	}
	recordOf(ctx).errors(a.errors)
	if after := retryAfter(a.errors); after > 0 {
		header.Set("Retry-After", strconv.Itoa(after))
	}
	if ctx.jar.changed != nil {
		http.SetCookie(w, ctx.jar.changed)
	}
	if ctx.jar.device != nil {
		http.SetCookie(w, ctx.jar.device)
	}
	h.fixed.set(header, media)
	w.WriteHeader(statusOf(media, refused))

	buf.Reset()
	a.appendTo(&buf.Buffer)
	w.Write(buf.Bytes()) //nolint:errcheck // there is nobody left to tell
}

// statusOf is the one place where an answer gets its status. A request that was run has 200, whatever became of its
// fields. One that was not has a status of HTTP where there is one for the reason; else it has 400, or 200 for those
// who read application/json: their clients take any other status for a failure of the network.
func statusOf(media string, refused *refusal) int {
	switch {
	case refused == nil:
		return http.StatusOK
	case refused.status != 0:
		return refused.status
	case media == mediaResponse:
		return http.StatusBadRequest
	default:
		return http.StatusOK
	}
}

// fixedHeader has the values of the header that are the same for all answers, made once.
type fixedHeader struct {
	legacy, response, noStore, accept []string
}

func newFixedHeader() fixedHeader {
	return fixedHeader{
		legacy:   []string{mediaJSON + "; charset=utf-8"},
		response: []string{mediaResponse + "; charset=utf-8"},
		noStore:  []string{"no-store"},
		accept:   []string{"Accept"},
	}
}

func (f *fixedHeader) set(header http.Header, media string) {
	header["Content-Type"] = f.legacy
	if media == mediaResponse {
		header["Content-Type"] = f.response
	}
	header["Cache-Control"] = f.noStore
	if len(header["Vary"]) == 0 {
		header["Vary"] = f.accept
	} else {
		header.Add("Vary", "Accept")
	}
}

// answer reads a request and runs it.
func (h *handler) answer(ctx *exchange, r *http.Request, acceptable bool, buf *buffer) (a answer, refused *refusal) {
	// For faults in reading and checking; execute recovers by itself.
	defer func() {
		v := recover()
		if v == http.ErrAbortHandler {
			panic(v) // net/http's own way to drop a connection
		}
		if v != nil {
			failure := h.present(ctx, recovered(ctx, v))
			a, refused = answer{}, &refusal{status: http.StatusInternalServerError, errors: gqlerror.List{failure}}
		}
	}()
	if refused := refuseHTTP(r, acceptable); refused != nil {
		return answer{}, refused
	}
	if err := h.admit(ctx); err != nil {
		failure := h.present(ctx, err)
		return answer{}, &refusal{status: fault.Lookup(fault.From(err).Kind).Status, errors: gqlerror.List{failure}}
	}
	var req request
	if r.Method == http.MethodPost {
		if refused := h.readBody(r, buf); refused != nil {
			return answer{}, refused
		}
		req, refused = readBodyRequest(buf.Bytes())
	} else {
		req, refused = readURLRequest(r.URL)
	}
	if refused != nil {
		return answer{}, refused
	}
	return h.run(ctx, r, &req)
}

// refuseHTTP refuses what its header alone rules out.
func refuseHTTP(r *http.Request, acceptable bool) *refusal {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		refused := refuse(http.StatusMethodNotAllowed, fault.KindValidationFailed, "GraphQL is served by GET and POST.")
		refused.allow = "GET, HEAD, POST"
		return refused
	}
	if !acceptable {
		return refuse(http.StatusNotAcceptable, fault.KindValidationFailed,
			"The answer can be "+mediaJSON+" or "+mediaResponse+", and the header Accept takes neither.")
	}
	if r.Method != http.MethodPost {
		return nil
	}
	if !isJSONBody(r.Header["Content-Type"]) {
		return refuse(http.StatusUnsupportedMediaType, fault.KindValidationFailed,
			"The body must be "+mediaJSON+" in UTF-8, and the header Content-Type must say so.")
	}
	for _, encoding := range r.Header["Content-Encoding"] {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return refuse(http.StatusUnsupportedMediaType, fault.KindValidationFailed,
				"The body must not be compressed or encoded otherwise.")
		}
	}
	return nil
}

// readBody reads the body into buf.
func (h *handler) readBody(r *http.Request, buf *buffer) *refusal {
	limit := int64(h.limits.Body)
	if r.ContentLength > limit {
		return tooLarge(fmt.Sprintf("The body is %d bytes long; the limit is %d.", r.ContentLength, limit))
	}
	buf.limited = io.LimitedReader{R: r.Body, N: limit + 1}
	n, err := buf.ReadFrom(&buf.limited)
	buf.limited.R = nil
	if outer, isTooLarge := errors.AsType[*http.MaxBytesError](err); isTooLarge {
		return tooLarge(fmt.Sprintf("The body is too long; the limit is %d bytes.", outer.Limit))
	}
	if n > limit {
		return tooLarge(fmt.Sprintf("The body is too long; the limit is %d bytes.", limit))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuse(http.StatusRequestTimeout, fault.KindValidationFailed, "The body took too long to arrive.")
	}
	if err != nil {
		return badRequest("The body could not be read to its end.")
	}
	return nil
}

func tooLarge(message string) *refusal {
	return refuse(http.StatusRequestEntityTooLarge, fault.KindComplexityLimit, message)
}

// drain reads what is left of a body, so that its sender comes to read the answer. One who asks before sending is told
// by the answer itself.
func drain(r *http.Request) {
	if r.Body == nil || strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		return
	}
	io.CopyN(io.Discard, r.Body, drainLimit) //nolint:errcheck // it is thrown away
}

// retryAfter returns the longest time to wait that an error names, in seconds, and 0 where none does.
func retryAfter(list gqlerror.List) int {
	longest := 0
	for _, err := range list {
		if after, ok := err.Extensions["retryAfter"].(int); ok {
			longest = max(longest, after)
		}
	}
	return longest
}

// appendTo writes the answer as JSON. Errors come first, where people see them.
func (a answer) appendTo(b *bytes.Buffer) {
	b.WriteByte('{')
	if len(a.errors) > 0 {
		b.WriteString(`"errors":`)
		encoder := json.NewEncoder(b)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(a.errors); err != nil {
			// Nothing but text and whole numbers is ever put into an error.
			panic(err) //nolint:forbidigo // it cannot happen, and must not go unnoticed
		}
		b.Truncate(b.Len() - 1) // its newline
		if a.data != nil {
			b.WriteByte(',')
		}
	}
	if a.data != nil {
		b.WriteString(`"data":`)
		b.Write(a.data)
	}
	b.WriteByte('}')
}
