package gqlhttp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// Admission is asked for by the field, and a field that is not admitted does nothing.
func TestAdmitIsAskedBeforeAFieldActs(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.post(`mutation{` + login + `}`)
	k.post(`mutation A{...F} mutation B{` + login + `} fragment F on Mutation{x:` + login + `}`)
	if got := k.post(`{me{id}}`); got.Errors != nil || !slices.Equal(k.admits, []string{"login"}) || k.runs != 1 {
		t.Errorf("admitted %v, ran %d times, %s", k.admits, k.runs, got.text)
	}
	tests := map[string]struct {
		err        error
		status     int
		code, wait string
	}{
		"limited":      {fault.Wait(fault.RateLimited, "Wait.", 2*time.Second), 429, "RATE_LIMITED", "2"},
		"busy":         {fault.Wait(fault.Unavailable, "Busy.", time.Second), 503, "RATE_LIMITED", "1"},
		"without time": {fault.New(fault.Unavailable, "Busy."), 503, "RATE_LIMITED", "1"},
		"internal":     {errors.New("the counter is gone"), 200, "INTERNAL_SERVER_ERROR", ""},
	}
	for name, tt := range tests {
		for _, accept := range []string{plainJSON, graphqlResponse} {
			k.refuse = tt.err
			body := `{"query":` + quote(`mutation{`+login+` revokeOtherSessions{revokedCount}}`) + `}`
			got := k.send("POST", "/", body, "Content-Type", "application/json", "Accept", accept)
			if got.StatusCode != tt.status || got.code() != tt.code || got.Header.Get("Retry-After") != tt.wait ||
				strings.Contains(got.text, `"data"`) != (tt.status == 200) || strings.Contains(got.text, "counter") {
				t.Errorf("%s: %d %v %s", name, got.StatusCode, got.Header, got.text)
			}
		}
	}
	if k.runs != 1 {
		t.Errorf("ran %d times", k.runs)
	}
}

// LG-35: a field that was admitted and then found the server too busy is told of, so that its try is given back; one
// that was refused, or failed otherwise, is not.
func TestLG35_Unserved(t *testing.T) {
	t.Parallel()
	var told []string
	k := newKit(t, func(c *Config) {
		c.Unserved = func(_ context.Context, c Credential) { told = append(told, c.Field+" "+c.Limit) }
	})
	busy := fault.Wait(fault.Unavailable, "Busy.", time.Second)
	for name, tt := range map[string]struct {
		refuse, fails error
		want          int
	}{
		"busy": {nil, busy, 1}, "wrapped": {nil, fmt.Errorf("wait: %w", busy), 1}, "refused": {busy, nil, 0},
		"served": {nil, nil, 0}, "wrong": {nil, fault.New(fault.Forbidden, "No."), 0},
		"internal": {nil, errors.New("lost"), 0},
	} {
		told, k.refuse = nil, tt.refuse
		k.stub.login = func(ctx context.Context, _ graph.LoginInput) (*graph.LoginPayload, error) {
			if err := limit.Enter(ctx); err != nil {
				return nil, err
			}
			return &graph.LoginPayload{UserErrors: []*graph.UserError{}}, tt.fails
		}
		k.post(`mutation{` + login + `}`)
		if len(told) != tt.want || tt.want == 1 && told[0] != "login login" {
			t.Errorf("%s: %q", name, told)
		}
	}
}

