package graph

import (
	"context"
	"log/slog"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Record is what an access log may say of a GraphQL request. It is filled in when the answer is written.
type Record struct {
	Answered bool     // it was a request for GraphQL, and no preflight
	Name     string   // of the operation, in a document that passed every rule; empty for one without a name, or where none was found
	Type     string   // query or mutation; empty where no operation was found
	Codes    []string // the `extensions.code` of the answer's errors, each once
}

// recordKey is the key of the Record in a context.
type recordKey struct{}

// WithRecord returns a context that NewHandler's handler fills the Record for. The Record may be read after the
// handler has returned.
func WithRecord(ctx context.Context) (context.Context, *Record) {
	r := &Record{}
	return context.WithValue(ctx, recordKey{}, r), r
}

func recordOf(ctx context.Context) *Record {
	r, _ := ctx.Value(recordKey{}).(*Record)
	return r
}

// AppendAttrs appends the record as attributes of a log line: `operation`, `operation_type` and `codes`, each where
// there is one. There are none for a request that was not for GraphQL.
func (r *Record) AppendAttrs(attrs []slog.Attr) []slog.Attr {
	if r.Name != "" {
		attrs = append(attrs, slog.String("operation", r.Name))
	}
	if r.Type != "" {
		attrs = append(attrs, slog.String("operation_type", r.Type))
	}
	if len(r.Codes) > 0 {
		attrs = append(attrs, slog.Any("codes", r.Codes))
	}
	return attrs
}

// operation notes the operation that was chosen.
func (r *Record) operation(op *ast.OperationDefinition) {
	if r == nil {
		return
	}
	r.Name, r.Type = op.Name, string(op.Operation)
}

// errors notes the codes of the errors of an answer, which may be none.
func (r *Record) errors(list gqlerror.List) {
	if r == nil {
		return
	}
	r.Answered = true
	r.Codes = appendCodes(r.Codes, list)
}

// appendCodes appends the codes of errors, each once.
func appendCodes(codes []string, list gqlerror.List) []string {
	for _, err := range list {
		code, _ := err.Extensions["code"].(string)
		if code != "" && !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	return codes
}

// codesOf returns the codes of the errors of what became of a request.
func codesOf(a answer, refused *refusal) []string {
	if refused != nil {
		return appendCodes(nil, refused.errors)
	}
	return appendCodes(nil, a.errors)
}
