package tokens

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const formerSecret = "wM4zq8Lr2Tn6Vx0Bk5Hd9Yc3Gf7Ps1Ju"

// former is a server beside the keys of three former systems.
type former struct {
	*harness.Instance
	dsn     string
	ada     harness.Account
	rsa     *rsa.PrivateKey
	ec      *ecdsa.PrivateKey
	publics []byte // the RSA public key as PEM
	file    string // of the setting
}

// newFormer starts a server on which wolfpal takes HS256 tokens, service-authentication RS256 tokens of a JWK set with
// issuer and audience, and generic-v1 ES256 tokens by number. ada was imported as old-17, and has the number 17.
func newFormer(t *testing.T, dsn string, env ...string) *former {
	t.Helper()
	f := &former{dsn: dsn}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if f.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if f.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	f.publics = pemOf(t, &f.rsa.PublicKey)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: &f.rsa.PublicKey, KeyID: "k1", Algorithm: "RS256", Use: "sig"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	write("wolf.secret", formerSecret+"\n")
	write("service.jwks", string(set))
	write("generic.pem", string(pemOf(t, &f.ec.PublicKey)))
	write("tokens.yaml", `wolfpal: {alg: HS256, key: wolf.secret, claim: _id}
service-authentication: {alg: RS256, key: service.jwks, issuer: old.example.com, audience: api}
generic-v1: {alg: ES256, key: generic.pem, account: number}
`)
	f.file = filepath.Join(dir, "tokens.yaml")
	f.Instance = harness.Start(t, dsn, append(env, "DRAGOMAN_LEGACY_TOKENS="+f.file)...)
	f.ada = f.Register(t, "ada@example.com")
	f.imported(t, f.ada, "old-17", 17)
	return f
}

