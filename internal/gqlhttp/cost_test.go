package gqlhttp

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/internal/strictjson"
)

const pagedSchema = `
type Query { users(first: Int = 10, last: Int): Users  me: User }
type Users { nodes: [User!]! }
type User { id: ID! friends(first: Int): Users }
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
			`{users(first:100){...A}} fragment A on Users{nodes{...{friends(first:100){nodes{id}}}}}`,
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
		got, f := coerce(h.schema.Schema(), doc.operations[0], value.(map[string]any))
		if (f != nil) != (want == "") || f == nil && fmt.Sprint(got) != want {
			t.Errorf("%s: %v %v", given, got, f)
		}
	}
}
