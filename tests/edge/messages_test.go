package edge

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// canary stands in the requests below wherever a value does that an answer could echo.
const canary = "hunter2-canary"

// newcomers is a server with the credentials that people send, by name.
type newcomers struct {
	*harness.Instance
	tokens map[string]string
}

func startNewcomers(t *testing.T, dsn string, env ...string) *newcomers {
	t.Helper()
	s := harness.Start(t, dsn, env...)
	bob := s.Register(t, "bob@example.com")
	ada := s.Register(t, "ada@example.com")
	admin := s.Admin(t, dsn, "carol@example.com")
	over := s.LoginAs(t, ada, "SESSION_TOKEN")
	_, key := s.NewKey(t, ada.Access, nil)
	_, adminKey := s.NewKey(t, admin.Access, map[string]any{"scopes": []string{"PROFILE_READ"}})
	_, usersKey := s.NewKey(t, admin.Access, map[string]any{"scopes": []string{"USERS_READ", "USERS_WRITE"}})
	goneID, gone := s.NewKey(t, ada.Access, map[string]any{"name": "gone"})
	harness.Fine(t, s.GraphQL(t, ada.Access, harness.DeleteKeyDoc, map[string]any{"id": goneID}))
	harness.Fine(t, s.GraphQL(t, over.Refresh, harness.LogoutDoc, nil))
	aged := s.LoginAs(t, ada, "SESSION_TOKEN")
	s.Clock.Add(11 * time.Minute)
	live := s.LoginAs(t, ada, "BODY")
	return &newcomers{s, map[string]string{
		"access": live.Access, "admin": s.LoginAs(t, admin, "BODY").Access, "refresh": live.Refresh,
		"expired": bob.Access, "ended": over.Refresh, "aged": aged.Refresh,
		"key": key, "adminKey": adminKey, "goneKey": gone, "garbage": canary,
		"tampered": live.Access[:len(live.Access)-4] + "AAAA",
		"usersKey": usersKey, "bob": bob.ID,
	}}
}

