package graph

import (
	"strings"

	"github.com/vektah/gqlparser/v2/formatter"
)

// SDL gives the schema in the schema definition language, as the server runs it: extensions are merged into their
// types.
func SDL() string {
	var text strings.Builder
	formatter.NewFormatter(&text, formatter.WithIndent("  ")).FormatSchema(NewExecutableSchema(Config{}).Schema())
	return text.String()
}
