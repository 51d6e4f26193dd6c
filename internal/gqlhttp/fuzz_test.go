package gqlhttp

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/strictjson"
)

// FuzzGuard sends documents: no panic, no long run, no internal error.
//
// Run it with -fuzzminimizetime=10x: coverage varies with the scheduling of goroutines, so minimising would take all
// the time.
func FuzzGuard(f *testing.F) {
	for _, seed := range []string{
		file(f, "introspection.graphql"), file(f, "tab.graphql"), fragments(20), "{me{id}}", "mutation{" + login + "}",
		`{__schema{types{...F}}} fragment F on __Type{ofType{...F ofType{...F}}}`, times(200, "{a"),
		`{session(id:"\ud800"){id}}`,
		`query($a:Int=1,$b:[Boolean!]!){me{...{id @skip(if:$b)}} session(number:$a){id}}`,
		`{me{id id:name}} fragment on on on{on}`,
	} {
		f.Add(seed)
	}
	k := newKit(f, func(c *Config) {
		c.Log = slog.New(slog.DiscardHandler)
		c.Admit = func(context.Context, Credential) error { return nil }
	})
	f.Fuzz(func(t *testing.T, query string) {
		if len(query) > maxBody {
			return
		}
		start := time.Now()
		doc, errs := k.handler.document(query)
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v", took)
		}
		if (doc == nil) == (len(errs) == 0) {
			t.Errorf("%v and %v", doc, errs)
		}
		if doc == nil {
			return
		}
		for _, op := range doc.operations {
			_, errs := k.handler.runLimited(t.Context(), doc, op, nil)
			for _, e := range errs {
				if e.Message == internalMessage {
					t.Errorf("a document alone made an internal error: %v", e.Err)
				}
			}
		}
	})
}

// FuzzBody sends bodies: no panic, and every answer is strict JSON.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"query":"{me{id}}"}`, `{"query":"{me{id}}","variables":{"a":[1,{"b":null}]},"extensions":{}}`, `[]`,
		`{"query":"\ud800"}`,
		`{"Query":""}`, `{"query":"","query":""}`, times(40, "["), "\xff", `{"query":"` + secret, `1e999`,
	} {
		f.Add([]byte(seed))
	}
	k := newKit(f, func(c *Config) { c.Log = slog.New(slog.DiscardHandler) })
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		k.handler.ServeHTTP(w, r)
		if w.Code == 500 || w.Body.Len() == 0 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		if _, err := strictjson.Decode(w.Body.Bytes()); err != nil {
			t.Errorf("the answer is not strict JSON: %s", w.Body)
		}
	})
}
