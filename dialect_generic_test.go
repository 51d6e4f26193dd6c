package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// These tests hold the server against document 003, whose login, refresh, logout and keys have the prefix /api/v1/auth.

const (
	loginTemplate   = `{"token":"<jwt>","expires_in":3600,"user":{"id":%q,"username":%q,"email":%q}}`
	refreshTemplate = `{"token":"<jwt>","expires_in":3600}`
	keyTemplate     = `{"keyId":"<key>","apiKey":"<secret>","name":%q,"createdAt":"<second>"}`
)

// A login by each name of an account answers as document 003 shows it: statuses, fields, their order, the form of the JWT.
func TestGeneric_Login(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		jane := s.person(t, "jane.doe@example.com", "jane.doe")
		other := s.person(t, "No.Name@example.com", "")
		for _, row := range []struct {
			identifier string
			who        person
			username   string
		}{
			{"jane.doe", jane, "jane.doe"},
			{"JANE.Doe", jane, "jane.doe"},
			{"jane.doe@example.com", jane, "jane.doe"},
			{"Jane.DOE@Example.com", jane, "jane.doe"},
			{"no.name@example.com", other, other.Email},
		} {
			r, refresh := s.rest(t, "POST "+generic+"/login", credentials("username", row.identifier, goodPass)).without("refreshToken")
			token := r.matched(t, http.StatusOK, fmt.Sprintf(loginTemplate, row.who.ID, row.username, row.who.Email))[0]
			if !strings.HasPrefix(refresh, "rt1.") {
				t.Errorf("%s: refreshToken %q", row.identifier, refresh)
			}
			c := claimsOf(t, token)
			from, _ := c["iat"].(float64)
			if until, _ := c["exp"].(float64); from == 0 || until-from != 3600 || int64(from) != s.clock.now().Unix() || c["sub"] != row.who.ID {
				t.Errorf("%s: claims %v", row.identifier, c)
			}
			if !s.is(t, token, row.who.account) {
				t.Errorf("%s: the token is nobody's in GraphQL", row.identifier)
			}
		}
		// A credential that is over is no hindrance where none is needed, and what the body has besides is ignored.
		for _, authorization := range []string{"", "Bearer ", "Bearer stale", "Bearer " + other.Refresh} {
			body := fmt.Sprintf(`{"grant":{"x":[1]},"password":%q,"username":"jane.doe","userId":%q,"expires_in":9}`, goodPass, other.ID)
			r, _ := s.rest(t, "POST "+generic+"/login", body, "Authorization", authorization).without("refreshToken")
			r.matched(t, http.StatusOK, fmt.Sprintf(loginTemplate, jane.ID, "jane.doe", jane.Email))
		}
	})
}

