package rest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A broken file is rejected at the start. The message names the line, the problem and what to do.
func TestLoad_RefusesYAML(t *testing.T) {
	t.Parallel()
	for _, b := range []broken{
		{
			"a bracket that stays open", "mounts: [/shelf]\ntokens:", "mounts: [/shelf\ntokens:#!", "must be specified",
			"indentation",
		},
		{
			"an odd indentation", "title: Shelf API", "title: Shelf API#!\n   mounts: [/x]",
			"not allowed in this context",
			"indentation",
		},
		{"a tab", "  body: {error: =.message}", "\tbody: {error: =.message}#!", "'\t'", "indentation"},
		{"a colon in a plain text", "title: Shelf API", "title: Shelf: API#!", "not allowed", "quote"},
		{"an unknown escape", "title: Shelf API", `title: "Shelf \q"#!`, "escape", "quote"},
		{"a text that stays open", "title: Shelf API", "title: \"Shelf API#!", "could not find end", "quote"},
		{"a key that stands twice", "title: Shelf API", "title: Shelf API\ntitle: Shelf API#!", "already defined", ""},
		{
			"a key twice, once quoted", "title: Shelf API", "title: Shelf API\n'title': Shelf API#!", "already defined",
			"",
		},
		{"a key twice in one line", "{path: /}", "{path: /, path: /}#!", "already defined", ""},
		{"an alias without an anchor", "title: Shelf API", "title: *name#!", "no anchor &name", "&name"},
		{
			"an alias before its anchor", "{status: 401}\n  FORBIDDEN: {status: 403}",
			"*no#!\n  FORBIDDEN: &no {status: 403}", "no anchor &no", "above this line",
		},
		{"a merge key", "{path: /}}", "&c {path: /}}\npassword:\n  <<: *c#!", "merge keys", "Write the keys out"},
		{"a tag", "title: Shelf API", "title: !!str Shelf API#!", "tags", "plain YAML"},
		{"a tag of Go", "title: Shelf API", "title: !!binary aGVsbG8=#!", "tags", "plain YAML"},
		{"not a number", "  FORBIDDEN: {status: 403}", "  FORBIDDEN: {status: .nan}#!", "special forms", "plain YAML"},
		{"an endless nesting", "title: Shelf API", "title: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) +
			"#!", "too deep", "Split"},
		{
			"an alias within itself", "title: Shelf API", "title: &t [*t, *t]#!", "inside its own value",
			"Write the value out",
		},
		{"a list", "", "- dialect: x#!\n- title: y\n", "must be a mapping", "dialect"},
		{"a text", "", "just some words#!\n", "must be a mapping", "dialect"},
		{"two documents", "", shelf + "---\n" + shelf, "one YAML document", "dialect:"},
		{"nothing", "", "", "one YAML document", "dialect:"},
		{"comments alone", "", "# nothing\n\n# at all\n", "one YAML document", "dialect:"},
	} {
		t.Run(b.name, func(t *testing.T) { t.Parallel(); b.check(t) })
	}
}

func TestLoad_RefusesKeys(t *testing.T) {
	t.Parallel()
	for _, b := range []broken{
		{"of the file", "title: Shelf API", "titel: Shelf API#!", `a dialect has no key "titel"`, "title"},
		{"in another case", "title: Shelf API", "Title: Shelf API#!", `no key "Title"`, "Did you mean title?"},
		{
			"of a route", "    status: 204\n", "    stauts: 204#!\n", `a route has no key "stauts"`,
			"Did you mean status?",
		},
		{"of tokens", "{access: {ttl: 1h}}", "{acess: {ttl: 1h}}#!", `no key "acess"`, "access"},
		{"of tokens.access", "{ttl: 1h}", "{tll: 1h}#!", `tokens.access has no key "tll"`, "ttl"},
		{"of a cookie", "{path: /}", "{pathname: /}#!", `a cookie has no key "pathname"`, "Did you mean path?"},
		{
			"of errors", "  FORBIDDEN: {status: 403}", "  FORBIDEN: {status: 403}#!", `errors has no key "FORBIDEN"`,
			"Did you mean FORBIDDEN?",
		},
		{"of a row", "{status: 403}", "{statuses: 403}#!", `no key "statuses"`, "Did you mean status?"},
		{
			"of a check", "    status: 204\n", "    status: 204\n    checks:\n      - {if: .x, error: NOT_FOUND}#!\n",
			`no key "if"`, "when",
		},
		{"of a part of a check", "    status: 204\n", "    status: 204\n    checks:\n      - all:\n          - " +
			"{when: .x, adds: 1}#!\n", `no key "adds"`, "Did you mean add?"},
		{
			"of an outcome", "    status: 204\n",
			"    status: 204\n    outcomes:\n      - {when: .x, eror: NOT_FOUND}#!\n", `no key "eror"`, "error",
		},
		{
			"of a fixture", "fixtures: {}", "fixtures:\n  a:\n    calls: POST /x#!", `a fixture has no key "calls"`,
			"Did you mean call?",
		},
		{"of an example", "    status: 204\n", "    status: 204\n    examples:\n      - title: x\n        answers: " +
			"{}#!\n", `an example has no key "answers"`, "Did you mean answer?"},
		{"of an answer", "    status: 204\n", "    status: 204\n    examples:\n      - title: x\n        answer: " +
			"{code: 204}#!\n", `no key "code"`, "status"},
		{"of mails", "fixtures: {}", "mails: {verify: {}}#!", `no key "verify"`, "Did you mean verifyEmail?"},
		{
			"of password", "fixtures: {}", "password: {minimum: 8}#!", `password has no key "minimum"`,
			"Did you mean minLength?",
		},
		{"that begins with =", "{id: =.me.id}", "{=if: =.me.id}#!", "there is no key =if", "=each and =item"},
		{"=each alone", "{id: =.me.id}", "{=each: .me}#!", "=each needs =item", "=item"},
		{"=each with company", "{id: =.me.id}", "{=each: .me, =item: 1, x: 2}#!", "=each needs =item", "=item"},
		{"that is needed: dialect", "dialect: shelf\n", "", "needs the key dialect", "Add dialect:"},
		{
			"that is needed: route", "  - route: GET /me\n    document: |", "  - document: |#!", "needs the key route",
			"Add route:",
		},
	} {
		if b.name == "that is needed: dialect" {
			b.new = ""
			text, _ := b.text(t)
			b.old, b.new = "", "#!"+text
		}
		t.Run(b.name, func(t *testing.T) { t.Parallel(); b.check(t) })
	}
}