func pemOf(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// imported makes an account one that came from a former system.
func (f *former) imported(t *testing.T, who harness.Account, id string, number int) {
	t.Helper()
	harness.OpenSide(t, f.dsn).MustExec(t, fmt.Sprintf(
		`UPDATE users SET external_id = '%s', number = %d WHERE email_canonical = '%s'`, id, number, who.Email))
}

// claims are those of a token that the former system made a minute ago, with changes: name, value; nil takes away.
func (f *former) claims(changes ...any) jwt.MapClaims {
	now := f.Clock.Now()
	c := jwt.MapClaims{
		"_id": "old-17", "id": "old-17", "sub": 17, "iss": "old.example.com", "aud": "api",
		"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	for i := 0; i < len(changes); i += 2 {
		name := changes[i].(string)
		if c[name] = changes[i+1]; changes[i+1] == nil {
			delete(c, name)
		}
	}
	return c
}

func signed(t *testing.T, method jwt.SigningMethod, key any, c jwt.MapClaims, header ...any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	for i := 0; i < len(header); i += 2 {
		token.Header[header[i].(string)] = header[i+1]
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// wolf makes a token of the first former system.
func (f *former) wolf(t *testing.T, changes ...any) string {
	t.Helper()
	return signed(t, jwt.SigningMethodHS256, []byte(formerSecret), f.claims(changes...))
}

// reads tells whether a token reads over wolfpal.
func (f *former) reads(t *testing.T, text string) bool {
	t.Helper()
	r := f.REST(t, "GET /api/account", "", harness.Bearer(text)...)
	if r.Status != http.StatusOK && r.Status != http.StatusUnauthorized {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	return r.Status == http.StatusOK
}

// JW-18: a token of a former system reads over its own dialect, by external id or number, and over nothing else.
func TestJW18_Reads(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		f := newFormer(t, dsn)
		wolf := f.wolf(t)
		service := signed(t, jwt.SigningMethodRS256, f.rsa, f.claims(), "kid", "k1")
		generic := signed(t, jwt.SigningMethodES256, f.ec, f.claims())
		tokens := map[string]string{"wolfpal": wolf, "service": service, "generic": generic}
		for route, own := range map[string]string{
			"GET /api/account":      "wolfpal",
			"GET /api/sessions":     "wolfpal",
			"GET /user":             "service",
			"GET /api/v1/auth/keys": "generic",
		} {
			for name, text := range tokens {
				r := f.REST(t, route, "", harness.Bearer(text)...)
				if want := name == own; (r.Status == http.StatusOK) != want {
					t.Errorf("%s with the token of %s: %d %s", route, name, r.Status, r.Body)
				}
			}
		}
		for name, text := range tokens {
			for _, document := range []string{harness.MeDoc, harness.CurrentDoc} {
				f.Expect(t, "UNAUTHENTICATED", text, document, nil)
			}
			if code := f.Refresh(t, text).Code(); code != "INVALID_TOKEN" {
				t.Errorf("refresh by the token of %s: %q", name, code)
			}
		}
		for _, route := range []string{
			"POST /api/auth/logout", "DELETE /api/sessions", "PUT /api/account/change-username",
			"POST /api/account/change-email",
		} {
			r := f.REST(t, route, `{"newUsername":"lovelace","username":"lovelace","newEmail":"a@example.com",
"email":"a@example.com","password":"`+harness.GoodPass+`"}`, harness.Bearer(wolf)...)
			if r.Status < 400 {
				t.Errorf("%s: %d %s", route, r.Status, r.Body)
			}
		}
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM sessions WHERE revoked_at IS NULL`); n != 1 {
			t.Errorf("%d sessions are alive", n)
		}
	})
}

// JW-18: an administrator with a token of the former system reads the own account alone.
func TestJW18_NoAdministrator(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		f := newFormer(t, dsn)
		bob := f.Register(t, "bob@example.com")
		f.SetRole(t, dsn, f.ada, "admin")
		token := signed(t, jwt.SigningMethodRS256, f.rsa, f.claims(), "kid", "k1")
		if r := f.REST(t, "GET /user", "", harness.Bearer(token)...); strings.Contains(r.Body, bob.ID) {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if r := f.REST(t, "GET /user/"+bob.ID, "", harness.Bearer(token)...); strings.Contains(r.Body, bob.ID) ||
			r.Status < 400 {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if r := f.REST(t, "GET /user/"+bob.ID, "", harness.Bearer(f.ada.Access)...); r.Status != http.StatusOK {
			t.Errorf("in a session: %d %s", r.Status, r.Body)
		}
	})
}

// JW-19: what is not exactly a token of the former system opens nothing.
func TestJW19_Forged(t *testing.T) {
	t.Parallel()
	f := newFormer(t, dbtest.SQLite(t))
	now, good := f.Clock.Now(), []byte(formerSecret)
	if !f.reads(t, f.wolf(t)) || !f.reads(t, f.wolf(t, "iat", nil)) {
		t.Fatal("a right token reads nothing")
	}
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, f.claims()).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"none":               none,
		"none with dot text": none + "AAAA",
		"another key": signed(t, jwt.SigningMethodHS256, []byte("another secret of thirty-two bytes.."),
			f.claims()),
		"HS384":               signed(t, jwt.SigningMethodHS384, good, f.claims()),
		"HS512":               signed(t, jwt.SigningMethodHS512, good, f.claims()),
		"RS256":               signed(t, jwt.SigningMethodRS256, f.rsa, f.claims()),
		"no exp":              f.wolf(t, "exp", nil),
		"exp is text":         f.wolf(t, "exp", fmt.Sprint(now.Add(time.Hour).Unix())),
		"exp is null":         f.wolf(t, "exp", json.RawMessage("null")),
		"expired":             f.wolf(t, "exp", now.Add(-6*time.Second).Unix()),
		"for a year":          f.wolf(t, "exp", now.Add(365*24*time.Hour).Unix()),
		"for a year, nearly":  f.wolf(t, "iat", now.Add(-364*24*time.Hour).Unix()),
		"of tomorrow":         f.wolf(t, "iat", now.Add(24*time.Hour).Unix(), "exp", now.Add(25*time.Hour).Unix()),
		"not before tomorrow": f.wolf(t, "nbf", now.Add(24*time.Hour).Unix()),
		"nobody":              f.wolf(t, "_id", nil),
		"empty":               f.wolf(t, "_id", ""),
		"unknown":             f.wolf(t, "_id", "old-18"),
		"our own id":          f.wolf(t, "_id", f.ada.ID),
		"a list":              f.wolf(t, "_id", []string{"old-17"}),
		"an object":           f.wolf(t, "_id", map[string]any{"$ne": nil}),
		"a pattern":           f.wolf(t, "_id", "old-%"),
		"a quote":             f.wolf(t, "_id", "' OR 1=1 --"),
		"another claim":       f.wolf(t, "_id", nil, "sub", "old-17"),
		"an extension": signed(t, jwt.SigningMethodHS256, good, f.claims(), "crit", []string{"b64"}, "b64",
			false),
		"an access token":      f.ada.Access + "x",
		"cut off":              f.wolf(t)[:60],
		"with a public key":    signed(t, jwt.SigningMethodHS256, f.publics, f.claims()),
		"the id is a fraction": f.wolf(t, "_id", 1.5),
	} {
		if f.reads(t, text) {
			t.Errorf("%s reads", name)
		}
	}
	if !f.reads(t, signed(t, jwt.SigningMethodHS256, good, f.claims(), "kid", "../../dev/null", "jku",
		"https://evil.example",
		"jwk", map[string]string{"kty": "oct", "k": "AAAA"})) {
		t.Error("what the header brings beside alg is read")
	}
	f.Clock.Add(61 * time.Minute)
	if f.reads(t, f.wolf(t, "iat", now.Unix(), "exp", now.Add(time.Hour).Unix())) {
		t.Error("a token that is over reads")
	}
}

// JW-19: a public key is no secret of HMAC; issuer, audience and kid count where they are demanded.
func TestJW19_Confusion(t *testing.T) {
	t.Parallel()
	f := newFormer(t, dbtest.SQLite(t))
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rs := jwt.SigningMethodRS256
	for name, c := range map[string]struct {
		token string
		reads bool
	}{
		"right":            {signed(t, rs, f.rsa, f.claims(), "kid", "k1"), true},
		"without kid":      {signed(t, rs, f.rsa, f.claims()), true},
		"audiences":        {signed(t, rs, f.rsa, f.claims("aud", []string{"x", "api"})), true},
		"another kid":      {signed(t, rs, f.rsa, f.claims(), "kid", "k2"), false},
		"another key":      {signed(t, rs, other, f.claims(), "kid", "k1"), false},
		"PS256":            {signed(t, jwt.SigningMethodPS256, f.rsa, f.claims(), "kid", "k1"), false},
		"HMAC by PEM":      {signed(t, jwt.SigningMethodHS256, f.publics, f.claims(), "kid", "k1"), false},
		"HMAC by modulus":  {signed(t, jwt.SigningMethodHS256, f.rsa.N.Bytes(), f.claims(), "kid", "k1"), false},
		"another issuer":   {signed(t, rs, f.rsa, f.claims("iss", "evil.example")), false},
		"no issuer":        {signed(t, rs, f.rsa, f.claims("iss", nil)), false},
		"another audience": {signed(t, rs, f.rsa, f.claims("aud", "web")), false},
		"no audience":      {signed(t, rs, f.rsa, f.claims("aud", nil)), false},
	} {
		r := f.REST(t, "GET /user", "", harness.Bearer(c.token)...)
		if (r.Status == http.StatusOK) != c.reads {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
	for name, c := range map[string]struct {
		sub   any
		reads bool
	}{
		"number": {17, true}, "digits": {"17", true}, "another number": {18, false},
		"huge":           {json.Number("1e400"), false},
		"beyond 31 bits": {json.Number("4294967313"), false}, "negative": {-17, false}, "zeros": {"0017", true},
		"external id": {"old-17", false},
	} {
		token := signed(t, jwt.SigningMethodES256, f.ec, f.claims("sub", c.sub))
		if r := f.REST(t, "GET /api/v1/auth/keys", "", harness.Bearer(token)...); (r.Status == http.StatusOK) !=
			c.reads {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
	squatter := f.Register(t, "squatter@example.com") // has a number, and came from nowhere
	harness.OpenSide(t, f.dsn).MustExec(t,
		`UPDATE users SET number = 99 WHERE email_canonical = '`+squatter.Email+`'`)
	token := signed(t, jwt.SigningMethodES256, f.ec, f.claims("sub", 99))
	if r := f.REST(t, "GET /api/v1/auth/keys", "", harness.Bearer(token)...); r.Status == http.StatusOK {
		t.Error("a number that nobody imported is somebody's")
	}
}

// JW-20: what ends all sessions ends the tokens of the former system that were issued before, and those alone.
func TestJW20_Ended(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		f := newFormer(t, dsn)
		root := f.Admin(t, dsn, "root@example.com")
		other := "another horse battery staple"
		for n, c := range []struct {
			name string
			ends bool
			do   func(who harness.Account)
		}{
			{"nothing", false, func(harness.Account) {}},
			{"a name", false, func(who harness.Account) {
				harness.Fine(t, f.GraphQL(t, who.Access, harness.UpdateMeDoc, harness.InputOf("name", "Ada")))
			}},
			{"a wrong password", false, func(who harness.Account) { f.Login(t, who.Email, harness.WrongPass) }},
			{"a sign-in", false, func(who harness.Account) { f.Login(t, who.Email, harness.GoodPass) }},
			{"changePassword", true, func(who harness.Account) {
				harness.Fine(t, f.GraphQL(t, who.Access, harness.ChangePasswordDoc,
					harness.InputOf("currentPassword", harness.GoodPass, "newPassword", other)))
			}},
			{"updateMe", true, func(who harness.Account) {
				harness.Fine(t, f.GraphQL(t, who.Access, harness.UpdateMeDoc,
					harness.InputOf("currentPassword", harness.GoodPass, "password", other)))
			}},
			{"revokeOtherSessions", true, func(who harness.Account) {
				harness.Fine(t, f.GraphQL(t, who.Access, harness.EndOthersDoc, nil))
			}},
			{"logout everywhere", true, func(who harness.Account) {
				harness.Fine(t, f.GraphQL(t, who.Access, harness.LogoutDoc, harness.InputOf("everywhere", true)))
			}},
			{"revokeUserSessions", true, func(who harness.Account) {
				harness.Fine(t, f.GraphQL(t, f.Fresh(t, root), harness.EndUserDoc, harness.InputOf("id", who.ID)))
			}},
			{"a suspension that was lifted", true, func(who harness.Account) {
				harness.Fine(t, f.GraphQL(t, f.Fresh(t, root), harness.SuspendDoc, harness.InputOf("id", who.ID)))
				harness.Fine(t, f.GraphQL(t, f.Fresh(t, root), harness.ReactivateDoc, harness.InputOf("id", who.ID)))
			}},
			{"a suspension", true, func(who harness.Account) {
				harness.Fine(t, f.GraphQL(t, f.Fresh(t, root), harness.UpdateUserDoc,
					harness.InputOf("id", who.ID, "active", false)))
			}},
			{"another address by an administrator", true, func(who harness.Account) {
				harness.Fine(t, f.GraphQL(t, f.Fresh(t, root), harness.UpdateUserDoc,
					harness.InputOf("id", who.ID, "email", "moved"+who.Email)))
			}},
			{"a reset", true, func(who harness.Account) {
				token := f.Mailed(t, harness.AskResetDoc, who.Email, "reset-password").Token
				harness.Fine(t, f.GraphQL(t, "", harness.ResetDoc,
					harness.InputOf("token", token, "newPassword", other)))
			}},
			{"an erasure", true, func(who harness.Account) {
				harness.Fine(t, f.GraphQL(t, who.Access, harness.DeleteAccountDoc, nil))
			}},
		} {
			who := f.Register(t, fmt.Sprintf("u%d@example.com", n))
			id := fmt.Sprintf("old-%d", 100+n)
			f.imported(t, who, id, 100+n)
			f.Clock.Add(2 * time.Second)
			before := f.wolf(t, "_id", id, "iat", f.Clock.Now().Unix())
			if !f.reads(t, before) {
				t.Fatalf("%s: reads nothing before", c.name)
			}
			f.Clock.Add(2 * time.Second)
			who.Access = f.Fresh(t, who)
			c.do(who)
			if f.reads(t, before) == c.ends {
				t.Errorf("%s: the token of before reads: %v", c.name, c.ends)
			}
			f.Clock.Add(2 * time.Second)
			gone := c.name == "a suspension" || c.name == "an erasure"
			if after := f.wolf(t, "_id", id, "iat", f.Clock.Now().Unix()); f.reads(t, after) == gone {
				t.Errorf("%s: a token of later reads: %v", c.name, !gone)
			}
		}
	})
}

// JW-20: a restore ends the tokens of before: what ended them may be lost with what was written since the backup.
func TestJW20_Restored(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		f := newFormer(t, dsn)
		f.Clock.Add(time.Hour)
		before := f.wolf(t, "iat", f.Clock.Now().Unix())
		if !f.reads(t, before) {
			t.Fatal("reads nothing")
		}
		f.Clock.Add(time.Minute)
		restored := db.Event{Action: db.ActionRestoreFinished}
		if err := f.App.DB.Record(t.Context(), restored, db.Clock(f.Clock.Now())); err != nil {
			t.Fatal(err)
		}
		f.Instance = harness.StartWithClock(t, f.Clock, dsn, "DRAGOMAN_LEGACY_TOKENS="+f.file)
		f.Clock.Add(time.Minute)
		if f.reads(t, before) || !f.reads(t, f.wolf(t, "iat", f.Clock.Now().Unix())) {
			t.Error("a token of before a restore reads, or none of later")
		}
	})
}

// JW-21: a use is on record once an hour, a refusal by sample, and calls are counted as what they are.
func TestJW21_OnRecord(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		f := newFormer(t, dsn)
		f.Clock.At = f.Clock.At.Truncate(time.Hour).Add(time.Hour)
		token, side := f.wolf(t, "exp", f.Clock.Now().Add(4*time.Hour).Unix()), harness.OpenSide(t, dsn)
		count := func(action string) int {
			return side.Count(t, `SELECT count(*) FROM audit_events WHERE action = '`+action+
				`' AND dialect = 'wolfpal'`)
		}
		for range 5 {
			if !f.reads(t, token) {
				t.Fatal("reads nothing")
			}
		}
		if n := count("legacy_token.used"); n != 1 {
			t.Errorf("%d events of five uses", n)
		}
		f.Clock.Add(time.Hour)
		f.reads(t, token)
		if n := count("legacy_token.used"); n != 2 {
			t.Errorf("%d events in two hours", n)
		}
		for range 20 {
			f.reads(t, f.wolf(t, "_id", "old-18"))
		}
		if n := count("legacy_token.refused"); n == 0 || n > 5 {
			t.Errorf("%d events of twenty refusals", n)
		}
		root := f.Admin(t, dsn, "root@example.com")
		if err := f.App.DB.FlushUsage(t.Context()); err != nil {
			t.Fatal(err)
		}
		a := f.GraphQL(t, f.Fresh(t, root), `query { dialectUsage(dialect: "wolfpal") { callers { kind value count } `+
			`} }`, nil)
		if !strings.Contains(a.Raw, `{"kind":"LEGACY_TOKEN","value":"Go-http-client/1.1","count":6}`) {
			t.Errorf("%s", a.Raw)
		}
		s := harness.OpenSide(t, dsn)
		if strings.Contains(strings.Join(s.Texts(t, `SELECT coalesce(reason, '') FROM audit_events`), " "), token) {
			t.Error("the token is on record")
		}
	})
}