// fill puts the credentials in the places of their names: {access}.
func (n *newcomers) fill(text string) string {
	for name, value := range n.tokens {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// silent tells whether an answer holds no value that the request sent.
func (n *newcomers) silent(answer string) bool {
	return !strings.Contains(answer, canary) && !slices.ContainsFunc(slices.Collect(maps.Values(n.tokens)),
		func(value string) bool { return strings.Contains(answer, value) })
}

// said is the first message of an answer: of errors, of userErrors or of the edge.
func said(body string) string {
	var a struct {
		Error  string
		Errors []struct{ Message string }
		Data   map[string]json.RawMessage
	}
	_ = json.Unmarshal([]byte(body), &a)
	if len(a.Errors) > 0 {
		return a.Errors[0].Message
	}
	for _, data := range a.Data {
		var payload struct{ UserErrors []struct{ Message string } }
		if _ = json.Unmarshal(data, &payload); len(payload.UserErrors) > 0 {
			return payload.UserErrors[0].Message
		}
	}
	return a.Error
}

const (
	graphqlJSON = "application/graphql-response+json"
	meQuery     = `{"query": "{ me { id } }"}`
)

// GQ-17: what a request of a newcomer is refused with says where, what was found and what would be right, and holds no
// value of the request. These are the refusals of a request before its document is read.
func TestGQ17_RequestMessages(t *testing.T) {
	t.Parallel()
	n := startNewcomers(t, dbtest.SQLite(t))
	for name, c := range map[string]struct {
		route, body string
		header      []string
		status      int
		says        string
	}{
		"nothing posted": {
			"POST /graphql", "", nil, 415, `The Content-Type must be application/json, and there is none.`,
		},
		"an empty body": {
			"POST /graphql", ``,
			[]string{"Content-Type", "application/json"},
			400,
			`The body is empty. A request looks like {"query": "{ serverInfo { version } }"}.`,
		},
		"white space for a body": {"POST /graphql", " \n", nil, 400, `The body is empty. A request looks ` +
			`like {"query": "{ serverInfo { version } }"}.`},
		"a body that is not JSON": {
			"POST /graphql", `query { me { id } }`, nil, 400,
			`The body is not JSON at line 1, column 1: a name or string has no double quotes, or is none of true, ` +
				`false and null. A request looks like {"query": "{ serverInfo { version } }"}.`,
		},
		"a body in single quotes": {
			"POST /graphql", `{'query': '{ me { id } }'}`, nil, 400,
			`The body is not JSON at line 1, column 2: strings and names stand in double quotes.`,
		},
		"a body with a comma too many": {
			"POST /graphql", `{"query": "{ me { id } }",}`, nil, 400,
			`The body is not JSON at line 1, column 26: a comma stands before the closing bracket.`,
		},
		"a body that ends too early": {"POST /graphql", `{"query": "{ me { id } }", "variables": ` +
			`{"password": "hunter2-canary`, nil, 400, `The body is not JSON at line 1, column 69: it ends here, and ` +
			`a string, an object or an array is still open.`},
		"a byte order mark": {
			"POST /graphql", "\ufeff{\"query\": \"{ me { id } }\"}", nil, 400,
			`The body begins with a byte order mark (U+FEFF), which JSON does not have: send UTF-8 without it. A ` +
				`request looks like {"query": "{ serverInfo { version } }"}.`,
		},
		"a parameter twice": {
			"POST /graphql", `{"query": "{ me { id } }", "query": "hunter2-canary"}`,
			nil, 400, `The body is not JSON at line 1, column 28: an object has this name twice.`,
		},
		"JSON too deep": {"POST /graphql", `{"query": "{ me { id } }", "variables": {"a": ` +
			strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}}`, nil, 400, `The body is not JSON at line 1, ` +
			`column 78: objects and arrays are nested deeper than 32 levels.`},
		"a batch": {"POST /graphql", `[{"query": "{ me { id } }"}, {"query": "{ me { id } ` +
			`}"}]`, nil, 400, `The body is a list, and must be one JSON object: this server takes one operation a ` +
			`request, and no batches.`},
		"a string for a body": {
			"POST /graphql", `"hunter2-canary"`, nil, 400,
			`The body must be a JSON object, and is a string. A request looks like {"query": "{ serverInfo { version ` +
				`} }"}.`,
		},
		"no query": {
			"POST /graphql", `{"variables": {"password": "hunter2-canary"}}`, nil,
			400, `The parameter query, which holds the GraphQL document, is missing. A request looks like {"query": ` +
				`"{ serverInfo { version } }"}.`,
		},
		"a query that is an object": {
			"POST /graphql", `{"query": {"me": "hunter2-canary"}}`, nil, 400,
			`The parameter query must be a string, and is an object.`,
		},
		"variables as text": {"POST /graphql", `{"query": "{ me { id } }", "variables": "{\"a\": ` +
			`\"hunter2-canary\"}"}`, nil, 400, `The parameter variables must be a JSON object, and is a string: send ` +
			`the object itself, not its text.`},
		"variables as a list": {"POST /graphql", `{"query": "{ me { id } }", "variables": ` +
			`["hunter2-canary"]}`, nil, 400, `The parameter variables must be a JSON object, and is a list.`},
		"a parameter in the wrong case": {
			"POST /graphql", `{"Query": "{ me { id } }"}`, nil, 400,
			`A parameter is spelled in the wrong case: it must be query.`,
		},
		"the hash of a persisted query": {"POST /graphql", `{"extensions": {"persistedQuery": {"version": 1, ` +
			`"sha256Hash": "hunter2-canary"}}}`, nil, 400, `PersistedQueryNotSupported`},
		"a form": {
			"POST /graphql", `query=%7Bme%7Bid%7D%7D`,
			[]string{"Content-Type", "application/x-www-form-urlencoded"},
			415, `The Content-Type must be ` +
				`application/json, and is application/x-www-form-urlencoded, which many clients send unless told: ` +
				`tell curl by -H 'Content-Type: application/json'.`,
		},
		"plain text": {
			"POST /graphql", meQuery,
			[]string{"Content-Type", "text/plain;charset=UTF-8"},
			415, `The Content-Type must be application/json, ` +
				`and is text/plain, which many clients send unless told: tell curl by -H 'Content-Type: ` +
				`application/json'.`,
		},
		"no type": {
			"POST /graphql", meQuery,
			[]string{"Content-Type", ""},
			415,
			`The Content-Type must be application/json, and there is none.`,
		},
		"the type of a document": {
			"POST /graphql", `{ me { id } }`,
			[]string{"Content-Type", "application/graphql"},
			415, `The Content-Type must be application/json, and is ` +
				`application/graphql. A request looks like {"query": "{ serverInfo { version } }"}.`,
		},
		"a file upload": {
			"POST /graphql", `--x--`,
			[]string{"Content-Type", "multipart/form-data; boundary=x"},
			415, `The Content-Type must be ` +
				`application/json, and is multipart/form-data: this server takes no files.`,
		},
		"another charset": {
			"POST /graphql", meQuery,
			[]string{"Content-Type", "application/json; charset=utf-16"},
			415,
			`The charset of the Content-Type must be UTF-8, and is another one.`,
		},
		"a compressed body": {
			"POST /graphql", meQuery,
			[]string{"Content-Encoding", "gzip"},
			415,
			`The body is compressed (Content-Encoding): send it as it is.`,
		},
		"an answer of another type": {
			"POST /graphql", meQuery,
			[]string{"Accept", "text/event-stream"},
			406,
			`The header Accept allows neither application/graphql-response+json nor application/json, which the ` +
				`answer is.`,
		},
		"another method": {
			"PUT /graphql", meQuery, nil, 405,
			`The method must be POST, or GET for a query, and is PUT.`,
		},
		"another path": {"POST /graphql/", meQuery, nil, 404, `There is nothing at this path. ` +
			`Paths are exact: case and a slash at the end count. GraphQL is sent by POST to /graphql.`},
		"a path of another server": {"POST /v2/graphql", meQuery, nil, 404, `There is nothing at this ` +
			`path. Paths are exact: case and a slash at the end count. GraphQL is sent by POST to /graphql.`},
		"GET without a header": {
			"GET /graphql?query=%7Bme%7Bid%7D%7D", ``, nil, 400,
			`A GET request needs a header that no link and no form can send: Authorization with Bearer, ` +
				`Content-Type: application/json or Apollo-Require-Preflight: 1. Or send the query by POST.`,
		},
		"GET with a password": {
			"GET /graphql?query=%7Bme%7Bid%7D%7D", ``,
			[]string{"Authorization", "Basic aHVudGVyMi1jYW5hcnk6"},
			400, `A GET request needs a header that no link ` +
				`and no form can send: Authorization with Bearer, Content-Type: application/json or ` +
				`Apollo-Require-Preflight: 1. Or send the query by POST.`,
		},
		"a mutation by GET": {
			"GET /graphql?query=mutation%7Blogout%7BuserErrors%7Bcode%7D%7D%7D", ``,
			[]string{"Apollo-Require-Preflight", "1"},
			405, `A GET request may hold a query alone: send a mutation ` +
				`by POST.`,
		},
		"variables of GET that are not JSON": {
			"GET /graphql?query=%7Bme%7Bid%7D%7D&variables=hunter2-canary", ``,
			[]string{"Apollo-Require-Preflight", "1"},
			400, `The parameter variables is not JSON at line 1, column ` +
				`1: a name or string has no double quotes, or is none of true, false and null.`,
		},
		"a parameter of GET twice": {
			"GET /graphql?query=%7Bme%7Bid%7D%7D&query=a", ``,
			[]string{"Apollo-Require-Preflight", "1"},
			400, `The query string has a parameter twice: each may come ` +
				`once.`,
		},
		"a malformed query string": {
			"GET /graphql?query=%zz", ``,
			[]string{"Apollo-Require-Preflight", "1"},
			400,
			`The query string is malformed: an escape by % is not one.`,
		},
		"a token without Bearer": {
			"POST /graphql", meQuery,
			[]string{"Authorization", "{access}"},
			200,
			"The Authorization header holds a text without a scheme: send `Authorization: Bearer <token>`.",
		},
		"a password": {
			"POST /graphql", meQuery,
			[]string{"Authorization", "Basic aHVudGVyMi1jYW5hcnk6"},
			200, "The Authorization header has another " +
				"scheme than Bearer: send `Authorization: Bearer <token>`, or an API key as `X-API-Key: <key>`.",
		},
		"the scheme of another server": {
			"POST /graphql", meQuery,
			[]string{"Authorization", "JWT {access}"},
			200,
			"The Authorization header has another scheme than Bearer: send `Authorization: Bearer <token>`, or an " +
				"API key as `X-API-Key: <key>`.",
		},
		"Bearer alone": {
			"POST /graphql", meQuery,
			[]string{"Authorization", "Bearer "},
			200,
			"The Authorization header holds a scheme and no token: send `Authorization: Bearer <token>`.",
		},
		"Bearer undefined": {
			"POST /graphql", meQuery,
			[]string{"Authorization", "Bearer undefined"},
			200,
			`The credential is not a token of this server, or not a whole one: send the access token as the sign-in ` +
				`answered it.`,
		},
		"a refresh token": {
			"POST /graphql", meQuery,
			[]string{"Authorization", "Bearer {refresh}"},
			200,
			"A refresh token identifies nobody: send the access token. `refresh` takes the refresh token.",
		},
		"an expired token": {
			"POST /graphql", meQuery,
			[]string{"Authorization", "Bearer {expired}"},
			200,
			`The access token has expired: refresh it, then repeat the request.`,
		},
		"a session that ended": {
			"POST /graphql", meQuery,
			[]string{"Authorization", "Bearer {ended}"},
			200,
			`The session of this credential has ended: sign in again.`,
		},
		"another text": {
			"POST /graphql", meQuery,
			[]string{"Authorization", "Bearer {garbage}"},
			200,
			`The credential is not a token of this server, or not a whole one: send the access token as the sign-in ` +
				`answered it.`,
		},
		"a tampered token": {
			"POST /graphql", meQuery,
			[]string{"Authorization", "Bearer {tampered}"},
			200,
			`The credential is not a token of this server, or not a whole one: send the access token as the sign-in ` +
				`answered it.`,
		},
		"a token as an API key": {
			"POST /graphql", meQuery,
			[]string{"X-API-Key", "{access}"},
			200,
			"The X-API-Key header holds no API key, which is `sk_live_` and 44 letters and digits, as the answer had " +
				"it that made the key. Send a token as `Authorization: Bearer <token>`.",
		},
		"half an API key": {
			"POST /graphql", meQuery,
			[]string{"X-API-Key", "sk_live_4Tq"},
			200,
			"This is no API key, or not a whole one: it is `sk_live_` and 44 letters and digits, as the answer had " +
				"it that made the key.",
		},
		"a deleted API key": {
			"POST /graphql", meQuery,
			[]string{"X-API-Key", "{goneKey}"},
			200,
			`The API key is unknown, revoked or expired: make another one.`,
		},
		"two credentials": {
			"POST /graphql", meQuery,
			[]string{"X-API-Key", "{key}", "Authorization", "Bearer {access}"},
			200, `The request presents more than ` +
				`one credential, in the headers Authorization and X-API-Key or the session cookie: send one.`,
		},
		"no credential": {"POST /graphql", `{"query": "{ sessions { id } }"}`, nil, 200, "Sign in first: this takes " +
			"a credential, and the request presents none. Send `Authorization: Bearer <token>`."},
		"a large body": {
			"POST /graphql", `{"query": "` + strings.Repeat(" ", 128<<10) + `"}`, nil, 413,
			`The body is larger than 128 KiB.`,
		},
	} {
		header := slices.Clone(c.header)
		if !slices.Contains(header, "Accept") {
			header = append(header, "Accept", graphqlJSON)
		}
		for i := range header {
			header[i] = n.fill(header[i])
		}
		r, err := n.Call(c.route, n.fill(c.body), header...)
		if err != nil {
			t.Fatal(err)
		}
		if got := said(r.Body); r.Status != c.status || got != c.says {
			t.Errorf("%s: %d %q, want %d %q", name, r.Status, got, c.status, c.says)
		}
		if !n.silent(r.Body) {
			t.Errorf("%s echoes the request: %s", name, r.Body)
		}
	}
}

// GQ-17, GQ-04: as above, of documents and variables, on a server that shows its schema.
func TestGQ17_DocumentMessages(t *testing.T) {
	t.Parallel()
	n := startNewcomers(t, dbtest.SQLite(t))
	for name, c := range map[string]struct {
		as, query, variables string
		status               int
		says                 string
	}{
		"a wrong field": {
			"", `{ me { nam } }`, ``, 400,
			`Cannot query field "nam" on type "User". Did you mean "name"?`,
		},
		"a mutation in a query": {
			"", `{ register(input: {email: "a", password: "hunter2-canary"}) { user { id } } }`, ``, 400,
			`Cannot query field "register" on type "Query". It is a mutation: write mutation before the first brace.`,
		},
		"a query in a mutation": {
			"", `mutation { serverInfo { version } }`, ``, 400,
			`Cannot query field "serverInfo" on type "Mutation". It is a query: write query in place of mutation.`,
		},
		"a wrong operation": {
			"", `mutation { signup { id } }`, ``, 400,
			`Cannot query field "signup" on type "Mutation".`,
		},
		"a field that is nothing alike": {"", `{ me { password } }`, ``, 400, `Cannot query field "password" ` +
			`on type "User". It has "id", "number", "email", "emailVerified", "pendingEmail", "username", "name", ` +
			`"locale", "phone", "phoneVerified", "externalId", "metadata", "status", "createdAt", "updatedAt", ` +
			`"lastLoginAt", "roles", ` +
			`"permissions", "mfa", "security".`},
		"no selection": {"", `{ me }`, ``, 400, `Field "me" of type "User" must have a ` +
			`selection of subfields. Write "me { … }" with the fields that you want.`},
		"a selection of a text": {
			"", `{ serverInfo { version { id } } }`, ``, 400,
			`Cannot query field "id" on type "String". It has no fields: leave the selection out.`,
		},
		"a wrong argument": {"", `mutation { login(inptu: {email: "a", password: ` +
			`"hunter2-canary"}) { user { id } } }`, ``, 400, `Unknown argument "inptu" on field "Mutation.login". ` +
			`Did you mean "input"?`},
		"a missing argument": {
			"", `mutation { login { user { id } } }`, ``, 400,
			`Field "login" argument "input" of type "LoginInput!" is required, but it was not provided.`,
		},
		"an argument of a field without any": {
			"", `{ serverInfo(version: "hunter2-canary") { version } }`, ``, 400,
			`Unknown argument "version" on field "Query.serverInfo". It takes none.`,
		},
		"an unknown field of an input": {"", `mutation { login(input: {emial: "hunter2-canary", password: ` +
			`"x"}) { user { id } } }`, ``, 400, `The argument "input.emial" of the field "login" is unknown: the ` +
			`input "LoginInput" has no field "emial". Did you mean "email"?`},
		"a missing field of an input": {"", `mutation { login(input: {email: "hunter2-canary"}) { user { ` +
			`id } } }`, ``, 400, `The argument "input" of the field "login" lacks the field "password", which is ` +
			`required (String!).`},
		"null where a value is asked for": {"", `mutation { login(input: {email: "a", password: null}) { user ` +
			`{ id } } }`, ``, 400, `The argument "input.password" of the field "login" must not be null: its type is ` +
			`"String!".`},
		"a value of another type": {"", `mutation { login(input: {email: "a", password: 12345}) { user ` +
			`{ id } } }`, ``, 400, `The argument "input.password" of the field "login" must be of the type "String!",` +
			` and is a whole number.`},
		"a text in place of an input": {
			"", `mutation { login(input: "hunter2-canary") { user { id } } }`, ``,
			400, `The argument "input" of the field "login" must be of the type "LoginInput!", and is a string.`,
		},
		"a value without quotation marks": {"", `mutation { login(input: {email: ada, password: "x"}) { user { ` +
			`id } } }`, ``, 400, `The argument "input.email" of the field "login" must be of the type "String", and ` +
			`is a name without quotation marks.`},
		"a wrong value of an enum": {"", `mutation { login(input: {email: "a", password: "x", ` +
			`tokenDelivery: COOKIES}) { user { id } } }`, ``, 400, `The argument "input.tokenDelivery" of the field ` +
			`"login" must be a value of the enum "TokenDelivery", and is another name. Its values are BODY, ` +
			`SESSION_TOKEN, COOKIE.`},
		"an enum in quotation marks": {"", `mutation { login(input: {email: "a", password: "x", ` +
			`tokenDelivery: "COOKIE"}) { user { id } } }`, ``, 400, `The argument "input.tokenDelivery" of the field ` +
			`"login" must be a value of the enum "TokenDelivery", and is a string: write the value without quotation ` +
			`marks. Its values are BODY, SESSION_TOKEN, COOKIE.`},
		"a wrong type of a variable": {
			"", `query ($id: Sring) { node(id: $id) { id } }`, `{"id": "a"}`, 400,
			`Unknown type "Sring". Did you mean "String" or "Int"?`,
		},
		"a variable of another type": {
			"", `query ($id: String) { node(id: $id) { id } }`, `{"id": "a"}`,
			400, `Variable "$id" of type "String" used in position expecting type "ID!". Declare it as "$id: ID!".`,
		},
		"a variable that is not declared": {
			"", `{ node(id: $id) { id } }`, `{"id": "a"}`, 400,
			`Variable "$id" is not defined. Declare it at the operation with its type, as in query ($name: Type) { … }.`,
		},
		"a variable that is not used": {
			"", `query ($id: ID!) { me { id } }`, `{"id": "a"}`, 400,
			`Variable "$id" is never used. Use it, or take its declaration away.`,
		},
		"a missing variable": {"", `mutation ($input: LoginInput!) { login(input: $input) { user ` +
			`{ id } } }`, ``, 400, `The variable $input is required (LoginInput!), and is missing.`},
		"null for a variable": {"", `mutation ($input: LoginInput!) { login(input: $input) { user ` +
			`{ id } } }`, `{"input": null}`, 400, `The variable $input must not be null: its type is "LoginInput!".`},
		"a missing field of a variable": {
			"", `mutation ($input: LoginInput!) { login(input: $input) { user ` +
				`{ id } } }`, `{"input": {"email": "hunter2-canary"}}`, 400,
			`The variable $input.password is required (String!), and is missing.`,
		},
		"an unknown field of a variable": {"", `mutation ($input: LoginInput!) { login(input: $input) { user ` +
			`{ id } } }`, `{"input": {"emial": "hunter2-canary", "password": "x"}}`, 400, `The variable $input.emial ` +
			`is unknown: the input "LoginInput" has no field "emial". Did you mean "email"?`},
		"a field of a variable of another type": {
			"", `mutation ($input: LoginInput!) { login(input: $input) { user ` +
				`{ id } } }`, `{"input": {"email": ["hunter2-canary"], "password": "x"}}`, 400,
			`The variable $input.email must be of the type "String", and is a list.`,
		},
		"a wrong enum in a variable": {
			"", `mutation ($input: LoginInput!) { login(input: $input) { user { ` +
				`id } } }`, `{"input": {"email": "a", "password": "x", "tokenDelivery": "cookie"}}`, 400,
			`The variable $input.tokenDelivery must be a value of the enum "TokenDelivery", and is another string. ` +
				`Its values are BODY, SESSION_TOKEN, COOKIE.`,
		},
		"an id in place of a number": {
			"access", `query ($n: Int) { session(number: $n) { id } }`,
			`{"n": "hunter2-canary"}`, 400, `The variable $n must be of the type "Int", and is a string.`,
		},
		"no date": {"access", `mutation { createApiKey(input: {expiresAt: ` +
			`"hunter2-canary"}) { secret } }`, ``, 200, `The argument "input.expiresAt" is not accepted. It must be ` +
			`a date and time as in 2026-01-31T10:00:00Z (RFC 3339).`},
		"metadata as text": {"access", `mutation { updateMe(input: {metadata: "hunter2-canary"}) ` +
			`{ user { id } } }`, ``, 200, `The argument "input.metadata" is not accepted. It must be a JSON object.`},
		"an id of nothing": {"access", `mutation { deleteApiKey(input: {id: "hunter2-canary"}) { ` +
			`userErrors { message } } }`, ``, 200, `There is no such API key.`},
		"a missing brace": {"", `{ me { id }`, ``, 400, `Syntax error in line 1, column 12: the ` +
			`document ends, and the { of line 1, column 1 is not closed.`},
		"a brace too many": {
			"", `{ me { id } } }`, ``, 400,
			`Syntax error in line 1, column 15: this } closes nothing.`,
		},
		"a document without braces": {"", `me { id }`, ``, 400, `Syntax error in line 1, column 1: ` +
			`expected query, mutation, fragment or {, found a name.`},
		"a wrong keyword": {"", `qurey { me { id } }`, ``, 400, `Syntax error in line 1, column ` +
			`1: expected query, mutation, fragment or {, found a name.`},
		"a value that is missing": {
			"", `{ node(id: ) { id } }`, ``, 400,
			`Syntax error in line 1, column 12: expected a value, found ).`,
		},
		"a string that is not closed": {"", `mutation { login(input: {email: "a", password: ` +
			`"hunter2-canary}) { user { id } } }`, ``, 400, `Syntax error in line 1, column 83: a string is not ` +
			`closed: a quotation mark is missing.`},
		"single quotes": {
			"", `{ node(id: 'hunter2-canary') { id } }`, ``, 400,
			`Syntax error in line 1, column 12: a string stands in double quotes ("), found a single one.`,
		},
		"an empty selection": {
			"", `{ me { } }`, ``, 400,
			`Syntax error in line 1, column 8: expected a name, found }.`,
		},
		"arguments behind the keyword": {
			"", `mutation login(input: {}) { user { id } }`, ``, 400,
			`Syntax error in line 1, column 16: expected a variable such as $id, found a name.`,
		},
		"REST": {"", `/users/me`, ``, 400, `Syntax error in line 1, column 1: this ` +
			`character has no meaning in GraphQL.`},
		"an empty document": {"", ` `, ``, 400, `The document has no operation: write a query or a ` +
			`mutation, for example { serverInfo { version } }.`},
		"an unknown fragment": {"", `{ me { ...Parts } }`, ``, 400, `Unknown fragment "Parts". ` +
			`Define it beside the operation, as in fragment Name on Type { … }.`},
		"an unknown directive": {
			"", `{ me @defer { id } }`, ``, 400,
			`Unknown directive "@defer": this server answers in one piece.`,
		},
		"a subscription": {
			"", `subscription { me { id } }`, ``, 400,
			`This server has no subscriptions: ask again by a query.`,
		},
		"two operations, none named": {
			"", `query A { me { id } } query B { me { id } }`, ``, 400,
			`The document has 2 operations: say in operationName which one to run. It has "A", "B".`,
		},
		"two sign-ins": {
			"", `mutation { a: login(input: {email: "a", password: "x"}) { user ` +
				`{ id } } b: login(input: {email: "a", password: "hunter2-canary"}) { user { id } } }`, ``, 400,
			`One request may hold one field that checks a secret, and this one holds 2: send them one by one.`,
		},
		"too deep": {"", "{ " + strings.Repeat("a { ", 21) + "id " +
			strings.Repeat("} ", 21) + "}", ``, 400, `The document has too many levels of fields: the limit is 20.`},
		"too dear": {
			"access", "{ " + strings.Repeat("...A ", 8) +
				"} fragment A on Query { users(first: 100) { edges { node { id name email username } } } }", ``, 400,
			`The operation costs more than 3000: ask for fewer fields, or for shorter pages by first.`,
		},
		"a page too long": {
			"access", `{ users(first: 1000) { totalCount } }`, ``, 400,
			`The argument "first" must be between 0 and 100.`,
		},
		"a cursor of nothing": {"access", `{ keyConnection(first: 1, after: "hunter2-canary") { ` +
			`totalCount } }`, ``, 200, `The cursor in "after" is none of this list: take endCursor of the page ` +
			`before, or leave "after" out to begin again.`},
		"no permission": {
			"access", `{ users(first: 1) { totalCount } }`, ``, 200,
			`This takes the permission USERS_READ, which the role of your account does not have. Roles that have it: ` +
				`admin.`,
		},
		"a key without the scope": {
			"adminKey", `{ users(first: 1) { totalCount } }`, ``, 200,
			`This API key lacks the scope USERS_READ: make a key that has it, or send an access token.`,
		},
		"a key where a person is asked for": {
			"key", `mutation { revokeOtherSessions { userErrors { message } } }`,
			``, 200, `No API key may do this: it takes a person who signed in. Send an access or session token.`,
		},
		"no fresh proof": {"aged", `mutation { updateMe(input: {email: "new@example.com"}) { ` +
			`userErrors { message } } }`, ``, 200, "This takes a fresh proof of who you are: call `sudo` with the " +
			"password, or sign in again, then repeat the request."},
		"no fresh proof of a key": {"usersKey", `mutation { deleteUser(input: {id: "{bob}"}) { ` +
			`userErrors { message } } }`, ``, 200, `An API key may not do that: it takes a person who signed in, or ` +
			`gave the password, a few minutes ago.`},
		"no address": {
			"", `mutation { register(input: {email: "hunter2-canary", password: ` +
				`"correct horse battery staple"}) { userErrors { message } } }`, ``, 200,
			`Please enter a valid email address, such as ada@example.com.`,
		},
		"a short password": {"", `mutation { register(input: {email: "new@example.com", password: ` +
			`"hunter2"}) { userErrors { message } } }`, ``, 200, `The password is too short. Please use at least 8 ` +
			`characters.`},
		"a common password": {"", `mutation { register(input: {email: "new@example.com", password: ` +
			`"password123"}) { userErrors { message } } }`, ``, 200, `This password is on a list of commonly used ` +
			`passwords. Please choose another.`},
		"no password": {"", `mutation { register(input: {email: "new@example.com"}) { ` +
			`userErrors { message } } }`, ``, 200, `Please enter a password.`},
		"a taken address": {
			"", `mutation { register(input: {email: "ada@example.com", password: ` +
				`"correct horse battery staple"}) { userErrors { message } } }`, ``, 200,
			`There is an account with this email address already.`,
		},
		"a username that is none": {
			"", `mutation { register(input: {email: "new@example.com", username: ` +
				`"hunter2 canary", password: "correct horse battery staple"}) { userErrors { message } } }`, ``, 200,
			`Please use only the letters a to z, digits, dots, underscores and hyphens in a username.`,
		},
		"a language that is none": {"access", `mutation { updateMe(input: {locale: "hunter2-canary!"}) { ` +
			`userErrors { message } } }`, ``, 200, `This is not the tag of a language, such as de or pt-BR.`},
		"both names": {
			"", `mutation { login(input: {email: "a@example.com", username: ` +
				`"ada", password: "x"}) { userErrors { message } } }`, ``, 200,
			`Give the email or the username, one of them.`,
		},
		"a wrong password": {"", `mutation { login(input: {email: "ada@example.com", password: ` +
			`"hunter2-canary"}) { userErrors { message } } }`, ``, 200, `Email, username or password is wrong.`},
		"a wrong refresh token": {"", `mutation { refresh(input: {refreshToken: "hunter2-canary"}) { ` +
			`userErrors { message } } }`, ``, 200, `This refresh token is not valid, or its session is over: sign in ` +
			`again.`},
		"an access token to refresh": {"", `mutation { refresh(input: {refreshToken: "{access}"}) { ` +
			`userErrors { message } } }`, ``, 200, `This is an access token: send the refresh token.`},
		"a wrong code of a mail": {
			"", `mutation { verifyEmail(input: {token: "123456", email: ` +
				`"ada@example.com"}) { userErrors { message } } }`, ``, 200,
			`This link or code is wrong, used or too old. Ask for another mail.`,
		},
		"a page of another site to return to": {
			"", `mutation { requestMagicLink(input: {email: "ada@example.com", ` +
				`returnTo: "https://evil.example/hunter2-canary"}) { userErrors { message } } }`, ``, 200,
			`This server does not lead back to that address. DRAGOMAN_RETURN_URLS of the server lists those that it ` +
				`does, by scheme, host, port and path.`,
		},
		"a role that is none": {
			"admin", `mutation { createUser(input: {email: "new@example.com", role: ` +
				`"hunter2-canary"}) { userErrors { message } } }`, ``, 200,
			`There is no such role. The roles are user, admin.`,
		},
	} {
		body := `{"query": ` + harness.JSONOf(t, n.fill(c.query)) + `, "variables": ` + cmp.Or(c.variables, "null") +
			`}`
		header := []string{"Accept", graphqlJSON}
		if c.as != "" {
			header = append(header, harness.Bearer(n.tokens[c.as])...)
		}
		r, err := n.Call("POST /graphql", body, header...)
		if err != nil {
			t.Fatal(err)
		}
		if got := said(r.Body); r.Status != c.status || got != c.says {
			t.Errorf("%s: %d %q, want %d %q", name, r.Status, got, c.status, c.says)
		}
		if !n.silent(r.Body) {
			t.Errorf("%s echoes the request: %s", name, r.Body)
		}
	}
}

// GQ-04, GQ-17: where introspection is off, the messages say the same and suggest no name.
func TestGQ17_HiddenSchemaMessages(t *testing.T) {
	t.Parallel()
	n := startNewcomers(t, dbtest.SQLite(t), "DRAGOMAN_INTROSPECTION=off")
	for name, c := range map[string]struct {
		query, variables string
		status           int
		says             string
	}{
		"a wrong field":     {`{ me { nam } }`, ``, 400, `Cannot query field "nam" on type "User".`},
		"a wrong operation": {`mutation { me { id } }`, ``, 400, `Cannot query field "me" on type "Mutation".`},
		"a wrong argument": {
			`mutation { login(inptu: {email: "hunter2-canary"}) { user { id } } }`, ``, 400,
			`Unknown argument "inptu" on field "Mutation.login".`,
		},
		"a wrong type": {
			`query ($id: Sring) { node(id: $id) { id } }`, `{"id": "hunter2-canary"}`, 400,
			`Unknown type "Sring".`,
		},
		"an unknown field": {`mutation { login(input: {emial: "hunter2-canary", password: "x"}) { user { id ` +
			`} } }`, ``, 400, `The argument "input.emial" of the field "login" is unknown: the input "LoginInput" ` +
			`has no field "emial".`},
		"a wrong value of an enum": {`mutation { login(input: {password: "x", tokenDelivery: COOKIES}) { user { id } ` +
			`} }`, ``, 400, `The argument "input.tokenDelivery" of the field "login" must be a value of the enum ` +
			`"TokenDelivery", and is another name.`},
		"an unknown field of a variable": {
			`mutation ($in: LoginInput!) { login(input: $in) { user { id } } }`,
			`{"in": {"emial": "hunter2-canary", "password": "x"}}`, 400, `The variable $in.emial is unknown: the ` +
				`input "LoginInput" has no field "emial".`,
		},
		"a wrong enum in a variable": {
			`mutation ($in: LoginInput!) { login(input: $in) { user { id } } }`,
			`{"in": {"email": "a", "password": "x", "tokenDelivery": "hunter2-canary"}}`, 400,
			`The variable $in.tokenDelivery must be a value of the enum "TokenDelivery", and is another string.`,
		},
		"introspection": {`{ __schema { types { name } } }`, ``, 400, `Introspection is switched off. Whoever runs ` +
			`the server can set DRAGOMAN_INTROSPECTION=on.`},
	} {
		body := `{"query": ` + harness.JSONOf(t, c.query) + `, "variables": ` + cmp.Or(c.variables, "null") + `}`
		r, err := n.Call("POST /graphql", body, "Accept", graphqlJSON)
		if err != nil {
			t.Fatal(err)
		}
		if got := said(r.Body); r.Status != c.status || got != c.says {
			t.Errorf("%s: %d %q, want %d %q", name, r.Status, got, c.status, c.says)
		}
		if !n.silent(r.Body) {
			t.Errorf("%s echoes the request: %s", name, r.Body)
		}
	}
}

// The schema says what it is, where to begin, how credentials are sent and how errors come.
func TestSchemaDescription(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	text := s.GraphQL(t, "", `{ __schema { description } }`, nil).Text("__schema", "description")
	for _, word := range []string{
		"register", "login", "me", "serverInfo", "Authorization: Bearer", "X-API-Key", "refresh", "userErrors",
		"UNAUTHENTICATED", "BAD_USER_INPUT",
	} {
		if !strings.Contains(text, word) {
			t.Errorf("the description of the schema does not say %q: %s", word, text)
		}
	}
}
