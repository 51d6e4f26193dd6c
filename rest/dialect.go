// Package rest lets the server speak REST APIs that are described in files: dialects.
//
// A dialect is data. Each of its routes names a GraphQL document, and says how a request becomes the document's
// variables and how the result becomes the answer. docs/dialects.md teaches the format, dialect.schema.json describes
// it for editors.
//
// This package reads the files, rejects files that cannot work before the server starts, and serves the routes. It
// knows no dialect by name, and reaches the use cases only through stored documents, like any other caller.
package rest

import (
	"cmp"
	"maps"
	"net/url"
	"path"
	"regexp"
	"sync"
	"time"

	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/internal/site"
)

// Dialect is one dialect file. Parse has checked everything that does not need the GraphQL schema.
type Dialect struct {
	Name   string // in lower case; sessions and audit events carry it
	Title  string // the name of the API
	About  string // a few sentences for people, "" for none
	File   string // the path of the file, for messages
	Text   []byte // the content of the file
	Mounts []string
	Sunset Sunset // the default of the routes

	at   *node     // the table of errors
	site site.Site // set by with

	Profile  *profile.Profile
	Fixtures map[string]*Step

	credentials []credential.Source
	cookies     []*cookie
	jsonType    string   // Content-Type of JSON answers
	claims      []string // the names of additional claims of access tokens
	idClaim     string   // the first of them that has the id of the user
	redirects   []string
	mails       []*mail
	errors      *errorTable
	renewal     *renewal // nil for none
	routes      []*route
	notice      [][2]string // the Sunset headers of answers to requests that no route serves
	tried       *sync.Map   // the rows that rendered all samples, see tryRow
}

// route is one method and path of a dialect.
type route struct {
	at           *node
	method       string
	path         string // below each mount, with {name} for a parameter
	mounts       []string
	title, about string
	sunset       Sunset
	notice       [][2]string // the Sunset headers of every answer
	accepts      accepts
	changesState bool // a GET that changes state
	params       map[string]string
	fields       []*field
	checks       []*check
	variables    []pairTree
	document     string
	documentAt   *node
	outcomes     []*outcome
	answer       *answer
	variants     []*variant
	variantAt    *node // set for a variant: its place in the file
	errors       *errorTable
	examples     []*Example
}

// accepts says where a route reads its parameters, in addition to its path.
type accepts struct{ json, form, query bool }

// pairTree is a named value whose leaves may be expressions.
type pairTree struct {
	key   string
	value *tree
}

// check rejects a request before the document runs.
type check struct {
	at     *node
	when   *expr
	all    []*finding // instead of when: all findings are reported at once, as .found
	code   string     // the row that answers …
	answer *answer    // … or the check's own answer
	says   *tree      // replaces the row's message
}

// finding is one condition of a check with all:.
type finding struct {
	when *expr
	add  *tree
}

// outcome is a different answer for results that match a condition.
type outcome struct {
	when   *expr
	code   string
	answer *answer
}

