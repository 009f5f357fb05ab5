package rest

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"latchkey/auth"
)

// defaultTimeout is how long a request may take: a password may wait five seconds for its turn.
const defaultTimeout = 10 * time.Second

// Tokens is what the views ask for. *auth.Service is it: the views add nothing to a sign-in but the form of its answer.
type Tokens interface {
	Login(ctx context.Context, username, password string) (auth.Pair, error)
	RefreshAny(ctx context.Context, refresh string) (auth.Pair, error)
	Verify(ctx context.Context, token string) error
	Blacklist(ctx context.Context, refresh string) error
	Authenticate(ctx context.Context, authorization, schemes []string) (*auth.Caller, error)
}

// Devices is the device cookie of requests and answers.
type Devices interface {
	ReadDevice(r *http.Request) string
	WriteDevice(w http.ResponseWriter, r *http.Request, value string)
}

// Options is what NewViews is handed.
type Options struct {
	Tokens  Tokens
	Rotate  bool     // a refresh gives a new refresh token, too
	Schemes []string // of the Authorization header; the first is the one that clients are told of. None: Bearer
	// UsernameField is the name of the field that the username comes in; empty: username.
	UsernameField string
	// Timeout bounds the answer to a request. Zero: ten seconds.
	Timeout time.Duration
	// Admit is asked before the body of a request is read; an error is the answer. nil: all are let in.
	Admit func(context.Context) error
	// Devices reads and writes the cookie of devices on which somebody has signed in before. nil: there is none.
	Devices Devices
	// RequestID returns the id of the request under way, for the log.
	RequestID func(context.Context) string
	// Logger is told of unexpected faults, with the request id and the cause; never of what was sent.
	Logger *slog.Logger
}

// Views are the views of djangorestframework-simplejwt over the service: the same requests are read, and answered with
// the same texts, statuses and headers, checked in the same order. docs/django.md says where they differ.
type Views struct{ Options }

// NewViews returns the views.
func NewViews(o Options) *Views {
	if len(o.Schemes) == 0 {
		o.Schemes = []string{"Bearer"}
	}
	o.UsernameField = cmp.Or(o.UsernameField, "username")
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	return &Views{o}
}

// view is one of them.
type view struct {
	*Views
	name, description string
	method            string // GET or POST
	fields            []field
	guarded           bool // an access token is needed for anything
	run               func(context.Context, map[string]string) *answer
}

// ServeHTTP answers one request.
func (v *view) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), v.Timeout)
	defer cancel()
	if v.Devices != nil {
		ctx = auth.WithDevice(ctx, auth.Device{Cookie: v.Devices.ReadDevice(r)})
	}
	a := v.answer(r.WithContext(ctx))
	if a.device != "" && v.Devices != nil {
		v.Devices.WriteDevice(w, r, a.device)
	}
	v.write(w, a, v.allow())
}

func (v *view) allow() string {
	if v.method == http.MethodGet {
		return "GET, HEAD, OPTIONS"
	}
	return v.method + ", OPTIONS"
}

// answer asks in the order of Django REST framework: the form of the answer, the caller, the method, the body, the
// fields, and then what the view is for.
func (v *view) answer(r *http.Request) *answer {
	if refused := negotiate(r); refused != nil {
		return refused
	}
	if v.Admit != nil {
		if err := v.Admit(r.Context()); err != nil {
			return v.refused(r.Context(), err)
		}
	}
	if v.guarded {
		if _, err := v.Tokens.Authenticate(r.Context(), r.Header["Authorization"], v.Schemes); err != nil {
			return v.refused(r.Context(), err)
		}
	}
	switch method := strings.ToUpper(r.Method); {
	case method == http.MethodOptions:
		return ok(v.metadata())
	case method == http.MethodHead && v.method == http.MethodGet:
	case method != v.method:
		return refuse(http.StatusMethodNotAllowed, `Method "`+method+`" not allowed.`)
	}
	if v.method == http.MethodGet {
		return v.run(r.Context(), nil)
	}
	body, refused := readBody(r)
	if refused != nil {
		return refused
	}
	texts, refused := readFields(body, v.fields)
	if refused != nil {
		return refused
	}
	return v.run(r.Context(), texts)
}

// negotiate refuses a request that wants another form of answer than JSON, be it by the query or by the header Accept.
// Whoever takes a page is content with JSON: there is no page. Weights are not looked at.
func negotiate(r *http.Request) *answer {
	if formats := r.URL.Query()["format"]; len(formats) > 0 {
		if last := formats[len(formats)-1]; last != "" && last != "json" {
			return refuse(http.StatusNotFound, "Not found.")
		}
	}
	accept := strings.Join(r.Header["Accept"], ",")
	if strings.TrimSpace(accept) == "" {
		return nil
	}
	for asked := range strings.SplitSeq(accept, ",") {
		if matches(mediaJSON, asked) || matches("text/html", asked) {
			return nil
		}
	}
	return refuse(http.StatusNotAcceptable, "Could not satisfy the request Accept header.")
}

// metadata tells a client what the view takes: the answer to OPTIONS.
func (v *view) metadata() ordered {
	m := ordered{
		{"name", v.name},
		{"description", v.description},
		{"renders", []string{mediaJSON}},
		{"parses", []string{mediaJSON, mediaForm, mediaMultipart}},
	}
	if len(v.fields) == 0 {
		return m
	}
	var fields ordered
	for _, f := range v.fields {
		fields = append(fields, member{f.name, ordered{
			{"type", "string"}, {"required", !f.readOnly}, {"read_only", f.readOnly}, {"label", f.label},
		}})
	}
	return append(m, member{"actions", ordered{{v.method, fields}}})
}

// WithSlash sends a client that left out the slash at the end of a path to where it is meant, with the query.
func WithSlash(w http.ResponseWriter, r *http.Request) {
	target := r.URL.EscapedPath() + "/"
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", target)
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	w.WriteHeader(http.StatusPermanentRedirect) // with 301 a client would come back with GET and without the body
}
