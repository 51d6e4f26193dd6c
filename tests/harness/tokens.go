package harness

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/visit"
	"github.com/dragoman-auth/dragoman/operator"
	"github.com/dragoman-auth/dragoman/resolvers"
)

// SettingsOf are the settings of a command beside a server on the database of dsn.
func SettingsOf(t testing.TB, dsn string, more ...string) *config.Settings {
	t.Helper()
	values := map[string]string{}
	for _, e := range append(ProcessEnv(dsn), more...) {
		name, value, _ := strings.Cut(e, "=")
		values[name] = value
	}
	settings, err := config.Load(func(name string) string { return values[name] })
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// Rotate is `dragoman keys rotate --force`.
func Rotate(t testing.TB, settings *config.Settings) {
	t.Helper()
	if err := operator.RotateKeys(context.Background(), settings, &bytes.Buffer{}, true); err != nil {
		t.Error(err)
	}
}

// UnderNoKey is a token that says it is of a key that there never was; another one for each n.
func UnderNoKey(access string, n int) string {
	_, rest, _ := strings.Cut(access, ".")
	kid := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%032d", n))
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"`+kid+`"}`)) + "." + rest
}

// KeySet reads what a server publishes.
func KeySet(t testing.TB, url string) (set jose.JSONWebKeySet, raw string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url+"/.well-known/jwks.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := Receive(r)
	if err != nil || res.Status != 200 || res.Header.Get("Cache-Control") != "public, max-age=300" {
		t.Fatalf("key set: %+v %v", res, err)
	}
	if err := json.Unmarshal([]byte(res.Raw), &set); err != nil {
		t.Fatal(err)
	}
	return set, res.Raw
}

// speaker runs stored documents as a dialect does, in the database and by the clock of a running server, with profiles
// of the test's own.
type speaker struct {
	handler *gqlhttp.Handler
	beside  *Instance
}

// Speaks makes a speaker beside a server. The server itself knows nothing of these profiles.
func (i *Instance) Speaks(t *testing.T, profiles map[string]*profile.Profile) *speaker {
	t.Helper()
	master, err := secret.New([]byte(Secret))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := app.SigningKeys(t.Context(), i.App.DB, master, token.AlgES256, i.Clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := token.NewIssuer(i.App.PublicURL, i.App.PublicURL, keys[0], keys[1:],
		master.HMACKeys("access tokens")[0], i.Clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := resolvers.New(resolvers.Deps{
		DB: i.App.DB, Codec: token.NewCodec(master, i.Clock.Now), Issuer: issuer, Master: master, Now: i.Clock.Now,
		Addresses: app.AddressHashes(master), Log: slog.New(slog.NewJSONHandler(i.Logged, nil)),
		Hasher: password.NewHasher(2), Policy: password.Policy{MinLength: 8}, Profiles: profiles,
		AccessTTL: 10 * time.Minute, SessionTTL: 30 * 24 * time.Hour, SessionIdle: 14 * 24 * time.Hour,
		SessionLimit: 100,
		RefreshGrace: 10 * time.Second, RegistrationOpen: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := gqlhttp.New(gqlhttp.Config{
		Schema: schema, Admit: func(context.Context, gqlhttp.Credential) error { return nil },
		Log: slog.New(slog.NewJSONHandler(i.Logged, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &speaker{handler, i}
}

// Say runs a document in a dialect. The error is that of top level, nil when userErrors tell all.
func (s *speaker) Say(dialect, credential, document string, variables map[string]any) (*Answer, error) {
	doc, err := s.handler.Document(document)
	if err != nil {
		return nil, err
	}
	ctx := visit.With(context.Background(), &visit.Visit{
		RequestID: rand.Text(), IP: netip.MustParseAddr("192.0.2.1"), Dialect: dialect, Credential: credential,
	})
	a := &Answer{}
	err = s.handler.Do(ctx, doc, variables, &a.Data)
	raw, _ := json.Marshal(a.Data)
	a.Raw = string(raw)
	return a, err
}

// Must is say where no error of top level is expected.
func (s *speaker) Must(t testing.TB, dialect, document string, variables map[string]any) *Answer {
	t.Helper()
	a, err := s.Say(dialect, "", document, variables)
	if err != nil {
		t.Fatalf("%s: %v", dialect, err)
	}
	return a
}

// Refresh swaps a refresh token through a dialect.
func (s *speaker) Refresh(t testing.TB, dialect, refreshToken string) *Answer {
	t.Helper()
	return s.Must(t, dialect, RefreshDoc, map[string]any{"token": refreshToken})
}

// Login signs in through a dialect.
func (s *speaker) Login(t testing.TB, dialect, email string) Account {
	t.Helper()
	a := s.Must(t, dialect, LoginDoc, map[string]any{"input": map[string]any{"email": email, "password": GoodPass}})
	if a.Code() != "" {
		t.Fatalf("login: %s", a.Raw)
	}
	return Account{
		ID: a.Text("login", "user", "id"), Email: email, Session: a.Text("login", "session", "id"),
		Access: a.Text("login", "tokens", "accessToken"), Refresh: a.Text("login", "tokens", "refreshToken"),
	}
}

// Registration is the input of `register`.
func Registration(email, pass string) map[string]any {
	return map[string]any{"input": map[string]any{"email": email, "password": pass}}
}

// NextSecret is the server secret after a rotation.
const NextSecret = "Qm7Zt2Lw9Xc4Vb6Nk1Jh8Gf3Ds5Ap0Ou-YiB"

// Segment decodes one part of a JWT.
func Segment(t testing.TB, text string, n int) map[string]any {
	t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", text)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[n])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// ClaimsOf reads the claims of an access token without checking it.
func ClaimsOf(t testing.TB, text string) map[string]any { t.Helper(); return Segment(t, text, 1) }
