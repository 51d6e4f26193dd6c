// Command backend checks access tokens of Dragoman the way a backend of yours does: offline, by the published keys.
// Copy what you need; docs/operations.md says what such a check can not know.
//
//	go run ./docs/examples/backend https://auth.example.com < tokens, one a line
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Claims are those of an access token that a backend decides by.
type Claims struct {
	jwt.Claims
	Session string   `json:"sid"`
	Roles   []string `json:"roles"`
}

// Checker checks access tokens. It is safe for concurrent use.
type Checker struct {
	Issuer   string // DRAGOMAN_ISSUER, or the public URL
	Audience string // DRAGOMAN_AUDIENCE, or the public URL
	KeysURL  string // …/.well-known/jwks.json

	mu    sync.Mutex
	keys  jose.JSONWebKeySet
	asked time.Time
}

// The algorithms that Dragoman signs with and publishes keys for. Never take the algorithm from the token alone.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.RS256}

// Check tells whose token this is, or why it does not count.
func (c *Checker) Check(ctx context.Context, text string) (*Claims, error) {
	token, err := jwt.ParseSigned(text, algorithms)
	if err != nil {
		return nil, err
	}
	if len(token.Headers) != 1 || token.Headers[0].ExtraHeaders[jose.HeaderType] != "at+jwt" {
		return nil, errors.New("not an access token") // RFC 9068, section 4
	}
	keys, err := c.keySet(ctx, token.Headers[0].KeyID)
	if err != nil {
		return nil, err
	}
	var claims Claims
	if err := token.Claims(keys, &claims); err != nil {
		return nil, err
	}
	if claims.Expiry == nil || claims.Subject == "" {
		return nil, errors.New("a token without end or owner")
	}
	expected := jwt.Expected{Issuer: c.Issuer, AnyAudience: jwt.Audience{c.Audience}, Time: time.Now()}
	return &claims, claims.ValidateWithLeeway(expected, 5*time.Second)
}

// keySet gives the published keys. They are read again after five minutes, and for a key that is not among them: at
// most once in ten seconds, so that nobody makes you ask for each token. Where they can not be read, those of before
// count on.
func (c *Checker) keySet(ctx context.Context, kid string) (*jose.JSONWebKeySet, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, age := len(c.keys.Key(kid)) > 0, time.Since(c.asked)
	if age < 10*time.Second || (known && age < 5*time.Minute) {
		return &c.keys, nil
	}
	c.asked = time.Now()
	fresh, err := c.fetch(ctx)
	switch {
	case err == nil:
		c.keys = *fresh
	case !known:
		return nil, err
	}
	return &c.keys, nil
}

func (c *Checker) fetch(ctx context.Context) (*jose.JSONWebKeySet, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.KeysURL, nil)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Timeout: 5 * time.Second}).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the keys: %s", response.Status)
	}
	var fresh jose.JSONWebKeySet
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&fresh); err != nil {
		return nil, err
	}
	return &fresh, nil
}

func main() {
	server := os.Args[1]
	checker := &Checker{Issuer: server, Audience: server, KeysURL: server + "/.well-known/jwks.json"}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		claims, err := checker.Check(context.Background(), lines.Text())
		if err != nil {
			fmt.Fprintln(os.Stdout, "refused:", err)
			continue
		}
		fmt.Fprintln(os.Stdout, "ok:", claims.Subject, claims.Roles)
	}
}
