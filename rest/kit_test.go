package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/site"
)

// handler has the real schema without resolvers, which is enough to validate documents.
var handler = sync.OnceValue(func() *gqlhttp.Handler {
	h, err := gqlhttp.New(gqlhttp.Config{
		Schema: graph.NewExecutableSchema(graph.Config{}), Log: slog.New(slog.DiscardHandler),
		Admit: func(context.Context, gqlhttp.Credential) error { return nil },
	})
	if err != nil {
		panic(err)
	}
	return h
})

var reserved = []string{"/graphql", "/query", "/.well-known/", "/healthz", "/readyz", "/playground/"}

// engine mounts dialects as the server does at start. A panic becomes an error that is not a *Fault.
func engine(dialects ...*Dialect) (e *Engine, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a panic at start: %v", p)
		}
	}()
	return New(context.Background(), Config{
		Dialects: dialects, GraphQL: handler(), Site: site.Parse("http://localhost:8080"), Reserved: reserved,
		NotFound: http.NotFound, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Page:         func(http.ResponseWriter, *http.Request, Page) {},
		MatchExpired: func(string, string) (bool, bool) { return false, false },
	})
}

// load reads a file and mounts it.
func load(name, text string) (*Dialect, error) {
	d, err := Parse(name, []byte(text))
	if err != nil {
		return nil, err
	}
	_, err = engine(d)
	return d, err
}

// mustParse loads a valid file.
func mustParse(t testing.TB, text string) *Dialect {
	t.Helper()
	d, err := load("shelf.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// shelf is a small valid dialect. Tests break it.
const shelf = `dialect: shelf
title: Shelf API
mounts: [/shelf]
tokens: {access: {ttl: 1h}}
cookies: {session: {path: /}}
errors:
  body: {error: =.message}
  UNAUTHENTICATED: {status: 401}
  FORBIDDEN: {status: 403}
  BAD_USER_INPUT: {status: 400}
  INVALID_INPUT: {status: 400}
  NOT_FOUND: {status: 404}
fixtures: {}
routes:
  - route: GET /me
    document: |
      query Me {
        me { id email }
      }
    body: {id: =.me.id}
  - route: POST /loans/{number}/end
    accepts: [json]
    params: {number: integer}
    fields: {reason: string}
    variables: {number: =.params.number}
    document: |
      mutation End($number: Int!) {
        revokeSession(input: {number: $number}) {
          userErrors { code message }
        }
      }
    status: 204
`

// broken is a change that makes the shelf invalid. "#!" in new marks the line that the message must name.
type broken struct {
	name     string
	old, new string // "" for old: the whole file
	reason   string // part of the Reason
	mend     string // part of the Mend
}

// text returns the broken file without the mark, and the line of the mark, 0 for none.
func (b broken) text(t testing.TB) (text string, line int) {
	t.Helper()
	text = b.new
	if b.old != "" {
		if strings.Count(shelf, b.old) != 1 {
			t.Fatalf("%q stands %d times in the file", b.old, strings.Count(shelf, b.old))
		}
		text = strings.Replace(shelf, b.old, b.new, 1)
	}
	before, _, marked := strings.Cut(text, "#!")
	if marked {
		line = 1 + strings.Count(before, "\n")
	}
	return strings.Replace(text, "#!", "", 1), line
}

// check fails the test unless loading the file gives the fault.
func (b broken) check(t *testing.T) {
	t.Helper()
	text, line := b.text(t)
	_, err := load("shelf.yaml", text)
	f, ok := errors.AsType[*Fault](err)
	if !ok {
		t.Fatalf("%v, want a *Fault", err)
	}
	if f.File != "shelf.yaml" || f.Line != line {
		t.Errorf("it names %s:%d, want line %d: %v", f.File, f.Line, line, err)
	}
	if !strings.Contains(f.Reason, b.reason) || !strings.Contains(f.Mend, b.mend) || f.Mend == "" {
		t.Errorf("it says %q, %q\nwant %q, %q", f.Reason, f.Mend, b.reason, b.mend)
	}
}