func TestLoad_RefusesExpressions(t *testing.T) {
	t.Parallel()
	const here = "    status: 204\n"
	for _, b := range []broken{
		{"in a body", "{id: =.me.id}", "\n      id: =.me.id\n      email: '=.me.email |'#!", "does not compile", "jq"},
		{"in variables", "{number: =.params.number}", "{number: '=.params.['}#!", "does not compile", "jq"},
		{"in a status", here, "    status: =if#!\n", "does not compile", "jq"},
		{"in a header", here, here + "    headers:\n      X-A: =.a\n      X-B: =(#!\n", "does not compile", "jq"},
		{"in a cookie", here, here + "    cookies: {session: '=\"'}#!\n", "does not compile", "jq"},
		{
			"in a condition", here, here + "    checks:\n      - {when: .a ==, error: NOT_FOUND}#!\n",
			"does not compile",
			"jq",
		},
		{"in =each, quoted", "{id: =.me.id}", "{=each: '.me[', =item: 1}#!", "does not compile", "jq"},
		{"in a claim", "{ttl: 1h}", "{ttl: 1h, claims: {name: =.user.}}#!", "does not compile", "jq"},
		{"in a row", "{status: 403}", "{status: 403, body: '={'}#!", "does not compile", "jq"},
		{"in a message", "{status: 403}", "{status: 403, message: '=.message |'}#!", "does not compile", "jq"},
		{"in a finding", here, here + "    checks:\n      - all:\n          - when: .a\n            add: =.b |#!\n   " +
			"     status: 400\n        body: 1\n", "does not compile", "jq"},
		{
			"in what is kept", "fixtures: {}", "fixtures:\n  a:\n    call: POST /x\n    keep: {id: =.id.}#!",
			"does not compile", "jq",
		},
		{"of nothing", "{id: =.me.id}", "{id: =}#!", "does not compile", "jq"},
		{
			"with an unknown function", "{id: =.me.id}", "{id: =.me.id | uppercase}#!",
			"function not defined: uppercase/0", "jq",
		},
		{"with an unknown variable", "{id: =.me.id}", "{id: =$env.id}#!", "variable not defined: $env", "jq"},
		{"that reads what there is not", "{id: =.me.id}", "{id: =input}#!", "not allowed", "jq"},
		{"that asks for a module", "{id: =.me.id}", "{id: '=import \"a\" as a; 1'}#!", "cannot load module", "jq"},
		{
			"a condition that is no text", here, here + "    checks:\n      - {when: true, error: NOT_FOUND}#!\n",
			"must be text", "quote",
		},
	} {
		t.Run(b.name, func(t *testing.T) { t.Parallel(); b.check(t) })
	}
}

