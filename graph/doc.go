// Package graph is the GraphQL contract: the schema in graph/schema, one file per feature, and the code that gqlgen
// makes from it (`go generate .` at the root). Nothing here is written by hand but the schema and this comment.
package graph
