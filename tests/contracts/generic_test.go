package contracts

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	refreshTemplate = `{"token":"<jwt>","expires_in":3600}`
)

// A login by each name of an account answers as document 003 shows it: statuses, fields, their order, the form of the
// JWT.
func TestGeneric_Login(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		jane := s.Person(t, "jane.doe@example.com", "jane.doe")
		other := s.Person(t, "No.Name@example.com", "")
		for _, row := range []struct {
			identifier string
			who        harness.RESTPerson
			username   string
		}{
			{"jane.doe", jane, "jane.doe"},
			{"JANE.Doe", jane, "jane.doe"},
			{"jane.doe@example.com", jane, "jane.doe"},
			{"Jane.DOE@Example.com", jane, "jane.doe"},
			{"no.name@example.com", other, other.Email},
		} {
			r, refresh := s.REST(t, "POST "+harness.Generic+"/login",
				harness.Credentials("username", row.identifier, harness.GoodPass)).Without("refreshToken")
			token := r.Matched(t, http.StatusOK, fmt.Sprintf(harness.LoginTemplate, row.who.ID, row.username,
				row.who.Email))[0]
			if !strings.HasPrefix(refresh, "rt1.") {
				t.Errorf("%s: refreshToken %q", row.identifier, refresh)
			}
			c := harness.ClaimsOf(t, token)
			from, _ := c["iat"].(float64)
			if until, _ := c["exp"].(float64); from == 0 || until-from != 3600 || int64(from) != s.Clock.Now().Unix() ||
				c["sub"] != row.who.ID {
				t.Errorf("%s: claims %v", row.identifier, c)
			}
			if !s.Is(t, token, row.who.Account) {
				t.Errorf("%s: the token is nobody's in GraphQL", row.identifier)
			}
		}
		// A credential that is over is no hindrance where none is needed, and what the body has besides is ignored.
		for _, authorization := range []string{"", "Bearer ", "Bearer stale", "Bearer " + other.Refresh} {
			body := fmt.Sprintf(`{"grant":{"x":[1]},"password":%q,"username":"jane.doe","userId":%q,"expires_in":9}`,
				harness.GoodPass, other.ID)
			r, _ := s.REST(t, "POST "+harness.Generic+"/login", body, "Authorization",
				authorization).Without("refreshToken")
			r.Matched(t, http.StatusOK, fmt.Sprintf(harness.LoginTemplate, jane.ID, "jane.doe", jane.Email))
		}
	})
}

// Refused logins: LG-01 and LG-02 with accounts hidden and revealed, and what a login must have.
func TestLG02_GenericLoginRefused(t *testing.T) {
	t.Parallel()
	for reveal, unknown := range map[string]string{
		"off": harness.InvalidCredentials,
		"on":  `{"error":"User not found"}`,
	} {
		t.Run("reveal "+reveal, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, dsn string) {
				s := harness.Start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS="+reveal)
				s.Person(t, "jane.doe@example.com", "jane.doe")
				s.Person(t, "barred@example.com", "barred")
				conn := harness.OpenSide(t, dsn)
				conn.MustExec(t, `UPDATE users SET status = 'SUSPENDED' WHERE username = 'barred'`)
				before := conn.Census(t)
				for _, row := range []struct {
					body   string
					status int
					want   string
				}{
					{harness.Credentials("username", "jane.doe", harness.WrongPass), 401, harness.InvalidCredentials},
					{
						harness.Credentials("username", "jane.doe@example.com", harness.WrongPass), 401,
						harness.InvalidCredentials,
					},
					{
						harness.Credentials("username", "jane.doe", harness.GoodPass+" "), 401,
						harness.InvalidCredentials,
					},
					{harness.Credentials("username", "barred", harness.GoodPass), 401, harness.InvalidCredentials},
					{harness.Credentials("username", "barred", harness.WrongPass), 401, harness.InvalidCredentials},
					{harness.Credentials("username", "nobody", harness.GoodPass), 401, unknown},
					{harness.Credentials("username", "nobody@example.com", harness.GoodPass), 401, unknown},
					{harness.Credentials("username", "not a name", harness.GoodPass), 401, unknown},
					{`{}`, 400, harness.FieldsRequired},
					{`{"username":"jane.doe"}`, 400, harness.FieldsRequired},
					{`{"password":"x"}`, 400, harness.FieldsRequired},
					{`{"username":"","password":"x"}`, 400, harness.FieldsRequired},
					{`{"username":"jane.doe","password":""}`, 400, harness.FieldsRequired},
					{`{"username":null,"password":"x"}`, 400, harness.FieldsRequired},
					{`{"username":"jane.doe","password":null}`, 400, harness.FieldsRequired},
					{`{"email":"jane.doe@example.com","password":"x"}`, 400, harness.FieldsRequired},
				} {
					s.REST(t, "POST "+harness.Generic+"/login", row.body).Says(t, row.status, row.want)
				}
				if after := conn.Census(t); after != before {
					t.Errorf("%s became %s", before, after)
				}
			})
		})
	}
}