func TestLoad_RefusesDocuments(t *testing.T) {
	t.Parallel()
	const me = "      query Me {\n        me { id email }\n      }\n"
	const end = "        revokeSession(input: {number: $number}) {\n          userErrors { code message }\n        }\n"
	for _, b := range []broken{
		{
			"syntax, on the third line", me, "      query Me {\n        me { id email }\n      ]#!\n", "schema refuses",
			"schema",
		},
		{
			"an unknown field, on the second line", me, "      query Me {\n        me { id emial }#!\n      }\n",
			"emial",
			"schema",
		},
		{"an unknown field, after a comment", me, "      # words\n      query Me {\n        me { id emial }#!\n      " +
			"}\n", "emial", "schema"},
		{
			"an unknown field, after an empty line", me, "\n      query Me {\n        me { id emial }#!\n      }\n",
			"emial", "schema",
		},
		{
			"an unknown field in one line", "    document: |\n" + me,
			"    document: 'query Me { me { id emial } }'#!\n",
			"emial", "schema",
		},
		{"no operation", me, "      fragment F on User { id }#!\n", "operation", "schema"},
		{"two operations", me, "      query A { me { id } }\n      query B { me { id } }#!\n", "second", "schema"},
		{"a subscription", me, "      subscription A { me { id } }#!\n", "subscription", "schema"},
		{"a mutation without userErrors", end, "        revokeSession(input: {number: $number}) { revokedSessionId " +
			"}#!\n", "userErrors", "userErrors {"},
		{"a mutation with renamed userErrors", end, "        revokeSession(input: {number: $number}) { e: userErrors " +
			"{ code message } }#!\n", "userErrors", "userErrors {"},
		{
			"a mutation of two fields", end, end + "        revokeOtherSessions { userErrors { code message } }#!\n",
			"one field", "schema",
		},
		{"a wrong type of a variable", "($number: Int!)", "($number: String!)", "", "schema"},
		{
			"a variable too few", "    variables: {number: =.params.number}\n    document: |\n", "    document: |#!\n",
			"needs the variable $number", "variables:",
		},
		{"a variable too many", "{number: =.params.number}", "\n      number: =.params.number\n      reason: " +
			"=.params.reason#!", "no variable $reason", "Declare it"},
		{"variables and no document", "    body: {id: =.me.id}\n", "    body: {id: =.me.id}\n  - route: GET /hello\n " +
			"   variables: {a: 1}#!\n    body: hi\n", "no document", "document:"},
		{
			"a GET that changes something", "  - route: POST /loans/{number}/end\n    accepts: [json]\n",
			"  - route: GET /loans/{number}/end#!\n", "GET route runs a mutation", "changesState",
		},
	} {
		if b.name == "a wrong type of a variable" {
			b.new, b.old = "($number: String!) {\n        revokeSession(input: {number: $number}) {#!\n",
				"($number: Int!) {\n        revokeSession(input: {number: $number}) {\n"
		}
		t.Run(b.name, func(t *testing.T) { t.Parallel(); b.check(t) })
	}
}

func TestLoad_RefusesAnswers(t *testing.T) {
	t.Parallel()
	const here = "    status: 204\n"
	const forbidden = "  FORBIDDEN: {status: 403}"
	for _, b := range []broken{
		{"no row for a code", forbidden + "\n", "", "can end with FORBIDDEN", "FORBIDDEN: {status:"},
		{
			"a row without status", forbidden, "  FORBIDDEN: {message: No}#!", "the row FORBIDDEN has no status",
			"Add status:",
		},
		{"a row without body", "  body: {error: =.message}\n", "", "has no body", "errors.body"},
		{"a row with a status that is none", forbidden, "  FORBIDDEN: {status: 700}#!", "not the status", "200 to 599"},
		{
			"a row with a status in words", forbidden, "  FORBIDDEN: {status: forbidden}#!", "not the status",
			"200 to 599",
		},
		{
			"a row that no route needs, with a status that is none", forbidden, forbidden +
				"\n  CONFLICT: {status: 99}#!",
			"not the status", "200 to 599",
		},
		{"a row with 204 and a body", forbidden, "  FORBIDDEN: {status: 204, body: {a: 1}}#!", "no body", "body:"},
		{
			"a row with a header of the server", forbidden,
			"  FORBIDDEN: {status: 403, headers: {Content-Length: 5}}#!",
			"set by the server", "",
		},
		{
			"a row with an unknown cookie", forbidden, "  FORBIDDEN: {status: 403, cookies: {sesion: x}}#!",
			`no cookie "sesion"`, "cookies:",
		},
		{
			"a row with two bodies", forbidden, "  FORBIDDEN: {status: 403, body: a, text: b}#!", "several things",
			"Keep one",
		},
		{
			"a row that fails", forbidden, "  FORBIDDEN: {status: 403, body: {a: '=.message | tonumber'}}#!",
			"fails on a sample", ".message",
		},
		{
			"a row that fails where no field is at fault", forbidden,
			"  FORBIDDEN: {status: 403, body: '={(.name): 1}'}#!", "fails on a sample", ".name",
		},
		{"a row of a route that fails", here, here + "    errors:\n      FORBIDDEN: {status: 403, body: " +
			"'=.message.x'}#!\n", "fails on a sample", ".message"},
		{"a status that is none", here, "    status: 700#!\n", "not the status", "200 to 599"},
		{"a status of HTTP alone", here, "    status: 101#!\n", "not the status", "200 to 599"},
		{"204 with a body", here, "    status: 204\n    body: {a: 1}\n", "no body", "body:"},
		{"two bodies", here, here + "    text: a\n    empty: true\n", "several things", "Keep one"},
		{
			"a header of the server", here, here + "    headers: {content-type: text/html}#!\n", "set by the server",
			"contentType:",
		},
		{"a header that is none", here, here + "    headers: {'X Y': a}#!\n", "not the name of a header", "letters"},
		{"an unknown cookie", here, here + "    cookies: {sesion: a}#!\n", `no cookie "sesion"`, "cookies:"},
		{
			"a check without an answer", here, here + "    checks:\n      - {when: .a}#!\n",
			"exactly one answer", "error:",
		},
		{
			"a check with two answers", here, here + "    checks:\n      - {when: .a, error: NOT_FOUND, body: 1}#!\n",
			"exactly one answer", "error:",
		},
		{
			"a check without a condition", here, here + "    checks:\n      - {error: NOT_FOUND}#!\n",
			"one of when and all", "when:",
		},
		{
			"an outcome of an unknown code", here, here + "    outcomes:\n      - {when: .a, error: GONE}#!\n",
			`"GONE" is not known`, "NOT_FOUND",
		},
		{
			"nothing to do", "    body: {id: =.me.id}\n", "    body: {id: =.me.id}\n  - route: GET /nothing#!\n",
			"does nothing", "document:",
		},
		{"nothing to say", "    body: {id: =.me.id}\n", "", "GET /me does not say what it answers", "body:"},
	} {
		switch b.name {
		case "no row for a code": // the first route that can end with it
			b.new = strings.Replace(shelf, b.old, "", 1)
			b.new, b.old = strings.Replace(b.new, "GET /me", "GET /me#!", 1), ""
		case "a row without body":
			b.new = strings.Replace(shelf, b.old, "", 1)
			b.new, b.old = strings.Replace(b.new, "  BAD_USER_INPUT: {status: 400}", "  BAD_USER_INPUT: {status: 400}",
				1), ""
			// The engine's standard row for this code has a status, so only the body is missing.
			b.new = strings.Replace(b.new, "  UNAUTHENTICATED: {status: 401}", "  UNAUTHENTICATED: {status: 401}#!", 1)
		case "204 with a body", "two bodies":
			b.new = strings.Replace(shelf, b.old, b.new, 1)
			b.new, b.old = strings.Replace(b.new, "POST /loans/{number}/end", "POST /loans/{number}/end#!", 1), ""
		case "nothing to say":
			b.new = strings.Replace(shelf, b.old, "", 1)
			b.new, b.old = strings.Replace(b.new, "GET /me", "GET /me#!", 1), ""
		}
		t.Run(b.name, func(t *testing.T) { t.Parallel(); b.check(t) })
	}
}

