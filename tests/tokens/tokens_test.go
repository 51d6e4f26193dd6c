package tokens

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// SE-15: the four kinds of credential in the four places that take one.
func TestSE15_CrossUse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		ada := s.Register(t, "ada@example.com")
		st := s.LoginAs(t, ada, "SESSION_TOKEN")
		_, key := s.NewKey(t, ada.Access, nil)
		kinds := map[string]string{"access": ada.Access, "refresh": ada.Refresh, "session": st.Refresh, "key": key}
		as := func(header string) func(string) string {
			return func(text string) string {
				value := text
				if header == "Authorization" {
					value = "Bearer " + text
				}
				return harness.SendWith(t, s.URL, http.Header{header: {value}}, harness.CurrentDoc,
					nil).Text("currentCredential", "kind")
			}
		}
		places := []struct {
			name string
			use  func(text string) string
			want map[string]string // what each kind is good for here
		}{
			{"Authorization", as("Authorization"), map[string]string{
				"access": "ACCESS_TOKEN", "session": "SESSION_TOKEN", "key": "API_KEY", "refresh": "",
			}},
			{"X-API-Key", as("X-Api-Key"), map[string]string{
				"access": "", "session": "", "key": "API_KEY", "refresh": "",
			}},
			{"refresh input", func(text string) string { return s.Refresh(t, text).Code() }, map[string]string{
				"access": "INVALID_TOKEN", "session": "INVALID_TOKEN", "key": "INVALID_TOKEN", "refresh": "",
			}},
			{"logout input", func(text string) string {
				return s.GraphQL(t, "", harness.LogoutDoc,
					map[string]any{"input": map[string]any{"refreshToken": text}}).Code()
			}, map[string]string{
				"access": "INVALID_TOKEN", "session": "INVALID_TOKEN", "key": "INVALID_TOKEN", "refresh": "",
			}},
		}
		for _, place := range places {
			for kind, text := range kinds {
				if kind == "refresh" {
					continue // last, because a logout by it succeeds
				}
				if got := place.use(text); got != place.want[kind] {
					t.Errorf("%s in %s: %q, not %q", kind, place.name, got, place.want[kind])
				}
			}
			if n := harness.MustCount(t, conn, `SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL OR `+
				`generation > 0`); n > 0 {
				t.Fatalf("%s: a wrong kind rotated or ended a session", place.name)
			}
			if place.name != "refresh input" && place.name != "logout input" {
				if got := place.use(kinds["refresh"]); got != "" {
					t.Errorf("a refresh token in %s is a %s", place.name, got)
				}
			}
		}
		next := s.Refresh(t, kinds["refresh"])
		if next.Code() != "" {
			t.Errorf("a refresh token in its own place: %s", next.Raw)
		}
		if code := places[3].use(next.Text("refresh", "tokens", "refreshToken")); code != "" {
			t.Errorf("a refresh token in the logout input: %q", code)
		}
		// The same with the name in front exchanged: the keys differ, so no prefix makes one of the other.
		for from, to := range map[string]string{"rt1.": "st1.", "st1.": "rt1."} {
			for _, text := range kinds {
				if other, ok := strings.CutPrefix(text, from); ok {
					if as("Authorization")(to+other) != "" || s.Refresh(t, to+other).Code() != "INVALID_TOKEN" {
						t.Errorf("%s taken as %s", from, to)
					}
				}
			}
		}
	})
}

// SE-04 end to end: a token with any one character changed is nobody's. The kinds' own tests have every mutation.
func TestSE04_MutatedCredentials(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		st := s.LoginAs(t, ada, "SESSION_TOKEN")
		_, key := s.NewKey(t, ada.Access, nil)
		for name, text := range map[string]string{"access": ada.Access, "session": st.Refresh, "key": key} {
			for n := 0; n < len(text); n += 1 + len(text)/60 {
				c := byte('A')
				if text[n] == c {
					c = 'B'
				}
				for _, bad := range []string{text[:n] + string(c) + text[n+1:], text[:n]} {
					if bad != "" && s.GraphQL(t, bad, harness.MeDoc, nil).At("me") != nil {
						t.Fatalf("%s accepted with character %d changed or cut", name, n)
					}
				}
			}
			for _, bad := range []string{text + "A", text + ".", text + "=", text + "." + text} {
				if s.GraphQL(t, bad, harness.MeDoc, nil).At("me") != nil {
					t.Errorf("%s accepted with something behind it", name)
				}
			}
		}
	})
}

