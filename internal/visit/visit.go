// Package visit carries who is calling and from where.
//
// The edge of the server makes one Visit for each request and puts it in the context; every layer below reads it from
// there. It holds the credential that the request presented. Resolvers decide whether the credential is valid.
package visit

import (
	"context"
	"net/http"
	"net/netip"
	"sync"

	"github.com/dragoman-auth/dragoman/internal/credential"
)

// Visit is one request, as the edge received it; a dialect replaces Dialect, Credential, Problem and SessionCookie.
type Visit struct {
	RequestID string     // ours, never the caller's
	IP        netip.Addr // the client's address; the zero Addr when it is unknown
	UserAgent string     // at most 512 bytes, valid UTF-8, no control characters
	Languages string     // the header Accept-Language, at most 200 bytes; "" for none
	Dialect   string     // the name of the dialect; graphql where none serves the request

	// Endpoint is where GraphQL is sent, as a path for people: with the path prefix of the public URL.
	Endpoint string

	// Credential is the token or key that the request presented, "" for none. Problem says why the request presented
	// several, or a malformed one; then none counts.
	Credential string
	Problem    credential.Problem

	// SessionCookie means that the request has the cookie of GraphQL sessions. The cookie is the Credential, unless
	// there is a Problem. Foreign means that a browser sent the request for a page of an untrusted origin (HT-03).
	SessionCookie bool
	Foreign       bool

	// DeviceToken is the text that the request presented as its device token, "" for none. Nobody has checked it.
	DeviceToken string

	mu           sync.Mutex
	renewed      bool
	apiKey       string
	legacy       bool
	deviceCookie *http.Cookie
	header       http.Header
	cookies      map[string]*http.Cookie
}

// SetHeader sets a header of the answer. It is safe for concurrent use, because the resolvers of a query run
// concurrently.
func (v *Visit) SetHeader(key, value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.header == nil {
		v.header = http.Header{}
	}
	v.header.Set(key, value)
}

// SetCookie sets a cookie with the answer. It is safe for concurrent use.
func (v *Visit) SetCookie(c *http.Cookie) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.setCookie(c)
}

// ClearCookie sets a cookie that clears another of its name. It does nothing if the same request has set that cookie
// anew. It is safe for concurrent use.
func (v *Visit) ClearCookie(c *http.Cookie) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cookies[c.Name] == nil {
		v.setCookie(c)
	}
}

// Renew replaces the credential, and drops the header WWW-Authenticate of the old one. It is not safe for concurrent
// use.
func (v *Visit) Renew(credential string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.Credential, v.renewed = credential, true
	v.header.Del("WWW-Authenticate")
}

// Renewed tells whether Renew replaced the credential. The caller learns the new one with the answer.
func (v *Visit) Renewed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.renewed
}

func (v *Visit) setCookie(c *http.Cookie) {
	if v.cookies == nil {
		v.cookies = map[string]*http.Cookie{}
	}
	v.cookies[c.Name] = c
}

// CopyHeaders moves the headers and cookies that were set during the request into h.
func (v *Visit) CopyHeaders(h http.Header) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for k, values := range v.header {
		h[k] = values
	}
	for _, c := range v.cookies {
		h.Add("Set-Cookie", c.String())
	}
}

// Block is the address block that limits count by: the address itself for IPv4, the /64 for IPv6 (LG-13). It is
// "unknown" for callers without an address, who share one bucket (LG-15).
func (v *Visit) Block() string {
	ip := v.IP.Unmap()
	switch {
	case !ip.IsValid():
		return "unknown"
	case ip.Is4():
		return ip.String()
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return "unknown"
	}
	return prefix.String()
}

type contextKey struct{}

// With adds v to the context.
func With(ctx context.Context, v *Visit) context.Context {
	return context.WithValue(ctx, contextKey{}, v)
}

// From returns the visit of the context, or a new empty one, so that callers need no nil check.
func From(ctx context.Context) *Visit {
	if v, ok := ctx.Value(contextKey{}).(*Visit); ok {
		return v
	}
	return &Visit{}
}