func TestLoad_RefusesRoutes(t *testing.T) {
	t.Parallel()
	const me = "  - route: GET /me\n"
	const body = "    body: {id: =.me.id}\n"
	more := func(line string) string { return body + "  - route: " + line + "\n    accepts: [query]\n    body: 1\n" }
	for _, b := range []broken{
		{"a mount without a slash", "[/shelf]", "[shelf]#!", `"shelf" cannot be a mount`, "/api/v1"},
		{"a mount with a slash behind", "[/shelf]", "\n  - /shelf\n  - /api/#!", `"/api/"`, "/api/v1"},
		{"no mount", "[/shelf]", "[]#!", "no mount", "at least one"},
		{"a name that is none", "dialect: shelf", "dialect: My Shelf#!", `"My Shelf"`, "small letters"},
		{"the name of the server's own language", "dialect: shelf", "dialect: graphql#!", `"graphql"`, "small letters"},
		{"no method", me, "  - route: /me#!\n", "is not a route", "POST /login"},
		{"no path", me, "  - route: GET#!\n", "is not a route", "POST /login"},
		{"a comma for a method", me, "  - route: ', /me'#!\n", "", "POST /login"},
		{"a path without a slash", me, "  - route: GET me#!\n", "is not a route", "POST /login"},
		{"a slash behind", me, "  - route: GET /me/#!\n", "is not a route", "POST /login"},
		{"a parameter inside of a segment", me, "  - route: GET /me-{id}#!\n", "is not a route", "{id}"},
		{"a parameter that stays open", me, "  - route: GET /{id#!\n", "is not a route", "{id}"},
		{"one parameter twice", me, "  - route: GET /a/{id}/x/y/{id}#!\n", "", ""},
		{"a method in small letters", me, "  - route: get /me#!\n", `"get"`, "GET, POST"},
		{"an unknown method", me, "  - route: GET, HEAD /me#!\n", `"HEAD"`, "GET, POST"},
		{
			"the same route twice", body, more("GET /me#!"), "GET /shelf/me overlaps with GET /shelf/me in line 15",
			"Take one",
		},
		{"the same route with another name of the parameter", body, body + "  - route: GET /b/{id}\n    body: 1\n  - " +
			"route: GET /b/{number}#!\n    body: 1\n", "overlaps with GET /shelf/b/{id} in line 21", "Take one"},
		{"ambiguous patterns", body, body + "  - route: GET /{a}/x\n    body: 1\n  - route: POST /y/{b}#!\n    " +
			"accepts: []\n    body: 1\n", "neither is more exact", "exact"},
		{"the server's own path", "[/shelf]\n", "[/]\n", "/graphql belongs to the server", "another path"},
		{"below the server's own path", "[/shelf]\n", "[/]\n", "/.well-known/x belongs to the server", "another path"},
		{"the health of the server", "[/shelf]\n", "[/]\n", "/healthz belongs to the server", "another path"},
		{"the playground", "[/shelf]\n", "[/]\n", "/playground belongs to the server", "another path"},
		{
			"a type of a parameter that there is not", "{number: integer}", "{number: uuid}#!", `"uuid"`,
			"string, integer",
		},
		{"a parameter that the path has not", "{number: integer}", "{count: integer}#!", `no parameter "count"`, "{…}"},
		{
			"a field that is a parameter", "{reason: string}", "{number: string}#!",
			`"number" is a parameter of the path`,
			"params:",
		},
		{
			"a type of a field that there is not", "{reason: string}", "{reason: text}#!", `"text" is not the type`,
			"string, integer",
		},
		{"a field without type", "{reason: string}", "{reason: }#!", "not the type", "string, integer"},
		{
			"a field that has no name", "{reason: string}", "{'a b': string}#!", "not the name of a field",
			"data.attributes.email",
		},
		{
			"a dotted field without JSON", "[json]\n    params: {number: integer}\n    fields: {reason: string}",
			"[form]\n    params: {number: integer}\n    fields: {loan.reason: string}#!", "only JSON", "json",
		},
		{
			"fields from nowhere", "    accepts: [json]\n    params: {number: integer}\n    fields: {reason: string}",
			"    accepts: []\n    params: {number: integer}\n    fields: {reason: string}#!", "accepts nothing",
			"accepts:",
		},
		{"JSON in a GET", me, "  - route: GET /me#!\n    accepts: [json]\n", "GET request has no body", "Take json"},
		{
			"no accepts", "  - route: POST /loans/{number}/end\n    accepts: [json]\n",
			"  - route: POST /loans/{number}/end#!\n", "POST /loans/{number}/end does not say where", "accepts: []",
		},
		{"an unknown accepts", "[json]", "[xml]#!", `"xml"`, "json, form, query"},
		{
			"changesState of a POST", "  - route: POST /loans/{number}/end\n",
			"  - route: POST /loans/{number}/end#!\n    changesState: true\n", "is for GET", "Take it away",
		},
	} {
		if path, ok := strings.CutSuffix(b.reason, " belongs to the server"); ok {
			b.new = strings.Replace(strings.Replace(shelf, b.old, b.new, 1), "GET /me", "GET "+path+"#!", 1)
			b.old = ""
		}
		t.Run(b.name, func(t *testing.T) { t.Parallel(); b.check(t) })
	}
}