// JW-04: a token is good at the deployment that made it and at no other.
func TestJW04_OtherDeployments(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const own = "DRAGOMAN_PUBLIC_URL=https://auth.example.com"
		home := harness.Start(t, dsn, own)
		ada := home.Register(t, "ada@example.com")
		same := harness.Start(t, dsn, own)
		if !same.Is(t, ada.Access, ada) {
			t.Fatal("a second instance of the same deployment refuses the token")
		}
		// All of these share the database, so the signing key, the session and the account are there.
		for name, env := range map[string][]string{
			"audience":     {own, "DRAGOMAN_AUDIENCE=other"},
			"issuer":       {own, "DRAGOMAN_ISSUER=https://evil.example.com"},
			"public URL":   {"DRAGOMAN_PUBLIC_URL=https://other.example.com"},
			"issuer case":  {own, "DRAGOMAN_ISSUER=https://AUTH.example.com"},
			"issuer slash": {own, "DRAGOMAN_ISSUER=https://auth.example.com/"},
			"longer name":  {own, "DRAGOMAN_AUDIENCE=https://auth.example.com.evil"},
		} {
			other := harness.Start(t, dsn, env...)
			a := other.GraphQL(t, ada.Access, harness.MeDoc, nil)
			if a.At("me") != nil || a.Code() != "UNAUTHENTICATED" || a.Header.Get("Www-Authenticate") == "" {
				t.Errorf("another %s accepts the token: %s", name, a.Raw)
			}
			theirs := other.LoginAs(t, ada, "BODY")
			if home.Is(t, theirs.Access, ada) {
				t.Errorf("we accept the token of another %s", name)
			}
		}
	})
	// Another database: another signing key, with the same names.
	a, b := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PUBLIC_URL=https://auth.example.com"),
		harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PUBLIC_URL=https://auth.example.com")
	ada := a.Register(t, "ada@example.com")
	if got := b.GraphQL(t, ada.Access, harness.MeDoc, nil); got.At("me") != nil || got.Code() != "UNAUTHENTICATED" {
		t.Errorf("another key accepts the token: %s", got.Raw)
	}
}

