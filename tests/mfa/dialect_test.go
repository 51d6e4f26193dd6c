package mfa

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// ownFiles were written before there were second factors: none names a challenge.
var ownFiles = map[string]string{
	"plain.yaml": `dialect: plain
title: Plain
mounts: [/plain]
cookies: {session: {}}
errors:
  body: {fault: {text: =.message, kind: =.code}}
routes:
  - route: POST /in
    accepts: [json]
    fields: {email: string!, password: string!}
    variables: {input: '=.params | {email, password}'}
    document: |
      mutation In($input: LoginInput!) {
        ...all
      }
      fragment all on Mutation {
        login(input: $input) { tokens { accessToken } userErrors { code message retryAfterSeconds } }
      }
    cookies: {session: =.login.tokens.accessToken // "none"}
    body: =.login
    errors: &rows
      BAD_USER_INPUT: {status: 400}
      INVALID_INPUT: {status: 400}
      INVALID_CREDENTIALS: {status: 400}
      EMAIL_NOT_VERIFIED: {status: 400}
      NOT_FOUND: {status: 400}
      ACCOUNT_LOCKED: {status: 429}
`,
	"bare.yaml": `dialect: bare
title: Bare
mounts: [/bare]
errors:
  INTERNAL_SERVER_ERROR: &no {status: 400, text: "no"}
  MALFORMED_REQUEST: *no
  UNSUPPORTED_MEDIA_TYPE: *no
  BODY_TOO_LARGE: *no
  UNKNOWN_ROUTE: *no
  METHOD_NOT_ALLOWED: *no
  CROSS_SITE: *no
  RATE_LIMITED: *no
  SERVICE_UNAVAILABLE: *no
  BAD_USER_INPUT: *no
  INVALID_INPUT: *no
  INVALID_CREDENTIALS: *no
  EMAIL_NOT_VERIFIED: *no
  NOT_FOUND: *no
  ACCOUNT_LOCKED: *no
routes:
  - route: POST /in
    accepts: [json]
    fields: {email: string!, password: string!}
    variables: {input: '=.params | {email, password}'}
    document: |
      mutation In($input: LoginInput!) {
        login(input: $input) { tokens { accessToken } userErrors { code message retryAfterSeconds } }
      }
    text: =.login.tokens.accessToken // "in"
`,
}

// MF-05: the files of operators that know of no second factors answer a sign-in of an account with one by a
// refusal in their own form, with a challenge that GraphQL answers: no token and no cookie of a session.
func TestMF05_OwnFiles(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		dir := t.TempDir()
		for name, text := range ownFiles {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := harness.Start(t, dsn, "DRAGOMAN_DIALECTS_DIR="+dir, "DRAGOMAN_DIALECTS=plain,bare")
		ada := s.Register(t, "ada@example.com")
		in := fmt.Sprintf(`{"email":%q,"password":%q}`, ada.Email, harness.GoodPass)
		if r := s.Ask(t, "POST /plain/in", in); r.Status != http.StatusOK || strings.Contains(r.Body, "hallenge") {
			t.Errorf("without a factor: %d %s", r.Status, r.Body)
		}
		app := s.Enrols(t, ada.Access)
		for path, want := range map[string]string{
			"/plain/in": `{"fault":{"text":"A second factor is needed to sign in.","kind":"mfa_required"},` +
				`"code":"mfa_required","challenge":{"token":`,
			"/bare/in": `{"message":"A second factor is needed to sign in.","code":"mfa_required","challenge":{"token":`,
		} {
			r := s.Ask(t, "POST "+path, in)
			if r.Status != http.StatusForbidden || !strings.HasPrefix(r.Body, want) {
				t.Errorf("%s: %d %s", path, r.Status, r.Body)
			}
			noTokens(t, r)
			a := harness.Fine(t, s.Answers(t, challengeIn(t, r.Body), s.NextCode(t, app)))
			if !s.Is(t, a.Text("verifyMfa", "tokens", "accessToken"), ada) {
				t.Error(a.Raw)
			}
		}
	})
}

// shippedSignIns are the ways in of the dialects that come with the server.
var shippedSignIns = []struct{ route, body, says string }{
	{"POST /api/v1/auth/login", `{"username":"ada@example.com","password":"PASS"}`, `"error":"A second factor`},
	{"POST /sign_in", `{"email":"ada@example.com","password":"PASS"}`, `"error":"A second factor`},
	{
		"POST /v1/auth/login", `{"data":{"type":"users","attributes":{"email":"ada@example.com","password":"PASS"}}}`,
		`"message":"A second factor`,
	},
	{"POST /login", `{"email":"ada@example.com","password":"PASS"}`, `"message":"A second factor`},
	{"POST /auth/login", `{"email":"ada@example.com","password":"PASS"}`, `"error":"A second factor`},
}

// MF-05: no dialect that comes with the server gives tokens without the factor of the account, nor where the account
// must get one first; its refusal has a challenge that GraphQL answers.
func TestMF05_ShippedDialects(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=off", "DRAGOMAN_MFA=required", "DRAGOMAN_DIALECTS=all")
		harness.Fine(t, s.GraphQL(t, "", harness.RegisterDoc,
			harness.InputOf("email", "ada@example.com", "password", harness.GoodPass, "signIn", false)))
		var challenge string
		for _, row := range shippedSignIns {
			r := s.Ask(t, row.route, strings.ReplaceAll(row.body, "PASS", harness.GoodPass))
			noTokens(t, r)
			if r.Status != http.StatusForbidden || !strings.Contains(r.Body, row.says) ||
				!strings.Contains(r.Body, `"enrolmentRequired":true`) {
				t.Errorf("%s: %d %s", row.route, r.Status, r.Body)
			}
			challenge = challengeIn(t, r.Body)
		}
		app, _ := s.EnrolsBy(t, challenge)
		for _, row := range shippedSignIns {
			r := s.Ask(t, row.route, strings.ReplaceAll(row.body, "PASS", harness.GoodPass))
			noTokens(t, r)
			if found := challengeToken.FindString(r.Body); found == "" {
				t.Errorf("%s: %d %s", row.route, r.Status, r.Body)
			} else {
				harness.Fine(t, s.Answers(t, found, s.NextCode(t, app)))
			}
		}
	})
}

var challengeToken = regexp.MustCompile(`mc1\.[A-Za-z0-9_.-]+`)

// noTokens demands an answer without any credential but that of a challenge.
func noTokens(t *testing.T, r harness.Reply) {
	t.Helper()
	if cookies := harness.OwnCookies(r.Header); len(cookies) > 0 || r.Header.Get("X-Session-Token") != "" ||
		strings.Contains(r.Body, "eyJ") || strings.Contains(r.Body, "rt1.") || strings.Contains(r.Body, "st1.") {
		t.Errorf("%s gives tokens: %v %s", r.Asked, r.Header, r.Body)
	}
}

// challengeIn is the token of the challenge in an answer.
func challengeIn(t *testing.T, body string) string {
	t.Helper()
	var told struct {
		Challenge struct {
			Token   string   `json:"token"`
			Methods []string `json:"methods"`
		} `json:"challenge"`
	}
	if err := json.Unmarshal([]byte(body), &told); err != nil || told.Challenge.Token == "" {
		t.Fatalf("no challenge: %s", body)
	}
	return told.Challenge.Token
}
