package gqlhttp

import (
	"strings"
	"testing"
)

const secret = "hunter2-canary"

// The body must be strict JSON (HT-11). The error does not quote it.
func TestStrictJSON(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	const good = `"query":"{me{id}}"`
	tests := map[string]struct {
		body   string
		status int
	}{
		"good":                   {`{` + good + `}`, 200},
		"white space around":     {" \n{" + good + "}\n ", 200},
		"unknown member":         {`{` + good + `,"x":{"y":["` + secret + `"]}}`, 200},
		"empty":                  {``, 400},
		"truncated":              {`{` + good + `,"variables":{"password":"` + secret, 400},
		"trailing data":          {`{` + good + `}{"a":"` + secret + `"}`, 400},
		"trailing brace":         {`{` + good + `}}`, 400},
		"trailing comma":         {`{` + good + `,}`, 400},
		"comment":                {`{` + good + `/* ` + secret + ` */}`, 400},
		"single quotes":          {`{'query':'` + secret + `'}`, 400},
		"NaN":                    {`{` + good + `,"x":NaN}`, 400},
		"duplicate member":       {`{` + good + `,` + good + `}`, 400},
		"duplicate by escape":    {`{` + good + `,"\u0071uery":"` + secret + `"}`, 400},
		"duplicate below":        {`{` + good + `,"variables":{"a":1,"a":"` + secret + `"}}`, 400},
		"case variant":           {`{` + good + `,"Query":"` + secret + `"}`, 400},
		"case variant alone":     {`{"QUERY":"{me{id}}"}`, 400},
		"case variant variables": {`{` + good + `,"VARIABLES":{}}`, 400},
		"case variant of a name": {`{` + good + `,"operationname":"a"}`, 400},
		"folded case variant":    {`{` + good + `,"extenſions":{}}`, 400},
		"invalid UTF-8":          {"{" + good + ",\"x\":\"\xff\"}", 400},
		"overlong UTF-8":         {"{" + good + ",\"x\":\"\xc0\x80\"}", 400},
		"encoded surrogate":      {"{" + good + ",\"x\":\"\xed\xa0\x80\"}", 400},
		"lone surrogate":         {`{` + good + `,"variables":{"a":"\ud800"}}`, 400},
		"lone surrogate in name": {`{` + good + `,"variables":{"\udc00":1}}`, 400},
		"byte order mark":        {"\ufeff{" + good + "}", 400},
		"NUL in a variable":      {`{` + good + `,"variables":{"a":["` + secret + `\u0000"]}}`, 400},
		"NUL in a name":          {`{` + good + `,"variables":{"a\u0000":1}}`, 400},
		"NUL in the query":       {`{"query":"{me{id}}\u0000"}`, 400},
		"depth":                  {`{` + good + `,"variables":{"a":` + times(30, "[") + times(30, "]") + `}}`, 200},
		"too deep":               {`{` + good + `,"variables":{"a":` + times(31, "[") + times(31, "]") + `}}`, 400},
		"much too deep":          {`{` + good + `,"variables":{"a":` + times(60_000, "["), 400},
		"batch":                  {`[{` + good + `},{` + good + `}]`, 400},
		"batch of a hundred":     {`[` + strings.TrimSuffix(times(100, `{`+good+`},`), ",") + `]`, 400},
		"string":                 {`"` + secret + `"`, 400},
		"null":                   {`null`, 400},
		"no query":               {`{"variables":{"password":"` + secret + `"}}`, 400},
		"empty query":            {`{"query":""}`, 400},
		"null query":             {`{"query":null}`, 400},
		"query object":           {`{"query":{"$ne":"` + secret + `"}}`, 400},
		"query number":           {`{"query":1}`, 400},
		"operationName array":    {`{` + good + `,"operationName":["` + secret + `"]}`, 400},
		"operationName unknown":  {`{` + good + `,"operationName":"` + secret + `"}`, 400},
		"operationName missing":  {`{"query":"query A{me{id}} query B{me{id}}"}`, 400},
		"variables string":       {`{` + good + `,"variables":"` + secret + `"}`, 400},
		"variables array":        {`{` + good + `,"variables":["` + secret + `"]}`, 400},
		"extensions false":       {`{` + good + `,"extensions":false}`, 400},
		"number beyond all":      {`{` + good + `,"variables":{"a":1e999}}`, 400},
		"hash only": {
			`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + secret + `"}}}`,
			400,
		},
		"hash with query": {
			`{` + good + `,"extensions":{"persistedQuery":{"version":1,"sha256Hash":"a"}}}`,
			200,
		},
		"hash of another version": {`{"query":"","extensions":{"persistedQuery":1}}`, 400},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got reply
			within(t, func() { got = k.body(tt.body) })
			if got.StatusCode != tt.status || (got.Errors != nil) != (tt.status != 200) {
				t.Errorf("got %d %s", got.StatusCode, got.text)
			}
			if strings.Contains(got.text, secret) || tt.status != 200 && got.Data != nil {
				t.Errorf("got %s", got.text)
			}
		})
	}
	if got := k.body(tests["hash only"].body); got.code() != "PERSISTED_QUERY_NOT_SUPPORTED" ||
		got.Errors[0].Message != "PersistedQueryNotSupported" {
		t.Errorf("hash only: %s", got.text)
	}
	if k.logged() != "" {
		t.Errorf("logged %s", k.logged())
	}
	k.alive()
}

