package edge

import (
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// GQ-17: as in GraphQL, in two dialects where their documents leave the words free; where they say them, they stay.
func TestGQ17_DialectMessages(t *testing.T) {
	t.Parallel()
	n := startNewcomers(t, dbtest.SQLite(t))
	for name, c := range map[string]struct {
		route, body string
		header      []string
		status      int
		answers     string
	}{
		"an empty body": {
			"POST /api/v1/auth/login", ``,
			[]string{"Content-Type", "application/json"},
			400, `{"error":"username and password are required"}`,
		},
		"a body that is not JSON": {
			"POST /api/v1/auth/login", `username=jane`, nil, 400,
			`{"error":"The body is not JSON at line 1, column 1: a name or string has no double quotes, or is none ` +
				`of true, false and null."}`,
		},
		"a body that ends too early": {
			"POST /api/v1/auth/login",
			`{"username": "jane", "password": "hunter2-canary`, nil, 400, `{"error":"The body is not JSON at line 1, ` +
				`column 49: it ends here, and a string, an object or an array is still open."}`,
		},
		"a comma too many": {
			"POST /api/v1/auth/login",
			`{"username": "jane", "password": "hunter2-canary",}`, nil, 400, `{"error":"The body is not JSON at line ` +
				`1, column 50: a comma stands before the closing bracket."}`,
		},
		"a byte order mark": {
			"POST /api/v1/auth/login", "\ufeff{\"username\": \"jane\"}", nil, 400,
			`{"error":"The body begins with a byte order mark (U+FEFF), which JSON does not have: send UTF-8 without ` +
				`it."}`,
		},
		"a name twice": {
			"POST /api/v1/auth/login",
			`{"username": "jane", "username": "hunter2-canary"}`, nil, 400, `{"error":"The body is not JSON at line ` +
				`1, column 22: an object has this name twice."}`,
		},
		"a list": {
			"POST /api/v1/auth/login", `[{"username": "hunter2-canary"}]`, nil, 400,
			`{"error":"The body must be a JSON object, and is an array."}`,
		},
		"a form": {
			"POST /api/v1/auth/login", `username=jane&password=hunter2-canary`,
			[]string{"Content-Type", "application/x-www-form-urlencoded"},
			415, `{"error":"The Content-Type must be ` +
				`application/json, in UTF-8, and is application/x-www-form-urlencoded."}`,
		},
		"no type": {
			"POST /api/v1/auth/login", `{"username": "jane"}`,
			[]string{"Content-Type", ""},
			415, `{"error":"The Content-Type must be application/json, in UTF-8, and ` +
				`there is none."}`,
		},
		"a compressed body": {
			"POST /api/v1/auth/login", `{"username": "jane"}`,
			[]string{"Content-Encoding", "gzip"},
			415, `{"error":"The body is compressed (Content-Encoding): send it ` +
				`as it is."}`,
		},
		"a large body": {"POST /api/v1/auth/login", `{"username": "` +
			strings.Repeat("x", 64<<10) + `"}`, nil, 413, `{"error":"The body is larger than 64 KiB."}`},
		"another method": {
			"GET /api/v1/auth/login", ``, nil, 405,
			`{"error":"This path has no such method: it has POST."}`,
		},
		"another path": {
			"POST /api/v1/auth/signin", `{}`, nil, 404,
			`{"error":"No route has this path. Case and a slash at the end count. Those of this API are listed at ` +
				n.URL + `/docs/generic-v1."}`,
		},
		"a slash at the end": {
			"POST /api/v1/auth/login/", `{}`, nil, 404,
			`{"error":"No route has this path. Case and a slash at the end count. Those of this API are listed at ` +
				n.URL + `/docs/generic-v1."}`,
		},
		"a missing field": {
			"POST /api/v1/auth/login", `{"username": "jane"}`, nil, 400,
			`{"error":"username and password are required"}`,
		},
		"a field in the wrong case": {
			"POST /api/v1/auth/login",
			`{"Username": "jane", "password": "hunter2-canary"}`, nil, 400, `{"error":"A field is spelled in the ` +
				`wrong case: it must be username."}`,
		},
		"a field of another type": {
			"POST /api/v1/auth/keys", `{"name": 7}`,
			[]string{"Authorization", "Bearer {access}"},
			400, `{"error":"name must be of type string, and is a ` +
				`number."}`,
		},
		"a list that is none": {
			"POST /api/v1/auth/keys", `{"scopes": "hunter2-canary"}`,
			[]string{"Authorization", "Bearer {access}"},
			400, `{"error":"scopes must be of type array, and is a ` +
				`string."}`,
		},
		"a scope that is none": {
			"POST /api/v1/auth/keys", `{"scopes": ["hunter2-canary"]}`,
			[]string{"Authorization", "Bearer {access}"},
			400, `{"error":"scopes[0] must be a value of the enum ` +
				`\"Permission\", and is another string. Its values are PROFILE_READ, USERS_READ, USERS_WRITE, ` +
				`SESSIONS_WRITE."}`,
		},
		"a date that is none": {
			"POST /api/v1/auth/keys", `{"expiresAt": "hunter2-canary"}`,
			[]string{"Authorization", "Bearer {access}"},
			400, `{"error":"expiresAt is not accepted. It must be a ` +
				`date and time as in 2026-01-31T10:00:00Z (RFC 3339)."}`,
		},
		"a date of the past": {
			"POST /api/v1/auth/keys", `{"expiresAt": "2001-01-01T00:00:00Z"}`,
			[]string{"Authorization", "Bearer {access}"},
			400, `{"error":"A key ends in the future, and before the ` +
				`year 10000."}`,
		},
		"scopes beyond one's own": {
			"POST /api/v1/auth/keys", `{"scopes": ["USERS_READ"]}`,
			[]string{"Authorization", "Bearer {access}"},
			403, `{"error":"A key may not do more than you may."}`,
		},
		"no token": {
			"POST /api/v1/auth/keys", `{}`, nil, 401,
			`{"error":"Authentication required"}`,
		},
		"a token without Bearer": {
			"POST /api/v1/auth/keys", `{}`,
			[]string{"Authorization", "{access}"},
			401, `{"error":"Authentication required"}`,
		},
		"an expired token": {
			"POST /api/v1/auth/keys", `{}`,
			[]string{"Authorization", "Bearer {expired}"},
			401, `{"error":"Authentication required"}`,
		},
		"a key where a person is asked for": {
			"POST /api/v1/auth/keys", `{}`,
			[]string{"Authorization", "Bearer {key}"},
			403, `{"error":"API keys cannot be used for this"}`,
		},
		"wolfpal: nothing": {
			"POST /api/auth/login", ``,
			[]string{"Content-Type", "application/x-www-form-urlencoded"},
			400,
			`{"code":400,"codes":{"email":"REQUIRED","password":"REQUIRED"},"errors":{"email":"Email is required.",` +
				`"password":"Password is required."}}`,
		},
		"wolfpal: a body that is not JSON": {
			"POST /api/auth/login", `{email: hunter2-canary}`, nil, 400,
			`{"code":"MALFORMED_REQUEST","error":"The body is not JSON at line 1, column 2: a name or string has no ` +
				`double quotes, or is none of true, false and null."}`,
		},
		"wolfpal: a byte order mark": {
			"POST /api/auth/login", "\ufeff{\"email\": \"a\"}", nil, 400,
			`{"code":"MALFORMED_REQUEST","error":"The body begins with a byte order mark (U+FEFF), which JSON does ` +
				`not have: send UTF-8 without it."}`,
		},
		"wolfpal: a list": {
			"POST /api/auth/login", `["hunter2-canary"]`, nil, 400,
			`{"code":"MALFORMED_REQUEST","error":"The body must be a JSON object, and is an array."}`,
		},
		"wolfpal: a parameter twice": {
			"POST /api/auth/login", `email=a&email=hunter2-canary`,
			[]string{"Content-Type", "application/x-www-form-urlencoded"},
			400, `{"code":"MALFORMED_REQUEST",` +
				`"error":"A parameter is given twice: each may come once."}`,
		},
		"wolfpal: a malformed form": {
			"POST /api/auth/login", `email=%zz`,
			[]string{"Content-Type", "application/x-www-form-urlencoded"},
			400, `{"code":"MALFORMED_REQUEST",` +
				`"error":"The form or query string is malformed: an escape by % is not one, or a ; stands in it."}`,
		},
		"wolfpal: another type": {
			"POST /api/auth/login", `hunter2-canary`,
			[]string{"Content-Type", "text/plain"},
			415, `{"code":"UNSUPPORTED_MEDIA_TYPE","error":"The Content-Type ` +
				`must be application/json or application/x-www-form-urlencoded, in UTF-8, and is text/plain."}`,
		},
		"wolfpal: a large body": {"POST /api/auth/login", `{"username": "` + strings.Repeat("x", 64<<10) +
			`"}`, nil, 413, `{"code":"BODY_TOO_LARGE","error":"The body is larger than 64 KiB."}`},
		"wolfpal: another method": {"GET /api/auth/login", ``, nil, 405, `{"code":"METHOD_NOT_ALLOWED",` +
			`"error":"This path has no such method: it has POST."}`},
		"wolfpal: another path": {"POST /api/auth/signin", `{}`, nil, 404, `{"code":404,"error":"Whoops,` +
			` this resource or route could not be found"}`},
		"wolfpal: a field of another type": {
			"POST /api/auth/login", `{"email": 7, "password": "hunter2-canary"}`,
			nil, 400, `{"code":400,"codes":{"email":"INVALID"},"errors":{"email":"email must be of type string, and ` +
				`is a number."}}`,
		},
		"wolfpal: a field in the wrong case": {
			"POST /api/auth/login", `{"Email": "a", "password": "hunter2-canary"}`,
			nil, 400, `{"code":"MALFORMED_REQUEST","error":"A field is spelled in the wrong case: it must be email."}`,
		},
		"wolfpal: a wrong password": {"POST /api/auth/login", `{"email": "ada@example.com", "password": ` +
			`"hunter2-canary"}`, nil, 400, `{"code":"INVALID_CREDENTIALS","error":"Either email or password is ` +
			`invalid. "}`},
		"wolfpal: no token": {"GET /api/account", ``, nil, 401, `Unauthorized`},
		"wolfpal: another text for a token": {
			"GET /api/account", ``,
			[]string{"Authorization", "Bearer {garbage}"},
			401, `Unauthorized`,
		},
		"wolfpal: a password": {
			"GET /api/account", ``,
			[]string{"Authorization", "Basic aHVudGVyMi1jYW5hcnk6"},
			401,
			`Unauthorized`,
		},
	} {
		header := slices.Clone(c.header)
		for i := range header {
			header[i] = n.fill(header[i])
		}
		r := n.REST(t, c.route, n.fill(c.body), header...)
		if r.Status != c.status || strings.TrimSuffix(r.Body, "\n") != c.answers { // JSON ends with a line feed
			t.Errorf("%s: %d %q, want %d %q", name, r.Status, r.Body, c.status, c.answers)
		}
		if !n.silent(r.Body) {
			t.Errorf("%s echoes the request: %s", name, r.Body)
		}
	}
}