// Refused logins: LG-01 and LG-02 with accounts hidden and revealed, and what a login must have.
func TestLG02_GenericLoginRefused(t *testing.T) {
	t.Parallel()
	for reveal, unknown := range map[string]string{"off": invalidCredentials, "on": `{"error":"User not found"}`} {
		t.Run("reveal "+reveal, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, dsn string) {
				s := start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS="+reveal)
				s.person(t, "jane.doe@example.com", "jane.doe")
				s.person(t, "barred@example.com", "barred")
				conn := openSide(t, dsn)
				conn.exec(t, `UPDATE users SET status = 'SUSPENDED' WHERE username = 'barred'`)
				before := conn.census(t)
				for _, row := range []struct {
					body   string
					status int
					want   string
				}{
					{credentials("username", "jane.doe", wrongPass), 401, invalidCredentials},
					{credentials("username", "jane.doe@example.com", wrongPass), 401, invalidCredentials},
					{credentials("username", "jane.doe", goodPass+" "), 401, invalidCredentials},
					{credentials("username", "barred", goodPass), 401, invalidCredentials},
					{credentials("username", "barred", wrongPass), 401, invalidCredentials},
					{credentials("username", "nobody", goodPass), 401, unknown},
					{credentials("username", "nobody@example.com", goodPass), 401, unknown},
					{credentials("username", "not a name", goodPass), 401, unknown},
					{`{}`, 400, fieldsRequired},
					{`{"username":"jane.doe"}`, 400, fieldsRequired},
					{`{"password":"x"}`, 400, fieldsRequired},
					{`{"username":"","password":"x"}`, 400, fieldsRequired},
					{`{"username":"jane.doe","password":""}`, 400, fieldsRequired},
					{`{"username":null,"password":"x"}`, 400, fieldsRequired},
					{`{"username":"jane.doe","password":null}`, 400, fieldsRequired},
					{`{"email":"jane.doe@example.com","password":"x"}`, 400, fieldsRequired},
				} {
					s.rest(t, "POST "+generic+"/login", row.body).says(t, row.status, row.want)
				}
				if after := conn.census(t); after != before {
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
		s := limited(t, newClock(), dsn)
		for _, row := range []struct {
			route, body string
			burst, wait int
		}{
			{"/login", credentials("username", "jane.doe", strings.Repeat("x", 300)), 60, 15},
			{"/refresh", `{"refreshToken":"junk"}`, 150, 2},
		} {
			for n := range row.burst {
				if r := s.rest(t, "POST "+generic+row.route, row.body, "X-Forwarded-For", attacker); r.Status == http.StatusTooManyRequests {
					t.Fatalf("%s number %d: %d %s", row.route, n+1, r.Status, r.Body)
				}
			}
			r := s.rest(t, "POST "+generic+row.route, row.body, "X-Forwarded-For", attacker)
			r.says(t, http.StatusTooManyRequests, tooMany)
			if r.Header.Get("Retry-After") != strconv.Itoa(row.wait) {
				t.Errorf("%s: Retry-After %q, want %d", row.route, r.Header.Get("Retry-After"), row.wait)
			}
			if r := s.rest(t, "POST "+generic+row.route, row.body, "X-Forwarded-For", owner); r.Status == http.StatusTooManyRequests {
				t.Errorf("%s from another address: %d %s", row.route, r.Status, r.Body)
			}
		}
	})
}

// A refresh rotates; the token before is refused within the grace, and the session lives (reuse: refuse).
func TestGeneric_Refresh(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		jane := s.person(t, "jane.doe@example.com", "jane.doe")
		swap := func(token string) (access, next string) {
			t.Helper()
			r, next := s.rest(t, "POST "+generic+"/refresh", fmt.Sprintf(`{"refreshToken":%q}`, token)).without("refreshToken")
			access = r.matched(t, http.StatusOK, refreshTemplate)[0]
			if c := claimsOf(t, access); c["exp"].(float64)-c["iat"].(float64) != 3600 || c["sub"] != jane.ID {
				t.Errorf("claims %v", c)
			}
			if !strings.HasPrefix(next, "rt1.") || next == token || !s.is(t, access, jane.account) {
				t.Fatalf("%s, refreshToken %q", r.Body, next)
			}
			return access, next
		}
		refused := func(body string) {
			t.Helper()
			s.rest(t, "POST "+generic+"/refresh", body).says(t, http.StatusUnauthorized, invalidRefresh)
		}
		first, one := s.genericLogin(t, "jane.doe")
		s.clock.add(time.Second)
		second, two := swap(one)
		for _, after := range []time.Duration{0, 5 * time.Second, 5 * time.Second} { // the last one at the bound
			s.clock.add(after)
			refused(fmt.Sprintf(`{"refreshToken":%q}`, one))
			if !s.is(t, first, jane.account) || !s.is(t, second, jane.account) {
				t.Fatal("the session is over")
			}
		}
		third, three := swap(two)
		s.clock.add(10*time.Second + time.Millisecond)
		refused(fmt.Sprintf(`{"refreshToken":%q}`, two)) // which ends the session (SE-10, SE-12)
		refused(fmt.Sprintf(`{"refreshToken":%q}`, three))
		if s.is(t, second, jane.account) || s.is(t, third, jane.account) || s.refresh(t, three).code() != "INVALID_TOKEN" {
			t.Error("the session outlived a use after the grace")
		}
		// A grandparent is never taken (SE-11).
		_, one = s.genericLogin(t, "jane.doe")
		_, two = swap(one)
		third, three = swap(two)
		refused(fmt.Sprintf(`{"refreshToken":%q}`, one))
		refused(fmt.Sprintf(`{"refreshToken":%q}`, three))
		if s.is(t, third, jane.account) {
			t.Error("the session outlived a use of the grandparent")
		}
		// One session everywhere: tokens of GraphQL are taken here, and those of here there.
		_, next := swap(jane.Refresh)
		_, next = s.nextOf(t, next)
		_, next = swap(next)
		s.clock.add(31 * 24 * time.Hour)
		refused(fmt.Sprintf(`{"refreshToken":%q}`, next))
	})
}

