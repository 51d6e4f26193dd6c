package gqlhttp

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

const signIn = `mutation($input:LoginInput!){login(input:$input){
  user{id number email username createdAt} tokens{accessToken refreshToken expiresIn} userErrors{code message field ` +
	`retryAfterSeconds}}}`

// signInKit answers signIn with a user and tokens, without any work.
func signInKit(b *testing.B) *kit {
	email, refresh := "ada@example.com", "rt1."+times(80, "r")
	user := &db.User{ID: db.NewUser(time.Now()).ID, Number: 12345, Email: &email, CreatedAt: time.Now()}
	tokens := &graph.AuthTokens{
		AccessToken: times(600, "a"), RefreshToken: &refresh, TokenType: "Bearer",
		ExpiresIn: 3600, ExpiresAt: time.Now(),
	}
	k := newKit(b, func(c *Config) {
		c.Log = slog.New(slog.DiscardHandler)
		c.Admit = func(context.Context, Credential) error { return nil }
	})
	k.stub.login = func(context.Context, graph.LoginInput) (*graph.LoginPayload, error) {
		return &graph.LoginPayload{User: user, Tokens: tokens, UserErrors: []*graph.UserError{}}, nil
	}
	return k
}

// BenchmarkDo measures a stored document without the work of its resolvers. Its variables are those of a dialect, or of
// a type that Do has to encode; its data is decoded as for a dialect.
func BenchmarkDo(b *testing.B) {
	k := signInKit(b)
	doc, err := k.handler.Document(signIn)
	if err != nil {
		b.Fatal(err)
	}
	ctx := visit.With(b.Context(), &visit.Visit{RequestID: "req_1"})
	for name, input := range map[string]any{
		"plain":   map[string]any{"email": "ada@example.com", "password": "correct horse battery staple"},
		"encoded": map[string]string{"email": "ada@example.com", "password": "correct horse battery staple"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var out map[string]any
				if err := k.handler.Do(ctx, doc, map[string]any{"input": input}, &out); err != nil ||
					out["login"] == nil {
					b.Fatal(err, out)
				}
			}
		})
	}
}

// BenchmarkHTTP measures the same operation over HTTP.
func BenchmarkHTTP(b *testing.B) {
	k := signInKit(b)
	body := []byte(`{"query":` + quote(signIn) +
		`,"variables":{"input":{"email":"ada@example.com","password":"correct horse battery staple"}}}`)
	ctx := visit.With(b.Context(), &visit.Visit{RequestID: "req_1"})
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/graphql", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		k.handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}