// Limits by address are worded as the contract says.
func TestLG13_GenericLimits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		login := func(n int, address string) harness.Reply {
			return s.REST(t, "POST "+harness.Generic+"/login", // of others each time, or the account is throttled
				harness.Credentials("username", "nobody"+strconv.Itoa(n), harness.WrongPass), "X-Forwarded-For", address)
		}
		var tokens [3]string
		for i := range tokens {
			who := "person" + strconv.Itoa(i)
			s.Person(t, who+"@example.com", who)
			_, tokens[i] = s.GenericLogin(t, who)
		}
		refresh := func(n int, address string) harness.Reply { // by turns: a session has a limit of its own (LG-37)
			token := &tokens[n%len(tokens)]
			r := s.REST(t, "POST "+harness.Generic+"/refresh", fmt.Sprintf(`{"refreshToken":%q}`, *token),
				"X-Forwarded-For", address)
			if r.Status == http.StatusOK {
				_, *token = r.Without("refreshToken")
			}
			return r
		}
		for _, row := range []struct {
			name        string
			call        func(n int, address string) harness.Reply
			burst, wait int
		}{{"login", login, 60, 15}, {"refresh", refresh, 150, 2}} {
			for n := range row.burst {
				if r := row.call(n, harness.Attacker); r.Status == http.StatusTooManyRequests {
					t.Fatalf("%s number %d: %d %s", row.name, n+1, r.Status, r.Body)
				}
			}
			r := row.call(0, harness.Attacker)
			r.Says(t, http.StatusTooManyRequests, harness.TooMany)
			if r.Header.Get("Retry-After") != strconv.Itoa(row.wait) {
				t.Errorf("%s: Retry-After %q, want %d", row.name, r.Header.Get("Retry-After"), row.wait)
			}
			if r := row.call(0, harness.Owner); r.Status == http.StatusTooManyRequests {
				t.Errorf("%s from another address: %d %s", row.name, r.Status, r.Body)
			}
		}
	})
}

