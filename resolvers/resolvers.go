// Package resolvers holds the use cases, one file per flow. They have one entry: the GraphQL schema that New makes. The
// GraphQL endpoint, the REST dialects and the pages all run a GraphQL document against it. So the directives of the
// schema decide for every transport who may call what.
package resolvers

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/oldsystem"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/internal/returnurl"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/sms"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Deps holds the dependencies of the use cases and their settings.
type Deps struct {
	DB       *db.DB
	Codec    *token.Codec // refresh tokens, session tokens, API keys
	Issuer   Issuer
	Hasher   *password.Hasher
	Policy   password.Policy
	Breaches *password.Breaches // nil: passwords are not looked up in breaches
	Master   *secret.Master     // the server secret, from which keys are derived
	Now      func() time.Time
	Log      *slog.Logger

	Addresses db.AddressHashes // hashes the addresses by which wrong codes and mails are counted

	AccessTTL    time.Duration // lifetime of an access token
	SessionTTL   time.Duration // lifetime of a session, used or not
	SessionIdle  time.Duration // lifetime of a session since its last use
	SessionLimit int           // sessions of one account at once
	// how long a rotated refresh token may be retried, for the same successor (SE-10)
	RefreshGrace time.Duration
	Cookie       credential.ServerCookie // for session tokens
	DeviceCookie credential.ServerCookie // for device tokens

	// Profiles has the deviations of each dialect, by its name. A dialect without a profile, such as graphql, follows
	// the settings above.
	Profiles map[string]*profile.Profile

	MailPages map[string]string // pages of the operator, by the names of profile.MailKinds, see profile.ParsePage
	Countries *sms.Countries    // that messages to phones may go to
	Returns   returnurl.List    // where a sign-in by mail may go on

	Legacy map[string]LegacyTokens // access tokens of former systems, by the name of the dialect

	OldSystem   *oldsystem.Client    // is asked about names that no account has; nil: nobody is
	OnMigration func(outcome string) // see observe.Observer.Migrated

	Routes []db.DialectUsage // the routes of the mounted dialects, in the order of dialectUsage

	Limits           *limit.Limiter // limits by account and by key; nil: there are none
	Throttle         bool           // failures delay the next sign-in
	MailOff          bool           // no mail is ever sent
	SMSOff           bool           // no message is ever sent to a phone
	SMSLogin         bool           // a code to a confirmed number signs in
	RevealAccounts   bool           // login tells an unknown account from a wrong password
	RegistrationOpen bool

	MfaPolicy MfaPolicy
	MfaIssuer string     // what authenticator apps show beside the account
	Sealing   secret.Key // seals the secrets of authenticator apps

	RequireVerifiedEmail bool // nobody signs in with a password before the address is confirmed
	Version              string
}

// Issuer makes and verifies access tokens, like token.Issuer. Its keys may change at any time. Verify gives
// token.ErrMalformed for a token that is not valid. Any other error means that the signing keys could not be read.
type Issuer interface {
	Issue(a token.Access, ttl time.Duration) (secret.Text, token.Access, error)
	Verify(text string) (token.Access, error)
}

// resolver answers the root fields. Most other fields are those of the rows of package db.
type resolver struct {
	Deps
	turns      limit.Turns // one password check at a time for each Attempt.Bucket
	pseudonyms secret.Key  // hashes identifiers without an account
	deviceKey  secret.Key  // hashes known devices
	cursorKey  secret.Key  // signs the cursors of lists

	recoveryKey secret.Key // hashes recovery codes

	denials    *limit.Sample // which FORBIDDEN are recorded (AU-09)
	refusals   *limit.Sample // which other refusals are recorded (LG-30)
	ended      *endedSessions
	legacyUses legacyUses // which uses of tokens of former systems left an event
}

// New makes the executable schema. It fails for a root field that does not say who may call it, and for a mutation
// without an action of the audit log.
func New(deps Deps) (graphql.ExecutableSchema, error) {
	r := &resolver{
		Deps:       deps,
		pseudonyms: deps.Master.Stable("login stand-in"),
		deviceKey:  deps.Master.Stable("known devices"),
		cursorKey:  deps.Master.Key("cursors"),

		recoveryKey: deps.Master.Key("recovery codes"),

		denials:  limit.NewSample(),
		refusals: limit.NewLeveledSample(5, 60, 600),
		ended:    newEndedSessions(),
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

// accessIsStated demands exactly one access directive on every root field: without one, everybody could call it.
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
				return fmt.Errorf("%s.%s does not say who may call it; "+
					"give it one of @public, @requiresAuth and @requiresPermission", root.Name, field.Name)
			}
		}
	}
	return nil
}

func public(ctx context.Context, _ any, next graphql.Resolver) (any, error) { return next(ctx) }

// root gives the generated code the resolver of each type.
type root struct{ *resolver }

func (r root) Query() graph.QueryResolver       { return queries(r) }
func (r root) Mutation() graph.MutationResolver { return r.resolver }
func (r root) Session() graph.SessionResolver   { return sessionFields(r) }
func (r root) User() graph.UserResolver         { return userFields(r) }

// queries is the resolver of Query.
type queries struct{ *resolver }

// now gives the present time, to the microsecond and in UTC, as the database stores it.
func (r *resolver) now() time.Time { return db.Clock(r.Now()) }

// profile gives the profile of the dialect of this request, in whichever dialect the session began.
func (r *resolver) profile(ctx context.Context) *profile.Profile {
	if p := r.Profiles[visit.From(ctx).Dialect]; p != nil {
		return p
	}
	return &profile.Profile{}
}