// LG-26, LG-36: a field that is refused before it asks is counted apart, and one that took effect without asking is a
// mistake of ours. What proves nothing is refused for that count; an input that was judged keeps its answer.
func TestLG26_RefusedIsCounted(t *testing.T) {
	t.Parallel()
	var counted []string
	var most error
	over := fault.Wait(fault.RateLimited, "Wait.", 9)
	k := newKit(t, func(c *Config) {
		c.Refused = func(_ context.Context, field string) error {
			counted = append(counted, field)
			return most
		}
	})
	answer, answerErr := &graph.LoginPayload{}, error(nil)
	forged := false
	k.stub.login = func(ctx context.Context, _ graph.LoginInput) (*graph.LoginPayload, error) {
		if forged {
			limit.Worthless(ctx)
		}
		return answer, answerErr
	}
	refusal := []*graph.UserError{{Code: graph.ErrorCodeInvalidInput, Message: "No."}}
	for name, c := range map[string]struct {
		payload   *graph.LoginPayload
		err, most error
		counts    int
		status    int
		code      any
	}{
		"by data":      {&graph.LoginPayload{UserErrors: refusal}, nil, nil, 1, 200, nil},
		"by an error":  {nil, fault.New(fault.Unauthenticated, "Sign in."), nil, 1, 200, "UNAUTHENTICATED"},
		"internal":     {nil, errors.New("gone"), nil, 0, 200, "INTERNAL_SERVER_ERROR"},
		"took effect":  {&graph.LoginPayload{UserErrors: refusal[:0]}, nil, nil, 0, 200, "INTERNAL_SERVER_ERROR"},
		"over a limit": {&graph.LoginPayload{UserErrors: refusal}, nil, over, 1, 200, nil},
		"forged, over": {&graph.LoginPayload{UserErrors: refusal}, nil, over, 1, 429, "RATE_LIMITED"},
	} {
		answer, answerErr, most, counted = c.payload, c.err, c.most, nil
		forged = name == "forged, over"
		got := k.post(`mutation{` + login + `}`)
		if len(counted) != c.counts || got.StatusCode != c.status || got.code() != c.code {
			t.Errorf("%s: counted %v, %d %s", name, counted, got.StatusCode, got.text)
		}
	}
	if len(k.admits) != 0 {
		t.Errorf("admitted %v", k.admits)
	}
}

func TestDo(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	doc, err := k.handler.Document(`mutation($e:String!,$p:String!){a:login(input:{email:$e,` +
		`password:$p}){userErrors{code message retryAfterSeconds}}}`)
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		A struct {
			UserErrors []struct{ Code string } `json:"userErrors"`
		} `json:"a"`
	}
	variables := map[string]any{"e": "a", "p": "b"}
	if err := k.handler.Do(t.Context(), doc, variables, &out); err != nil || out.A.UserErrors == nil {
		t.Errorf("%v %+v", err, out)
	}
	if !slices.Equal(k.admits, []string{"login"}) || k.runs != 1 {
		t.Errorf("admitted %v, ran %d times", k.admits, k.runs)
	}
	k.refuse = fault.Wait(fault.RateLimited, "Wait.", time.Second)
	err = k.handler.Do(t.Context(), doc, variables, &out)
	if f := fault.From(err); f == nil || f.Code != fault.RateLimited || f.RetrySeconds() != 1 {
		t.Errorf("Admit: %v", err)
	}
	k.refuse = nil
	for name, bad := range map[string]map[string]any{
		"type": {"e": 1, "p": "b"}, "missing": {"e": "a"}, "NUL": {"e": "a\x00", "p": "b"},
		"UTF-8": {"e": "a\xff", "p": "b"}, "depth": {"e": deep(40), "p": "b"},
		"channel": {"e": make(chan int), "p": "b"},
	} {
		if err := k.handler.Do(t.Context(), doc, bad, &out); err == nil ||
			fault.Is(err, fault.BadUserInput) == (name == "channel") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// deep nests lists.
func deep(levels int) any {
	var v any
	for range levels {
		v = []any{v}
	}
	return v
}

func TestDoKeepsTheCause(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	cause := errors.New("no such row")
	k.stub.keys = keysFailing(cause)
	doc, err := k.handler.Document(`{keys{id} serverInfo{version}}`)
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	err = k.handler.Do(t.Context(), doc, nil, &raw)
	if !errors.Is(err, cause) || fault.From(err) != nil || strings.Contains(err.Error(), "row") {
		t.Errorf("internal: %v", err)
	}
	if raw["serverInfo"] == nil || raw["keys"] != nil {
		t.Errorf("partial data: %v", raw)
	}
	k.stub.keys = keysFailing(fault.New(fault.Unauthenticated, "Sign in."))
	if err := k.handler.Do(t.Context(), doc, nil, nil); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("refusal: %v", err)
	}
}

func keysFailing(err error) func(context.Context) ([]*db.ApiKey, error) {
	return func(context.Context) ([]*db.ApiKey, error) { return nil, err }
}

func TestNewWantsEverything(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{Admit: func(context.Context, Credential) error { return nil }}); err == nil {
		t.Error("made a handler without a schema")
	}
}
