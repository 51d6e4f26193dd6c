package gqlhttp

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// fragments makes a chain in which each fragment spreads the next one twice: 2^n spreads when expanded.
func fragments(n int) string {
	var b strings.Builder
	b.WriteString("{me{...F0}}")
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on User{...F%d ...F%d}", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on User{id}", n)
	return b.String()
}

func times(n int, s string) string { return strings.Repeat(s, n) }

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

const login = `login(input:{email:"a@example.com",password:"correct horse"}){userErrors{code}}`

// GQ-01, GQ-03: hostile documents are refused quickly, and the server stays up. Cases of one kind begin with one
// number.
func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	tests := map[string]struct{ query, message string }{
		"1 introspection recursion": {
			`{__schema{types{...F}}} fragment F on __Type{ofType{...F ofType{...F}}}`,
			"itself",
		},
		"1 fragment of itself":      {`{me{...F}} fragment F on User{...F}`, "itself"},
		"1 cycle of fragments":      {`{me{...A}} fragment A on User{...B} fragment B on User{...A}`, "itself"},
		"1 unused cycle":            {`{me{id}} fragment A on User{id ...A}`, "itself"},
		"2 deep":                    {times(30_000, "{a"), "tokens"},
		"2 deep and closed":         {times(20_000, "{a") + times(20_000, "}"), "tokens"},
		"2 deep list":               {`{session(id:` + times(60_000, "[") + times(60_000, "]") + `){id}}`, "tokens"},
		"2 deep list of few tokens": {`{session(id:` + times(40, "[") + times(40, "]") + `){id}}`, "levels of values"},
		"2 comments":                {times(2000, "#\n") + `{me{id}}`, "tokens"},
		"3 written fields":          {"{me{" + times(201, "id ") + "}}", "fields written"},
		"3 many written fields":     {"{me{" + times(40_000, "id ") + "}}", "tokens"},
		"3 written in fragments": {"{me{...A ...B}} fragment A on User{" + times(101, "id ") +
			"} fragment B on User{" + times(101, "id ") + "}", "fields written"},
		"3 unused fragment": {"{me{id}} fragment A on User{" + times(201, "id ") + "}", "fields written"},
		"3 expanded fields": {
			"{me{" + times(21, "...A ") + "}} fragment A on User{" + times(25, "id ") + "}",
			"expanded",
		},
		"3 doubling fragments": {fragments(60), "too many"},
		"3 spreads":            {"{me{" + times(41, "...A ") + "}} fragment A on User{id}", "spreads"},
		"3 depth":              {times(21, "{a") + times(21, "}"), "levels of fields"},
		"3 depth through fragments": {"{me{...A}} fragment A on User" + times(11, "{a") + "{...B}" + times(11, "}") +
			" fragment B on User" + times(11, "{a") + times(11, "}"), "levels of fields"},
		"3 aliases":                  {"{" + numbered(31, "a%d:me{id} ") + "}", "aliases"},
		"3 aliases of __typename":    {"{" + numbered(240, "a%d:__typename ") + "}", "aliases"},
		"3 directives":               {"{me" + times(21, "@skip(if:false)") + "{id}}", "directives"},
		"3 directives on operation":  {"query Q" + times(300, "@a") + "{me{id}}", "directives"},
		"3 inline fragments":         {"{me{" + times(6, "...{") + "id" + times(6, "}") + "}}", "inline fragments"},
		"3 operations":               {numbered(21, "query Q%d{me{id}} "), "operations"},
		"4 aliased login":            {"mutation{" + numbered(2, "a%d:"+login) + "}", "one field that checks a secret"},
		"4 a hundred aliased logins": {"mutation{" + numbered(100, "a%d:login(input:$i){userErrors{code}}") + "}", ""},
		"4 through fragments": {"mutation{...A ...B} fragment A on Mutation{a:" + login +
			"} fragment B on Mutation{b:" + login + "}", "one field that checks a secret"},
		"4 through inline fragments": {
			"mutation{...{a:" + login + "} ...on Mutation{b:" + login + "}}",
			"one field that checks a secret",
		},
		"4 same fragment twice": {
			"mutation{...A ...A} fragment A on Mutation{" + login + "}",
			"one field that checks a secret",
		},
		"11 introspection too deep": {
			"{__schema{types{fields{type{fields{type{fields{name}}}}}}}}",
			"introspection depth",
		},
		"introspection many times": {"{" + numbered(3, "a%d:__schema{types{...F}} ") +
			"} fragment F on __Type{fields{args{type{name}}}}", "__schema and __type"},
		"subscription":           {"subscription{me{id}}", ""},
		"defer":                  {"{me{id ...@defer{name}}}", "@defer"},
		"empty":                  {" ", "no operation"},
		"fragment alone":         {"fragment A on User{id}", "no operation"},
		"huge integer":           {"{session(number:" + times(10_000, "9") + "){id}}", "number"},
		"integer beyond 32 bits": {"{session(number:2147483648){id}}", "32 bits"},
		"huge integer in free data": {`mutation{register(input:{email:"a",password:"b",` +
			`metadata:{n:99999999999999999999}}){userErrors{code}}}`, "number"},
		"huge float in free data": {`mutation{register(input:{email:"a",password:"b",` +
			`metadata:{n:1e999}}){userErrors{code}}}`, "number"},
		"NUL in a literal":        {`{session(id:"\u0000"){id}}`, "U+0000"},
		"braced NUL in a literal": {`{session(id:"\u{0}"){id}}`, "U+0000"},
		"lone surrogate":          {`{session(id:"\ud800"){id}}`, "Unicode"},
		"lone low surrogate":      {`{session(id:"a\uDC00\u0041"){id}}`, "Unicode"},
		"long name":               {"{" + times(100_000, "a") + "}", "Cannot query field"},
		"long variable name":      {"query($" + times(60_000, "a") + ":Int){me{id}}", "…"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got reply
			within(t, func() { got = k.post(tt.query) })
			if got.StatusCode != 400 || got.Data != nil || got.code() != "BAD_USER_INPUT" ||
				len(got.Errors) > maxErrors {
				t.Fatalf("got %d %.500s", got.StatusCode, got.text)
			}
			if !strings.Contains(got.text, tt.message) || len(got.text) > 10_000 {
				t.Errorf("got %.500s, want %q", got.text, tt.message)
			}
			k.alive()
		})
	}
	if len(k.admits) != 0 || k.logged() != "" {
		t.Errorf("admitted %v, logged %s", k.admits, k.logged())
	}
}

