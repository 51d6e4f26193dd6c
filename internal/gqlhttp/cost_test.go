package gqlhttp

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/dragoman-auth/dragoman/internal/strictjson"
)

const pagedSchema = `
type Query { users(first: Int = 10, last: Int): UserConnection  me: User }
type UserConnection { nodes: [User!]! }
type User { id: ID! friends(first: Int): UserConnection }
input Way @oneOf { a: Int b: String }
extend type Query { way(way: Way, f: Float, b: Boolean): Int }
`

func pagedHandler(t testing.TB) *Handler {
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: pagedSchema})
	h, err := New(Config{
		Log:   slog.New(slog.DiscardHandler),
		Admit: func(context.Context, Credential) error { return nil },
		Schema: &graphql.ExecutableSchemaMock{
			SchemaFunc: func() *ast.Schema { return schema },
			ExecFunc: func(context.Context) graphql.ResponseHandler {
				return graphql.OneShot(&graphql.Response{Data: []byte(`{}`)})
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// GQ-01: a document above the limit of costs is refused.
func TestCost(t *testing.T) {
	t.Parallel()
	h := pagedHandler(t)
	tests := map[string]struct {
		query string
		first any
		ok    bool
	}{
		"one page":             {`{users(first:100){nodes{id}}}`, nil, true},
		"length of the schema": {`{users{nodes{friends(first:50){nodes{id}}}}}`, nil, true},
		"nested pages":         {`{users(first:100){nodes{friends(first:100){nodes{id}}}}}`, nil, false},
		"many nested pages": {
			`{users(first:100){nodes{` + times(4, `friends(first:100){nodes{`) + `id` + times(4, `}}`) + `}}}`,
			nil, false,
		},
		"through fragments": {
			`{users(first:100){...A}} fragment A on UserConnection{nodes{...{friends(first:100){nodes{id}}}}}`,
			nil, false,
		},
		"too long":           {`{users(first:101){nodes{id}}}`, nil, false},
		"too long backwards": {`{users(last:101){nodes{id}}}`, nil, false},
		"negative":           {`{users(first:-1){nodes{id}}}`, nil, false},
		"variable":           {`query($n:Int){users(first:$n){nodes{id}}}`, 100, true},
		"variable too long":  {`query($n:Int){users(first:$n){nodes{id}}}`, 101, false},
		"variable default":   {`query($n:Int=101){users(first:$n){nodes{id}}}`, nil, false},
		"variable null":      {`query($n:Int){users(first:$n){nodes{id}}}`, nil, true},
	}
	for name, tt := range tests {
		doc, errs := h.document(tt.query)
		if errs != nil {
			t.Fatalf("%s: %v", name, errs)
		}
		given, err := asJSON(map[string]any{"n": tt.first})
		if err != nil {
			t.Fatal(err)
		}
		if tt.first == nil {
			given = nil
		}
		if _, errs := h.runLimited(t.Context(), doc, doc.operations[0], given); (errs == nil) != tt.ok {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

// Types that the schema of the server does not use yet.
func TestCoercionOfOtherTypes(t *testing.T) {
	t.Parallel()
	h := pagedHandler(t)
	doc, errs := h.document(`query($w:Way,$f:Float,$b:Boolean){way(way:$w,f:$f,b:$b)}`)
	if errs != nil {
		t.Fatal(errs)
	}
	tests := map[string]string{
		`{"w":{"a":1},"f":1,"b":true}`: "map[b:true f:1 w:map[a:1]]",
		`{"f":1.5e3}`:                  "map[f:1500]",
		`{"w":null}`:                   "map[w:<nil>]",
		`{"w":{}}`:                     "",
		`{"w":{"a":1,"b":"x"}}`:        "",
		`{"w":{"a":null}}`:             "",
		`{"w":{"a":1,"b":null}}`:       "",
		`{"f":"1"}`:                    "",
		`{"b":0}`:                      "",
		`{"b":"true"}`:                 "",
	}
	for given, want := range tests {
		value, err := strictjson.Decode([]byte(given))
		if err != nil {
			t.Fatal(err)
		}
		got, f := h.coerce(doc.operations[0], value.(map[string]any))
		if (f != nil) != (want == "") || f == nil && fmt.Sprint(got) != want {
			t.Errorf("%s: %v %v", given, got, f)
		}
	}
}

const listedSchema = `
directive @listSize(assumedSize: Int, slicingArguments: [String!]) on FIELD_DEFINITION
type Query { users: [User!] @listSize(assumedSize: 100) nodes(ids: [ID!]!, more: [ID!]): [User] ` +
	`@listSize(slicingArguments: ["ids", "more"]) }
type User { id: ID! name: String tags: [String!]! friends: [User!]! @listSize(assumedSize: 10) }
`

// GQ-14: a list without pages costs what it can hold, or what it was asked for.
func TestGQ14_Lists(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: listedSchema})
	h, err := New(Config{
		Log: slog.New(slog.DiscardHandler), Admit: func(context.Context, Credential) error { return nil },
		Schema: &graphql.ExecutableSchemaMock{SchemaFunc: func() *ast.Schema { return schema }},
	})
	if err != nil {
		t.Fatal(err)
	}
	hundred := make([]any, 100)
	for i := range hundred {
		hundred[i] = "x"
	}
	for query, want := range map[string]int{
		`{users{id}}`:                           101,
		`{users{id name tags}}`:                 301,
		`{users{id friends{id}}}`:               1 + 100*(1+1+10),
		`{a:users{id} b:users{id}}`:             202,
		`{users{friends{friends{id}}}}`:         maxCost + 1,
		`{nodes(ids:["a","b"]){id}}`:            3,
		`{nodes(ids:"a"){id}}`:                  2,
		`{nodes(ids:[]){id name}}`:              3,
		`{nodes(ids:["a"],more:["b","c"]){id}}`: 3,
		`query($i:[ID!]!){nodes(ids:$i){id}}`:   101,
		`query($i:[ID!]!){nodes(ids:$i){...F}} fragment F on User{id name friends{id}}`: 1 + 100*(2+1+10),
	} {
		doc, errs := h.document(query)
		if errs != nil {
			t.Fatalf("%s: %v", query, errs)
		}
		total, refusal := doc.operations[0].checkCost(schema, map[string]any{"i": hundred})
		if total != want || (refusal != nil) != (want > maxCost) {
			t.Errorf("%s: costs %d, not %d; %v", query, total, want, refusal)
		}
	}
}

// GQ-14: a page without a length, null included, costs as the one that is answered; one without a default the longest.
func TestGQ14_PageWithoutLength(t *testing.T) {
	t.Parallel()
	h := pagedHandler(t)
	for query, want := range map[string]int{
		`{users(first:7){nodes{id}}}`:                                15,
		`{users{nodes{id}}}`:                                         21,
		`{users(first:null){nodes{id}}}`:                             21,
		`query($n:Int){users(first:$n){nodes{id}}}`:                  21,
		`query($n:Int=null){users(first:$n,last:null){nodes{id}}}`:   21,
		`{users(first:null,last:3){nodes{id}}}`:                      7,
		`{users(first:0){nodes{id}}}`:                                3,
		`{me{friends{nodes{id}}}}`:                                   1 + 1 + 200,
		`{me{friends(first:null){nodes{id}}}}`:                       1 + 1 + 200,
		`{users(first:null){nodes{friends(first:null){nodes{id}}}}}`: 1 + 10*(1+1+200),
	} {
		doc, errs := h.document(query)
		if errs != nil {
			t.Fatalf("%s: %v", query, errs)
		}
		if total, _ := doc.operations[0].checkCost(h.schema.Schema(), nil); total != want {
			t.Errorf("%s: costs %d, not %d", query, total, want)
		}
	}
}

const weighedSchema = `
directive @cost(weight: Int!) on FIELD_DEFINITION | INPUT_FIELD_DEFINITION
type Query { users(first: Int = 10, filter: Filter): UserConnection  usage(first: Int! = 10): [User!] @cost(weight: ` +
	`500) }
type UserConnection { nodes: [User!]! totalCount: Int! @cost(weight: 500) }
type User { id: ID! friends(first: Int = 10): UserConnection }
input Filter { search: String @cost(weight: 300) role: String inner: Filter }
`

// GQ-16: what @cost says of a field counts once for a page, and once for each entry above it; that of an input where it
// is given, in the text or in a variable.
func TestGQ16_Weights(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: weighedSchema})
	h, err := New(Config{
		Log: slog.New(slog.DiscardHandler), Admit: func(context.Context, Credential) error { return nil },
		Schema: &graphql.ExecutableSchemaMock{SchemaFunc: func() *ast.Schema { return schema }},
	})
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]any{"f": map[string]any{"search": "x"}, "none": map[string]any{"search": nil}, "s": "x"}
	for query, want := range map[string]int{
		`{users(first:100){totalCount}}`:                                 501,
		`{users{totalCount nodes{id}}}`:                                  1 + 500 + 20,
		`{users{...F}} fragment F on UserConnection{n:totalCount}`:       501,
		`{users(first:0,filter:{search:"x"}){totalCount}}`:               801,
		`{users(first:1,filter:{role:"x"}){nodes{id}}}`:                  3,
		`{users(first:1,filter:{search:null}){nodes{id}}}`:               3,
		`{users(first:1,filter:{inner:{search:"x"}}){nodes{id}}}`:        303,
		`query($f:Filter){users(first:1,filter:$f){nodes{id}}}`:          303,
		`query($none:Filter){users(first:1,filter:$none){nodes{id}}}`:    3,
		`query($s:String){users(first:1,filter:{search:$s}){nodes{id}}}`: 303,
		`{usage{id}}`:                           510,
		`{a:usage(first:1){id} b:usage{id}}`:    500 + 1 + 500 + 10,
		`{usage(first:2){friends{totalCount}}}`: 500 + 2*501,
		`{users{nodes{friends{totalCount}}}}`:   maxCost + 1,
	} {
		doc, errs := h.document(query)
		if errs != nil {
			t.Fatalf("%s: %v", query, errs)
		}
		total, refusal := doc.operations[0].checkCost(schema, given)
		if total != want || (refusal != nil) != (want > maxCost) {
			t.Errorf("%s: costs %d, not %d; %v", query, total, want, refusal)
		}
	}
}

// GQ-15: a schema with a list whose length nobody says is refused at the start.
func TestGQ15_ListSizes(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		`type Query { users: [User!] } type User { id: ID! }`:                              false,
		`type Query { user: User } type User { id: ID! friends: [User] }`:                  false,
		`type Query { user: User } interface Node { all: [User!]! } type User { id: ID! }`: false,
		`type Query { users(first: Int): [User!] } type User { id: ID! tags: [String!]! }`: true,
		`type Query { users(first: Int): UserConnection } type UserConnection { nodes: [User!]! } ` +
			`type User { id: ID! }`: true,
		`type Query { user(of: [In!]): User } type User { id: ID! } input In { all: [In!] }`: true,
		`directive @listSize(assumedSize: Int) on FIELD_DEFINITION type Query { users: [User!] ` +
			`@listSize(assumedSize: 3) } type User { id: ID! }`: true,
	} {
		err := checkListSizes(gqlparser.MustLoadSchema(&ast.Source{Input: text}))
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "give it @listSize") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// GQ-13: aliases of a mutation are fewer than those of a query, in fragments too.
func TestGQ13_MutationAliases(t *testing.T) {
	t.Parallel()
	aliased := func(n int) string {
		var all strings.Builder
		for i := range n {
			fmt.Fprintf(&all, "a%d: __typename ", i)
		}
		return all.String()
	}
	for document, ok := range map[string]bool{
		"{" + aliased(maxAliases) + "}":                                                    true,
		"{" + aliased(maxAliases+1) + "}":                                                  false,
		"mutation {" + aliased(maxMutated) + "}":                                           true,
		"mutation {" + aliased(maxMutated+1) + "}":                                         false,
		"mutation {...F ...F} fragment F on Mutation {" + aliased(maxMutated/2+1) + "}":    false,
		"query A {" + aliased(maxAliases) + "} mutation B {" + aliased(maxMutated) + "}":   true,
		"query A {" + aliased(maxMutated) + "} mutation B {" + aliased(maxMutated+1) + "}": false,
	} {
		syntax, err := parser.ParseQuery(&ast.Source{Input: document})
		if err != nil {
			t.Fatal(err)
		}
		if f := measure(syntax); (f == nil) != ok {
			t.Errorf("%.60s: %v", document, f)
		}
	}
}
