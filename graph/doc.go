// Package graph is the GraphQL contract: the schema in graph/schema, with one file per feature, and the Go code that
// gqlgen generates from it (`go generate .` at the root). Written by hand are the schema, this comment, scalars.go and
// sdl.go.
package graph
