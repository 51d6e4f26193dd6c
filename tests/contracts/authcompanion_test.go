package contracts

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	companionEmail = "hello@authcompanion.com"
	companionKey   = "backend-Wn5Tq8Zr2Kx7Lc4Vb9Mj3Hf6Gd1" // which the backend of the application shares

	companionTokens   = `"access_token":"<jwt>","access_token_expiry":<number>}}}`
	companionTemplate = `{"data":{"type":"users","id":"<user>","attributes":{"name":%s,"email":%q,"created":"<milli>",` + companionTokens
	companionRefresh  = `{"data":{"id":"<user>","type":"Refresh","attributes":{"name":%s,"email":%q,` +
		`"created":"<milli>",` + companionTokens
	companionChanged = `{"data":{"type":"users","id":"<user>","attributes":{"name":%s,"email":%q,"created":"<milli>",` +
		`"updated":"<milli>",` + companionTokens

	companionLoginFailed = `{"statusCode":400,"message":"Login Failed"}`
	companionTaken       = `{"statusCode":400,"message":"Registration Failed"}`
	companionWrongType   = `{"statusCode":400,"message":"Invalid Type Attribute"}`
	companionDenied      = `{"statusCode":"401","message":"Unauthorized"}`
)

// companionInvalid is the answer to what breaks the form of a request.
func companionInvalid(message string) string {
	return `{"statusCode":400,"code":"FST_ERR_VALIDATION","error":"Bad Request","message":` + jsonText(message) + `}`
}

// jsonText is a text, or null, as JSON, without the escapes that only HTML needs.
func jsonText(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // which a text or null always has
	return strings.TrimSpace(b.String())
}

func companionCookie(token string) []string { return []string{"Cookie", "refreshToken=" + token} }

// companionServer is a server whose key of HS256 tokens a backend has.
func companionServer(t testing.TB, dsn string, env ...string) *harness.Instance {
	t.Helper()
	return harness.Start(t, dsn, append(env, "DRAGOMAN_JWT_HS256_SECRET="+companionKey)...)
}

// companionUser is what an answer with tokens says.
type companionUser struct {
	harness.Account
	Created, Updated string
	Claims           map[string]any
}

// companionSays demands an answer with tokens: bytes, cookies and claims. name is JSON.
func companionSays(t testing.TB, i *harness.Instance, r harness.Reply, status int, template, name,
	email string,
) companionUser {
	t.Helper()
	found := r.Matched(t, status, fmt.Sprintf(template, name, email))
	u := companionUser{Account: harness.Account{ID: found[0], Email: email}, Created: found[1]}
	u.Access = found[len(found)-2]
	if len(found) == 5 {
		u.Updated = found[2]
	}
	signed, sum, _ := strings.Cut(u.Access[strings.IndexByte(u.Access, '.')+1:], ".")
	mac := hmac.New(sha256.New, []byte(companionKey))
	mac.Write([]byte(u.Access[:strings.IndexByte(u.Access, '.')+1] + signed))
	if base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) != sum {
		t.Error("the signature is not that of the shared key")
	}
	u.Claims = harness.ClaimsOf(t, u.Access)
	u.Session, _ = u.Claims["sid"].(string)
	now := i.Clock.Now().Unix()
	for claim, want := range map[string]any{
		"userid": u.ID, "sub": u.ID, "email": email, "iat": float64(now), "exp": float64(now + 3600),
	} {
		if u.Claims[claim] != want {
			t.Errorf("%s: the claim %s is %v, want %v", r.Asked, claim, u.Claims[claim], want)
		}
	}
	if got := found[len(found)-1]; got != fmt.Sprint(now+3600) {
		t.Errorf("%s: access_token_expiry %s, and the token ends at %d", r.Asked, got, now+3600)
	}
	if got := jsonText(u.Claims["name"]); got != name {
		t.Errorf("%s: the claim name is %s, want %s", r.Asked, got, name)
	}
	u.Refresh = companionCookies(t, i, r, "; HttpOnly; SameSite=Lax")
	return u
}

// companionCookies demands the two cookies, equal but for their names, and gives their value.
func companionCookies(t testing.TB, i *harness.Instance, r harness.Reply, attributes string) string {
	t.Helper()
	set := harness.OwnCookies(r.Header)
	if len(set) != 2 {
		t.Fatalf("%s: the cookies %q", r.Asked, set)
	}
	value, _, _ := strings.Cut(strings.TrimPrefix(set[0], "refreshToken="), ";")
	until := i.Clock.Now().Add(7 * 24 * time.Hour).UTC().Format(http.TimeFormat)
	for n, name := range []string{"refreshToken", "userRefreshToken"} {
		if want := name + "=" + value + "; Path=/; Expires=" + until + "; Max-Age=604800" +
			attributes; set[n] != want || len(value) < 40 {
			t.Errorf("%s: %s, want %s", r.Asked, set[n], want)
		}
	}
	return value
}