func TestLoad_RefusesRest(t *testing.T) {
	t.Parallel()
	const here = "    status: 204\n"
	for _, b := range []broken{
		{
			"a setting that no example may ask for", "    body: {id: =.me.id}\n", "    body: {id: =.me.id}\n    " +
				"examples:\n      - {title: t, answer: {}, settings: {DRAGOMAN_DATA_DIR: /tmp}}#!\n",
			"DRAGOMAN_DATA_DIR is not a setting", "DRAGOMAN_REVEAL_ACCOUNTS",
		},
		{"a header of security", "    body: {id: =.me.id}\n", "    body: {id: =.me.id}\n    headers: {cache-control: " +
			"public}#!\n", "set by the server", ""},
		{"a header of CORS", "    body: {id: =.me.id}\n", "    body: {id: =.me.id}\n    headers: " +
			"{Access-Control-Allow-Origin: '*'}#!\n", "set by the server", ""},
		{
			"a redirect to nowhere that is named", "    body: {id: =.me.id}\n",
			"    redirect: https://elsewhere.example/x#!\n", "not among redirects", "redirects:",
		},
		{"a path with dots", "GET /me", "GET /a/../me#!", "is not a route", "GET /keys"},
		{"a mount with dots", "mounts: [/shelf]", "mounts: [/a/../shelf]#!", "cannot be a mount", "/api/v1"},
		{
			"the page's own parameter as a field", "fields: {reason: string}", "fields: {_confirm: string}#!",
			"not the name of a field", "",
		},
		{
			"a cookie for the host below a path", "{path: /}", "{names: [__Host-s], path: /api}#!",
			"__Host-s only for the path", "Leave path",
		},
		{"a duration without unit", "{ttl: 1h}", "{ttl: 3600}#!", "not a duration", "1h"},
		{"a duration that is too long", "{ttl: 1h}", "{ttl: 48h}#!", "not a duration", "24h"},
		{"a duration that is too short", "{ttl: 1h}", "{ttl: 1s}#!", "not a duration", "10s"},
		{"an unknown algorithm", "{ttl: 1h}", "{ttl: 1h, alg: none}#!", `"none"`, "ES256, HS256"},
		{
			"an unknown form of refresh tokens", "{access: {ttl: 1h}}", "{refresh: {form: paseto}}#!", `"paseto"`,
			"opaque, jwt",
		},
		{
			"a reserved claim", "{ttl: 1h}", "{ttl: 1h, claims: {name: =.user.name, sub: =.user.id}}#!",
			`"sub" is set by the server`, "Take it away",
		},
		{
			"a reserved claim in capitals", "{ttl: 1h}", "{ttl: 1h, claims: {ISS: x}}#!", `"ISS" is set by the server`,
			"Take it away",
		},
		{
			"a cookie for a credential that there is not", "fixtures: {}", "credentials: [bearer, cookie sesion]#!",
			`no cookie "sesion"`, "cookies:",
		},
		{"an unknown place of credentials", "fixtures: {}", "credentials: [basic]#!", `"basic"`, "bearer, token"},
		{"a cookie of a bad name", "{path: /}", "{names: ['a b']}#!", `"a b"`, "letters"},
		{"a cookie of no name", "{path: /}", "{names: []}#!", "has no name", "names:"},
		{"a cookie of a bad path", "{path: /}", "{path: shelf}#!", "", ""},
		{"an unknown sameSite", "{path: /}", "{sameSite: maybe}#!", `"maybe"`, "lax, strict, none"},
		{"truth in another word", "{path: /}", "{httpOnly: 'yes'}#!", "true or false", "true or false"},
		{"a date without an age", "{path: /}", "{path: /, expires: true}#!", "expires and no maxAge", "Add maxAge:"},
		{
			"an address that counts by another rule", "fixtures: {}", "emailChange: later#!", `"later"`,
			"confirmed, at-once",
		},
		{
			"a change that needs something else", "fixtures: {}", "sensitiveChanges: never#!", `"never"`,
			"fresh, session",
		},
		{"an unknown type of content", "fixtures: {}", "contentType: text/html#!", `"text/html"`, "application/json"},
		{"a sign-in in another word", "fixtures: {}", "signInAfterReset: 'yes'#!", "true or false", "true or false"},
		{
			"a mail of another kind", "fixtures: {}", "fixtures:\n  a: {mail: {kind: welcome, to: a@example.com}}#!",
			`"welcome"`, "verifyEmail, resetPassword",
		},
		{"a mail to nobody", "fixtures: {}", "fixtures:\n  a: {mail: {kind: signIn}}#!", "needs the key to", "Add to:"},
		{"a mail beside a call", "fixtures: {}", "fixtures:\n  a: {call: GET /me, mail: {kind: signIn, to: " +
			"a@example.com}}#!", "two things", "Keep one"},
		{
			"something kept of nothing", "fixtures: {}", "fixtures:\n  a: {wait: 1h, keep: {x: =.token}}#!",
			"no answer", "mail:",
		},
		{
			"a variant without a condition", here, here + "    variants:\n      - status: 204#!\n",
			"needs the key when",
			"when",
		},
		{"a variant that does nothing", here, here + "    variants:\n      - when: .mailedToken#!\n        status: " +
			"204\n", "does nothing", "document:"},
		{"a variant that answers nothing", here, here + "    variants:\n      - when: .mailedToken#!\n        " +
			"document: 'query Me { me { id } }'\n", "does not say what", "body:"},
		{
			"a variant whose end has no row", here, here + "    variants:\n      - when: .mailedToken#!\n        " +
				"checks: [{when: .x, error: CONFLICT}]\n        status: 204\n        empty: true\n",
			"can end with CONFLICT", "Add it under errors:",
		},
		{"a variant with a wrong document", here, here + "    variants:\n      - when: .mailedToken\n        " +
			"document: 'query Me { me { ids } }'#!\n        body: 1\n", "schema refuses", "schema"},
		{"a redirect to what is no origin", "fixtures: {}", "redirects: ['https://app.example.com/']#!", "", ""},
		{"an unknown fixture", here, here + "    examples:\n      - given: [a user]#!\n        title: x\n        " +
			"answer: {status: 204}\n", `no fixture "a user"`, "fixtures:"},
		{
			"a fixture that needs an unknown one", "fixtures: {}", "fixtures:\n  a: {given: [b]}#!", `no fixture "b"`,
			"fixtures:",
		},
		{
			"a fixture that is given by itself", "fixtures: {}", "fixtures:\n  a: {given: [a]}#!", "given by itself",
			"circle",
		},
		{
			"fixtures in a circle", "fixtures: {}", "fixtures:\n  a: {given: [b]}#!\n  b: {given: [c]}\n  c: {given: " +
				"[a]}",
			"given by itself", "circle",
		},
		{
			"a fixture that calls no route", "fixtures: {}", "fixtures:\n  a: {call: POST /login}#!", "not a route",
			"POST /login",
		},
		{
			"a fixture that does two things", "fixtures: {}",
			"fixtures:\n  a: {call: GET /me, graphql: '{ me { id } }'}#!", "two things", "Keep one",
		},
		{
			"an example without an answer", here, here + "    examples:\n      - title: x#!\n", "needs the key answer",
			"answer",
		},
		{"an example with two answers", here, here + "    examples:\n      - title: x\n        answer: {json: 1, " +
			"text: a}#!\n", "several things", "Keep one"},
		{"an example with an answer of a status that is none", here, here +
			"    examples:\n      - title: x\n        answer: {status: 1000}#!\n", "not a whole number", "200 to 599"},
		{"a date in another order", "fixtures: {}", "sunset: 31.01.2027#!", "not a date", "2027-01-31"},
		{"a day that there is not", "fixtures: {}", "deprecated: 2027-02-30#!", "not a date", "2027-01-31"},
		{"a number for a date", "fixtures: {}", "sunset: 2027#!", "not a date", "2027-01-31"},
		{"a date with a time", "fixtures: {}", "sunset: 2027-01-31T10:00:00Z#!", "not a date", "2027-01-31"},
		{"a date before there were any", "fixtures: {}", "deprecated: 0001-01-01#!", "not a date", "2027-01-31"},
		{"a list of dates", "fixtures: {}", "sunset: [2027-01-31]#!", "not a date", "2027-01-31"},
		{
			"an end before its announcement", "fixtures: {}", "deprecated: 2027-02-01\nsunset: 2027-01-31#!",
			"2027-01-31, is before", "later",
		},
		{"an end of a route before its announcement", here, here + "    deprecated: 2027-02-01\n    sunset: " +
			"2027-01-31#!\n", "2027-01-31, is before", "later"},
		{
			"an announcement of a route after the end of all", "fixtures: {}\nroutes:\n",
			"sunset: 2027-01-31\nroutes:\n  - route: GET /old\n    deprecated: 2027-02-01#!\n    body: 1\n",
			"2027-01-31, is before", "that of its dialect",
		},
		{
			"an end of a route before the announcement of all", "fixtures: {}\nroutes:\n",
			"deprecated: 2027-02-01\nroutes:\n  - route: GET /old\n    sunset: 2027-01-31#!\n    body: 1\n",
			"2027-01-31, is before", "that of its dialect",
		},
		{
			"a successor in words", "fixtures: {}", "successor: the new one#!", "not the URL",
			"https://api.example.com/v2",
		},
		{
			"a successor without a host", "fixtures: {}", "successor: 'https:///v2'#!", "not the URL",
			"https://api.example.com/v2",
		},
		{
			"a successor of another scheme", "fixtures: {}", "successor: 'javascript:alert(1)'#!", "not the URL",
			"https://api.example.com/v2",
		},
		{
			"a successor of an unsaid scheme", "fixtures: {}", "successor: //api.example.com/v2#!", "not the URL",
			"https://api.example.com/v2",
		},
		{
			"a successor that is relative", here, here + "    successor: v2/login#!\n", "not the URL",
			"https://api.example.com/v2",
		},
		{
			"a successor with a password", "fixtures: {}", "successor: https://ada:secret@api.example.com/#!",
			"not the URL", "https://api.example.com/v2",
		},
		{
			"a successor that leaves its brackets", "fixtures: {}", "successor: '/v2>; rel=x, </v3'#!", "not the URL",
			"percent-encode",
		},
		{
			"a successor with a parameter", here, here + "    successor: '/v2/users/{id}'#!\n", "not the URL",
			"percent-encode",
		},
		{"a successor in other letters", "fixtures: {}", "successor: /über#!", "not the URL", "percent-encode"},
		{"a header of the sunset", "    body: {id: =.me.id}\n", "    body: {id: =.me.id}\n    headers: {sunset: " +
			"soon}#!\n", "set by the server", "sunset:"},
		{
			"a password that is too long for anybody", "fixtures: {}", "password: {minLength: 65}#!",
			"not a whole number", "1 to 64",
		},
	} {
		t.Run(b.name, func(t *testing.T) { t.Parallel(); b.check(t) })
	}
}

