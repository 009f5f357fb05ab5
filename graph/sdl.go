package graph

import (
	"strings"

	"github.com/vektah/gqlparser/v2/formatter"

	"latchkey/graph/generated"
)

// SDL returns the schema in the schema definition language, with its descriptions.
func SDL() string {
	var b strings.Builder
	formatter.NewFormatter(&b, formatter.WithIndent("  ")).FormatSchema(generated.NewExecutableSchema(generated.Config{}).Schema())
	return b.String()
}
