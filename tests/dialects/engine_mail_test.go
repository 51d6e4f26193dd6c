package dialects

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// The engine where mails come into it: the landings of a dialect, and the token of a mail in the place of a credential.

const mailingDialect = `dialect: own
title: Own API
mounts: [/own]
cookies: {c: {names: [c1]}}
credentials: [bearer, cookie c]
mails:
  verifyEmail: {landing: ["/own/verify/{token}", "/own/verify?v={token}"], ttl: 48h}
  resetPassword: {landing: "/web/reset?mail={email}&token={token}&from=mail"}
  signIn: {landing: "/own/in?token={token}"}
  changeEmail: {landing: "/own/change/{token}"}
errors:
  body: {error: =.code, problem: =.problem}
  UNAUTHENTICATED: {status: 401}
  FORBIDDEN: {status: 403}
  CONFLICT: {status: 409}
  INVALID_TOKEN: {status: 401}
  TOKEN_REUSED: {status: 401}
routes:
  - route: GET /verify/{token}
    changesState: true
    document: |
      mutation Out { logout { userErrors { code message } } }
    body: {program: true}
  - route: GET /in
    body: {program: true}
  - route: PUT /change/{token}
    accepts: []
    body: {program: =$request.params.token}
  - route: POST /who
    accepts: [json]
    document: |
      query Me { me { email } }
    outcomes:
      - {when: .me == null, error: UNAUTHENTICATED}
    body: {email: =.me.email}
    errors:
      CONFLICT: {status: 418}
    variants:
      - when: .mailedToken
        checks:
          - {when: .params.no, error: CONFLICT}
        variables: {}
        document: |
          query Nobody { me { email } currentCredential { kind } }
        status: 202
        body: {mailed: =$request.mailedToken, who: =.me, params: =$request.params}
      - when: .params.second
        body: {second: true}
`

// OT-13, OT-14, OT-18: who follows a link in a browser comes to our page, with the token where browsers send it to
// nobody.
func TestOT14_EngineLandings(t *testing.T) {
	t.Parallel()
	s := speak(t, dbtest.SQLite(t), mailingDialect, "DRAGOMAN_PUBLIC_URL=https://auth.example.com")
	page := "https://auth.example.com/account/"
	navigation := []string{
		"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document",
		"Accept", "text/html",
	}
	older := []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}
	prefetch := []string{"Purpose", "prefetch", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin"}
	program := []string{"Accept", "*/*"}
	for _, x := range []struct {
		name, route string
		header      []string
		status      int
		location    string
	}{
		{"a navigation", "GET /own/verify/ot1.a", navigation, 303, page + "verify-email#token=ot1.a"},
		{"an older browser", "GET /own/verify/ot1.a", older, 303, page + "verify-email#token=ot1.a"},
		{"a second landing", "GET /own/verify?v=ot1.a", program, 303, page + "verify-email#token=ot1.a"},
		{
			"a navigation that says no more", "GET /own/verify/ot1.a",
			[]string{"Sec-Fetch-Mode", "navigate", "Accept", "*/*"},
			303, page + "verify-email#token=ot1.a",
		},
		{
			"a script that asks for HTML", "GET /own/verify/ot1.a", []string{
				"Accept", "text/html", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin",
			}, 303, page + "verify-email#token=ot1.a",
		},
		{
			"a frame", "GET /own/verify/ot1.a", []string{
				"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site",
			}, 403, "",
		},
		{"a prefetch", "GET /own/verify/ot1.a", prefetch, 303, page + "verify-email#token=ot1.a"},
		{"HEAD of a route that changes state", "HEAD /own/verify/ot1.a", navigation, 405, ""},
		{"a program", "GET /own/verify/ot1.a", program, 401, ""},
		{"an image", "GET /own/verify/ot1.a", []string{"Sec-Fetch-Dest", "image", "Accept", "image/*"}, 403, ""},
		{"a token of other letters", "GET /own/in?token=a%2Fb%23%22%0d%0aX", navigation, 303, page +
			"sign-in#token=a%2Fb%23%22%0D%0AX"},
		{
			"a host of the caller's", "GET /own/verify/ot1.a",
			append([]string{"X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example"}, navigation...), 303,
			page + "verify-email#token=ot1.a",
		},
		{"no route, a navigation", "GET /web/reset?mail=a%40b&token=ot1.a&from=mail", navigation, 303, page +
			"reset-password#token=ot1.a"},
		{"no route, a program", "GET /web/reset?token=ot1.a", program, 303, page + "reset-password#token=ot1.a"},
		{"no route, HEAD", "HEAD /web/reset?token=ot1.a", program, 303, page + "reset-password#token=ot1.a"},
		{"no route, no token", "GET /web/reset", navigation, 404, ""},
		{"no route, an empty token", "GET /web/reset?token=", program, 404, ""},
		{"no route, POST", "POST /web/reset?token=ot1.a", program, 405, ""},
		{"a parameter, a navigation", "GET /own/in?token=ot1.a", navigation, 303, page + "sign-in#token=ot1.a"},
		{"a parameter, a program", "GET /own/in?token=ot1.a", program, 200, ""},
		{"a parameter, and no token", "GET /own/in", navigation, 200, ""},
		{"a parameter, HEAD", "HEAD /own/in?token=ot1.a", navigation, 200, ""},
		{"a route of another method, a navigation", "GET /own/change/ot1.a", navigation, 303, page +
			"confirm-email#token=ot1.a"},
		{"a route of another method, a program", "GET /own/change/ot1.a", program, 405, ""},
		{"a route of another method, HEAD", "HEAD /own/change/ot1.a", navigation, 405, ""},
		{"its own method, in a browser", "PUT /own/change/ot1.a", []string{"Accept", "text/html"}, 200, ""},
	} {
		r := s.Ask(t, x.route, "", x.header...)
		if r.Status != x.status || r.Header.Get("Location") != x.location {
			t.Errorf("%s: %d %q %s, want %d %q", x.name, r.Status, r.Header.Get("Location"), r.Body, x.status,
				x.location)
		}
		if r.Header.Get("Referrer-Policy") != "no-referrer" || r.Header.Get("Cache-Control") != "no-store" ||
			len(r.Cookies()) > 0 {
			t.Errorf("%s: %v", x.name, r.Header)
		}
		if r.Status == http.StatusSeeOther && r.Body != "" {
			t.Errorf("%s: %q", x.name, r.Body)
		}
	}
}

