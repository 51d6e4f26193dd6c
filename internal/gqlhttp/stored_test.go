package gqlhttp

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// A stored document is refused with the place of the mistake.
func TestStoredDocumentsAreValidated(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	const (
		errs    = "{userErrors{code message}}"
		args    = `(input:{password:"x"})`
		login   = "mutation{login" + args
		loginIf = "mutation($b:Boolean!){login" + args
		several = "A stored mutation has one field"
	)
	for text, want := range map[string]string{
		"{me{id":                             "1:7: ",
		"":                                   "1:1: A stored document holds one operation, and this one none",
		"fragment A on User{id}":             "1:1: A stored document holds one operation, and this one none",
		"query A{me{id}}\nquery B{me{id}}":   "2:1: A stored document holds one operation: this is the second",
		"subscription{me{id}}":               "1:1: A stored document can not be a subscription",
		"{\n  nothing }":                     "2:3: Cannot query field",
		"{\n me {\n  idd } }":                `3:3: Cannot query field "idd" on type "User". Did you mean "id"?`,
		"{me{id ...@defer{name}}}":           "1:12: Unknown directive",
		"query($v:Int){me{id}}":              `1:7: Variable "$v" is never used.`,
		"query($v:Int!){session(id:$v){id}}": "1:27: ",

		"mutation{\n logout" + errs + "\n revokeOtherSessions" + errs + "}":                "3:2: " + several,
		"mutation{...A} fragment A on Mutation{a:logout" + errs + " b:logout" + errs + "}": "1:74: " + several,
		"mutation{logout" + errs + " logout" + errs + "}":                                  "1:43: " + several,

		login + "{userErrors{code}}}":                      "1:10: Ask login",
		login + "{userErrors{message field}}}":             "1:10: Ask login",
		login + "{errors:userErrors{code message}}}":       "1:10: Ask login",
		login + "{userErrors{c:code message}}}":            "1:10: Ask login",
		login + "{userErrors{code:message message:code}}}": "1:10: Ask login",

		loginIf + "{userErrors @skip(if:$b){code message}}}":                             "1:23: Ask login",
		loginIf + "{userErrors{code message @include(if:$b)}}}":                          "1:23: Ask login",
		loginIf + "{... @include(if:$b){userErrors{code message}}}}":                     "1:23: Ask login",
		loginIf + "{...A @skip(if:$b)}} fragment A on Payload{userErrors{code message}}": "1:23: Ask login",

		"mutation{\n  login" + args + "{user{id}}}": "2:3: Ask login for userErrors { code message }",
	} {
		_, err := k.handler.Document(text)
		first, ok := errors.AsType[*DocumentError](err)
		if !ok || !strings.HasPrefix(first.Error(), want) || !strings.Contains(err.Error(), first.Error()) {
			t.Errorf("%q: %v", text, err)
		}
	}
	_, err := k.handler.Document("{\n  me { a }\n  b }")
	if err == nil || !strings.Contains(err.Error(), "2:8: ") || !strings.Contains(err.Error(), "3:3: ") {
		t.Errorf("of two errors only %v", err)
	}
}