// A refresh rotates; the token before is refused within the grace, and the session lives (reuse: refuse).
func TestGeneric_Refresh(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		jane := s.Person(t, "jane.doe@example.com", "jane.doe")
		swap := func(token string) (access, next string) {
			t.Helper()
			r, next := s.REST(t, "POST "+harness.Generic+"/refresh",
				fmt.Sprintf(`{"refreshToken":%q}`, token)).Without("refreshToken")
			access = r.Matched(t, http.StatusOK, refreshTemplate)[0]
			if c := harness.ClaimsOf(t, access); c["exp"].(float64)-c["iat"].(float64) != 3600 || c["sub"] != jane.ID {
				t.Errorf("claims %v", c)
			}
			if !strings.HasPrefix(next, "rt1.") || next == token || !s.Is(t, access, jane.Account) {
				t.Fatalf("%s, refreshToken %q", r.Body, next)
			}
			return access, next
		}
		refused := func(body string) {
			t.Helper()
			s.REST(t, "POST "+harness.Generic+"/refresh", body).Says(t, http.StatusUnauthorized, harness.InvalidRefresh)
		}
		first, one := s.GenericLogin(t, "jane.doe")
		s.Clock.Add(time.Second)
		second, two := swap(one)
		for _, after := range []time.Duration{0, 5 * time.Second, 5 * time.Second} { // the last one at the bound
			s.Clock.Add(after)
			refused(fmt.Sprintf(`{"refreshToken":%q}`, one))
			if !s.Is(t, first, jane.Account) || !s.Is(t, second, jane.Account) {
				t.Fatal("the session is over")
			}
		}
		third, three := swap(two)
		s.Clock.Add(10*time.Second + time.Millisecond)
		refused(fmt.Sprintf(`{"refreshToken":%q}`, two)) // which ends the session (SE-10, SE-12)
		refused(fmt.Sprintf(`{"refreshToken":%q}`, three))
		if s.Is(t, second, jane.Account) || s.Is(t, third, jane.Account) ||
			s.Refresh(t, three).Code() != "INVALID_TOKEN" {
			t.Error("the session outlived a use after the grace")
		}
		// A grandparent is never taken (SE-11).
		_, one = s.GenericLogin(t, "jane.doe")
		_, two = swap(one)
		third, three = swap(two)
		refused(fmt.Sprintf(`{"refreshToken":%q}`, one))
		refused(fmt.Sprintf(`{"refreshToken":%q}`, three))
		if s.Is(t, third, jane.Account) {
			t.Error("the session outlived a use of the grandparent")
		}
		// One session everywhere: tokens of GraphQL are taken here, and those of here there.
		_, next := swap(jane.Refresh)
		_, next = s.NextOf(t, next)
		_, next = swap(next)
		s.Clock.Add(31 * 24 * time.Hour)
		refused(fmt.Sprintf(`{"refreshToken":%q}`, next))
	})
}

// What is no refresh token in force is refused in the document's words, and ends nothing (SE-15, OT-04).
func TestGeneric_RefreshRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		jane := s.Person(t, "jane.doe@example.com", "jane.doe")
		access, refresh := s.GenericLogin(t, "jane.doe")
		_, key := s.NewKey(t, access, nil)
		st := s.SignIn(t, jane.Email, harness.GoodPass).Token
		for _, token := range []any{
			nil, "", " ", "junk", access, jane.Access, key, st, refresh + "x", refresh[:len(refresh)-1], " " + refresh,
			strings.ToUpper(refresh),
			0, true,
			[]string{refresh},
			map[string]string{"$ne": ""},
		} {
			body := harness.InputOf("refreshToken", token)["input"]
			s.REST(t, "POST "+harness.Generic+"/refresh", harness.JSONOf(t, body)).Says(t, http.StatusUnauthorized,
				harness.InvalidRefresh)
		}
		// SE-14
		for _, row := range [][]string{
			{`{}`},
			{""},
			{`{"refresh_token":"` + refresh + `"}`},
			append([]string{`{}`}, harness.Bearer(access)...),
		} {
			s.REST(t, "POST "+harness.Generic+"/refresh", row[0], row[1:]...).Says(t, http.StatusUnauthorized,
				harness.InvalidRefresh)
		}
		if s.Refresh(t, refresh).Code() != "" || !s.Is(t, st, jane.Account) {
			t.Error("the session is over")
		}
	})
}

