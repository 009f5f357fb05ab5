package graph

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"latchkey/auth"
	"latchkey/fault"
)

// Options is what NewHandler is handed.
type Options struct {
	// Schema runs the operations. It is best made from WithoutDefer's result.
	Schema graphql.ExecutableSchema
	// Introspection lets clients ask for the schema, and be told what they may have meant by a misspelt name.
	Introspection bool
	// RequestID returns the id of the request under way, for the log and for INTERNAL_SERVER_ERROR. nil: there is none.
	RequestID func(context.Context) string
	// Logger is told of unexpected faults, with the request id and the cause; never of documents or variables.
	// nil: nobody is.
	Logger *slog.Logger
	// Begin is called before an operation is run, and what it returns when it is over, with the codes of its errors.
	// nil: nobody is.
	Begin func(ctx context.Context, name, kind string) (context.Context, func(codes []string))
	// Limits bounds what a request may ask for.
	Limits Limits
	// Trusted lets nothing else run. nil: any document may be sent.
	Trusted *Trusted
	// Admit is asked before anything of a request is read but its header; an error is the answer. nil: all are let in.
	Admit func(context.Context) error
	// Browsers says which web pages may use the endpoint.
	Browsers Browsers
}

// handler answers GraphQL over HTTP. It takes the place of gqlgen's server: that publishes raw texts, echoes bodies
// and has no limit on what is sent or asked for. What is left of gqlgen is the code it generated.
type handler struct {
	schema    graphql.ExecutableSchema
	compiler  *compiler
	documents *documents
	trusted   *Trusted
	limits    Limits
	requestID func(context.Context) string
	logger    *slog.Logger
	browsers  Browsers
	begin     func(ctx context.Context, name, kind string) (context.Context, func(codes []string))
	admit     func(context.Context) error
	presenter graphql.ErrorPresenterFunc // present; a method value would be made anew for each request
	fixed     fixedHeader
	buffers   sync.Pool // of *buffer
}

// NewHandler returns the handler of the GraphQL endpoint: GET and HEAD for queries, POST with a JSON body for queries
// and mutations, as the GraphQL-over-HTTP specification describes them, and OPTIONS for the preflights of allowed
// origins. It has no other transport, and its answers are never cached by anybody on the way.
func NewHandler(o Options) http.Handler {
	limits := o.Limits.withDefaults()
	h := &handler{
		schema:    o.Schema,
		documents: newDocuments(limits.Cache),
		trusted:   o.Trusted,
		limits:    limits,
		requestID: o.RequestID,
		logger:    o.Logger,
		browsers:  o.Browsers,
		begin:     o.Begin,
		admit:     o.Admit,
		fixed:     newFixedHeader(),
		buffers:   sync.Pool{New: func() any { return new(buffer) }},
	}
	h.compiler = newCompiler(o, &h.limits)
	h.presenter = h.present
	if h.admit == nil {
		h.admit = func(context.Context) error { return nil }
	}
	if h.requestID == nil {
		h.requestID = func(context.Context) string { return "" }
	}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	return h.browsers.Share(h)
}

// answer is what goes into the body of a response. It has data exactly if the operation was run.
type answer struct {
	data   json.RawMessage
	errors gqlerror.List
}

// refusal is why a request was not run.
type refusal struct {
	status int    // where HTTP has a status of its own for it, else 0
	allow  string // the methods that would do, with 405
	errors gqlerror.List
}

// refuse is a refusal for one reason.
func refuse(status int, kind fault.Kind, message string) *refusal {
	return &refusal{status: status, errors: gqlerror.List{problem(kind, message)}}
}

// run answers a request that could be read.
func (h *handler) run(x *exchange, r *http.Request, req *request) (answer, *refusal) {
	d, refused := h.documentFor(req)
	if refused != nil {
		return answer{}, refused
	}
	op, err := d.operation(req.operationName)
	if err != nil {
		return answer{}, &refusal{errors: gqlerror.List{err}}
	}
	recordOf(x).operation(op)
	if h.begin != nil {
		return h.observed(x, r, req, d, op)
	}
	return h.runOperation(x, x, r, req, d, op)
}

// observed is runOperation between what Options.Begin is called for.
func (h *handler) observed(x *exchange, r *http.Request, req *request, d *document, op *ast.OperationDefinition) (a answer, refused *refusal) {
	ctx, end := h.begin(x, op.Name, string(op.Operation))
	defer func() { end(codesOf(a, refused)) }()
	return h.runOperation(ctx, x, r, req, d, op)
}

// runOperation runs an operation of a document. ctx is the exchange, or made from it.
func (h *handler) runOperation(ctx context.Context, x *exchange, r *http.Request, req *request, d *document, op *ast.OperationDefinition) (answer, *refusal) {
	if r.Method != http.MethodPost && op.Operation != ast.Query {
		refused := refuse(http.StatusMethodNotAllowed, fault.KindValidationFailed,
			"Only queries can be sent by "+r.Method+"; send this operation by POST.")
		refused.allow = http.MethodPost
		return answer{}, refused
	}
	if r.Method != http.MethodPost && !h.browsers.asked(r) {
		return answer{}, refuse(http.StatusBadRequest, fault.KindCSRFRejected, textNotAsked)
	}
	variables, errs := coerceVariables(h.compiler.schema, d, op, req.variables)
	if errs != nil {
		return answer{}, &refusal{errors: errs}
	}
	if !d.priced {
		p := pricer{schema: h.compiler.schema, limits: &h.limits, query: d.query, variables: variables}
		if err := p.check(op); err != nil {
			return answer{}, &refusal{errors: gqlerror.List{err}}
		}
	}
	operation := d.ready[op]
	if operation == nil {
		operation = h.compiler.operationContext(d, op, variables)
	}
	a := h.execute(ctx, operation)
	if !d.vouched.Load() && (x.vouched || isSignedIn(ctx)) {
		h.documents.vouch(d)
	}
	return a, nil
}

func isSignedIn(ctx context.Context) bool {
	_, err := auth.CallerFrom(ctx)
	return err == nil
}

// execute runs an operation.
func (h *handler) execute(ctx context.Context, op *graphql.OperationContext) (a answer) {
	ctx = graphql.WithOperationContext(ctx, op)
	ctx = graphql.WithResponseContext(ctx, h.presenter, recovered)
	// Fields recover for themselves; this is for what the generated code does between them.
	defer func() {
		if v := recover(); v != nil {
			a = answer{data: json.RawMessage("null"), errors: gqlerror.List{h.present(ctx, recovered(ctx, v))}}
		}
	}()
	response := h.schema.Exec(ctx)(ctx)
	a.errors = graphql.GetErrors(ctx)
	if response != nil {
		a.data = response.Data
		for _, err := range response.Errors {
			a.errors = append(a.errors, h.present(ctx, err))
		}
	}
	if len(a.data) == 0 {
		a.data = json.RawMessage("null")
	}
	return a
}

// resolve and resolveRoot are gqlgen's hooks around fields, which nothing needs here.
func resolve(ctx context.Context, next graphql.Resolver) (any, error) { return next(ctx) }

func resolveRoot(ctx context.Context, next graphql.RootResolver) graphql.Marshaler { return next(ctx) }