// JW-05, JW-13: exactly the documented claims, and no personal data among them.
func TestJW13_ExactClaims(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_ISSUER=https://auth.example.com", "DRAGOMAN_AUDIENCE=backend")
		a := s.GraphQL(t, "", harness.RegisterDoc, map[string]any{"input": map[string]any{
			"email": "ada@example.com", "password": harness.GoodPass, "username": "countess", "name": "Ada Lovelace",
			"metadata": map[string]any{"plan": "pro", "seats": 3},
		}})
		registered := a.Text("register", "tokens", "accessToken")
		user, session := a.Text("register", "user", "id"), a.Text("register", "session", "id")
		signedIn := s.Login(t, "ada@example.com", harness.GoodPass)
		refreshed := s.Refresh(t, a.Text("register", "tokens", "refreshToken"))
		jtis := map[any]bool{}
		for name, row := range map[string]struct {
			token, session string
			generation     float64
		}{
			"register": {registered, session, 0},
			"login":    {signedIn.Text("login", "tokens", "accessToken"), signedIn.Text("login", "session", "id"), 0},
			"refresh":  {refreshed.Text("refresh", "tokens", "accessToken"), session, 1},
		} {
			header, claims := harness.Segment(t, row.token, 0), harness.ClaimsOf(t, row.token)
			if header["alg"] != "ES256" || header["typ"] != "at+jwt" || header["kid"] == "" || len(header) != 3 {
				t.Errorf("%s: header %v", name, header)
			}
			var names []string
			for claim := range claims {
				names = append(names, claim)
			}
			sort.Strings(names)
			if want := []string{
				"acr", "amr", "aud", "exp", "gen", "iat", "iss", "jti", "metadata", "roles", "sid",
				"sub",
			}; !slices.Equal(names, want) {
				t.Errorf("%s: claims %v", name, names)
			}
			iat := float64(s.Clock.Now().Unix())
			for claim, want := range map[string]any{
				"iss": "https://auth.example.com", "aud": "backend", "sub": user, "sid": row.session, "iat": iat,
				"gen": row.generation, "exp": iat + 600,
			} {
				if claims[claim] != want {
					t.Errorf("%s: %s is %v, not %v", name, claim, claims[claim], want)
				}
			}
			if got := fmt.Sprint(claims["roles"], claims["amr"], claims["acr"]); got != "[user] [pwd]aal1" {
				t.Errorf("%s: roles and amr %s", name, got)
			}
			if got, _ := json.Marshal(claims["metadata"]); string(got) != `{"plan":"pro","seats":3}` {
				t.Errorf("%s: metadata %s", name, got)
			}
			raw, _ := json.Marshal(claims)
			if regexp.MustCompile(`(?i)ada@|lovelace|countess|email|username`).Match(raw) {
				t.Errorf("%s: personal data: %s", name, raw)
			}
			if jtis[claims["jti"]] {
				t.Errorf("%s: a jti came twice", name)
			}
			jtis[claims["jti"]] = true
		}
		// Without metadata there is no claim of it.
		plain := s.Register(t, "bob@example.com")
		if _, there := harness.ClaimsOf(t, plain.Access)["metadata"]; there {
			t.Error("a metadata claim without metadata")
		}
	})
}

// JW-12: the key set has public parts only, and a backend that knows nothing but its address can check a token by it.
func TestJW12_KeySet(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_ISSUER=https://auth.example.com", "DRAGOMAN_AUDIENCE=backend")
		ada := s.Register(t, "ada@example.com")
		r, err := http.NewRequest(http.MethodGet, s.URL+"/.well-known/jwks.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := harness.Receive(r)
		if err != nil || res.Status != http.StatusOK ||
			!strings.HasPrefix(res.Header.Get("Content-Type"), "application/jwk-set+json") {
			t.Fatalf("key set: %v %v", res, err)
		}
		var raw struct{ Keys []map[string]any }
		// one that signs, and the next (JW-14)
		if err := json.Unmarshal([]byte(res.Raw), &raw); err != nil || len(raw.Keys) != 2 {
			t.Fatalf("key set: %s %v", res.Raw, err)
		}
		if raw.Keys[0]["kid"] != harness.Segment(t, ada.Access, 0)["kid"] || raw.Keys[1]["kid"] == raw.Keys[0]["kid"] {
			t.Errorf("keys %v", raw.Keys)
		}
		for _, key := range raw.Keys {
			for _, private := range []string{"d", "k", "p", "q", "dp", "dq", "qi", "oth"} {
				if _, there := key[private]; there {
					t.Errorf("the key set holds %q", private)
				}
			}
			if key["alg"] != "ES256" || key["use"] != "sig" || key["kty"] != "EC" || key["crv"] != "P-256" {
				t.Errorf("key %v", key)
			}
		}

		var set jose.JSONWebKeySet
		if err := json.Unmarshal([]byte(res.Raw), &set); err != nil {
			t.Fatal(err)
		}
		parsed, err := josejwt.ParseSigned(ada.Access, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		var claims josejwt.Claims
		if err := parsed.Claims(set, &claims); err != nil {
			t.Fatalf("an outside backend refuses the token: %v", err)
		}
		expected := josejwt.Expected{
			Issuer: "https://auth.example.com", AnyAudience: josejwt.Audience{"backend"},
			Subject: ada.ID, Time: s.Clock.Now(),
		}
		if err := claims.ValidateWithLeeway(expected, 0); err != nil {
			t.Errorf("an outside backend refuses the claims: %v", err)
		}
		forged := ada.Access[:len(ada.Access)-8] + "AAAAAAAA"
		if parsed, err := josejwt.ParseSigned(forged, []jose.SignatureAlgorithm{jose.ES256}); err == nil &&
			parsed.Claims(set, &claims) == nil {
			t.Error("an outside backend takes a forged token")
		}
	})
}

