// Package gqlhttp is the only way to the schema: the GraphQL-over-HTTP endpoint for everybody, and Do for the stored
// documents of dialects and pages.
//
// A document from outside is measured before it is validated, and validated before anything runs. An error is either a
// sentence of this server or "Something went wrong on our side". No value that a caller sent, in a body, a literal or a
// variable, comes back in an error or gets into the log.
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

	// Admit is called once for every mutation and every @credential field, when its resolver calls limit.Enter: the
	// input was judged then, and nothing has happened yet. It asks the queue of hashes and applies the limits by
	// address. It refuses with a *fault.Error of code RateLimited (HTTP 429) or Unavailable (HTTP 503). Any other error
	// is internal: the field does nothing, and the caller gets the generic message.
	Admit func(ctx context.Context, c Credential) error

	// Refused is called for every such field that was refused before its resolver called limit.Enter. Its error is
	// answered instead of the refusal. It may be nil.
	Refused func(ctx context.Context, field string) error

	// Unserved is called for every such field that Admit let pass and that then failed with the code Unavailable: it
	// was too much for the server, and should cost its caller nothing. It may be nil.
	Unserved func(ctx context.Context, c Credential)

	// Observe is called for every root field that runs. It returns the context of the field. Its second result is
	// called at the end, with the code of the error, or OK. It may be nil.
	Observe func(ctx context.Context, operation, field string) (context.Context, func(code string))

	Log *slog.Logger
}

// Handler answers GraphQL requests over HTTP and runs stored documents. It is safe for concurrent use.
type Handler struct {
	schema        graphql.ExecutableSchema
	introspection bool
	admit         func(ctx context.Context, c Credential) error
	refused       func(ctx context.Context, field string) error
	unserved      func(ctx context.Context, c Credential)
	observe       func(ctx context.Context, operation, field string) (context.Context, func(code string))
	log           *slog.Logger
	documents     *lru.Cache[string, *Document]
}

// New makes a handler. It fails if a required field of cfg is missing, if a mutation of the schema has no @refuses, if
// @refuses names an unknown code, and if @credential is below the root fields or names no limit.
func New(cfg Config) (*Handler, error) {
	if cfg.Schema == nil || cfg.Admit == nil || cfg.Log == nil {
		return nil, errors.New("gqlhttp: a field of Config is missing; set Schema, Admit and Log")
	}
	if err := checkRefuses(cfg.Schema.Schema()); err != nil {
		return nil, err
	}
	if err := checkCredentials(cfg.Schema.Schema()); err != nil {
		return nil, err
	}
	if err := checkListSizes(cfg.Schema.Schema()); err != nil {
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
		refused:       cfg.Refused,
		unserved:      cfg.Unserved,
		observe:       cfg.Observe,
		log:           cfg.Log,
		documents:     documents,
	}, nil
}