// OT-35: a page of an application that the file of a dialect, or the operator, names takes the place of ours: in mails
// and for landings. The file comes first.
func TestOT35_PagesOfApplications(t *testing.T) {
	t.Parallel()
	text := strings.Replace(mailingDialect, `landing: "/own/in?token={token}"`,
		`landing: "/own/in?token={token}", page: "https://app.example.com/#/in/{token}", button: {en: Come in}`, 1)
	s := speak(t, dbtest.SQLite(t), text, "DRAGOMAN_MAIL_PAGES="+
		"signIn=https://other.example.com/in,resetPassword=https://app.example.com/reset?x=1")
	s.Register(t, "reader@example.com")
	navigation := []string{"Sec-Fetch-Mode", "navigate"}
	for route, want := range map[string]string{
		"GET /own/in?token=ot1.a":             "https://app.example.com/#/in/ot1.a",
		"GET /web/reset?token=ot1.a":          "https://app.example.com/reset?x=1#token=ot1.a",
		"GET /own/verify/ot1.a":               s.URL + "/account/verify-email#token=ot1.a",
		"GET /own/in?token=ot1.%23%2Fevil":    "https://app.example.com/#/in/ot1.%23%2Fevil",
		"GET /web/reset?token=ot1.a%22%3E%0A": "https://app.example.com/reset?x=1#token=ot1.a%22%3E%0A",
	} {
		if r := s.Ask(t, route, "", navigation...); r.Status != http.StatusSeeOther || r.Header.Get("Location") != want {
			t.Errorf("%s: %d %q, want %q", route, r.Status, r.Header.Get("Location"), want)
		}
	}
	harness.Fine(t, s.GraphQL(t, "", harness.AskMagicDoc, harness.InputOf("email", "reader@example.com")))
	l := s.Letter(t, "reader@example.com", db.MailMagicLink)
	mail := s.Ask(t, "GET /dev/mailbox/"+l.Mail.ID.String(), "", "Accept", "application/json").Body
	if !strings.Contains(mail, `"links":["https://other.example.com/in#token=`+l.Token+`"]`) {
		t.Errorf("the mail of GraphQL: %s", mail)
	}
}

// The token of a mail opens the variant that asks for it, and nothing else: it is no session there either.
func TestEngine_MailedTokens(t *testing.T) {
	t.Parallel()
	s := speak(t, dbtest.SQLite(t), mailingDialect)
	a := s.Register(t, "reader@example.com")
	mailed := harness.Bearer("ot1.abc")
	s.Ask(t, "POST /own/who", `{}`, harness.Bearer(a.Access)...).WantExactly(t, 200, `{"email":"reader@example.com"}`)
	s.Ask(t, "POST /own/who", `{}`, mailed...).WantExactly(t, 202, `{"mailed":"ot1.abc","who":null,"params":{}}`)
	s.Ask(t, "POST /own/who", `{"no":true}`, mailed...).WantExactly(t, 418, `{"error":"CONFLICT","problem":"check"}`)
	s.Ask(t, "POST /own/who", `{"second":true}`, mailed...).WantExactly(t, 202,
		`{"mailed":"ot1.abc","who":null,"params":{"second":true}}`)
	s.Ask(t, "POST /own/who", `{"second":true}`).WantExactly(t, 200, `{"second":true}`)
	s.Ask(t, "POST /own/who", `{}`, "Cookie", "c1=ot1.abc").WantExactly(t, 202,
		`{"mailed":"ot1.abc","who":null,"params":{}}`)
	s.Ask(t, "POST /own/who", `{}`).WantExactly(t, 401, `{"error":"UNAUTHENTICATED","problem":"missing"}`)
	s.Ask(t, "POST /own/who", `{}`, harness.Bearer("rt1.abc")...).WantExactly(t, 401,
		`{"error":"UNAUTHENTICATED","problem":"invalid"}`)
	s.Ask(t, "POST /own/who", `{}`, append([]string{"Cookie", "c1=" + a.Access}, mailed...)...).WantExactly(t, 401,
		`{"error":"UNAUTHENTICATED","problem":"ambiguous"}`)
	s.Ask(t, "GET /own/verify/x", "", mailed...).WantExactly(t, 401, `{"error":"UNAUTHENTICATED","problem":"invalid"}`)
	if r := s.Ask(t, "POST /own/who", `{}`, mailed...); r.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("%v", r.Header)
	}
}
