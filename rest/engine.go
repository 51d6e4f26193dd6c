package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/internal/site"
)

// Config is what an Engine needs.
type Config struct {
	Dialects []*Dialect
	GraphQL  *gqlhttp.Handler
	Site     site.Site
	Reserved []string // paths of the server itself, as ServeMux patterns without a method
	NotFound http.HandlerFunc
	Log      *slog.Logger
	Now      func() time.Time // for the dates in cookies

	RevealAccounts bool // whether callers may learn which accounts exist

	MailPages map[string]string // of the operator, by a name of profile.MailKinds, in the form of profile.ParsePage

	// Browser answers a browser that opens a path of a dialect where it has no page, and tells whether it did. It may
	// be nil. What it leaves alone gets the answer of the dialect.
	Browser func(http.ResponseWriter, *http.Request, Unserved) bool

	// DocsURL is where the documentation of a dialect is, but for its name; "" where none is served.
	DocsURL string

	// Page writes a page of a route that changes state by GET, with the bar of the server's pages.
	Page func(http.ResponseWriter, *http.Request, Page)

	// OnUse is called after each answer, before the next request of the connection, so it must be quick. It may be nil.
	OnUse func(context.Context, Use)

	// MatchExpired compares an access token with a refresh token. expired means the same session and an expired access
	// token, otherSession a token of another session, expired or not. Dialects with renew: need it.
	MatchExpired func(credential, refresh string) (expired, otherSession bool)
}

// Unserved is a request that no route of a dialect serves.
type Unserved struct {
	Dialect, Title string // the dialect that the path belongs to
	Base           bool   // whether the path is a mount of the dialect
	Status         int    // 404, or 405 for a path that has other methods
}

// Engine serves the routes of all dialects. It is safe for concurrent use.
type Engine struct {
	dialects     []*Dialect
	graphql      *gqlhttp.Handler
	mux          *http.ServeMux
	mounted      []*mounted // in the order of the files
	notFound     http.HandlerFunc
	log          *slog.Logger
	onUse        func(context.Context, Use)
	browser      func(http.ResponseWriter, *http.Request, Unserved) bool
	page         func(http.ResponseWriter, *http.Request, Page)
	docsURL      string
	reveals      bool
	matchExpired func(credential, refresh string) (expired, otherSession bool)
	renewals     map[*Dialect]*gqlhttp.Document
	mailPages    map[string]string
}

// New prepares every route: it validates the document and the variables against the schema, requires a row for every
// code that the route can end with, and rejects routes that overlap. An error in a file is a *Fault.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	if cfg.GraphQL == nil || cfg.NotFound == nil || cfg.Page == nil || cfg.Log == nil || cfg.Now == nil {
		return nil, errors.New("rest: a field of Config is missing; set GraphQL, NotFound, Page, Log and Now")
	}
	if cfg.Site.Host() == "" {
		return nil, errors.New("rest: Site has no host; make it of a URL like https://auth.example.com")
	}
	e := &Engine{
		graphql:      cfg.GraphQL,
		mux:          http.NewServeMux(),
		notFound:     cfg.NotFound,
		log:          cfg.Log,
		onUse:        cfg.OnUse,
		browser:      cfg.Browser,
		docsURL:      cfg.DocsURL,
		page:         cfg.Page,
		reveals:      cfg.RevealAccounts,
		matchExpired: cfg.MatchExpired,
		renewals:     map[*Dialect]*gqlhttp.Document{},
		mailPages:    cfg.MailPages,
	}
	if err := refuseOverlaps(cfg.Dialects, cfg.Reserved); err != nil {
		return nil, err
	}
	if err := refusePrefix(cfg.Site, cfg.Dialects, cfg.Reserved); err != nil {
		return nil, err
	}
	for _, d := range cfg.Dialects {
		e.dialects = append(e.dialects, d.with(cfg.Site, cfg.Now))
	}
	e.mux.HandleFunc("/", e.Lost)
	return e, e.mount(ctx, cfg.Site)
}

// place is one path, with its routes by method.
type place struct {
	dialect  *Dialect // gives the form of answers without a route
	routes   map[string]*mounted
	names    map[string]string // the Name of each route, see Call
	arrivals []*arrival        // of mails
}

// mounted is a route that is ready to serve.
type mounted struct {
	*route
	dialect  *Dialect
	document *gqlhttp.Document
	codes    []string // the codes that the route can end with, sorted
	variants []*mountedVariant
}

func (e *Engine) mount(ctx context.Context, at site.Site) error {
	places := map[string]*place{}
	of := func(d *Dialect, pattern string) *place {
		if places[pattern] == nil {
			places[pattern] = &place{dialect: d, routes: map[string]*mounted{}, names: map[string]string{}}
		}
		return places[pattern]
	}
	for _, d := range e.dialects {
		for _, code := range []string{unknownRoute, methodNotAllowed, string(fault.Internal)} { // where no route is
			if err := d.checkRow(d.at, nil, code); err != nil {
				return err
			}
		}
		if err := e.prepareRenewal(d); err != nil {
			return err
		}
		for _, r := range d.routes {
			m, err := e.prepare(ctx, d, r)
			if err != nil {
				return err
			}
			e.mounted = append(e.mounted, m)
			for _, prefix := range r.mounts {
				here := of(d, pattern(prefix, r.path))
				here.routes[r.method], here.names[r.method] = m, r.name(prefix)
			}
		}
		for _, m := range d.mails {
			for _, l := range m.landings {
				here := of(d, pattern("", l.path))
				here.arrivals = append(here.arrivals, m.arrive(l, at, e.mailPages))
			}
		}
	}
	for pattern, here := range places {
		e.mux.Handle(pattern, e.handler(here))
	}
	return nil
}