// JW-03: an access token ends by the clock, give or take the leeway of 5 seconds.
func TestJW03_AccessTokenEnds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_ACCESS_TTL=10m")
		ada := s.Register(t, "ada@example.com")
		s.Clock.Add(10*time.Minute - time.Second)
		if !s.Is(t, ada.Access, ada) {
			t.Error("refused a second before its end")
		}
		s.Clock.Add(7 * time.Second)
		a := s.GraphQL(t, ada.Access, harness.MeDoc, nil)
		if a.At("me") != nil || a.Header.Get("Www-Authenticate") != `Bearer error="invalid_token"` {
			t.Errorf("6 seconds after its end: %s", a.Raw)
		}
		if _, next := s.NextOf(t, ada.Refresh); next == "" {
			t.Error("the session ended with its access token")
		}
		// A clock that jumps back makes nothing valid that is of the future.
		later := s.LoginAs(t, ada, "BODY")
		s.Clock.Add(-time.Hour)
		if s.Is(t, later.Access, ada) {
			t.Error("a token from an hour ahead is accepted")
		}
	})
}

// JW-11: metadata up to 4 KiB goes everywhere that tokens go; beyond that registration is refused, and nothing in
// between is an internal error.
func TestJW11_Metadata(t *testing.T) {
	t.Parallel()
	filled := func(unit string, bytes int) map[string]any { // {"k":"…"} of that many bytes, as encoding/json has it
		one, _ := json.Marshal(unit)
		return map[string]any{"k": strings.Repeat(unit, (bytes-8)/(len(one)-2)) +
			strings.Repeat("x", (bytes-8)%(len(one)-2))}
	}
	numbers := func(number string, bytes int) map[string]any {
		list := []json.Number{}
		for size := len(`{"k":[]}`); size+len(number)+1 <= bytes; size += len(number) + 1 {
			list = append(list, json.Number(number))
		}
		return map[string]any{"k": list}
	}
	type row struct {
		metadata map[string]any
		want     string // "ok", a code, or "" for either a success or INVALID_INPUT
	}
	rows := map[string]row{
		"nothing":      {map[string]any{}, "ok"},
		"4096 bytes":   {filled("x", 4096), "ok"},
		"4097 bytes":   {filled("x", 4097), "INVALID_INPUT"},
		"20 kilobytes": {filled("x", 20_000), "INVALID_INPUT"},
		"reserved names": {map[string]any{
			"sub": "admin", "exp": 9e9, "roles": []string{"admin"}, "sid": "x",
			"iss": "evil",
		}, "ok"},
		"nested":           {map[string]any{"a": map[string]any{"b": []any{1, "two", nil, true, 2.5}}}, "ok"},
		"quotes":           {map[string]any{`","sub":"admin`: `"},"sub":"admin`}, "ok"},
		"precise integers": {map[string]any{"n": json.Number("9007199254740991")}, "ok"},
	}
	for name, unit := range map[string]string{
		"less than": "<", "ampersand": "&", "accent": "é", "emoji": "😀", "line separator": "\u2028", "quote": `"`,
		"control": "\u0001", "delete": "\u007f",
	} {
		for _, size := range []int{4090, 4095, 4096, 4097} {
			rows[fmt.Sprintf("%s near %d", name, size)] = row{metadata: filled(unit, size)}
		}
	}
	for _, number := range []string{
		"1", "1E+2", "1e20", "1e-7", "999999999999999999", "123456789012345678901234567890",
		"1.0", "-0",
	} {
		for _, size := range []int{20, 400, 4096} {
			rows[fmt.Sprintf("%s up to %d", number, size)] = row{metadata: numbers(number, size)}
		}
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		count := 0
		for name, row := range rows {
			if count++; t.Failed() {
				return // one example is enough
			}
			email := fmt.Sprintf("u%d@example.com", count)
			a := retried(t, s, harness.RegisterDoc,
				map[string]any{"input": map[string]any{
					"email": email, "password": harness.GoodPass,
					"metadata": row.metadata,
				}})
			if a.Status != http.StatusOK || len(a.Errors) > 0 || row.want == "ok" && a.Code() != "" ||
				row.want != "ok" && row.want != "" && a.Code() != row.want ||
				a.Code() != "" && a.Code() != "INVALID_INPUT" {
				t.Errorf("%s: register: %.300s", name, a.Raw)
				continue
			}
			if a.Code() != "" {
				if want := "[input metadata]"; fmt.Sprint(a.At("register",
					"userErrors").([]any)[0].(map[string]any)["field"]) != want {
					t.Errorf("%s: %s", name, a.Raw)
				}
				continue
			}
			access := a.Text("register", "tokens", "accessToken")
			r := s.Refresh(t, a.Text("register", "tokens", "refreshToken"))
			if len(r.Errors) > 0 || r.Code() != "" {
				t.Errorf("%s: registered, and then no refresh: %.300s", name, r.Raw)
				continue
			}
			again := r.Text("refresh", "tokens", "accessToken")
			first, second := fmt.Sprint(harness.ClaimsOf(t, access)["metadata"]),
				fmt.Sprint(harness.ClaimsOf(t, again)["metadata"])
			if first != second {
				t.Errorf("%s: metadata at sign-up %.80s, later %.80s", name, first, second)
			}
			claims := harness.ClaimsOf(t, again)
			if claims["sub"] != a.Text("register", "user", "id") ||
				claims["sid"] != a.Text("register", "session", "id") || fmt.Sprint(claims["roles"]) != "[user]" {
				t.Errorf("%s: metadata reached another claim: %v", name, claims)
			}
		}
	})
}

