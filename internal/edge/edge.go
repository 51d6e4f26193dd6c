// Package edge wraps every request: it sets the request id, the client's address, the credential and the headers of
// every answer, logs one line, and recovers panics.
package edge

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/origin"
	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// MaxURL is the greatest length of a request target in bytes. A longer one is answered 414.
const MaxURL = 8 << 10

// maxTime is how long a request may take. A database that does not answer in this time is an error.
const maxTime = 15 * time.Second

// Config configures Handler.
type Config struct {
	TrustedProxies []netip.Prefix // whose X-Forwarded-For counts (HT-13)
	Site           site.Site      // under https answers carry HSTS (HT-08); below a prefix paths may carry it
	Origins        *origin.Policy // decides which pages of other origins are trusted; nil for none
	Expose         []string       // headers of dialects that trusted pages may read
	Cookie         string         // the name of the session cookie, "" for none
	DeviceCookie   string         // the name of the cookie for device tokens, "" for none
	Log            *slog.Logger
	Now            func() time.Time

	// Observe is called when a request begins, and returns the context of the request. Its second result is called at
	// the end, with the dialect, the pattern of the route ("" if none was looked up) and the status (0 without an
	// answer). It may be nil.
	Observe func(r *http.Request, requestID string) (context.Context, func(dialect, pattern string, status int))
}

// exposed returns the headers that pages of trusted origins may read: the server's own, and further ones of dialects.
func exposed(further []string) []string {
	all := []string{
		"X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy", "WWW-Authenticate", credential.DeviceHeader,
	}
	for _, name := range further {
		if !slices.ContainsFunc(all, func(own string) bool { return strings.EqualFold(own, name) }) {
			all = append(all, name)
		}
	}
	return all
}

// Handler wraps next.
func Handler(cfg Config, next http.Handler) http.Handler {
	if cfg.Origins == nil {
		cfg.Origins = origin.New("", nil, false)
	}
	next = cfg.Origins.CORS(exposed(cfg.Expose), next)
	transport, endpoint := hsts(cfg.Site), cfg.Site.Path("/graphql")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := cfg.Now()
		r = stripPrefix(cfg.Site, r)
		v := &visit.Visit{
			RequestID: rand.Text(),
			IP:        clientIP(r, cfg.TrustedProxies),
			UserAgent: clean(r.UserAgent(), 512),
			Languages: clean(r.Header.Get("Accept-Language"), 200),
			Dialect:   "graphql",
			Endpoint:  endpoint,
			Foreign:   cfg.Origins.Foreign(r),
		}
		readCredential(v, r, cfg.Cookie)
		v.DeviceToken = credential.Device(r.Header, cfg.DeviceCookie)
		out := &recorder{ResponseWriter: w}
		ctx := r.Context() //nolint:contextcheck // Observe derives its context from it
		ended := func(string, string, int) {}
		if cfg.Observe != nil {
			ctx, ended = cfg.Observe(r, v.RequestID)
		}
		defer func() { ended(v.Dialect, r.Pattern, out.status) }() // also when the connection is cut off below
		headers(out.Header(), v.RequestID, transport)
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it this way
					panic(p)
				}
				cfg.Log.Error("panic", "request_id", v.RequestID, "panic", p, "path", logged(r.URL.Path),
					"stack", string(debug.Stack()))
				if out.status == 0 {
					Problem(out, http.StatusInternalServerError, "Something went wrong on our side.")
				}
			}
			cfg.Log.Debug("request", "request_id", v.RequestID, "method", r.Method, "path", logged(r.URL.Path),
				"status", out.status, "ip", v.IP.String(), "duration", cfg.Now().Sub(start))
		}()
		switch {
		case len(r.RequestURI) > MaxURL:
			Problem(out, http.StatusRequestURITooLong, "The URL is too long.")
		case r.Method == http.MethodTrace || r.Method == http.MethodConnect: // HT-09
			// No route is looked up for these methods, so Allow is the same for every path.
			Allow(out, r, http.MethodGet, http.MethodHead, http.MethodPost)
		default:
			if len(r.TransferEncoding) > 0 {
				// net/http reads the body by its chunks and hides a Content-Length. A proxy may have used the
				// Content-Length, so the rest of the connection cannot be trusted (HT-18, RFC 9112 section 6.1).
				out.Header().Set("Connection", "close")
			}
			ctx, cancel := context.WithTimeout(visit.With(ctx, v), maxTime)
			defer cancel()
			r = r.WithContext(ctx) // the router notes its pattern there
			next.ServeHTTP(out, r)
		}
	})
}

// readCredential sets the credential of the visit. A dialect with other places for credentials replaces it. The cookie
// is for session tokens alone: any other credential in it is ambiguous (HT-05, SE-15).
func readCredential(v *visit.Visit, r *http.Request, cookie string) {
	sources := []credential.Source{{Kind: credential.Bearer}, {Kind: credential.APIKey}}
	if cookie != "" {
		own := credential.Source{Kind: credential.Cookie, Names: []string{cookie}}
		sources = append(sources, own)
		text, problem := credential.Read(http.Header{"Cookie": r.Header["Cookie"]}, []credential.Source{own})
		v.SessionCookie = text != "" || problem != ""
	}
	v.Credential, v.Problem = credential.Read(r.Header, sources)
	if v.SessionCookie && v.Problem == "" && token.Kind(v.Credential) != token.KindSession {
		v.Credential, v.Problem = "", credential.NoCookie
	}
}

// headers sets the headers of every answer (HT-07, HT-08). Pages and assets relax what they must.
func headers(h http.Header, requestID, transport string) {
	h.Set("X-Request-Id", requestID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if transport != "" {
		h.Set("Strict-Transport-Security", transport)
	}
}

// hsts returns Strict-Transport-Security, "" for none. Below a prefix the host is not the server's alone, so nothing is
// decided for its subdomains.
func hsts(at site.Site) string {
	switch {
	case !at.HTTPS():
		return ""
	case at.Shared():
		return "max-age=31536000"
	}
	return "max-age=31536000; includeSubDomains"
}

// clean shortens a header, and drops everything that could break a line of a log (AU-03).
func clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	for len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// Problem answers with a message as JSON.
func Problem(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
}

// recorder records the status of the answer, 0 before it began.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