// SE-05: after the logout the session is dead at every door, and a second logout is one by nobody.
func TestSE05_GenericLogout(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 2)
		s, far := instances[0], instances[len(instances)-1]
		jane := s.Person(t, "jane.doe@example.com", "jane.doe")
		other, _ := s.GenericLogin(t, "jane.doe")
		st := s.SignIn(t, jane.Email, harness.GoodPass)
		generically, refresh := s.GenericLogin(t, "jane.doe")
		for name, token := range map[string]string{
			"generic": generically, "GraphQL": jane.Access,
			"authentication-zero": st.Token,
		} {
			s.REST(t, "POST "+harness.Generic+"/logout", "", harness.Bearer(token)...).Says(t, http.StatusOK,
				`{"message":"Successfully logged out"}`)
			for _, i := range []*harness.Instance{far, s} {
				if i.Is(t, token, jane.Account) || i.GraphQL(t, token, harness.SessionsDoc,
					nil).Code() != "UNAUTHENTICATED" {
					t.Errorf("the token of %s lives in GraphQL", name)
				}
				i.REST(t, "GET "+harness.Generic+"/keys", "", harness.Bearer(token)...).Says(t, http.StatusUnauthorized,
					harness.AuthRequired)
				i.REST(t, "GET /sessions", "", harness.Bearer(token)...).Denied(t)
				i.REST(t, "POST "+harness.Generic+"/logout", "", harness.Bearer(token)...).Says(t,
					http.StatusUnauthorized, harness.AuthRequired)
			}
		}
		for _, dead := range []string{refresh, jane.Refresh} {
			far.REST(t, "POST "+harness.Generic+"/refresh", fmt.Sprintf(`{"refreshToken":%q}`, dead)).Says(t,
				http.StatusUnauthorized, harness.InvalidRefresh)
			if code := far.Refresh(t, dead).Code(); code != "INVALID_TOKEN" {
				t.Errorf("the refresh token in GraphQL: %q", code)
			}
		}
		if !far.Is(t, other, jane.Account) {
			t.Error("another session ended too")
		}
	})
}

// Everything but login and refresh needs a live access token in its documented place.
func TestGeneric_AuthenticationRequired(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Person(t, "jane.doe@example.com", "jane.doe")
		bob := s.Person(t, "bob@example.com", "bob")
		access, refresh := s.GenericLogin(t, "jane.doe")
		keyID, key := s.NewKey(t, access, nil)
		over, _ := s.GenericLogin(t, "jane.doe")
		s.REST(t, "POST "+harness.Generic+"/logout", "", harness.Bearer(over)...)
		expired, _ := s.GenericLogin(t, "jane.doe")
		s.Clock.Add(3599 * time.Second)
		if r := s.REST(t, "GET "+harness.Generic+"/keys", "", harness.Bearer(expired)...); r.Status != http.StatusOK {
			t.Errorf("a second before its end: %d %s", r.Status, r.Body)
		}
		s.Clock.Add(32 * time.Second) // and the leeway is over too
		access, _ = s.GenericLogin(t, "jane.doe")
		bobs, _ := s.GenericLogin(t, bob.Email)
		before := harness.OpenSide(t, dsn).Census(t)
		for name, header := range map[string][]string{
			"none": nil, "nothing": {"Authorization", ""}, "empty": harness.Bearer(""),
			"garbage": harness.Bearer("garbage"), "expired": harness.Bearer(expired),
			"logged out": harness.Bearer(over), "refresh token": harness.Bearer(refresh),
			"tampered":        harness.Bearer(access[:len(access)-5] + "AAAAA"),
			"one letter more": harness.Bearer(access + "A"), "no scheme": {"Authorization", access},
			"another scheme": {"Authorization", "Basic " + access},
			"unsigned": harness.Bearer("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + strings.Split(access, ".")[1] +
				"."),
			"garbage key": {"X-API-Key", "garbage"}, "a token as a key": {"X-API-Key", access},
			"two tokens":            append(harness.Bearer(access), harness.Bearer(bobs)...),
			"token and key":         append(harness.Bearer(access), "X-API-Key", key),
			"other's token and key": append(harness.Bearer(bobs), "X-API-Key", key),
			"cookie":                {"Cookie", "token=" + access},
		} {
			for _, route := range []string{"POST /logout", "POST /keys", "GET /keys", "DELETE /keys/" + keyID} {
				method, path, _ := strings.Cut(route, " ")
				r := s.REST(t, method+" "+harness.Generic+path, "", header...)
				if r.Says(t, http.StatusUnauthorized, harness.AuthRequired); t.Failed() {
					t.Logf("by %s", name)
				}
			}
		}
		for _, parameter := range []string{"token", "access_token", "apiKey", "api_key", "Authorization"} { // AK-09
			for _, credential := range []string{access, key} {
				s.REST(t, "GET "+harness.Generic+"/keys?"+parameter+"="+credential, "").Says(t, http.StatusUnauthorized,
					harness.AuthRequired)
			}
		}
		if after := harness.OpenSide(t, dsn).Census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
	})
}

