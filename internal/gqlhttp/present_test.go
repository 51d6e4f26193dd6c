package gqlhttp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// Each result of a resolver, with its answer and its log entry.
func TestPresenter(t *testing.T) {
	t.Parallel()
	const internal = `"extensions":{"code":"INTERNAL_SERVER_ERROR","requestId":"req_1"}}],"data":{"me":null}`
	tests := map[string]struct {
		err    error
		answer string // a part of it
		status int
		log    string // a part of it
	}{
		"unauthenticated": {
			fault.New(fault.Unauthenticated, "Sign in first."),
			`{"errors":[{"message":"Sign in first.","path":["me"],"locations":[{"line":1,"column":2}],` +
				`"extensions":{"code":"UNAUTHENTICATED"}}],"data":{"me":null}}`, 200, "",
		},
		"wrapped": {
			fmt.Errorf("me: %w", fault.New(fault.Forbidden, "Not yours.")),
			`"extensions":{"code":"FORBIDDEN"}`, 200, "",
		},
		"limited": {
			fault.Wait(fault.RateLimited, "Slow down.", 1500*time.Millisecond),
			`"extensions":{"code":"RATE_LIMITED","retryAfterSeconds":2}}]}`, 429, "",
		},
		"busy": {
			fault.Wait(fault.Unavailable, "Busy.", time.Second),
			`"extensions":{"code":"RATE_LIMITED","retryAfterSeconds":1}}]}`, 503, "",
		},
		"internal":         {errors.New("pq: column " + secret), internal, 200, "pq: column"},
		"wrapped internal": {fmt.Errorf("db: %w", context.DeadlineExceeded), internal, 200, "deadline exceeded"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			k.stub.me = func(context.Context) (*db.User, error) { return nil, tt.err }
			got := k.post(`{me{id}}`)
			if got.StatusCode != tt.status || !strings.Contains(got.text, tt.answer) ||
				strings.Contains(got.text, secret) {
				t.Errorf("got %d %s", got.StatusCode, got.text)
			}
			if (tt.status == 429 || tt.status == 503) && got.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			if (tt.log == "") != (k.logged() == "") || strings.Count(k.logged(), "\n") > 1 ||
				!strings.Contains(k.logged(), tt.log) {
				t.Errorf("logged %q", k.logged())
			}
			if tt.log != "" && !strings.Contains(k.logged(), "level=ERROR") || tt.log != "" &&
				!strings.Contains(k.logged(), "request_id=req_1") {
				t.Errorf("logged %q", k.logged())
			}
		})
	}
}

func TestPanicsAreInternal(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.stub.me = func(context.Context) (*db.User, error) { panic("at " + secret) }
	got := k.post(`{me{id} serverInfo{version}}`)
	if got.StatusCode != 200 || got.code() != "INTERNAL_SERVER_ERROR" || strings.Contains(got.text, secret) ||
		!strings.Contains(got.text, `"version":"1"`) {
		t.Errorf("got %d %s", got.StatusCode, got.text)
	}
	if !strings.Contains(k.logged(), "panic: at") || !strings.Contains(k.logged(), "stack=") ||
		strings.Count(k.logged(), "level=") != 1 {
		t.Errorf("logged %q", k.logged())
	}
	// A panic on nil, and one outside of any resolver.
	k.stub.keys = nil
	if got := k.post(`{keys{id}}`); got.code() != "INTERNAL_SERVER_ERROR" {
		t.Errorf("got %s", got.text)
	}
	admits := func(c *Config) { c.Admit = func(context.Context, Credential) error { panic(secret) } }
	executes := func(c *Config) { c.Schema = panicking{c.Schema} }
	for status, broken := range map[int]*kit{200: newKit(t, admits), 500: newKit(t, executes)} {
		if got := broken.post(`mutation{` + login + `}`); got.StatusCode != status ||
			(got.Data == nil) != (status == 500) ||
			got.code() != "INTERNAL_SERVER_ERROR" || strings.Contains(got.text, secret) {
			t.Errorf("got %d %s", got.StatusCode, got.text)
		}
	}
	k.alive()
}

// panicking is a schema whose execution panics.
type panicking struct{ graphql.ExecutableSchema }

// Exec is graphql.ExecutableSchema.
func (panicking) Exec(context.Context) graphql.ResponseHandler { panic("execute") }

// The message of a scalar from a library is not shown, because it may quote the value.
func TestRefusedArgument(t *testing.T) {
	t.Parallel()
	h := pagedHandler(t)
	field := &ast.Field{
		Alias:      "a",
		Definition: &ast.FieldDefinition{Arguments: ast.ArgumentDefinitionList{{Name: "in"}}},
	}
	ctx := graphql.WithFieldContext(t.Context(), &graphql.FieldContext{Field: graphql.CollectedField{Field: field}})
	below := ast.Path{ast.PathName("a"), ast.PathName("in"), ast.PathName("when")}
	const generic = "It does not have the form that its type asks for."
	for want, err := range map[string]error{
		`The argument "in.when" is not accepted. ` + generic: gqlerror.WrapPath(below, errors.New(secret)),
		"An argument is not accepted. " + generic:            errors.New(secret),
		"An argument is not accepted. No date.":              fault.New(fault.InvalidInput, "No date."),
	} {
		got := h.present(ctx, err)
		if got.Message != want || got.Extensions["code"] != fault.BadUserInput || got.Path.String() != "a" {
			t.Errorf("%+v", got)
		}
	}
}