// Documents of real clients pass.
func TestHarmlessDocuments(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	tests := map[string]string{
		"introspection": `{"query":` + quote(file(t, "introspection.graphql")) + `}`,
		"a whole tab":   `{"operationName":"Me","query":` + quote(file(t, "tab.graphql")) + `}`,
		"one login of a tab": `{"operationName":"Login","variables":{"email":"a","password":"b"},"query":` +
			quote(file(t, "tab.graphql")) + `}`,
		"limits exactly":     `{"query":` + quote("{me{"+times(199, "id ")+"}}") + `}`,
		"surrogate pair":     `{"query":` + quote(`{session(id:"\ud83d\ude00 \\ud800 \\"){id}}`) + `}`,
		"block string":       `{"query":` + quote(`{session(id:"""a \ b"""){id}}`) + `}`,
		"null operationName": `{"query":"{me{id}}","operationName":null,"variables":null,"extensions":null}`,
		"no operationName":   `{"query":"query A{me{id}}","operationName":"","extensions":{"a":1},"other":[1]}`,
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			got := k.body(body)
			if got.StatusCode != 200 || got.Errors != nil {
				t.Errorf("got %d %.500s", got.StatusCode, got.text)
			}
		})
	}
}

func TestBodyAndURLLimits(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	if got := k.body(`{"query":"{me{id}}","x":"` + times(maxBody, "a") + `"}`); got.StatusCode != 413 {
		t.Errorf("long body: %d", got.StatusCode)
	}
	if got := k.send("GET", "/graphql?query="+times(maxURL, "a"), "", "Apollo-Require-Preflight",
		"1"); got.StatusCode != 414 {
		t.Errorf("long URL: %d", got.StatusCode)
	}
	k.alive()
}

