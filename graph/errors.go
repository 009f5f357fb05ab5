package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"latchkey/fault"
)

// maxMessage bounds the text of an error, in bytes: some rules write one part of it for each conflict they find.
const maxMessage = 500

// problem is an error of the request: its kind, its text and the places in the document it is about.
func problem(kind fault.Kind, message string, at ...*ast.Position) *gqlerror.Error {
	err := &gqlerror.Error{Message: shorten(message), Extensions: map[string]any{"code": string(kind)}}
	for _, position := range at {
		if position != nil {
			err.Locations = append(err.Locations, gqlerror.Location{Line: position.Line, Column: position.Column})
		}
	}
	return err
}

// shorten cuts a message that is too long, between two characters.
func shorten(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + "…"
}

// lexicalError words what the lexer found, without the text it found it in.
func lexicalError(err error) *gqlerror.Error {
	message := "Syntax error: the document has a character or a number that is not well-formed."
	found, ok := errors.AsType[*gqlerror.Error](err)
	if ok && strings.HasPrefix(found.Message, "Unterminated string") {
		message = "Syntax error: a string is not closed."
	}
	return relocated(problem(fault.KindParseFailed, message), found)
}

// syntaxError words what the parser found, without the text of any token: what was expected and the kind of token that
// stands there.
func syntaxError(err error) *gqlerror.Error {
	message := "Syntax error."
	found, ok := errors.AsType[*gqlerror.Error](err)
	if ok {
		expected, token, isExpectation := strings.Cut(found.Message, ", found ")
		kind, _, _ := strings.Cut(token, " ")
		unexpected, isUnexpected := strings.CutPrefix(found.Message, "Unexpected ")
		switch {
		case isExpectation:
			message = "Syntax error: " + strings.ToLower(expected[:1]) + expected[1:] + ", found " + kind + "."
		case isUnexpected:
			kind, _, _ = strings.Cut(unexpected, " ")
			message = "Syntax error: unexpected " + kind + "."
		}
	}
	return relocated(problem(fault.KindParseFailed, message), found)
}

// relocated gives an error the places of another, which may be nil.
func relocated(err, from *gqlerror.Error) *gqlerror.Error {
	if from != nil {
		err.Locations = from.Locations
	}
	return err
}

// limited cuts a list of errors to limit entries, the last of which then says how many are left out.
func limited(list gqlerror.List, limit int) gqlerror.List {
	if len(list) <= limit {
		return list
	}
	left := len(list) - (limit - 1)
	cut := append(gqlerror.List{}, list[:limit-1]...)
	note := &gqlerror.Error{
		Message:    fmt.Sprintf("%d more errors are left out.", left),
		Extensions: map[string]any{"code": list[limit-1].Extensions["code"]},
	}
	return append(cut, note)
}

// panicked is the cause of an error that a panic became.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// recovered turns a panic into an error. The presenter logs it.
func recovered(_ context.Context, value any) error {
	return fault.New(fault.KindInternal).Because(&panicked{value, debug.Stack()})
}

// present turns an error of a field into what the client sees of it. Only a fault.Error passes: anything else is an
// internal error, which tells the client nothing but the id of the request.
func (h *handler) present(ctx context.Context, err error) *gqlerror.Error {
	field := graphql.GetFieldContext(ctx)
	located, _ := errors.AsType[*gqlerror.Error](err)
	path, argument := split(located, field)

	f, isFault := errors.AsType[*fault.Error](err)
	switch {
	case isFault && f.Kind != fault.KindInternal:
		if f.Kind == fault.KindBadUserInput && len(f.Fields) == 0 && argument != "" {
			f = fault.BadUserInput(f.Message, argument)
		}
	case argument != "":
		// The generated code could not read an argument, and its text may have the value in it.
		f = fault.BadUserInput("", argument)
	default:
		h.log(ctx, path, err)
		f = fault.New(fault.KindInternal)
	}

	out := &gqlerror.Error{Message: f.PublicMessage(), Path: path, Extensions: h.extensions(ctx, f)}
	switch {
	case located != nil && len(located.Locations) > 0:
		out.Locations = located.Locations
	case field != nil && field.Field.Field != nil && field.Field.Position != nil:
		out.Locations = []gqlerror.Location{locationOf(field.Field.Position)}
	}
	return out
}

func locationOf(position *ast.Position) gqlerror.Location {
	return gqlerror.Location{Line: position.Line, Column: position.Column}
}

// split takes the path of an error apart: into the path of the field in the answer, and that of the argument below
// it, which is empty for an error that is not about one.
func split(err *gqlerror.Error, field *graphql.FieldContext) (ast.Path, string) {
	if field == nil {
		if err == nil {
			return nil, ""
		}
		return err.Path, ""
	}
	path := field.Path()
	if err == nil || len(err.Path) <= len(path) || err.Path[:len(path)].String() != path.String() {
		return path, ""
	}
	return path, strings.TrimPrefix(err.Path[len(path):].String(), ".")
}

// extensions returns what a client's program reads of an error.
func (h *handler) extensions(ctx context.Context, f *fault.Error) map[string]any {
	ext := map[string]any{"code": string(f.Kind)}
	if f.Kind == fault.KindInternal {
		if id := h.requestID(ctx); id != "" {
			ext["requestId"] = id
		}
	}
	if f.Reason != "" {
		ext["reason"] = string(f.Reason)
	}
	if f.Requires != "" {
		ext["requires"] = f.Requires
	}
	if len(f.Fields) > 0 {
		ext["field"] = f.Fields[0]
	}
	if len(f.Fields) > 1 {
		ext["fields"] = f.Fields
	}
	if f.Kind == fault.KindRateLimited {
		ext["retryAfter"] = wholeSeconds(f.RetryAfter)
	}
	return ext
}

// wholeSeconds rounds up, and to one at least: a client that comes back earlier comes back for nothing.
func wholeSeconds(d time.Duration) int {
	return max(1, int(math.Ceil(d.Seconds())))
}

// log writes an unexpected error to the log: where it happened and why, never what was sent. That a client gives its
// request up is no fault of anybody, and for those who look closely only.
func (h *handler) log(ctx context.Context, path ast.Path, err error) {
	level, message := slog.LevelError, "unexpected fault"
	if errors.Is(context.Cause(ctx), context.Canceled) {
		level, message = slog.LevelDebug, "the client gave the request up"
	}
	attrs := []slog.Attr{
		slog.String("request_id", h.requestID(ctx)),
		slog.String("path", path.String()),
		slog.String("error", causeOf(err).Error()),
	}
	if p, ok := errors.AsType[*panicked](err); ok {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	h.logger.LogAttrs(ctx, level, message, attrs...)
}

// causeOf takes off the wrapping that would only repeat the path, and the public text of an internal fault.
func causeOf(err error) error {
	if located, ok := errors.AsType[*gqlerror.Error](err); ok && located.Err != nil {
		err = located.Err
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Unwrap() != nil {
		return f.Unwrap()
	}
	return err
}