var (
	dialectName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,39}$`)
	mountPath   = regexp.MustCompile(`^/([a-z0-9._-]+(/[A-Za-z0-9._-]+)*)?$`)
)

// Parse reads a dialect file. Its error is a *Fault.
func Parse(file string, source []byte) (*Dialect, error) {
	root, err := parseYAML(file, source)
	if err != nil {
		return nil, err
	}
	d := &Dialect{
		File:        file,
		Text:        source,
		Profile:     &profile.Profile{},
		Fixtures:    map[string]*Step{},
		jsonType:    "application/json; charset=utf-8",
		errors:      &errorTable{rows: map[string]*row{}},
		credentials: []credential.Source{{Kind: credential.Bearer}, {Kind: credential.APIKey}},
		tried:       &sync.Map{},
	}
	if err := d.decode(root); err != nil {
		return nil, err
	}
	return d, d.complete(root)
}

func (d *Dialect) decode(root *node) error {
	table := keys{
		"dialect":          text(&d.Name),
		"title":            text(&d.Title),
		"about":            text(&d.About),
		"mounts":           d.decodeMounts(&d.Mounts),
		"credentials":      func(*node) error { return nil }, // complete reads them: they name cookies
		"tokens":           d.decodeTokens,
		"password":         d.decodePassword,
		"secondFactor":     d.decodeSecondFactor,
		"sensitiveChanges": oneOf(func(s string) { d.Profile.SessionSuffices = s == "session" }, "fresh", "session"),
		"emailChange":      oneOf(func(s string) { d.Profile.EmailAtOnce = s == "at-once" }, "confirmed", "at-once"),
		"signInAfterReset": boolean(&d.Profile.SignInAfterReset),
		"mails":            d.decodeMails,
		"cookies":          entries(d.decodeCookie),
		"renew":            d.decodeRenewal,
		"contentType":      d.decodeContentType,
		"redirects":        d.decodeRedirects,
		"errors":           d.errors.decode,
		"fixtures":         entries(d.decodeFixture),
		"routes":           items(d.decodeRoute),
	}
	maps.Copy(table, d.Sunset.keys())
	return root.decode("a dialect", table)
}

func (d *Dialect) complete(root *node) error {
	if err := root.require("a dialect", "dialect", "title", "mounts", "errors", "routes"); err != nil {
		return err
	}
	d.at = root.get("errors")
	if !dialectName.MatchString(d.Name) || d.Name == "graphql" {
		return root.get("dialect").fault("Choose 2 to 40 small letters, digits and -, for example my-api.",
			"%q cannot be the name of a dialect", d.Name)
	}
	if n := root.get("credentials"); n != nil {
		if err := d.decodeCredentials(n); err != nil {
			return err
		}
	}
	if err := d.completeRenewal(); err != nil {
		return err
	}
	if len(d.routes) == 0 {
		return root.get("routes").fault("Add one, for example {route: GET /status, document: ..., body: ...}.",
			"there is no route")
	}
	if err := d.Sunset.check(root); err != nil {
		return err
	}
	d.notice = d.Sunset.notice()
	for _, row := range d.errors.rows {
		if err := row.answer.check(d); err != nil {
			return err
		}
	}
	for _, r := range d.routes {
		if r.mounts == nil {
			r.mounts = d.Mounts
		}
		if err := d.completeRoute(r); err != nil {
			return err
		}
	}
	return d.completeSteps()
}

func (d *Dialect) decodeMounts(to *[]string) func(*node) error {
	return func(n *node) error {
		if err := texts(to)(n); err != nil {
			return err
		}
		for i, m := range *to {
			if !mountPath.MatchString(m) || path.Clean(m) != m {
				return n.items[i].fault("Write it like /api/v1, or / for the root.", "%q cannot be a mount", m)
			}
		}
		if len(*to) == 0 {
			return n.fault("Name at least one, for example [/api/v1].", "there is no mount")
		}
		return nil
	}
}

func (d *Dialect) decodeCredentials(n *node) error {
	d.credentials = nil
	return items(func(item *node) error {
		var s string
		if err := text(&s)(item); err != nil {
			return err
		}
		source, err := credential.Parse(s)
		if err != nil {
			return item.fault("Write bearer, token, bare, api-key, header NAME or cookie NAME.",
				"%q is not a place of a credential", s)
		}
		if source.Kind == credential.Cookie {
			c := d.cookie(source.Names[0])
			if c == nil {
				return item.fault("Describe it under cookies:.", "there is no cookie %q", source.Names[0])
			}
			source.Names = c.names
			d.Profile.Access.NoMetadata = true
		}
		d.credentials = append(d.credentials, source)
		return nil
	})(n)
}

func (d *Dialect) decodeTokens(n *node) error {
	p := d.Profile
	return n.decode("tokens", keys{
		"access": func(n *node) error {
			return n.decode("tokens.access", keys{
				"alg":    oneOf(func(s string) { p.Access.HS256 = s == "HS256" }, "ES256", "HS256"),
				"ttl":    duration(&p.Access.TTL, 10*time.Second, 24*time.Hour),
				"claims": d.decodeClaims,
			})
		},
		"refresh": func(n *node) error {
			return n.decode("tokens.refresh", keys{
				"ttl":   duration(&p.Refresh.TTL, 5*time.Minute, 8760*time.Hour),
				"form":  oneOf(func(s string) { p.Refresh.JWT = s == "jwt" }, "opaque", "jwt"),
				"reuse": oneOf(func(s string) { p.Refresh.SingleUse = s == "refuse" }, "grace", "refuse"),
			})
		},
		"session": func(n *node) error {
			return n.decode("tokens.session", keys{
				"ttl":  duration(&p.SessionTTL, 5*time.Minute, 8760*time.Hour),
				"sudo": duration(&p.Sudo, time.Minute, 24*time.Hour),
			})
		},
	})
}

func (d *Dialect) decodePassword(n *node) error {
	p := &d.Profile.Password
	return n.decode("password", keys{
		"minLength": whole(&p.MinLength, 1, 64),
		"blocklist": oneOf(func(s string) { p.FlagGuessable = s == "flag" }, "refuse", "flag"),
	})
}

func (d *Dialect) decodeSecondFactor(n *node) error {
	return n.decode("secondFactor", keys{
		"challengeTTL":       duration(&d.Profile.ChallengeTTL, time.Minute, time.Hour),
		"shortRecoveryCodes": whole(&d.Profile.ShortRecoveryCodes, 1, 20),
	})
}

func (d *Dialect) decodeRedirects(n *node) error {
	if err := texts(&d.redirects)(n); err != nil {
		return err
	}
	for i, origin := range d.redirects {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			return n.items[i].fault("Write it like https://app.example.com, without a slash at its end.",
				"%q is not an origin", origin)
		}
	}
	return nil
}

func (d *Dialect) decodeContentType(n *node) error {
	return oneOf(func(s string) { d.jsonType = s },
		"application/json; charset=utf-8", "application/json", "application/vnd.api+json")(n)
}

// Routes returns the number of routes. Each method counts as one.
func (d *Dialect) Routes() int { return len(d.routes) }

// IDClaim gives the claim that has the id of the user in access tokens, as the API documents it: sub where it has none
// of its own.
func (d *Dialect) IDClaim() string { return cmp.Or(d.idClaim, "sub") }