// Variables that do not have the types of the schema are refused, without their values in the error (ID-07).
func TestVariables(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	const (
		byNumber = `query($v:Int){session(number:$v){id}}`
		byID     = `query($v:ID){session(id:$v){id}}`
		signIn   = `mutation($v:LoginInput!){login(input:$v){userErrors{code}}}`
		key      = `mutation($v:CreateApiKeyInput!){createApiKey(input:$v){secret}}`
		defKey   = `mutation($v:CreateApiKeyInput={}){createApiKey(input:$v){secret}}`
		include  = `query($v:Boolean=true){me{id @include(if:$v)} keys @skip(if:$v){id}}`
	)
	tests := map[string]struct{ query, variables, message string }{
		"Int":            {byNumber, `{"v":1}`, ""},
		"Int as 1.0":     {byNumber, `{"v":1.0}`, ""},
		"Int null":       {byNumber, `{"v":null}`, ""},
		"Int absent":     {byNumber, `{}`, ""},
		"Int of 32 bits": {byNumber, `{"v":-2147483648}`, ""},
		"Int beyond 32 bits": {byNumber, `{"v":2147483648}`, `$v must be of the type "Int", and is a number beyond ` +
			`32 bits.`},
		"Int beyond 64 bits": {byNumber, `{"v":99999999999999999999}`, `and is a number beyond 32 bits.`},
		"Int of 1e300":       {byNumber, `{"v":1e300}`, `and is a number beyond 32 bits.`},
		"Int as string":      {byNumber, `{"v":"12345678"}`, `must be of the type "Int", and is a string.`},
		"Int as fraction":    {byNumber, `{"v":1.5}`, `and is a number with a fraction.`},
		"ID":                 {byID, `{"v":"a"}`, ""},
		"ID as integer":      {byID, `{"v":9007199254740993}`, ""},
		"ID as fraction":     {byID, `{"v":1.5}`, `must be of the type "ID", and is a number with a fraction.`},
		"ID as boolean":      {byID, `{"v":true}`, `must be of the type "ID", and is a boolean.`},
		"input":              {signIn, `{"v":{"password":"a"}}`, ""},
		"input null":         {signIn, `{"v":null}`, `$v must not be null: its type is "LoginInput!".`},
		"input absent":       {signIn, `{}`, `$v is required (LoginInput!), and is missing.`},
		"input misspelt": {
			signIn, `{"input":{"password":"a"},"b":1}`,
			`and is missing. The request has $b, $input, which the operation does not declare.`,
		},
		"input misspelt, many": {signIn, `{"a":1,"b":1,"c":1,"d":1}`, `The request has $a, $b, $c, …, which`},
		"input misspelt, no name": {
			signIn, `{"hunter2-canary":1}`, `$v is required (LoginInput!), and is missing.`,
		},
		"undeclared beside all": {byNumber, `{"v":1,"w":"x"}`, ""},
		"input as string": {signIn, `{"v":"hunter2-canary"}`, `$v must be of the type "LoginInput!", and is a ` +
			`string.`},
		"input as list": {signIn, `{"v":[{"password":"hunter2-canary"}]}`, `LoginInput!", and is a list.`},
		"member as object": {
			signIn, `{"v":{"password":"hunter2-canary","email":{"$ne":""}}}`,
			`$v.email must be of the type "String", and is an object.`,
		},
		"member as number": {
			signIn, `{"v":{"password":12345678}}`,
			`$v.password must be of the type "String!", and is a number.`,
		},
		"member as list": {
			signIn, `{"v":{"password":["hunter2-canary"]}}`,
			`$v.password must be of the type "String!", and is a list.`,
		},
		"member missing": {
			signIn, `{"v":{"email":"hunter2-canary"}}`,
			`$v.password is required (String!), and is missing.`,
		},
		"member null": {
			signIn, `{"v":{"password":null}}`,
			`$v.password must not be null: its type is "String!".`,
		},
		"member unknown": {
			signIn, `{"v":{"password":"a","hunter2-canary":1}}`,
			`$v has a member that the input "LoginInput" does not have.`,
		},
		"member __typename": {signIn, `{"v":{"password":"a","__typename":"LoginInput"}}`, `$v.__typename is unknown`},
		"member of wrong case": {
			signIn, `{"v":{"Password":"a"}}`,
			`$v.Password is unknown: the input "LoginInput" has no field "Password". Did you mean "password"?`,
		},
		"enum of wrong case": {
			signIn, `{"v":{"password":"a","tokenDelivery":"body"}}`,
			`must be a value of the enum "TokenDelivery", and is another string. Its values are BODY, SESSION_TOKEN, ` +
				`COOKIE.`,
		},
		"enum as number": {
			signIn, `{"v":{"password":"a","tokenDelivery":0}}`,
			`$v.tokenDelivery must be a value of the enum "TokenDelivery", and is a number.`,
		},
		"list":           {key, `{"v":{"scopes":["PROFILE_READ"]}}`, ""},
		"list of one":    {key, `{"v":{"scopes":"PROFILE_READ"}}`, ""},
		"list with null": {key, `{"v":{"scopes":["PROFILE_READ",null]}}`, `$v.scopes[1] must not be null`},
		"list with another": {
			key, `{"v":{"scopes":["hunter2-canary"]}}`,
			`$v.scopes[0] must be a value of the enum`,
		},
		"default":              {defKey, `{}`, ""},
		"null over a default":  {defKey, `{"v":null}`, `$v must not be null`},
		"condition":            {include, `{"v":false}`, ""},
		"null for a condition": {include, `{"v":null}`, `$v must not be null`},
		"custom scalar":        {key, `{"v":{"expiresAt":"2030-01-01T00:00:00Z"}}`, ""},
		"custom scalar malformed": {
			key, `{"v":{"expiresAt":"hunter2-canary"}}`,
			`The argument "input.expiresAt" is not accepted. `,
		},
		"custom scalar as number": {
			key, `{"v":{"expiresAt":12345678}}`,
			`The argument "input.expiresAt" is not accepted. `,
		},
		"unknown variable ignored": {byID, `{"hunter2-canary":1}`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := k.body(`{"query":` + quote(tt.query) + `,"variables":` + tt.variables + `}`)
			message := strings.ReplaceAll(got.text, `\"`, `"`)
			if (got.Errors == nil) != (tt.message == "") || !strings.Contains(message, tt.message) {
				t.Errorf("got %d %s", got.StatusCode, got.text)
			}
			if tt.message != "" && got.code() != "BAD_USER_INPUT" {
				t.Errorf("got %s", got.text)
			}
			for _, value := range []string{secret, "12345678"} {
				if strings.Contains(got.text, value) {
					t.Errorf("echoed: %s", got.text)
				}
			}
		})
	}
	if k.logged() != "" {
		t.Errorf("logged %s", k.logged())
	}
}