// What is no refresh token in force is refused in the document's words, and ends nothing (SE-15, OT-04).
func TestGeneric_RefreshRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		jane := s.person(t, "jane.doe@example.com", "jane.doe")
		access, refresh := s.genericLogin(t, "jane.doe")
		_, key := s.newKey(t, access, nil)
		st := s.signIn(t, jane.Email, goodPass).Token
		for _, token := range []any{
			nil, "", " ", "junk", access, jane.Access, key, st, refresh + "x", refresh[:len(refresh)-1], " " + refresh, strings.ToUpper(refresh),
			0, true,
			[]string{refresh},
			map[string]string{"$ne": ""},
		} {
			body := inputOf("refreshToken", token)["input"]
			s.rest(t, "POST "+generic+"/refresh", jsonOf(t, body)).says(t, http.StatusUnauthorized, invalidRefresh)
		}
		for _, row := range [][]string{{`{}`}, {""}, {`{"refresh_token":"` + refresh + `"}`}, append([]string{`{}`}, bearer(access)...)} { // SE-14
			s.rest(t, "POST "+generic+"/refresh", row[0], row[1:]...).says(t, http.StatusUnauthorized, invalidRefresh)
		}
		if s.refresh(t, refresh).code() != "" || !s.is(t, st, jane.account) {
			t.Error("the session is over")
		}
	})
}

// SE-05: after the logout the session is dead at every door, and a second logout is one by nobody.
func TestSE05_GenericLogout(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := cluster(t, dsn, 2)
		s, far := instances[0], instances[len(instances)-1]
		jane := s.person(t, "jane.doe@example.com", "jane.doe")
		other, _ := s.genericLogin(t, "jane.doe")
		st := s.signIn(t, jane.Email, goodPass)
		generically, refresh := s.genericLogin(t, "jane.doe")
		for name, token := range map[string]string{"generic": generically, "GraphQL": jane.Access, "authentication-zero": st.Token} {
			s.rest(t, "POST "+generic+"/logout", "", bearer(token)...).says(t, http.StatusOK, `{"message":"Successfully logged out"}`)
			for _, i := range []*instance{far, s} {
				if i.is(t, token, jane.account) || i.graphql(t, token, sessionsDoc, nil).code() != "UNAUTHENTICATED" {
					t.Errorf("the token of %s lives in GraphQL", name)
				}
				i.rest(t, "GET "+generic+"/keys", "", bearer(token)...).says(t, http.StatusUnauthorized, authRequired)
				i.rest(t, "GET /sessions", "", bearer(token)...).denied(t)
				i.rest(t, "POST "+generic+"/logout", "", bearer(token)...).says(t, http.StatusUnauthorized, authRequired)
			}
		}
		for _, dead := range []string{refresh, jane.Refresh} {
			far.rest(t, "POST "+generic+"/refresh", fmt.Sprintf(`{"refreshToken":%q}`, dead)).says(t, http.StatusUnauthorized, invalidRefresh)
			if code := far.refresh(t, dead).code(); code != "INVALID_TOKEN" {
				t.Errorf("the refresh token in GraphQL: %q", code)
			}
		}
		if !far.is(t, other, jane.account) {
			t.Error("another session ended too")
		}
	})
}

