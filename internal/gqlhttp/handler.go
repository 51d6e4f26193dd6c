// Package gqlhttp is the one door to the schema: the GraphQL-over-HTTP endpoint for everybody, and Do for the stored
// documents of dialects and pages.
//
// A document from outside is measured before it is validated, validated before anything runs, and what goes out is
// written here alone: an error is either one of our own sentences or "Something went wrong on our side". No value that
// a caller sent, in a body, a literal or a variable, comes back in an error or gets into the log.
package gqlhttp

import (
	"context"
	"errors"
	"log/slog"

	"github.com/99designs/gqlgen/graphql"
	lru "github.com/hashicorp/golang-lru/v2"
)

// Config is what a Handler needs. Every field but Introspection and Observe is required.
type Config struct {
	Schema graphql.ExecutableSchema

	// Introspection lets documents from outside ask for __schema and __type.
	Introspection bool

	// Admit is asked once for every @credential field of the selected operation, before anything runs: for the limits
	// by address and the admission to the queue of hashes. It refuses with a *fault.Error of code RateLimited (HTTP
	// 429) or Unavailable (HTTP 503). Any other error is internal: nothing runs, and the caller learns only that
	// something went wrong.
	Admit func(ctx context.Context, c Credential) error

	// Observe is told of every root field that runs, and of every @credential field that Admit refuses. It gives the
	// context to go on in, and is told the code at the end, OK where it was not refused. Nil for nobody.
	Observe func(ctx context.Context, operation, field string) (context.Context, func(code string))

	Log *slog.Logger
}

// Handler answers GraphQL requests over HTTP and runs stored documents. It is safe for concurrent use.
type Handler struct {
	schema        graphql.ExecutableSchema
	introspection bool
	admit         func(ctx context.Context, c Credential) error
	observe       func(ctx context.Context, operation, field string) (context.Context, func(code string))
	log           *slog.Logger
	documents     *lru.Cache[string, *Document]
}

// New makes a handler. It fails when a required field of cfg is missing, and when the schema does not say with @refuses
// what its mutations are refused with, or has @credential where nothing would ask for it.
func New(cfg Config) (*Handler, error) {
	if cfg.Schema == nil || cfg.Admit == nil || cfg.Log == nil {
		return nil, errors.New("gqlhttp: a field of Config is missing; set Schema, Admit and Log")
	}
	if err := refusalsAreStated(cfg.Schema.Schema()); err != nil {
		return nil, err
	}
	if err := credentialsAreAtTheRoot(cfg.Schema.Schema()); err != nil {
		return nil, err
	}
	documents, err := lru.New[string, *Document](cachedDocuments)
	if err != nil {
		return nil, err
	}
	return &Handler{
		schema:        cfg.Schema,
		introspection: cfg.Introspection,
		admit:         cfg.Admit,
		observe:       cfg.Observe,
		log:           cfg.Log,
		documents:     documents,
	}, nil
}
