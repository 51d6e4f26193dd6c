// Package app assembles the server: settings, database, keyring, schema, transports and mail worker. The command line,
// the listeners and the shutdown are in server.go.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/mail"
	"github.com/dragoman-auth/dragoman/internal/observe"
	"github.com/dragoman-auth/dragoman/internal/oldsystem"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/sms"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/totp"
	"github.com/dragoman-auth/dragoman/resolvers"
	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/web/assets"
	"github.com/dragoman-auth/dragoman/web/pages"
)

// Options are the parameters of a server that are no settings.
type Options struct {
	Version  string
	Hasher   *password.Hasher
	Now      func() time.Time
	Log      *slog.Logger
	Dialects []*rest.Dialect // mounted in addition to the dialects of the settings
}

// Server is a server without listeners. Close it after the last request.
type Server struct {
	DB        *db.DB
	Keys      *Keyring
	Mail      *Mail
	Observer  *observe.Observer
	Dialects  []*rest.Dialect // the mounted dialects
	Handler   http.Handler    // answers every request
	PublicURL string          // without a trailing slash

	settings *config.Settings
	options  Options
	master   *secret.Master
	mails    *MailRenderer
	legacy   map[string]resolvers.LegacyTokens // by dialect
	draining atomic.Bool

	mailboxKey string // of this start; "" where the local mailbox needs none, or there is none
}

// Open opens the database, migrates its schema unless DRAGOMAN_MIGRATE is off, assembles the parts and starts the mail
// worker. The error names the setting, file or part that can not be used. After an error nothing stays open.
func Open(ctx context.Context, settings *config.Settings, options Options) (_ *Server, err error) {
	dialects, templates, err := LoadFiles(settings, options.Dialects...)
	if err != nil {
		return nil, err
	}
	s := &Server{PublicURL: settings.URL(), Dialects: dialects, settings: settings, options: options}
	// Before anything is made on disk: a wrong file leaves nothing behind.
	if s.legacy, err = LegacyTokens(settings, dialects, options.Now); err != nil {
		return nil, err
	}
	if s.master, err = settings.Master(); err != nil {
		return nil, err
	}
	if s.DB, err = OpenDB(ctx, settings); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.DB.Close())
		}
	}()
	if s.master, err = RecordSecretUse(ctx, s.DB, s.master, options.Now()); err != nil {
		return nil, err
	}
	if s.Keys, err = OpenKeyring(ctx, s.DB, s.master, settings, options.Now); err != nil {
		return nil, err
	}
	if err = s.observe(ctx); err != nil {
		return nil, err
	}
	if err = s.RefreshHashMix(ctx); err != nil {
		return nil, err
	}
	if err = s.open(ctx, templates); err != nil {
		return nil, err
	}
	if s.Mail, err = s.startMail(ctx); err != nil {
		return nil, err
	}
	if s.Mail.sms, err = s.startSMS(ctx); err != nil {
		return nil, errors.Join(err, s.Mail.Stop(ctx))
	}
	return s, nil
}

// open makes the handler.
func (s *Server) open(ctx context.Context, templates *mail.Templates) error {
	s.mails = OpenMailRenderer(s.settings, templates, s.codec())
	if s.settings.Mailbox == config.On {
		s.mailboxKey = strings.ToLower(rand.Text())
	}
	limiters, err := s.openLimiters(gqlhttp.Credentials(graph.NewExecutableSchema(graph.Config{}).Schema()))
	if err != nil {
		return err
	}
	deps := s.deps(limiters)
	if deps.Legacy, err = s.legacyTokens(ctx); err != nil {
		return err
	}
	if deps.OldSystem, err = s.oldSystem(); err != nil {
		return err
	}
	schema, err := resolvers.New(deps)
	if err != nil {
		return err
	}
	graphql, err := s.graphql(limiters, gqlhttp.Config{Schema: schema, Observe: s.Observer.Field, Log: s.options.Log})
	if err != nil {
		return err
	}
	refusals := assets.NewRefusals(s.settings.Site(), s.bar())
	buttons := pages.NewButtons(s.settings.Site(), s.bar())
	engine, err := rest.New(ctx, rest.Config{
		Dialects: s.Dialects,
		GraphQL:  graphql,
		Site:     s.settings.Site(),
		Reserved: ownPaths,
		NotFound: refusals.NotFound,
		Browser:  s.browser(refusals),
		DocsURL:  s.docsURL(),
		Page: func(w http.ResponseWriter, r *http.Request, p rest.Page) {
			buttons.Write(w, r, pages.Button(p))
		},
		Log:            s.options.Log,
		Now:            s.options.Now,
		RevealAccounts: s.settings.RevealAccounts,
		MailPages:      s.settings.MailPages,
		MatchExpired:   s.Keys.MatchExpired(s.codec()),
		OnUse:          s.countUse,
	})
	if err != nil {
		return err
	}
	s.Handler = edge.Handler(edge.Config{
		TrustedProxies: s.settings.TrustedProxies,
		Site:           s.settings.Site(),
		Log:            s.options.Log,
		Now:            s.options.Now,
		Observe:        s.Observer.Request,
		Origins:        s.settings.Origins(),
		Expose:         rest.AnswerHeaders(s.Dialects),
		Cookie:         credential.NewSessionCookie(s.settings.Site()).Name,
		DeviceCookie:   credential.NewDeviceCookie(s.settings.Site()).Name,
	}, s.routes(graphql, engine, refusals))
	return nil
}