// The shelf is valid with every line ending, byte order mark and document start that editors write.
func TestLoad_Takes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"the shelf":          shelf,
		"lines of Windows":   strings.ReplaceAll(shelf, "\n", "\r\n"),
		"a byte order mark":  "\ufeff" + shelf,
		"a document start":   "# words\n---\n" + shelf,
		"no newline at last": strings.TrimSuffix(shelf, "\n"),
		"an anchor and alias": strings.Replace(strings.Replace(shelf, "INVALID_INPUT: {status: 400}",
			"INVALID_INPUT: *bad", 1), "BAD_USER_INPUT: {", "BAD_USER_INPUT: &bad {", 1),
	} {
		if d, err := load("shelf.yaml", text); err != nil || d.Name != "shelf" || d.Routes() != 2 ||
			d.Title != "Shelf API" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every key of the built-in files has the right line.
func TestLoad_Lines(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("dialects/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, "testdata/library-card.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		root, err := parseYAML(file, text)
		if err != nil {
			t.Fatal(err)
		}
		lines, count := strings.Split(string(text), "\n"), 0
		var walk func(n *node)
		walk = func(n *node) {
			for _, m := range n.members {
				count++
				if at := m.at.line; at < 1 || at > len(lines) || !strings.Contains(lines[at-1], m.key) {
					t.Errorf("%s:%d: %q is not there", file, at, m.key)
				}
				walk(m.value)
			}
			for _, item := range n.items {
				walk(item)
			}
		}
		walk(root)
		if count < 100 {
			t.Errorf("%s has %d keys", file, count)
		}
	}
}

// A file that grows exponentially through aliases, or that is huge, is rejected in little time and memory.
func TestLoad_Bounds(t *testing.T) { //nolint:paralleltest // it measures memory
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 8), i-1)
	}
	for name, text := range map[string]string{
		"a billion laughs": laughs.String(),
		"a deep nesting":   "dialect: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"a long list":      "dialect: [" + strings.Repeat("x, ", 60_000) + "x]",
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		began := time.Now()
		_, err := Parse("x.yaml", []byte(text))
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "too deep or too large") {
			t.Errorf("%s: %v", name, err)
		}
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 5*time.Second || used > 400 {
			t.Errorf("%s: %v and %d MiB", name, took, used)
		}
	}
}

