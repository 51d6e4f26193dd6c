package playground

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/web/assets"
)

// fake is a GraphQL endpoint for the tests of the page's scripts. It answers the operations of the tabs by name, and
// records the requests.
type fake struct {
	schemaHidden bool

	mu      sync.Mutex
	asked   []question
	expired string // an Authorization header that is rejected
}

type question struct {
	OperationName string
	Query         string
	Variables     struct {
		Input struct{ Email, Password, TokenDelivery, RefreshToken string }
	}
	authorization, accept, contentType, cookie string
}

// config is a server that has the documentation beside the playground.
func config() Config {
	return Config{
		Site: site.Parse("http://localhost:8080"),
		Bar: assets.Bar{Home: true, Doors: []assets.Door{
			{Name: assets.Playground, Title: "Playground", Path: "/playground"},
			{Name: assets.Docs, Title: "API docs", Path: "/docs"},
		}},
	}
}

// serve mounts the playground and the fake on one server.
func serve(t *testing.T, f *fake) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	pages := Handler(config())
	mux.Handle(assets.SharedPrefix, assets.Shared().Handler(http.NotFound))
	mux.Handle("/playground", pages)
	mux.Handle(assetPrefix, pages)
	mux.Handle("POST /graphql", f)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := question{
		authorization: r.Header.Get("Authorization"), accept: r.Header.Get("Accept"),
		contentType: r.Header.Get("Content-Type"), cookie: r.Header.Get("Cookie"),
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	f.asked = append(f.asked, q)
	expired := f.expired != "" && q.authorization == f.expired
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/graphql-response+json; charset=utf-8")
	if expired {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	_, _ = w.Write([]byte(f.answer(q)))
}

// expire makes the fake reject a token from now on.
func (f *fake) expire(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expired = "Bearer " + token
}

// last returns the latest request with that operation.
func (f *fake) last(t *testing.T, operation string) question {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.asked) - 1; i >= 0; i-- {
		if f.asked[i].OperationName == operation {
			return f.asked[i]
		}
	}
	t.Fatalf("%s was never asked", operation)
	return question{}
}

func (f *fake) answer(q question) string {
	switch q.OperationName {
	case "IntrospectionQuery":
		if f.schemaHidden {
			return `{"errors":[{"message":"introspection disabled"}]}`
		}
		return tinySchema
	case "WhoAmI":
		return whoAmI(q.authorization)
	case "Register":
		return signedIn("register", `{"accessToken":"access-1","refreshToken":"refresh-1","sessionToken":null}`)
	case "Login":
		if q.Variables.Input.TokenDelivery == "SESSION_TOKEN" {
			return signedIn("login", `{"accessToken":"access-9","refreshToken":null,"sessionToken":"session-1"}`)
		}
		return signedIn("login", `{"accessToken":"access-1","refreshToken":"refresh-1","sessionToken":null}`)
	case "Refresh":
		if q.Variables.Input.RefreshToken != "refresh-1" {
			return `{"data":{"refresh":{"tokens":null,"userErrors":[{"code":"INVALID_TOKEN"}]}}}`
		}
		return signedIn("refresh", `{"accessToken":"access-2","refreshToken":"refresh-2","sessionToken":null}`)
	case "CreateApiKey":
		return `{"data":{"createApiKey":{"secret":"sk_live_1","userErrors":[]}}}`
	case "Logout":
		return `{"data":{"logout":{"userErrors":[]}}}`
	}
	return `{"data":{"answerTo":"` + q.OperationName + `"}}`
}

func signedIn(field, tokens string) string {
	return `{"data":{"` + field + `":{"tokens":` + tokens + `,"userErrors":[]}}}`
}

func whoAmI(authorization string) string {
	token, _ := strings.CutPrefix(authorization, "Bearer ")
	switch kind, _, _ := strings.Cut(token, "-"); kind {
	case "access", "session":
		return `{"data":{"currentCredential":{"kind":"ACCESS_TOKEN"},"me":{"id":"user_1","email":"ada@example.com"}}}`
	case "sk_live_1":
		return `{"data":{"currentCredential":{"kind":"API_KEY"},"me":null},"errors":[{"message":"not ` +
			`allowed","path":["me"]}]}`
	}
	return `{"data":{"currentCredential":null,"me":null},"errors":[{"message":"The access token has expired.",` +
		`"extensions":{"code":"UNAUTHENTICATED"},"path":["me"]}]}`
}

// tinySchema is the smallest schema that GraphiQL accepts. The documents of the tabs are invalid against it, which only
// underlines them in the editor.
const tinySchema = `{"data":{"__schema":{
  "queryType":{"name":"Query"},"mutationType":null,"subscriptionType":null,"directives":[],
  "types":[
    {"kind":"SCALAR","name":"String"},
    {"kind":"SCALAR","name":"Boolean"},
    {"kind":"OBJECT","name":"Query","interfaces":[],"fields":[
      {"name":"me","description":"The signed-in person.","args":[],
       "type":{"kind":"SCALAR","name":"String"},"isDeprecated":false}]}]}}}`