// companionJoins registers as the document says.
func companionJoins(t testing.TB, i *harness.Instance, email string) companionUser {
	t.Helper()
	r := i.CompanionAsks(t, "POST "+harness.Companion+"/register",
		harness.CompanionBody("name", "Authy Person", "email", email, "password", harness.CompanionPass))
	return companionSays(t, i, r, http.StatusCreated, companionTemplate, `"Authy Person"`, email)
}

// companionEnters signs in as the document says.
func companionEnters(t testing.TB, i *harness.Instance, email string) companionUser {
	t.Helper()
	r := i.CompanionAsks(t, "POST "+harness.Companion+"/login",
		harness.CompanionBody("email", email, "password", harness.CompanionPass))
	return companionSays(t, i, r, http.StatusOK, companionTemplate, `"Authy Person"`, email)
}

// A registration makes a user who is signed in, with the metadata as a claim, by either name of it; the document's
// password passes, and so does a common one, with a mark (PW-06).
func TestCompanion_Register(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		conn := harness.OpenSide(t, dsn)
		data := map[string]any{"company": "Auth Co"}
		full := map[string]any{"k": strings.Repeat("<", 169) + "xx"} // 1024 bytes, as < is escaped in a token
		for n, row := range []struct {
			attributes []any
			metadata   any
		}{
			{[]any{"metadata", data}, data},
			{[]any{"metdata", data}, data},
			{[]any{"metdata", data, "metadata", map[string]any{"a": 1}}, map[string]any{"a": 1.0}},
			{[]any{"metadata", nil, "role", "admin", "id", "x", "active", 1}, nil},
			{[]any{"metadata", full}, full},
			{[]any{"password", "abc"}, nil},         // as short as the original takes them
			{[]any{"password", "password123"}, nil}, // which is marked
		} {
			email, name := fmt.Sprintf("User%d@Example.com", n), `"Authy Person"`
			attributes := append([]any{"name", "Authy Person", "email", email, "password", harness.CompanionPass},
				row.attributes...)
			if row.metadata != nil && len(harness.JSONOf(t, row.metadata)) > 1000 { // everything as long as it may be
				attributes[1] = strings.Repeat("<", 200)
				name = jsonText(strings.Repeat("<", 200))
			}
			r := s.CompanionAsks(t, "POST "+harness.Companion+"/register", harness.CompanionBody(attributes...))
			u := companionSays(t, s, r, http.StatusCreated, companionTemplate, name, email)
			if !reflect.DeepEqual(u.Claims["metadata"], row.metadata) {
				t.Errorf("%s: metadata %v, want %v", email, u.Claims["metadata"], row.metadata)
			}
			if u.Created != s.Clock.Now().UTC().Format(millis) || !s.Is(t, u.Access, u.Account) {
				t.Errorf("%s: created %s, or the token is nobody's", email, u.Created)
			}
		}
		if n := conn.Count(t, `SELECT count(*) FROM users WHERE role <> 'user'`); n > 0 {
			t.Error("somebody made themselves more than they are")
		}
		before := conn.Census(t)
		for _, email := range []string{"User0@Example.com", "user0@example.com", "USER0@EXAMPLE.COM"} {
			s.CompanionAsks(t, "POST "+harness.Companion+"/register",
				harness.CompanionBody("name", "N", "email", email, "password", harness.CompanionPass)).Says(t, 400,
				companionTaken)
		}
		large := harness.CompanionBody("name", "N", "email", "new@example.com", "password", harness.CompanionPass,
			"metadata", map[string]any{"k": strings.Repeat("x", 4096)})
		s.CompanionAsks(t, "POST "+harness.Companion+"/register", large).
			Says(t, 400, companionInvalid("body/data/attributes/metadata: The metadata is longer than 4 KiB as JSON."))
		if after := conn.Census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
		if n := conn.Count(t, `SELECT count(*) FROM audit_events WHERE reason = 'guessable_password' AND outcome = `+
			`'ok' AND dialect = 'authcompanion'`); n != 1 {
			t.Errorf("%d passwords were marked", n)
		}
		closed := companionServer(t, dsn, "DRAGOMAN_REGISTRATION=off")
		closed.CompanionAsks(t, "POST "+harness.Companion+"/register",
			harness.CompanionBody("name", "N", "email", "new@example.com", "password", harness.CompanionPass)).Says(t,
			400, companionTaken)
		strict := companionServer(t, dsn, "DRAGOMAN_DIALECT_PASSWORDS=strict")
		strict.CompanionAsks(t, "POST "+harness.Companion+"/register",
			harness.CompanionBody("name", "N", "email", "new@example.com", "password", "abc")).
			Says(t, 400, `{"statusCode":400,"message":"The password is too short. Please use at least 8 characters."}`)
	})
}