// GQ-05, GQ-06: a request that a page of another origin could send without a preflight request is refused.
func TestNoRequestWithoutPreflight(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	body := `{"query":"mutation{` + strings.ReplaceAll(login, `"`, `\"`) + `}"}`
	for _, contentType := range []string{
		"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "application/graphql",
		"application/graphql-response+json", "application/json; charset=utf-16", "application/jsonp",
		"application/json, text/plain",
	} {
		if got := k.send("POST", "/graphql", body, "Content-Type", contentType); got.StatusCode != 415 {
			t.Errorf("%q: %d", contentType, got.StatusCode)
		}
	}
	if got := k.send("POST", "/graphql", body, "Content-Type", "application/json", "Content-Encoding",
		"gzip"); got.StatusCode != 415 {
		t.Errorf("gzip: %d", got.StatusCode)
	}
	if got := k.send("GET", "/graphql?query="+url.QueryEscape("{me{id}}"), ""); got.StatusCode != 400 {
		t.Errorf("GET without the header: %d", got.StatusCode)
	}
	if got := k.send("GET", "/graphql", "", "Upgrade", "websocket", "Connection", "Upgrade"); got.StatusCode != 400 {
		t.Errorf("WebSocket: %d", got.StatusCode)
	}
	if got := k.send("POST", "/graphql", body, "Content-Type", "application/json", "Accept",
		"text/event-stream"); got.StatusCode != 406 {
		t.Errorf("event stream: %d", got.StatusCode)
	}
	if k.runs != 0 || len(k.admits) != 0 {
		t.Errorf("login ran %d times, admitted %v", k.runs, k.admits)
	}
	k.alive()
}

func TestGet(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	tests := map[string]struct {
		params string
		status int
	}{
		"query": {"query=" + url.QueryEscape("{me{id}}"), 200},
		"variables": {"query=" + url.QueryEscape("query($n:Int){session(number:$n){id}}") + "&variables=" +
			url.QueryEscape(`{"n":1}`), 200},
		"mutation":          {"query=" + url.QueryEscape("mutation{"+login+"}"), 405},
		"chosen mutation":   {"operationName=B&query=" + url.QueryEscape("query A{me{id}} mutation B{"+login+"}"), 405},
		"nothing":           {"", 400},
		"twice":             {"query=a&query=b", 400},
		"case":              {"Query=a", 400},
		"variables no JSON": {"query=a&variables={", 400},
		"variables array":   {"query=a&variables=[]", 400},
		"malformed escape":  {"query=%zz", 400},
		"invalid UTF-8":     {"query=%7Bsession(id:%22%ff%22)%7Bid%7D%7D", 400},
		"only a hash": {
			"extensions=" + url.QueryEscape(`{"persistedQuery":{"version":1,"sha256Hash":"a"}}`),
			400,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := k.send("GET", "/graphql?"+tt.params, "", "X-Apollo-Operation-Name", "a", "Accept", graphqlResponse)
			if got.StatusCode != tt.status || tt.status == 405 && got.Header.Get("Allow") != "POST" {
				t.Errorf("got %d %v %s", got.StatusCode, got.Header, got.text)
			}
		})
	}
	for _, method := range []string{"HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY"} {
		if got := k.send(method, "/graphql", ""); got.StatusCode != 405 || got.Header.Get("Allow") != "GET, POST" {
			t.Errorf("%s: %d %v", method, got.StatusCode, got.Header)
		}
	}
	if k.runs != 0 {
		t.Errorf("login ran %d times", k.runs)
	}
}