func TestFault(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]*Fault{
		"a.yaml:7: it is wrong\n    Make it right.": {"a.yaml", 7, "it is wrong", "Make it right."},
		"a.yaml: it is wrong\n    Make it right.":   {"a.yaml", 0, "it is wrong", "Make it right."},
	} {
		if f.Error() != want {
			t.Errorf("%q, want %q", f.Error(), want)
		}
	}
	_, err := load("dir/shelf.yaml", strings.Replace(shelf, "title:", "titel:", 1))
	want := "dir/shelf.yaml:2: a dialect has no key \"titel\"\n    Did you mean title? The keys here are about, " +
		"contentType, cookies, credentials, deprecated, dialect, emailChange, errors, fixtures, mails, mounts, " +
		"password, redirects, renew, routes, secondFactor, sensitiveChanges, signInAfterReset, successor, sunset, " +
		"title, tokens."
	if err == nil || err.Error() != want {
		t.Errorf("it prints\n%v\nwant\n%s", err, want)
	}
}

// A directory adds dialects to the built-in ones and replaces some of them.
func TestLoad_Directory(t *testing.T) {
	t.Parallel()
	shipped, err := Load("", nil)
	if err != nil || len(shipped) == 0 {
		t.Fatal(err)
	}
	for _, d := range shipped {
		if d.File != "built-in/"+d.Name+".yaml" { // Load relies on the file name
			t.Errorf("%s is in %s", d.Name, d.File)
		}
		if one, err := Load("", []string{d.Name}); err != nil || len(one) != 1 || one[0].Name != d.Name {
			t.Errorf("%s alone: %v %v", d.Name, one, err)
		}
	}
	own := shipped[0].Name
	write := func(files map[string]string) string {
		dir := t.TempDir()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	replaced := strings.Replace(shelf, "dialect: shelf", "dialect: "+own, 1)
	dir := write(map[string]string{"shelf.yml": shelf, "own.yaml": replaced, "notes.txt": "x: [", "a.yaml.swp": "x: ["})
	all, err := Load(dir, nil)
	if err != nil || len(all) != len(shipped)+1 || all[0].Name != own || all[0].Title != "Shelf API" ||
		all[len(all)-1].Name != "shelf" {
		t.Errorf("%v %v", all, err)
	}
	if kept, err := Load(dir, []string{"shelf"}); err != nil || len(kept) != 1 || kept[0].File != dir+"/shelf.yml" {
		t.Errorf("%v %v", kept, err)
	}
	if none, err := Load(dir, []string{}); err != nil || len(none) != 0 {
		t.Errorf("%v %v", none, err)
	}
	_, err = Load(dir, []string{"shelve"})
	for _, d := range all {
		if err == nil || !strings.Contains(err.Error(), `"shelve"`) || !strings.Contains(err.Error(), d.Name) {
			t.Errorf("an unknown name: %v", err)
		}
	}
	for name, files := range map[string]map[string]string{
		"b.yaml:1: the dialect shelf is in":         {"a.yaml": shelf, "b.yaml": shelf},
		"shelf.yaml:2: a dialect has no key":        {"shelf.yaml": strings.Replace(shelf, "title:", "titel:", 1)},
		"empty.yaml: a dialect file holds one YAML": {"empty.yaml": ""},
	} {
		if _, err := Load(write(files), nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %s: %v", name, err)
		}
	}
	if _, err := Load(filepath.Join(dir, "nowhere"), nil); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("no directory: %v", err)
	}
}