// deps gives the dependencies of the use cases.
func (s *Server) deps(l *limiters) resolvers.Deps {
	set := s.settings
	countries, _ := sms.NewCountries(set.SMS.Countries) // config has checked them
	deps := resolvers.Deps{
		DB:                   s.DB,
		Codec:                s.codec(),
		Issuer:               s.Keys,
		Master:               s.master,
		Sealing:              s.master.Key(totp.Sealing),
		MfaPolicy:            resolvers.MfaPolicy{Off: set.MfaOff, Required: set.MfaRequired, Roles: set.MfaRoles},
		MfaIssuer:            s.settings.Site().Name(),
		Addresses:            AddressHashes(s.master),
		Now:                  s.options.Now,
		Log:                  s.options.Log,
		Hasher:               s.options.Hasher,
		Policy:               password.Policy{MinLength: set.PasswordMinLength},
		Breaches:             password.NewBreaches(set.BreachedPasswords, s.options.Log),
		AccessTTL:            set.AccessTTL,
		SessionTTL:           set.SessionTTL,
		SessionIdle:          set.SessionIdle,
		SessionLimit:         set.SessionLimit,
		RefreshGrace:         set.RefreshGrace,
		Cookie:               credential.NewSessionCookie(s.settings.Site()),
		DeviceCookie:         credential.NewDeviceCookie(s.settings.Site()),
		Throttle:             set.RateLimits,
		RevealAccounts:       set.RevealAccounts,
		RegistrationOpen:     set.Registration,
		MailOff:              set.MailOff,
		SMSOff:               !set.SMSOn(),
		SMSLogin:             set.SMS.Login && set.SMSOn(),
		Countries:            countries,
		RequireVerifiedEmail: set.RequireVerifiedEmail,
		MailPages:            set.MailPages,
		Returns:              set.Returns(),
		Version:              s.options.Version,
		Routes:               Routes(s.Dialects, s.settings.Site()),
		Profiles:             rest.Profiles(s.Dialects, set.StrictPasswords, set.PasswordMinLength, s.PublicURL),
	}
	if l != nil {
		deps.Limits = l.own
	}
	deps.OnMigration = s.Observer.Migrated
	return deps
}

// oldSystem gives the client of DRAGOMAN_MIGRATE_URL, nil for none.
func (s *Server) oldSystem() (*oldsystem.Client, error) {
	if s.settings.MigrateURL == "" {
		return nil, nil
	}
	return oldsystem.New(s.settings.MigrateURL, s.settings.MigrateSecret, s.options.Now)
}

func (s *Server) codec() *token.Codec { return token.NewCodec(s.master, s.options.Now) }

// graphql makes the handler of the schema. The documents of callers and the stored documents of dialects and pages all
// go through it.
func (s *Server) graphql(l *limiters, cfg gqlhttp.Config) (*gqlhttp.Handler, error) {
	s.admission(l, &cfg)
	s.options.Hasher.Identify(s.identify(s.codec()))
	cfg.Introspection = s.settings.Introspection.Is(s.settings.Loopback())
	return gqlhttp.New(cfg)
}

// closeWithin is how long Close may take.
const closeWithin = 2 * time.Second

// Close writes the buffered uses of sessions, keys and dialects, stops the mail worker and closes the database. It logs
// a failure of the first two: the server stops in any case.
func (s *Server) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeWithin)
	defer cancel()
	if err := errors.Join(s.DB.Flush(ctx), s.Mail.Stop(ctx)); err != nil {
		s.options.Log.Warn("shutdown: last uses or dialect calls were not written, or mails are unfinished; "+
			"the next start sends the mails", "error", err)
	}
	if err := s.Observer.Close(ctx); err != nil {
		s.options.Log.Warn("traces: the last spans were not sent; check OTEL_EXPORTER_OTLP_ENDPOINT", "error", err)
	}
	return s.DB.Close()
}