// JW-11: numbers in metadata are numbers in the token, at sign-up as after every later read.
func TestJW11_MetadataKeepsItsTypes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for name, a := range map[string]*harness.Answer{
			"by variable": s.GraphQL(t, "", harness.RegisterDoc, map[string]any{"input": map[string]any{
				"email": "ada@example.com", "password": harness.GoodPass,
				"metadata": map[string]any{"n": 42, "f": 2.5, "s": "42", "b": true, "l": []any{1}},
			}}),
			"in the document": s.GraphQL(t, "", `mutation { register(input: {email: "bob@example.com", password: "`+
				harness.GoodPass+`",
				metadata: {n: 42, f: 2.5, s: "42", b: true, l: [1]}}) { user { metadata } tokens { accessToken `+
				`refreshToken } userErrors { code } } }`, nil),
		} {
			const want = `{"b":true,"f":2.5,"l":[1],"n":42,"s":"42"}`
			later := s.Refresh(t, a.Text("register", "tokens", "refreshToken")).Text("refresh", "tokens", "accessToken")
			for when, metadata := range map[string]any{
				"the answer":          a.At("register", "user", "metadata"),
				"the token":           harness.ClaimsOf(t, a.Text("register", "tokens", "accessToken"))["metadata"],
				"the refreshed token": harness.ClaimsOf(t, later)["metadata"],
			} {
				if got, _ := json.Marshal(metadata); string(got) != want {
					t.Errorf("%s, %s: %s", name, when, got)
				}
			}
		}
	})
}

// retried sends a document again while the hash queue is full: it is a 503 that says when to come back.
func retried(t testing.TB, i *harness.Instance, document string, variables map[string]any) *harness.Answer {
	t.Helper()
	for {
		a := i.GraphQL(t, "", document, variables)
		if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			return a
		}
	}
}