// Dialects read these facts of a document when they are loaded.
func TestStoredDocumentsTellAboutThemselves(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for _, c := range []struct{ text, variables, required, refusals string }{
		{`{serverInfo{version}}`, "", "", "INTERNAL_SERVER_ERROR"},
		{`{me{id}}`, "", "", "FORBIDDEN INTERNAL_SERVER_ERROR RATE_LIMITED UNAUTHENTICATED"},
		{
			`{b:me{id} ...A} fragment A on Query{a:keys{id} b:me{name} ...{sessions{id}}}`, "", "",
			"FORBIDDEN INTERNAL_SERVER_ERROR RATE_LIMITED UNAUTHENTICATED",
		},
		{
			`query($n:Int $i:ID="a"){session(number:$n id:$i){id}}`, "n i", "",
			"BAD_USER_INPUT FORBIDDEN INTERNAL_SERVER_ERROR RATE_LIMITED UNAUTHENTICATED",
		},
		{`{session(number:1){id}}`, "", "", "BAD_USER_INPUT FORBIDDEN INTERNAL_SERVER_ERROR RATE_LIMITED UNAUTHENTICATED"},
		{
			`mutation{revokeOtherSessions{...A}} fragment A on Payload{userErrors{code} userErrors{message}}`, "", "",
			"FORBIDDEN INTERNAL_SERVER_ERROR RATE_LIMITED UNAUTHENTICATED",
		},
		{
			`mutation($r:RefreshInput!){x:refresh(input:$r){userErrors{code message}}}`, "r", "r",
			"BAD_USER_INPUT INTERNAL_SERVER_ERROR INVALID_TOKEN RATE_LIMITED SERVICE_UNAVAILABLE TOKEN_REUSED",
		},
		{
			`mutation($p:String!,$e:String!="a"){login(input:{password:$p,email:$e}){...{userErrors{code message ` +
				`retryAfterSeconds}}}}`, "p e", "p",
			"ACCOUNT_LOCKED BAD_USER_INPUT EMAIL_NOT_VERIFIED INTERNAL_SERVER_ERROR INVALID_CREDENTIALS " +
				"INVALID_INPUT NOT_FOUND RATE_LIMITED SERVICE_UNAVAILABLE",
		},
	} {
		doc, err := k.handler.Document(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		required := slices.DeleteFunc(doc.Variables(), func(name string) bool { return !doc.Requires(name) })
		refusals := strings.Trim(fmt.Sprint(doc.Refusals()), "[]")
		got := [3]string{strings.Join(doc.Variables(), " "), strings.Join(required, " "), refusals}
		if got != [3]string{c.variables, c.required, c.refusals} {
			t.Errorf("%s: %q", c.text, got)
		}
		if doc.Mutates() != strings.HasPrefix(c.text, "mutation") || doc.Requires("nothing") {
			t.Errorf("%s: mutates %t", c.text, doc.Mutates())
		}
	}
}

// Every mutation of a schema has @refuses, with known codes.
func TestNewWantsRefusals(t *testing.T) {
	t.Parallel()
	const (
		unknown = ": @refuses has the unknown code "
		start   = `enum ErrorCode { NOT_FOUND } directive @refuses(codes: [String!]!) on FIELD_DEFINITION `
		query   = `type Query { a: Int } type Mutation `
		further = `type Query { a: Int c: Int @refuses(codes: ["FORBIDDEN", "SERVICE_UNAVAILABLE"]) }`
	)
	for text, want := range map[string]string{
		`type Query { a: Int }`:                           "",
		query + `{ b: Int @refuses(codes: []) }`:          "",
		query + `{ b: Int @refuses(codes: "NOT_FOUND") }`: "",
		query + `{ b: Int }`:                              "Mutation.b has no @refuses",
		query + `{ b: Int @refuses(codes: ["GONE"]) }`:    "Mutation.b" + unknown + `"GONE"`,
		query + `{ b: Int @refuses(codes: "GONE") }`:      "Mutation.b" + unknown + `"GONE"`,

		`type Query { a: Int @refuses(codes: ["BAD_USER_INPUT" "NOT_FOUND" "UNAUTHENTICATED" "FORBIDDEN"]) }`: "",

		further: "Query.c" + unknown + `"SERVICE_UNAVAILABLE"`,
	} {
		schema := gqlparser.MustLoadSchema(&ast.Source{Input: start + text})
		_, err := New(Config{
			Schema: &graphql.ExecutableSchemaMock{SchemaFunc: func() *ast.Schema { return schema }},
			Admit:  func(context.Context, Credential) error { return nil }, Log: slog.New(slog.DiscardHandler),
		})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Do accepts Go values for variables like a request accepts JSON, and does not change them.
func TestDoTakesVariablesAsTheyAre(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	var got graph.CreateAPIKeyInput
	k.stub.key = func(_ context.Context, in graph.CreateAPIKeyInput) (*graph.CreateAPIKeyPayload, error) {
		got = in
		return &graph.CreateAPIKeyPayload{UserErrors: []*graph.UserError{}}, nil
	}
	doc, err := k.handler.Document(`mutation($v:CreateApiKeyInput!){createApiKey(input:$v){userErrors{code message}}}`)
	if err != nil {
		t.Fatal(err)
	}
	type own struct {
		Name   string          `json:"name"`
		Scopes []db.Permission `json:"scopes"`
	}
	for _, v := range []any{
		map[string]any{"name": "x", "scopes": []any{"PROFILE_READ"}},
		map[string]any{"name": "x", "scopes": "PROFILE_READ"},
		map[string]any{"name": "x", "scopes": []string{"PROFILE_READ"}},
		map[string]string{"name": "x"},
		own{"x", []db.Permission{db.ProfileRead}},
	} {
		before := fmt.Sprintf("%#v", v)
		if err := k.handler.Do(t.Context(), doc, map[string]any{"v": v}, nil); err != nil || got.Name != "x" ||
			len(got.Scopes) != 1 {
			t.Errorf("%#v: %v %+v", v, err, got)
		}
		if after := fmt.Sprintf("%#v", v); after != before {
			t.Errorf("%s became %s", before, after)
		}
	}
	for _, v := range []any{
		nil, "x",
		map[string]any{"name": 1},
		map[string]any{"nam": "x"},
		map[string]any{"scopes": []any{"X"}},
		own{"x\x00", nil},
	} {
		if err := k.handler.Do(t.Context(), doc, map[string]any{"v": v}, nil); !fault.Is(err, fault.BadUserInput) {
			t.Errorf("%#v: %v", v, err)
		}
	}
}

// A Go number fits exactly the types that the same number in JSON fits.
func TestNumbersOfThisProcess(t *testing.T) {
	t.Parallel()
	h := pagedHandler(t)
	for _, number := range []any{
		0, 1, -1, 1 << 31, 1<<31 - 1, -1 << 31, 1 << 53, 1 << 62, 0.0, 1.0, 1.5, -2147483648.0,
		1e9, 1e15, 1e21, 1e300, 5e-324,
	} {
		text, err := stdjson.Marshal(number)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Int", "Float", "ID", "String", "Boolean"} {
			c := coercion{schema: h.schema.Schema(), path: "v"}
			here, refused := c.value(ast.NamedType(name, nil), number)
			there, refusedToo := c.value(ast.NamedType(name, nil), stdjson.Number(text))
			if here != there || (refused == nil) != (refusedToo == nil) {
				t.Errorf("%T %v as %s: %v %v, from JSON %v %v", number, number, name, here, refused, there, refusedToo)
			}
		}
	}
}

// Do works without a visit, also for internal errors, panics and headers of the answer.
func TestDoWithoutAVisit(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	doc, err := k.handler.Document(`{me{id}}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, me := range map[string]func(context.Context) (*db.User, error){
		"error":  func(context.Context) (*db.User, error) { return nil, io.ErrUnexpectedEOF },
		"panic":  func(context.Context) (*db.User, error) { panic("x") },
		"header": func(ctx context.Context) (*db.User, error) { visit.From(ctx).SetHeader("A", "b"); return nil, nil },
	} {
		k.stub.me = me
		err := k.handler.Do(context.Background(), doc, nil, nil)
		if (err == nil) != (name == "header") || err != nil && fault.From(err) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