// pattern is the path of a route for ServeMux. ServeMux needs the same parameter names in equal paths, so they are
// numbered.
func pattern(prefix, path string) string {
	i := -1
	return strings.TrimSuffix(prefix, "/") + parameter.ReplaceAllStringFunc(path, func(string) string {
		i++
		return "{p" + strconv.Itoa(i) + "}"
	})
}

// ServeHTTP serves the routes of the dialects, and the paths below their mounts.
func (e *Engine) ServeHTTP(w http.ResponseWriter, req *http.Request) { e.mux.ServeHTTP(w, req) }

// Lost answers a path that no route has, or that is not in canonical form. The answer has the form of the dialect with
// the longest mount above the path, if any.
func (e *Engine) Lost(w http.ResponseWriter, req *http.Request) {
	var owner *Dialect
	longest := 1 // no dialect owns the root
	for _, d := range e.dialects {
		for _, prefix := range d.prefixes() {
			if len(prefix) > longest && (req.URL.Path == prefix || strings.HasPrefix(req.URL.Path, prefix+"/")) {
				owner, longest = d, len(prefix)
			}
		}
	}
	if owner == nil {
		e.notFound(w, req)
		return
	}
	e.unmatched(w, req, owner, e.noRoute(owner))
}

// noRoute says that no route has a path, and where the routes are listed.
func (e *Engine) noRoute(d *Dialect) *apiError {
	apiErr := errorOf(unknownRoute)
	if e.docsURL != "" {
		apiErr.message = standards[unknownRoute].message + " Those of this API are listed at " + e.docsURL + d.Name +
			"."
	}
	return apiErr
}

// unmatched answers a request that no route serves, in the form of a dialect.
func (e *Engine) unmatched(w http.ResponseWriter, req *http.Request, d *Dialect, apiErr *apiError) {
	if e.browser != nil {
		seen := Unserved{
			Dialect: d.Name, Title: d.Title, Status: http.StatusNotFound,
			Base: slices.Contains(d.prefixes(), strings.TrimSuffix(req.URL.Path, "/")),
		}
		if apiErr.code == methodNotAllowed {
			seen.Status = http.StatusMethodNotAllowed
		}
		if e.browser(w, req, seen) {
			return
		}
	}
	x := e.exchange(w, req, d, nil)
	defer x.reportUse(Unmatched)
	defer x.recover()
	x.sendError(apiErr)
}

// prefixes returns the mounts of the dialect and of its routes.
func (d *Dialect) prefixes() []string {
	all := slices.Clone(d.Mounts)
	for _, r := range d.routes {
		all = append(all, r.mounts...)
	}
	return all
}

// handler serves one path.
func (e *Engine) handler(p *place) http.Handler {
	allowed := p.methods()
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if p.land(w, req) {
			return
		}
		m, confirmed := p.match(req)
		switch {
		case m != nil:
			x := e.exchange(w, req, m.dialect, m.route)
			defer x.reportUse(p.names[m.method])
			defer x.recover()
			x.serve(m, confirmed)
		case slices.Contains(allowed, req.Method): // a landing, without its token
			e.unmatched(w, req, p.dialect, e.noRoute(p.dialect))
		default:
			list := strings.Join(allowed, ", ")
			w.Header().Set("Allow", list)
			apiErr := errorOf(methodNotAllowed)
			apiErr.message = "This path has no such method: it has " + list + "."
			e.unmatched(w, req, p.dialect, apiErr)
		}
	})
}

// methods returns the methods that the path allows, sorted.
func (p *place) methods() []string {
	if len(p.routes) == 0 {
		return []string{http.MethodGet, http.MethodHead}
	}
	var allowed []string
	for method, m := range p.routes {
		allowed = append(allowed, method)
		if method == http.MethodGet && !m.changesState {
			allowed = append(allowed, http.MethodHead)
		}
	}
	slices.Sort(allowed)
	return allowed
}

// match finds the route for the method, nil for none. confirmed means that the button of the confirmation page was
// pressed.
func (p *place) match(req *http.Request) (m *mounted, confirmed bool) {
	get := p.routes[http.MethodGet]
	switch {
	case get == nil:
	case req.Method == http.MethodHead && !get.changesState:
		return get, false
	case req.Method == http.MethodPost && get.changesState && isConfirmation(req):
		return get, true
	}
	return p.routes[req.Method], false
}

// Profiles returns the profiles of the dialects, by name. strict applies the server's rules for new passwords if the
// dialect's are weaker; least is the server's minimum length. publicURL has no final slash.
func Profiles(dialects []*Dialect, strict bool, least int, publicURL string) map[string]*profile.Profile {
	out := map[string]*profile.Profile{}
	for _, d := range dialects {
		p := *d.Profile
		p.Mails = d.profileMails(publicURL)
		if strict {
			p.Password = profile.Password{MinLength: max(p.Password.MinLength, least)}
		}
		out[d.Name] = &p
	}
	return out
}

// bound limits the time of one phase of evaluation. It ignores the end of ctx: a request that took too long is still
// answered in the dialect's form.
func bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), maxEval)
}