// Everything but login and refresh needs a live access token in its documented place.
func TestGeneric_AuthenticationRequired(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		s.person(t, "jane.doe@example.com", "jane.doe")
		bob := s.person(t, "bob@example.com", "bob")
		access, refresh := s.genericLogin(t, "jane.doe")
		keyID, key := s.newKey(t, access, nil)
		over, _ := s.genericLogin(t, "jane.doe")
		s.rest(t, "POST "+generic+"/logout", "", bearer(over)...)
		expired, _ := s.genericLogin(t, "jane.doe")
		s.clock.add(3599 * time.Second)
		if r := s.rest(t, "GET "+generic+"/keys", "", bearer(expired)...); r.Status != http.StatusOK {
			t.Errorf("a second before its end: %d %s", r.Status, r.Body)
		}
		s.clock.add(32 * time.Second) // and the leeway is over too
		access, _ = s.genericLogin(t, "jane.doe")
		bobs, _ := s.genericLogin(t, bob.Email)
		before := openSide(t, dsn).census(t)
		for name, header := range map[string][]string{
			"none": nil, "nothing": {"Authorization", ""}, "empty": bearer(""), "garbage": bearer("garbage"), "expired": bearer(expired),
			"logged out": bearer(over), "refresh token": bearer(refresh), "tampered": bearer(access[:len(access)-5] + "AAAAA"),
			"one letter more": bearer(access + "A"), "no scheme": {"Authorization", access}, "another scheme": {"Authorization", "Basic " + access},
			"unsigned":    bearer("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + strings.Split(access, ".")[1] + "."),
			"garbage key": {"X-API-Key", "garbage"}, "a token as a key": {"X-API-Key", access}, "two tokens": append(bearer(access), bearer(bobs)...),
			"token and key": append(bearer(access), "X-API-Key", key), "other's token and key": append(bearer(bobs), "X-API-Key", key),
			"cookie": {"Cookie", "token=" + access},
		} {
			for _, route := range []string{"POST /logout", "POST /keys", "GET /keys", "DELETE /keys/" + keyID} {
				method, path, _ := strings.Cut(route, " ")
				r := s.rest(t, method+" "+generic+path, "", header...)
				if r.says(t, http.StatusUnauthorized, authRequired); t.Failed() {
					t.Logf("by %s", name)
				}
			}
		}
		for _, parameter := range []string{"token", "access_token", "apiKey", "api_key", "Authorization"} { // AK-09
			for _, credential := range []string{access, key} {
				s.rest(t, "GET "+generic+"/keys?"+parameter+"="+credential, "").says(t, http.StatusUnauthorized, authRequired)
			}
		}
		if after := openSide(t, dsn).census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
	})
}

// Keys are made with a body, an empty one and none; listed newest first; deleted at once.
func TestGeneric_Keys(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		s.person(t, "jane.doe@example.com", "jane.doe")
		access, _ := s.genericLogin(t, "jane.doe")
		keys := generic + "/keys"
		s.rest(t, "GET "+keys, "", bearer(access)...).says(t, http.StatusOK, `[]`)
		end := s.clock.now().Add(time.Hour).UTC().Format(time.RFC3339)
		type made struct{ id, secret, name, at string }
		var all []made
		for _, row := range []struct{ body, name string }{
			{"", "API key"},
			{`{}`, "API key"},
			{`{"name":"My Integration Key","scopes":["PROFILE_READ"],"expiresAt":"` + end + `"}`, "My Integration Key"},
			{`{"name":"Staging Key","scopes":[],"userId":"user_1","keyId":"key_1","lastUsed":"2020-01-01T00:00:00Z"}`, "Staging Key"}, // AK-04
			{`{"name":"Schl\u00fcssel \ud83d\udd11"}`, "Schl\u00fcssel \U0001f511"},
		} {
			s.clock.add(1100 * time.Millisecond)
			got := s.rest(t, "POST "+keys, row.body, bearer(access)...).matched(t, http.StatusCreated, fmt.Sprintf(keyTemplate, row.name))
			if now := s.clock.now().UTC().Format("2006-01-02T15:04:05Z"); got[2] != now {
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
				rows = append(rows, fmt.Sprintf(`{"keyId":%q,"name":%s,"createdAt":%q,"lastUsed":%s}`, k.id, jsonOf(t, k.name), k.at, last))
			}
			return "[" + strings.Join(rows, ",") + "]"
		}
		s.rest(t, "GET "+keys, "", bearer(access)...).says(t, http.StatusOK, list(nil))
		// The key of no body may read: by Bearer and by X-API-Key, and that is its first use.
		oldest := all[len(all)-1]
		used := map[string]string{oldest.id: s.clock.now().UTC().Format("2006-01-02T15:04:05Z")}
		if r := s.rest(t, "GET "+keys, "", "X-API-Key", oldest.secret); r.Status != http.StatusOK {
			t.Errorf("by X-API-Key: %d %s", r.Status, r.Body)
		}
		s.rest(t, "GET "+keys, "", bearer(oldest.secret)...).says(t, http.StatusOK, list(used))
		s.rest(t, "GET "+keys, "", bearer(access)...).says(t, http.StatusOK, list(used))
		// One without scopes reads nothing, which is a use too.
		s.rest(t, "GET "+keys, "", "X-API-Key", all[1].secret).refuses(t, 401, 403)
		used[all[1].id] = used[oldest.id]
		for _, k := range []made{oldest, all[0]} {
			s.rest(t, "DELETE "+keys+"/"+k.id, "", bearer(access)...).empty(t)
			s.rest(t, "GET "+keys, "", "X-API-Key", k.secret).says(t, http.StatusUnauthorized, authRequired) // AK-06
			s.rest(t, "DELETE "+keys+"/"+k.id, "", bearer(access)...).says(t, http.StatusNotFound, keyNotFound)
		}
		all = all[1 : len(all)-1]
		s.rest(t, "GET "+keys, "", bearer(access)...).says(t, http.StatusOK, list(used))
		s.clock.add(time.Hour) // after which the key with an end is nobody
		access, _ = s.genericLogin(t, "jane.doe")
		s.rest(t, "GET "+keys, "", "X-API-Key", all[1].secret).says(t, http.StatusUnauthorized, authRequired)
		all = append(all[:1:1], all[2:]...)
		s.rest(t, "GET "+keys, "", bearer(access)...).says(t, http.StatusOK, list(used))
	})
}

