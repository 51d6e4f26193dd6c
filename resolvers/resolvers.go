// Package resolvers holds the use cases, one file per flow, behind the one door: every transport reaches them by
// running a GraphQL document, and the directives of the schema say who may.
package resolvers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Deps is what the use cases work with and the settings that they follow.
type Deps struct {
	DB       *db.DB
	Codec    *token.Codec // refresh tokens, session tokens, API keys
	Issuer   Issuer
	Hasher   *password.Hasher
	Policy   password.Policy
	Breaches *password.Breaches // nil where no list of breached passwords is asked
	Master   *secret.Master     // only keys derived from it are used
	Now      func() time.Time

	AccessTTL    time.Duration // of an access token
	SessionTTL   time.Duration // of a session in all
	SessionIdle  time.Duration // of a session without use
	SessionLimit int           // how many an account may have at once
	RefreshGrace time.Duration // in which the predecessor of a refresh token still gets the same successor
	Cookie       credential.SessionCookie

	// Profiles says by dialect what is different there; a dialect without one, such as GraphQL, follows the settings
	// above.
	Profiles map[string]*profile.Profile

	Routes []db.DialectUsage // of the dialects that are served, in the order to list them in

	Throttle         bool // whether failures slow an account down, and mails to an address are counted
	MailOff          bool // whether no mail is ever sent
	RevealAccounts   bool // whether login tells an unknown account from a wrong password
	RegistrationOpen bool

	// RequireVerifiedEmail lets nobody sign in with a password before the address is confirmed.
	RequireVerifiedEmail bool
	Version              string
}

// Issuer makes and checks access tokens as a token.Issuer does, which is one. The keys behind it may change at any
// time; an error of Verify that is not token.ErrMalformed says that it could not find out.
type Issuer interface {
	Issue(a token.Access, ttl time.Duration) (secret.Text, token.Access, error)
	Verify(text string) (token.Access, error)
}

// resolver serves the root fields and what rows can not answer themselves.
type resolver struct {
	Deps
	turns      limit.Turns // one password check at a time for each Attempt.Bucket
	pseudonyms secret.Key  // for accounts that do not exist
	deviceKey  secret.Key  // that were signed in from
	cursorKey  secret.Key  // signs where a page of a list ends
	denials    *limit.Sample
	mailLimits *mailLimits // nil where nothing is counted
}

// New makes the executable schema. It fails when a root field does not say who may call it.
func New(deps Deps) (graphql.ExecutableSchema, error) {
	r := &resolver{
		Deps: deps, pseudonyms: deps.Master.Stable("login stand-in"), deviceKey: deps.Master.Stable("known devices"),
		cursorKey: deps.Master.Key("cursors"), denials: limit.NewSample(),
	}
	var err error
	if r.mailLimits, err = newMailLimits(deps); err != nil {
		return nil, err
	}
	schema := graph.NewExecutableSchema(graph.Config{
		Resolvers: root{r},
		Directives: graph.DirectiveRoot{
			Public:             public,
			RequiresAuth:       r.requiresAuth,
			RequiresPermission: r.requiresPermission,
			Sudo:               r.requiresSudo,
		},
	})
	if err := accessIsStated(schema.Schema()); err != nil {
		return nil, err
	}
	if err := actionsAreStated(schema.Schema()); err != nil {
		return nil, err
	}
	return callerSchema{schema}, nil
}

// accessIsStated walks the root fields: one that carries none of the access directives would be open to everyone.
func accessIsStated(schema *ast.Schema) error {
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		if root == nil {
			continue
		}
		for _, field := range root.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			said := 0
			for _, name := range []string{"public", "requiresAuth", "requiresPermission"} {
				said += len(field.Directives.ForNames(name))
			}
			if said != 1 {
				return fmt.Errorf(
					"%s.%s does not say who may call it: give it @public, @requiresAuth or @requiresPermission, one "+
						"of them",
					root.Name, field.Name,
				)
			}
		}
	}
	return nil
}

func public(ctx context.Context, _ any, next graphql.Resolver) (any, error) { return next(ctx) }

// root tells the generated code where the fields of each type are answered.
type root struct{ *resolver }

func (r root) Query() graph.QueryResolver       { return queries(r) }
func (r root) Mutation() graph.MutationResolver { return r.resolver }
func (r root) Session() graph.SessionResolver   { return sessionFields(r) }

// queries serves Query.
type queries struct{ *resolver }

// now is the time of this moment as databases hold it.
func (r *resolver) now() time.Time { return db.Clock(r.Now()) }

// profile is what the dialect of the present request changes, whichever dialect a session was made in.
func (r *resolver) profile(ctx context.Context) *profile.Profile {
	if p := r.Profiles[visit.From(ctx).Dialect]; p != nil {
		return p
	}
	return &profile.Profile{}
}
