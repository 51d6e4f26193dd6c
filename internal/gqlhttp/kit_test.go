package gqlhttp

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// stub is the schema with the resolvers of a test. The embedded interfaces are nil: a field that no test needs panics.
type stub struct {
	graph.QueryResolver
	graph.MutationResolver
	graph.SessionResolver

	me    func(ctx context.Context) (*db.User, error)
	login func(ctx context.Context, in graph.LoginInput) (*graph.LoginPayload, error)
	keys  func(ctx context.Context) ([]*db.ApiKey, error)
	key   func(ctx context.Context, in graph.CreateAPIKeyInput) (*graph.CreateAPIKeyPayload, error)
}

type (
	queries   struct{ *stub }
	mutations struct{ *stub }
)

func (s *stub) Query() graph.QueryResolver       { return queries{s} }
func (s *stub) Mutation() graph.MutationResolver { return mutations{s} }
func (s *stub) Session() graph.SessionResolver   { return s }
func (s *stub) User() graph.UserResolver         { return nil }

func (q queries) Me(ctx context.Context) (*db.User, error) { return q.me(ctx) }

func (q queries) Keys(ctx context.Context) ([]*db.ApiKey, error) { return q.keys(ctx) }

func (q queries) Session(context.Context, *string, *int) (*db.Session, error) { return nil, nil }

func (q queries) User(context.Context, string) (*db.User, error) { return nil, nil }

func (q queries) Sessions(context.Context) ([]*db.Session, error) { return nil, nil }

func (q queries) CurrentCredential(context.Context) (*graph.Credential, error) { return nil, nil }

func (q queries) ServerInfo(context.Context) (*graph.ServerInfo, error) {
	return &graph.ServerInfo{Version: "1", AuthMethods: []db.AuthMethod{}, PasswordPolicy: &graph.PasswordPolicy{}}, nil
}

func (m mutations) Login(ctx context.Context, in graph.LoginInput) (*graph.LoginPayload, error) {
	return m.login(ctx, in)
}

func (m mutations) CreateAPIKey(ctx context.Context, in graph.CreateAPIKeyInput) (*graph.CreateAPIKeyPayload, error) {
	return m.key(ctx, in)
}

func (mutations) Register(context.Context, graph.RegisterInput) (*graph.RegisterPayload, error) {
	return nil, nil
}

func (mutations) Refresh(context.Context, graph.RefreshInput) (*graph.LoginPayload, error) {
	return nil, nil
}

func (mutations) Logout(context.Context, *graph.LogoutInput) (*graph.BasicPayload, error) {
	return nil, nil
}

func (mutations) RevokeSession(context.Context, graph.RevokeSessionInput) (*graph.RevokeSessionPayload, error) {
	return nil, nil
}

func (mutations) RevokeOtherSessions(context.Context) (*graph.RevokeOtherSessionsPayload, error) {
	return nil, nil
}

func (mutations) DeleteAPIKey(context.Context, graph.DeleteAPIKeyInput) (*graph.DeleteAPIKeyPayload, error) {
	return nil, nil
}

// kit is a running server, its log and its calls.
type kit struct {
	t       testing.TB
	handler *Handler
	url     string
	stub    *stub

	mu     sync.Mutex
	log    bytes.Buffer
	admits []string
	refuse error // of Admit
	runs   int   // of login
}

func (k *kit) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.log.Write(p)
}

func (k *kit) logged() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.log.String()
}

// pass lets everybody in. It asks for admission for the mutations that no test is about; login does so itself.
func pass(ctx context.Context, _ any, next graphql.Resolver) (any, error) {
	mutation := graphql.GetOperationContext(ctx).Operation.Operation == ast.Mutation
	if mutation && graphql.GetFieldContext(ctx).Field.Name != "login" {
		if err := limit.Enter(ctx); err != nil {
			return nil, err
		}
	}
	return next(ctx)
}