func TestAtMostTenErrors(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.stub.me = func(context.Context) (*db.User, error) { return nil, fault.New(fault.Forbidden, "No.") }
	if got := k.post("{" + numbered(30, "a%d:me{id} ") + "}"); len(got.Errors) != maxErrors {
		t.Errorf("%d errors", len(got.Errors))
	}
}

// A limit in an answer with data is an error of its field, not a 429.
func TestLimitBesideData(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.stub.me = func(context.Context) (*db.User, error) {
		return nil, fault.Wait(fault.RateLimited, "Wait.", time.Second)
	}
	if got := k.post(`{me{id} serverInfo{version}}`); got.StatusCode != 200 || got.code() != "RATE_LIMITED" ||
		got.Data == nil || got.Header.Get("Retry-After") != "" {
		t.Errorf("got %d %s", got.StatusCode, got.text)
	}
	if got := k.send("POST", "/", `{"query":"{me{id} keys{id}}"}`, "Content-Type",
		"application/json"); got.StatusCode != 429 || got.Data != nil {
		t.Errorf("got %d %s", got.StatusCode, got.text)
	}
}

// A request that its caller canceled is not logged as an error.
func TestHangingUp(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	ctx, cancel := context.WithCancel(t.Context())
	k.stub.me = func(ctx context.Context) (*db.User, error) {
		cancel()
		return nil, fmt.Errorf("query: %w", ctx.Err())
	}
	doc, err := k.handler.Document(`{me{id}}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.handler.Do(ctx, doc, nil, nil); !errors.Is(err, context.Canceled) || k.logged() != "" {
		t.Errorf("%v, logged %q", err, k.logged())
	}
}

// A password in an invalid document appears in no answer and in no log, whatever rule the document breaks.
func TestNothingIsEchoed(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.stub.login = func(context.Context, graph.LoginInput) (*graph.LoginPayload, error) {
		return nil, errors.New("the database is down")
	}
	const s = `"` + secret + `"`
	queries := []string{
		`mutation{login(input:{password:` + s + `}){userErrors{code}}`,
		`mutation{login(input:{password:` + s + ` ` + s + `}){userErrors{code}}}`,
		`mutation{login(input:{password:"` + secret + `}){userErrors{code}}}`,
		`mutation{login(input:{password:"""` + secret + `}){userErrors{code}}}`,
		`mutation{login(input:{password:"` + secret + `\q"}){userErrors{code}}}`,
		`mutation{login(input:{password:` + s + `}){nothing}}`,
		`mutation{login(input:{password:` + s + `}) nothing}`,
		`mutation{login(input:{password:` + s + `})}`,
		`mutation{login(input:` + s + `){userErrors{code}}}`,
		`mutation{login(input:[` + s + `]){userErrors{code}}}`,
		`mutation{login(input:{password:[` + s + `]}){userErrors{code}}}`,
		`mutation{login(input:{password:{a:` + s + `}}){userErrors{code}}}`,
		`mutation{login(input:{password:` + s + `,password:` + s + `}){userErrors{code}}}`,
		`mutation{login(input:{password:"a",tokenDelivery:` + s + `}){userErrors{code}}}`,
		`mutation{login(input:{password:hunter2canary}){userErrors{code}}}`,
		`mutation{login(input:{password:123456789}){userErrors{code}}}`,
		`mutation{login(input:{pasword:` + s + `}){userErrors{code}}}`,
		`mutation{login(inputs:{password:` + s + `}){userErrors{code}}}`,
		`mutation{login(input:{password:` + s + `},input:{password:` + s + `}){userErrors{code}}}`,
		`mutation{login(input:{password:` + s + `}){userErrors{code}} login(input:{password:"b"}){userErrors{code}}}`,
		`mutation{login(input:{password:` + s + `}){userErrors{code}} a:login(input:{password:"b"}){userErrors{code}}}`,
		`mutation{login(input:{password:` + s + `}){userErrors{code}}}`,
		`mutation($i:LoginInput!){login(input:$i){userErrors{code}}}`,
		`mutation($i:LoginInput={password:` + s + `,a:1}){login(input:$i){userErrors{code}}}`,
		`mutation($i:Int=` + s + `){login(input:{password:$i}){userErrors{code}}}`,
		`query($b:Boolean=` + s + `){me{id @include(if:$b)}}`,
		`{me{id @include(if:` + s + `)}}`,
		`{me{id @nothing(if:` + s + `)}}`,
		`mutation{createApiKey(input:{expiresAt:` + s + `}){secret}}`,
		`mutation{createApiKey(input:{scopes:[` + s + `]}){secret}}`,
		`mutation{createApiKey(input:{scopes:[hunter2canary]}){secret}}`,
		`{session(number:` + s + `){id}}`,
	}
	for _, query := range queries {
		got := k.post(query, map[string]any{"i": secret, "b": secret})
		if got.Errors == nil {
			t.Errorf("%s: %s", query, got.text)
		}
		for _, value := range []string{secret, "hunter2canary", "123456789"} {
			if strings.Contains(got.text, value) || strings.Contains(k.logged(), value) {
				t.Errorf("%s: %s\n%s", query, got.text, k.logged())
			}
		}
	}
}