// Keys are made with a body, an empty one and none; listed newest first; deleted at once.
func TestGeneric_Keys(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Person(t, "jane.doe@example.com", "jane.doe")
		access, _ := s.GenericLogin(t, "jane.doe")
		keys := harness.Generic + "/keys"
		s.REST(t, "GET "+keys, "", harness.Bearer(access)...).Says(t, http.StatusOK, `[]`)
		end := s.Clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		type made struct{ id, secret, name, at string }
		var all []made
		for _, row := range []struct{ body, name string }{
			{"", "API key"},
			{`{}`, "API key"},
			{`{"name":"My Integration Key","scopes":["PROFILE_READ"],"expiresAt":"` + end + `"}`, "My Integration Key"},
			// AK-04
			{
				`{"name":"Staging Key","scopes":[],"userId":"user_1","keyId":"key_1","lastUsed":"2020-01-01T00:00:00Z"}`,
				"Staging Key",
			},
			{`{"name":"Schl\u00fcssel \ud83d\udd11"}`, "Schl\u00fcssel \U0001f511"},
		} {
			s.Clock.Add(1100 * time.Millisecond)
			got := s.REST(t, "POST "+keys, row.body, harness.Bearer(access)...).Matched(t, http.StatusCreated,
				fmt.Sprintf(harness.KeyTemplate, row.name))
			if now := s.Clock.Now().UTC().Format("2006-01-02T15:04:05Z"); got[2] != now {
				t.Errorf("createdAt %s, want %s", got[2], now)
			}
			all = append([]made{{got[0], got[1], row.name, got[2]}}, all...)
		}
		list := func(used map[string]string) string {
			var rows []string
			for _, k := range all {
				last := "null"
				if used[k.id] != "" {
					last = strconv.Quote(used[k.id])
				}
				rows = append(rows, fmt.Sprintf(`{"keyId":%q,"name":%s,"createdAt":%q,"lastUsed":%s}`, k.id,
					harness.JSONOf(t, k.name), k.at, last))
			}
			return "[" + strings.Join(rows, ",") + "]"
		}
		s.REST(t, "GET "+keys, "", harness.Bearer(access)...).Says(t, http.StatusOK, list(nil))
		// The key of no body may read: by Bearer and by X-API-Key, and that is its first use.
		oldest := all[len(all)-1]
		used := map[string]string{oldest.id: s.Clock.Now().UTC().Format("2006-01-02T15:04:05Z")}
		if r := s.REST(t, "GET "+keys, "", "X-API-Key", oldest.secret); r.Status != http.StatusOK {
			t.Errorf("by X-API-Key: %d %s", r.Status, r.Body)
		}
		s.REST(t, "GET "+keys, "", harness.Bearer(oldest.secret)...).Says(t, http.StatusOK, list(used))
		s.REST(t, "GET "+keys, "", harness.Bearer(access)...).Says(t, http.StatusOK, list(used))
		// One without scopes reads nothing, which is a use too.
		s.REST(t, "GET "+keys, "", "X-API-Key", all[1].secret).Refuses(t, 401, 403)
		used[all[1].id] = used[oldest.id]
		for _, k := range []made{oldest, all[0]} {
			s.REST(t, "DELETE "+keys+"/"+k.id, "", harness.Bearer(access)...).Empty(t)
			// AK-06
			s.REST(t, "GET "+keys, "", "X-API-Key", k.secret).Says(t, http.StatusUnauthorized, harness.AuthRequired)
			s.REST(t, "DELETE "+keys+"/"+k.id, "", harness.Bearer(access)...).Says(t, http.StatusNotFound, keyNotFound)
		}
		all = all[1 : len(all)-1]
		s.REST(t, "GET "+keys, "", harness.Bearer(access)...).Says(t, http.StatusOK, list(used))
		s.Clock.Add(time.Hour) // after which the key with an end is nobody
		access, _ = s.GenericLogin(t, "jane.doe")
		s.REST(t, "GET "+keys, "", "X-API-Key", all[1].secret).Says(t, http.StatusUnauthorized, harness.AuthRequired)
		all = append(all[:1:1], all[2:]...)
		s.REST(t, "GET "+keys, "", harness.Bearer(access)...).Says(t, http.StatusOK, list(used))
	})
}