// AK-05, AK-07: keys of others are absent, keys do not manage keys, and what is no key is not made.
func TestAK05_AK07_GenericKeysRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		s.person(t, "jane.doe@example.com", "jane.doe")
		bob := s.person(t, "bob@example.com", "bob")
		access, _ := s.genericLogin(t, "jane.doe")
		keys := generic + "/keys"
		id, key := s.newKey(t, access, nil)
		foreign, _ := s.newKey(t, bob.Access, nil)
		conn := openSide(t, dsn)
		before := conn.census(t)
		for _, absent := range []string{
			foreign, id[:len(id)-1] + "0", "key_abc123", "garbage", "1", "-1", "null", "key_", strings.ToUpper(id), id + "x", "%20" + id, id + "%00", "%F0%9F%94%91",
			strings.Repeat("a", 2000), "user_" + id[4:], "%27%20OR%201=1",
		} {
			if absent == id {
				continue
			}
			s.rest(t, "DELETE "+keys+"/"+absent, "", bearer(access)...).says(t, http.StatusNotFound, keyNotFound)
		}
		for _, body := range []string{
			`{"name":""}`, `{"name":"` + strings.Repeat("x", 101) + `"}`, `{"name":"a\u0000b"}`, `{"name":"a\nb"}`, `{"name":1}`, `{"name":true}`,
			`{"name":["x"]}`, `{"name":{}}`, `{"scopes":"PROFILE_READ"}`, `{"scopes":["EVERYTHING"]}`, `{"scopes":[1]}`, `{"scopes":[null]}`, `{"scopes":{}}`,
			`{"expiresAt":"soon"}`, `{"expiresAt":1}`, `{"expiresAt":true}`, `{"expiresAt":"2001-01-01T00:00:00Z"}`, `{"expiresAt":""}`, `{"expiresAt":[]}`,
		} {
			r := s.rest(t, "POST "+keys, body, bearer(access)...)
			if r.refuses(t, http.StatusBadRequest); t.Failed() {
				t.Logf("by %s", body)
			}
		}
		for _, header := range [][]string{bearer(key), {"X-API-Key", key}} {
			for _, route := range []string{"POST " + keys, "DELETE " + keys + "/" + id, "POST " + generic + "/logout"} {
				r := s.rest(t, route, "", header...)
				r.refuses(t, 401, 403)
				t.Logf("%s by a key: %d %s", route, r.Status, r.Body)
			}
		}
		if after := conn.census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
		if !s.is(t, access, account{ID: s.graphql(t, key, meDoc, nil).text("me", "id")}) {
			t.Error("the session or the key is over")
		}
	})
}
