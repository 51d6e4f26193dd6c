// Package graph is the GraphQL contract: the schema in graph/schema, one file per feature, and the code that gqlgen
// makes from it (`go generate .` at the root). Written by hand are the schema, this comment, scalars.go and sdl.go.
package graph