// GQ-04: with introspection off, no answer reveals the schema, and no error suggests a name. With it on, errors do.
func TestIntrospectionOff(t *testing.T) {
	t.Parallel()
	k := newKit(t, func(c *Config) { c.Introspection = false })
	for _, query := range []string{
		`{__schema{types{name}}}`,
		`{__type(name:"User"){name}}`,
		`{me{...on User{id}} ...A} fragment A on Query{a:__schema{types{name}}}`,
		file(t, "introspection.graphql"),
	} {
		if got := k.post(query); got.StatusCode != 400 ||
			!strings.Contains(got.text, "Introspection is switched off.") {
			t.Errorf("%s: %s", query, got.text)
		}
	}
	if got := k.post(`{__typename me{__typename}}`); got.Errors != nil {
		t.Errorf("__typename: %s", got.text)
	}
	for query, want := range map[string]string{
		`{mee{id}}`:                       `Did you mean "me"?`,
		`{me{idd}}`:                       `Did you mean "id"?`,
		`{session(idd:1){id}}`:            `Did you mean "id"?`,
		`{serverInfo(a:1){version}}`:      `It takes none.`,
		`{session(something:1){id}}`:      `It takes "id", "number".`,
		`query($a:Strin){me{id}}`:         `Did you mean "String"?`,
		`{me{...on Userr{id}}}`:           `Did you mean "User"`,
		`{me}`:                            `Write "me { … }" with the fields that you want.`,
		`{` + times(41, "m") + `e{id}}`:   `Cannot query field`,
		`{me{` + times(1000, "i") + `d}}`: `Cannot query field`,
		`mutation{createApiKey(input:{nam:"a"}){secret}}`:               `Did you mean "name"?`,
		`mutation{createApiKey(input:{scopes:[PROFILE_REED]}){secret}}`: `Its values are PROFILE_READ, USERS_READ`,
		`mutation{createApiKey(input:{scopes:"PROFILE_REED"}){secret}}`: `without quotation marks. Its values are ` +
			`PROFILE_READ`,
	} {
		got := strings.ReplaceAll(newKit(t).post(query).text, `\"`, `"`)
		if !strings.Contains(got, want) || strings.Contains(got, `"mmm`) && strings.Contains(got, "Did you mean") {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
		got = k.post(query).text
		for _, tells := range []string{"Did you mean", "Its values are", "It takes", "It has"} {
			if got == "" || strings.Contains(got, tells) {
				t.Errorf("introspection is off, and %s tells more: %s", query, got)
			}
		}
	}
	for variables, want := range map[string]string{
		`{"v":{"nam":"a"}}`:           `Did you mean "name"?`,
		`{"v":{"scopes":["READ_A"]}}`: `Its values are PROFILE_READ, USERS_READ, USERS_WRITE, SESSIONS_WRITE.`,
	} {
		body := `{"query":"mutation($v:CreateApiKeyInput!){createApiKey(input:$v){secret}}","variables":` + variables +
			`}`
		shown, hidden := newKit(t).body(body), k.body(body)
		if !strings.Contains(strings.ReplaceAll(shown.text, `\"`, `"`), want) || hidden.StatusCode != 400 ||
			strings.Contains(hidden.text, "Did you") || strings.Contains(hidden.text, "values are") {
			t.Errorf("%s: %s, and with introspection off %s", variables, shown.text, hidden.text)
		}
	}
}

// HT-07, HT-08: every answer has the headers.
func TestHeadersOnEveryAnswer(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for _, got := range []reply{
		k.post(`{me{id}}`), k.post(`{`), k.body(`{`), k.send("PUT", "/", ""), k.send("GET", "/", ""),
		k.send("POST", "/", "", "Accept", "text/html"), k.body(times(maxBody+1, " ")),
	} {
		h := got.Header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" ||
			!strings.HasSuffix(h.Get("Content-Type"), "; charset=utf-8") || h.Get("X-From-Visit") != "yes" {
			t.Errorf("%d: %v", got.StatusCode, h)
		}
	}
}

// GQ-10: no document with a secret in it stays in the cache, and the cache is bounded.
func TestCacheHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	cached := func(query string) bool { return k.handler.documents.Contains(query) }
	const plain = `mutation($p:String!){login(input:{email:"x",password:$p}){userErrors{code}}}`
	for query, want := range map[string]bool{
		`{me{id}}`:                true,
		`{session(id:"a"){id}}`:   true,
		`mutation{` + login + `}`: false,
		plain:                     false,
		`mutation($i:LoginInput!){login(input:$i){userErrors{code}}}`:                     true,
		`mutation($p:String="hunter2"){login(input:{password:$p}){userErrors{code}}}`:     false,
		`mutation{...F} fragment F on Mutation{` + login + `}`:                            false,
		`mutation{login(input:{email:"""x""",password:"""hunter2"""}){userErrors{code}}}`: false,
		`{me{idd}}`:                            false,
		`{me{id}}` + times(maxCachedText, " "): false,
	} {
		k.post(query)
		if cached(query) != want {
			t.Errorf("cached(%.100s) = %v", query, !want)
		}
	}
	for i := range 2 * cachedDocuments {
		if _, errs := k.handler.document(fmt.Sprintf("{a%d:me{id}}", i)); errs != nil {
			t.Fatal(errs)
		}
	}
	if n := k.handler.documents.Len(); n != cachedDocuments {
		t.Errorf("%d documents in the cache", n)
	}
}

// Concurrent requests share a cached document; the race detector checks it.
func TestCachedDocumentIsShared(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	done := make(chan int)
	query := `query($a:Boolean!){me{...F id @include(if:$a)} serverInfo{...on ServerInfo{version}}} ` +
		`fragment F on User{id name}`
	for range 8 {
		go func() {
			status := http.StatusOK
			for range 20 {
				if got := k.post(query, map[string]any{"a": true}); got.StatusCode != 200 {
					status = got.StatusCode
				}
			}
			done <- status
		}()
	}
	for range 8 {
		if status := <-done; status != 200 {
			t.Errorf("status %d", status)
		}
	}
}
