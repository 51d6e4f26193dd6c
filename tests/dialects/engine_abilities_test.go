package dialects

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// wordy is a dialect that words bad input by itself, and sets and clears a cookie with a date.
const wordy = `dialect: own
title: Own API
mounts: [/own]
cookies: {ticket: {names: [ticket, oldTicket], maxAge: 2h, expires: true}, plain: {}}
errors:
  body: {at: =.field, kind: =.type, problem: =.problem, sent: =$request.hasBody}
  BAD_USER_INPUT: {status: 400}
routes:
  - route: POST /things
    accepts: [json]
    fields: {a.b: integer, c: "string!"}
    checks: [{when: .hasBody | not, status: 400, body: {sent: =$request.hasBody}}]
    cookies: {ticket: =$request.params.c, plain: x}
    body: {sent: =$request.hasBody}
  - route: DELETE /things
    accepts: []
    cookies: {ticket: "", plain: ""}
    body: {sent: =$request.hasBody}
`

// Expressions know whether there is a body, and which type a field should have.
func TestEngine_WordsOfBadInput(t *testing.T) {
	t.Parallel()
	s := speak(t, dbtest.SQLite(t), wordy)
	for body, want := range map[string]string{
		``:                        `{"sent":false}`,
		`{}`:                      `{"at":["c"],"kind":null,"problem":"missing","sent":true}`,
		`{"c":1}`:                 `{"at":["c"],"kind":"string","problem":"type","sent":true}`,
		`{"c":"x","a":{"b":1.5}}`: `{"at":["a","b"],"kind":"integer","problem":"type","sent":true}`,
		`{"c":"x","a":[]}`:        `{"at":["a"],"kind":"object","problem":"type","sent":true}`,
		`[]`:                      `{"at":[],"kind":null,"problem":"not-object","sent":true}`,
		`{`:                       `{"at":[],"kind":null,"problem":"syntax","sent":true}`,
	} {
		s.Ask(t, "POST /own/things", body).WantExactly(t, http.StatusBadRequest, want)
	}
	s.Ask(t, "DELETE /own/things", "").WantExactly(t, 200, `{"sent":false}`)
	s.Ask(t, "DELETE /own/things", "anything").WantExactly(t, 200, `{"sent":true}`)
	// nobody read it
	s.Ask(t, "GET /own/nothing", "{}").WantExactly(t, 404, `{"at":[],"kind":null,"problem":null,"sent":false}`)
}

// A cookie with expires says its end twice, by the clock of the server; the date of one that is cleared is over.
func TestEngine_CookieDates(t *testing.T) {
	t.Parallel()
	s := speak(t, dbtest.SQLite(t), wordy)
	date := func(after time.Duration) string { return s.Clock.Now().Add(after).UTC().Format(http.TimeFormat) }
	for _, passed := range []time.Duration{0, 90 * time.Minute} {
		s.Clock.Add(passed)
		for route, want := range map[string]string{
			"POST /own/things":   `x; Path=/; Expires=` + date(2*time.Hour) + `; Max-Age=7200; HttpOnly; SameSite=Lax`,
			"DELETE /own/things": `; Path=/; Expires=` + date(-time.Second) + `; Max-Age=0; HttpOnly; SameSite=Lax`,
		} {
			set := s.Ask(t, route, `{"c":"x"}`).Cookies()
			if set["ticket"] != want || set["oldTicket"] != want || strings.Contains(set["plain"], "Expires") {
				t.Errorf("%s: %v, want %s", route, set, want)
			}
		}
	}
}