// AK-05, AK-07: keys of others are absent, keys do not manage keys, and what is no key is not made.
func TestAK05_AK07_GenericKeysRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Person(t, "jane.doe@example.com", "jane.doe")
		bob := s.Person(t, "bob@example.com", "bob")
		access, _ := s.GenericLogin(t, "jane.doe")
		keys := harness.Generic + "/keys"
		id, key := s.NewKey(t, access, nil)
		foreign, _ := s.NewKey(t, bob.Access, nil)
		conn := harness.OpenSide(t, dsn)
		before := conn.Census(t)
		for _, absent := range []string{
			foreign, id[:len(id)-1] + "0", "key_abc123", "garbage", "1", "-1", "null", "key_", strings.ToUpper(id), id +
				"x", "%20" + id, id + "%00", "%F0%9F%94%91",
			strings.Repeat("a", 2000), "user_" + id[4:], "%27%20OR%201=1",
		} {
			if absent == id {
				continue
			}
			s.REST(t, "DELETE "+keys+"/"+absent, "", harness.Bearer(access)...).Says(t, http.StatusNotFound,
				keyNotFound)
		}
		for _, body := range []string{
			`{"name":""}`, `{"name":"` + strings.Repeat("x", 101) + `"}`, `{"name":"a\u0000b"}`, `{"name":"a\nb"}`,
			`{"name":1}`, `{"name":true}`,
			`{"name":["x"]}`, `{"name":{}}`, `{"scopes":"PROFILE_READ"}`, `{"scopes":["EVERYTHING"]}`, `{"scopes":[1]}`,
			`{"scopes":[null]}`, `{"scopes":{}}`,
			`{"expiresAt":"soon"}`, `{"expiresAt":1}`, `{"expiresAt":true}`, `{"expiresAt":"2001-01-01T00:00:00Z"}`,
			`{"expiresAt":""}`, `{"expiresAt":[]}`,
		} {
			r := s.REST(t, "POST "+keys, body, harness.Bearer(access)...)
			if r.Refuses(t, http.StatusBadRequest); t.Failed() {
				t.Logf("by %s", body)
			}
		}
		for _, header := range [][]string{harness.Bearer(key), {"X-API-Key", key}} {
			for _, route := range []string{"POST " + keys, "DELETE " + keys + "/" + id, "POST " + harness.Generic +
				"/logout"} {
				r := s.REST(t, route, "", header...)
				r.Refuses(t, 401, 403)
				t.Logf("%s by a key: %d %s", route, r.Status, r.Body)
			}
		}
		if after := conn.Census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
		if !s.Is(t, access, harness.Account{ID: s.GraphQL(t, key, harness.MeDoc, nil).Text("me", "id")}) {
			t.Error("the session or the key is over")
		}
	})
}