// Logins by the address in any case and by username; LG-01: what is wrong is not told, also where accounts are
// revealed.
func TestLG01_CompanionLogin(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS=on")
		u := companionJoins(t, s, "Jane@Example.com")
		s.Registers(t, "email", "other@example.com", "username", "other", "password", harness.GoodPass)
		s.Registers(t, "email", "barred@example.com", "password", harness.GoodPass)
		conn := harness.OpenSide(t, dsn)
		conn.MustExec(t, `UPDATE users SET status = 'SUSPENDED' WHERE email = 'barred@example.com'`)
		for _, email := range []string{"Jane@Example.com", "jane@example.com", "JANE@EXAMPLE.COM"} {
			// ignored, as none is needed
			for _, authorization := range []string{"", "Bearer ", "Bearer stale", "Bearer " + u.Refresh} {
				r := s.CompanionAsks(t, "POST "+harness.Companion+"/login",
					harness.CompanionBody("email", email, "password", harness.CompanionPass, "username", "other"),
					"Authorization", authorization)
				again := companionSays(t, s, r, 200, companionTemplate, `"Authy Person"`, "Jane@Example.com")
				if again.ID != u.ID || again.Created != u.Created || again.Session == u.Session ||
					again.Refresh == u.Refresh {
					t.Errorf("%s: %+v beside %+v", email, again, u) // SE-01
				}
			}
		}
		companionSays(t, s, s.CompanionAsks(t, "POST "+harness.Companion+"/login",
			harness.CompanionBody("username", "Other", "password", harness.GoodPass)), 200, companionTemplate, "null",
			"other@example.com")
		before := conn.Census(t)
		for _, attributes := range [][]any{
			{"email", "jane@example.com", "password", "wrong"},
			{"email", "jane@example.com", "password", harness.CompanionPass + " "},
			{"email", "nobody@example.com", "password", harness.CompanionPass},
			{"username", "nobody", "password", harness.CompanionPass},
			{"email", "barred@example.com", "password", harness.GoodPass},
			{"email", "barred@example.com", "password", "wrong"},
			{"email", "not an address", "password", "x"},
			{"email", "", "password", "x"},
			{"email", "jane@example.com", "password", strings.Repeat("x", 300)},
		} {
			s.CompanionAsks(t, "POST "+harness.Companion+"/login", harness.CompanionBody(attributes...)).Says(t, 400,
				companionLoginFailed)
		}
		if after := conn.Census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
	})
}

// LG-06, LG-13: the throttling and the limits are those of everybody, in the form of the dialect.
func TestLG13_CompanionLimits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		s.Register(t, "jane@example.com")
		last := harness.Reply{}
		for range 7 {
			last = s.CompanionAsks(t, "POST "+harness.Companion+"/login",
				harness.CompanionBody("email", "jane@example.com", "password", "wrong"), "X-Forwarded-For",
				harness.Attacker)
		}
		last.Says(t, 429, `{"statusCode":429,"message":"Too Many Requests"}`)
		if last.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		for range 151 {
			last = s.CompanionAsks(t, "POST "+harness.Companion+"/refresh", "{}", "X-Forwarded-For", harness.Attacker,
				"Cookie", "refreshToken="+harness.RefreshOfNobody(t))
		}
		last.Says(t, 429, `{"statusCode":429,"message":"Too Many Requests"}`)
	})
}

// Cookies under https are Secure; a copy of the file may say SameSite=None for pages on another site.
func TestHT02_CompanionCookies(t *testing.T) {
	t.Parallel()
	secure := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PUBLIC_URL=https://auth.example.com")
	body := harness.CompanionBody("name", "N", "email", companionEmail, "password", harness.CompanionPass)
	companionCookies(t, secure, secure.CompanionAsks(t, "POST "+harness.Companion+"/register", body),
		"; HttpOnly; Secure; SameSite=Lax")
	other := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+
		harness.CompanionCopy(t, "    maxAge: 168h", "    maxAge: 168h\n    sameSite: none"))
	companionCookies(t, other, other.CompanionAsks(t, "POST "+harness.Companion+"/register", body),
		"; HttpOnly; Secure; SameSite=None")
	// HT-03: no page of another site makes a browser refresh or revoke.
	u := secure.CompanionToken(t, "csrf@example.com")
	for _, route := range []string{"POST " + harness.Companion + "/refresh", "DELETE " + harness.Companion +
		"/refresh"} {
		r, err := secure.Call(route, "{}", append(companionCookie(u), "Origin", "https://evil.example",
			"Sec-Fetch-Site", "cross-site")...)
		if err != nil {
			t.Fatal(err)
		}
		r.Says(t, 403, `{"statusCode":403,"message":"The request comes from a page of another site, which may not `+
			`use the cookies of this one."}`)
	}
}
