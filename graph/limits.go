package graph

import (
	"cmp"
	"fmt"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"latchkey/fault"
)

// Limits bounds what one request may ask for. A field that is zero has the default.
//
// Everything but Body, Cost, Cache and Timeout is checked before a document is validated, Cost before it is run, and answered with
// COMPLEXITY_LIMIT_EXCEEDED. Counts of fields, aliases and root fields follow every fragment spread, so that nothing
// is gained by hiding behind fragments.
type Limits struct {
	Body       int // of a POST, in bytes; 1 MiB
	Document   int // length of the text, in bytes; 20,000
	Name       int // length of a name in it, in bytes; 200
	Tokens     int // 1,000, comments included
	Nesting    int // of brackets of any kind; 100
	Directives int // 20
	Fragments  int // that are defined; 50
	Depth      int // of fields within fields, introspection aside; 15
	Aliases    int // 30
	RootFields int // 20
	Fields     int // selections of any kind, in all operations together; 1,000
	Cost       int // objects and lists that may have to be fetched; 2,000
	PageSize   int // what a list costs that takes `first` or `last` and is given neither; 20

	// Once names the root fields that an operation may ask for once: those that check a credential, or one request
	// could guess many, or set one, which costs as much. The default is tokenObtain, tokenRefresh, passwordChange,
	// userCreate, userUpdate and __schema.
	Once []string

	Cache   int           // memory for documents that are ready to run, in bytes; 8 MiB
	Timeout time.Duration // for the answer to a request; 10 s: a password may wait 5 s for its turn
}

// The most errors that an answer lists: of a request that is not run, where one mistake often makes many, and of
// fields that failed, where each tells a client which null is no answer.
const (
	maxRequestErrors = 5
	maxFieldErrors   = 100
)

// introspectionLists bounds how often lists of types, fields and the like nest below `__schema` and `__type`, and
// introspectionAliases how many aliases there are: the two by which a short text asks for a huge answer.
// introspectionDepth bounds how deep its fields nest; the standard introspection query just needs it, whatever the limit
// for data is.
const (
	introspectionLists   = 2
	introspectionAliases = 5
	introspectionDepth   = 15
)

func (l Limits) withDefaults() Limits {
	l.Body = cmp.Or(l.Body, 1<<20)
	l.Document = cmp.Or(l.Document, 20_000)
	l.Name = cmp.Or(l.Name, 200)
	l.Tokens = cmp.Or(l.Tokens, 1_000)
	l.Nesting = cmp.Or(l.Nesting, 100)
	l.Directives = cmp.Or(l.Directives, 20)
	l.Fragments = cmp.Or(l.Fragments, 50)
	l.Depth = cmp.Or(l.Depth, 15)
	l.Aliases = cmp.Or(l.Aliases, 30)
	l.RootFields = cmp.Or(l.RootFields, 20)
	l.Fields = cmp.Or(l.Fields, 1_000)
	l.Cost = cmp.Or(l.Cost, 2_000)
	l.PageSize = cmp.Or(l.PageSize, 20)
	if l.Once == nil {
		l.Once = []string{"tokenObtain", "tokenRefresh", "passwordChange", "userCreate", "userUpdate", "__schema"}
	}
	l.Cache = cmp.Or(l.Cache, 8<<20)
	l.Timeout = cmp.Or(l.Timeout, 10*time.Second)
	return l
}

// check returns an error when got is more than limit. What is a phrase with a place for the number, as in
// "The document has %s tokens".
func check(what string, got, limit int, at *ast.Position) *gqlerror.Error {
	if got <= limit {
		return nil
	}
	number := fmt.Sprint(got)
	if got >= huge {
		number = fmt.Sprintf("more than %d", huge-1)
	}
	return problem(fault.KindComplexityLimit, fmt.Sprintf(what+"; the limit is %d.", number, limit), at)
}

// huge is where counting stops: a document of a few hundred bytes can stand for more fields than an int can hold.
const huge = 1 << 29

func plus(a, b int) int { return min(a+b, huge) }

func times(a, b int) int {
	if b > 0 && a > huge/b {
		return huge
	}
	return min(a*b, huge)
}