// newKit starts a server whose resolvers return no data. A test may set other resolvers before its first request.
func newKit(t testing.TB, change ...func(*Config)) *kit {
	k := &kit{t: t}
	k.stub = &stub{
		me:   func(context.Context) (*db.User, error) { return nil, nil },
		keys: func(context.Context) ([]*db.ApiKey, error) { return nil, nil },
		key: func(context.Context, graph.CreateAPIKeyInput) (*graph.CreateAPIKeyPayload, error) {
			return &graph.CreateAPIKeyPayload{UserErrors: []*graph.UserError{}}, nil
		},
		login: func(ctx context.Context, _ graph.LoginInput) (*graph.LoginPayload, error) {
			if err := limit.Enter(ctx); err != nil {
				return nil, err
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			k.runs++
			return &graph.LoginPayload{UserErrors: []*graph.UserError{}}, nil
		},
	}
	cfg := Config{
		Introspection: true,
		Log:           slog.New(slog.NewTextHandler(k, nil)),
		Schema: graph.NewExecutableSchema(graph.Config{
			Resolvers: k.stub,
			Directives: graph.DirectiveRoot{
				Public: pass,
				RequiresAuth: func(ctx context.Context, _ any, next graphql.Resolver, _ *db.Permission) (any, error) {
					return pass(ctx, nil, next)
				},
			},
		}),
		Admit: func(_ context.Context, c Credential) error {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.admits = append(k.admits, c.Field)
			return k.refuse
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	handler, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	k.handler = handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit.Visit{RequestID: "req_1"}
		v.SetHeader("X-From-Visit", "yes")
		handler.ServeHTTP(w, r.WithContext(visit.With(r.Context(), v)))
	}))
	t.Cleanup(server.Close)
	k.url = server.URL
	return k
}

// reply is an answer as a client sees it.
type reply struct {
	*http.Response
	text   string
	Data   stdjson.RawMessage `json:"data"`
	Errors []struct {
		Message    string           `json:"message"`
		Path       []any            `json:"path"`
		Locations  []map[string]int `json:"locations"`
		Extensions map[string]any   `json:"extensions"`
	} `json:"errors"`
}

func (r reply) code() any {
	if len(r.Errors) == 0 {
		return nil
	}
	return r.Errors[0].Extensions["code"]
}

// send makes one request; header is pairs of name and value.
func (k *kit) send(method, path, body string, header ...string) reply {
	k.t.Helper()
	req, err := http.NewRequest(method, k.url+path, strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		k.t.Fatal(err)
	}
	out := reply{Response: res, text: string(text)}
	if err := stdjson.Unmarshal(text, &out); err != nil && method != http.MethodHead {
		k.t.Fatalf("%v in %s", err, text)
	}
	return out
}

// body posts a raw body, asking for the media type of the GraphQL-over-HTTP specification.
func (k *kit) body(body string) reply {
	k.t.Helper()
	return k.send("POST", "/graphql", body, "Content-Type", "application/json", "Accept", graphqlResponse)
}

func (k *kit) post(query string, variables ...any) reply {
	k.t.Helper()
	params := map[string]any{"query": query}
	if len(variables) > 0 {
		params["variables"] = variables[0]
	}
	text, err := stdjson.Marshal(params)
	if err != nil {
		k.t.Fatal(err)
	}
	return k.body(string(text))
}

// alive fails the test unless the server still answers a good query.
func (k *kit) alive() {
	k.t.Helper()
	if got := k.post(`{serverInfo{version}}`); got.text != `{"data":{"serverInfo":{"version":"1"}}}`+"\n" {
		k.t.Fatalf("the server no longer answers a good query: %d %s", got.StatusCode, got.text)
	}
}

// within fails the test if f takes longer than a hostile request may. The bound allows for slow and busy machines.
func within(t testing.TB, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > 500*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func file(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func quote(s string) string {
	text, _ := stdjson.Marshal(s)
	return string(text)
}
