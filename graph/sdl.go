package graph

import (
	"strings"

	"github.com/vektah/gqlparser/v2/formatter"
)

// SDL is the whole schema in the schema definition language, each type in one piece, as the server runs it.
func SDL() string {
	var text strings.Builder
	formatter.NewFormatter(&text, formatter.WithIndent("  ")).FormatSchema(NewExecutableSchema(Config{}).Schema())
	return text.String()
}