// The message about overlapping routes of two files names both.
func TestLoad_TwoFiles(t *testing.T) {
	t.Parallel()
	other := func(mount, routes string) string {
		text := strings.Replace(shelf, "dialect: shelf", "dialect: other", 1)
		text = strings.Replace(text, "mounts: [/shelf]", "mounts: ["+mount+"]", 1)
		return text[:strings.Index(text, "routes:")] + "routes:\n" + routes
	}
	for _, c := range []struct{ name, mount, routes, want string }{
		{
			"the same route", "/shelf", "  - {route: GET /me, body: 1}\n",
			"GET /shelf/me overlaps with GET /shelf/me in a.yaml:15",
		},
		{
			"the same route under other mounts", "/", "  - {route: GET /shelf/me, body: 1}\n",
			"GET /shelf/me overlaps with GET /shelf/me in a.yaml:15",
		},
		{
			"a route that takes another's place", "/shelf", "  - {route: 'GET /{x}', body: 1}\n",
			"overlaps with GET /shelf/me in a.yaml:15",
		},
		{"a route in the place of another's method", "/shelf", "  - {route: 'DELETE /{x}', body: 1}\n", "a.yaml:15"},
		{"ambiguous ones", "/shelf", "  - {route: 'PUT /{x}/1/end', accepts: [], body: 1}\n", "a.yaml:21"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, err := Parse("a.yaml", []byte(shelf))
			if err != nil {
				t.Fatal(err)
			}
			b, err := Parse("b.yaml", []byte(other(c.mount, c.routes)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = engine(a, b); err == nil || !strings.HasPrefix(err.Error(), "b.yaml:15: ") ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want b.yaml:15 and %s", err, c.want)
			}
		})
	}
	a, _ := Parse("a.yaml", []byte(shelf))
	b, _ := Parse("b.yaml", []byte(shelf))
	const twice = "b.yaml:1: there is a dialect shelf already, in a.yaml\n    Give one of them another name."
	if _, err := engine(a, b); err == nil || err.Error() != twice {
		t.Errorf("two of one name: %v", err)
	}
	c, err := Parse("c.yaml", []byte(other("/other", "  - {route: GET /me, body: 1}\n")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine(a, c); err != nil {
		t.Errorf("two that do not meet: %v", err)
	}
}
