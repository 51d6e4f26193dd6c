package admin

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// dialectCall is a route of a dialect that reaches a row of the table.
type dialectCall struct {
	dialect, route   string // as its file has it
	operation, whose string // the row
	call             func(*try) (route, body string)

	// documented are the columns in which the dialect gives what its document promises, and more than the table.
	documented []string
}

// dialectCalls are the routes whose mutations the table does not open to everybody.
func dialectCalls() []dialectCall {
	to := func(route, body string) func(*try) (string, string) {
		return func(*try) (string, string) { return route, body }
	}
	address := func(route, body string) func(*try) (string, string) {
		return func(c *try) (string, string) {
			return route, fmt.Sprintf(body, fmt.Sprintf("other%d@example.com", c.n))
		}
	}
	user := func(body string) func(*try) (string, string) {
		return func(c *try) (string, string) {
			body := strings.ReplaceAll(body, "ADDRESS", fmt.Sprintf("other%d@example.com", c.n))
			return "PUT /user/" + c.target.ID, body
		}
	}
	const keys, me, put = "POST /keys", "POST /users/me", "PUT /user/{user_id}"
	const attributes = `{"data":{"type":"users","attributes":{%s}}}`
	aged := []string{"user, aged"}
	return []dialectCall{
		{"generic-v1", "POST /logout", "`logout`", "own", to("POST /api/v1/auth/logout", ""), nil},
		{"generic-v1", keys, "`createApiKey`: `PROFILE_READ`", "own", to("POST /api/v1/auth/keys", "{}"), nil},
		{
			"generic-v1", keys, "`createApiKey`: more scopes", "own",
			to("POST /api/v1/auth/keys", `{"scopes":["PROFILE_READ","USERS_READ"]}`), nil,
		},
		{"generic-v1", "DELETE /keys/{keyId}", "`deleteApiKey`", "own", func(c *try) (string, string) {
			return "DELETE /api/v1/auth/keys/" + c.keyID, ""
		}, nil},

		{
			"authcompanion", me, "`updateMe`: username, name, metadata", "own",
			to("POST /v1/auth/users/me", fmt.Sprintf(attributes, `"name":"N"`)), nil,
		},
		{
			"authcompanion", me, "`updateMe`: email", "own",
			address("POST /v1/auth/users/me", fmt.Sprintf(attributes, `"email":%q`)), aged,
		},
		{
			"authcompanion", me, "`updateMe`: password", "own",
			to("POST /v1/auth/users/me", fmt.Sprintf(attributes, `"password":"`+harness.NewPass+`"`)), aged,
		},

		{"authentication-zero", "DELETE /sessions/{id}", "`revokeSession`", "own", func(c *try) (string, string) {
			list := c.GraphQL(c.t, c.actor.Access, `{ sessions { id number } }`, nil).At("sessions").([]any)
			return fmt.Sprintf("DELETE /sessions/%.0f", list[0].(map[string]any)["number"]), ""
		}, nil},
		{
			"authentication-zero", "POST /sessions/sudo", "`sudo` with the password", "own",
			to("POST /sessions/sudo", `{"password":"`+harness.GoodPass+`"}`), nil,
		},
		{
			"authentication-zero", "PUT, PATCH /password", "`changePassword` with `currentPassword`", "own",
			to("PATCH /password", `{"current_password":"`+harness.GoodPass+`","password":"`+harness.NewPass+
				`","password_confirmation":"`+harness.NewPass+`"}`), nil,
		},
		{
			"authentication-zero", "PUT, PATCH /identity/email", "`changeEmail`", "own",
			address("PATCH /identity/email", `{"email":%q}`), nil,
		},
		{
			"authentication-zero", "POST /identity/email_verification", "`sendVerificationEmail`", "own",
			to("POST /identity/email_verification", ""), nil,
		},

		{"service-authentication", "GET /token/revoke", "`logout`", "own", to("GET /token/revoke", ""), []string{"nobody"}},
		{
			"service-authentication", "POST /user", "`createUser`", "a new account",
			address("POST /user", `{"email":%q}`), nil,
		},
		{
			"service-authentication", "POST /user", "`createUser` with the role admin", "a new account",
			address("POST /user", `{"email":%q,"role":"admin"}`), nil,
		},
		{"service-authentication", put, "`updateUser`: email", "own", user(`{"email":"ADDRESS"}`), nil},
		{"service-authentication", put, "`updateUser`: email", "a user", user(`{"email":"ADDRESS"}`), nil},
		{"service-authentication", put, "`updateUser`: email", "an admin", user(`{"email":"ADDRESS"}`), nil},
		{"service-authentication", put, "`updateUser`: active", "a user", user(`{"active":false}`), nil},
		{"service-authentication", put, "`updateUser`: active", "an admin", user(`{"active":false}`), nil},
		{"service-authentication", put, "`updateUser`: the role admin", "a user", user(`{"role":"admin"}`), nil},
		{"service-authentication", put, "`updateUser`: the role user", "an admin", user(`{"role":"user"}`), nil},
		{"service-authentication", put, "`updateUser`: the role user", "own", user(`{"role":"user"}`), nil},

		{"wolfpal", "POST /logout", "`logout`", "own", to("POST /api/auth/logout", ""), nil},
		{
			"wolfpal", "PUT /account/change-password", "`changePassword` with `currentPassword`", "own",
			to("PUT /api/account/change-password",
				`{"oldPassword":"`+harness.GoodPass+`","newPassword":"`+harness.NewPass+`"}`), nil,
		},
		{
			"wolfpal", "POST /account/change-email", "`changeEmail`", "own",
			address("POST /api/account/change-email", `{"email":%q}`), nil,
		},
		{
			"wolfpal", "PUT /account/change-username", "`updateMe`: username, name, metadata", "own",
			func(c *try) (string, string) {
				return "PUT /api/account/change-username", fmt.Sprintf(`{"username":"name%d"}`, c.n)
			}, nil,
		},
		{"wolfpal", "DELETE /sessions/{id}", "`revokeSession`", "own", func(c *try) (string, string) {
			return "DELETE /api/sessions/" + c.actor.Session, ""
		}, nil},
		{
			"wolfpal", "DELETE /sessions", "`logout` everywhere, with the keys", "own",
			to("DELETE /api/sessions", ""), nil,
		},
	}
}

// openToAll are routes that the table opens to everybody for one of their uses, and that are tried elsewhere for the
// other.
var openToAll = map[string]bool{
	"authentication-zero GET /identity/email_verification": true, // by the token of a mail, and so the next three
	"service-authentication GET /email/verify/{token}":     true,
	"wolfpal PUT /user/activate-account/{token}":           true,
	"wolfpal PUT /account/change-email/{token}":            true,
	"authcompanion DELETE /refresh":                        true, // by the refresh token
	"wolfpal POST /user/activate-account/resend":           true, // to an address
	"wolfpal POST /account/change-email/resend":            true, // a mail to the address that waits, at the asking of its session
	"service-authentication POST /email/verify":            true, // to an address, or to the own one
}

// dialectRoutes finds the routes of the shipped dialects that reach mutations of these names.
func dialectRoutes(t *testing.T, mutations []string) (routes []string) {
	t.Helper()
	names := regexp.MustCompile(`\b(` + strings.Join(mutations, "|") + `)(\(| \{)`)
	for _, dialect := range []string{
		"authcompanion", "authentication-zero", "generic-v1", "service-authentication", "wolfpal",
	} {
		_, text, _ := strings.Cut(harness.ReadFile(t, "rest/dialects/"+dialect+".yaml"), "\nroutes:\n")
		for _, part := range strings.Split("\n"+text, "\n  - route: ")[1:] {
			route, rest, _ := strings.Cut(part, "\n")
			route, _, _ = strings.Cut(route, " #")
			for _, found := range names.FindAllStringSubmatch(rest, -1) {
				routes = append(routes, dialect+" "+strings.TrimSpace(route)+" "+found[1])
			}
		}
	}
	return routes
}

// TestAZ11_Dialects calls the routes that reach the mutations of the table, by the same callers: none gives more than
// the table, but for what the document of the dialect promises.
func TestAZ11_Dialects(t *testing.T) {
	t.Parallel()
	table := map[string]privilege{}
	guarded := map[string]bool{}
	for _, row := range privileges(t) {
		table[row.operation+row.whose] = row
		if slices.ContainsFunc(row.want, func(cell string) bool { return cell != "allowed" }) {
			guarded[row.mutation] = true
		}
	}
	tried := map[string]bool{}
	for _, c := range dialectCalls() {
		row, ok := table[c.operation+c.whose]
		if !ok {
			t.Fatalf("%s %s: no row for %s, %s", c.dialect, c.route, c.operation, c.whose)
		}
		tried[c.dialect+" "+c.route+" "+row.mutation] = true
	}
	var mutations []string
	for name := range guarded {
		mutations = append(mutations, name)
	}
	routes := dialectRoutes(t, mutations)
	if len(routes) < 15 {
		t.Errorf("only %q reach a guarded mutation", routes)
	}
	for _, route := range routes {
		if !tried[route] && !openToAll[route[:strings.LastIndex(route, " ")]] {
			t.Errorf("%s is not tried: add it to dialectCalls", route)
		}
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_ACCESS_TTL=1h")
		s.Admin(t, dsn, "root@example.com")
		n := 0
		for _, call := range dialectCalls() {
			row := table[call.operation+call.whose]
			for i, caller := range callers {
				n++
				c := &try{Instance: s, t: t, dsn: dsn, n: n}
				credential := c.prepare(row, caller)
				var header []string
				if credential != "" {
					header = harness.Bearer(credential)
				}
				route, body := call.call(c)
				r := s.Ask(t, route, body, header...)
				allowed := row.want[i] == "allowed" || slices.Contains(call.documented, caller)
				switch {
				case r.Status < 300 && !allowed:
					t.Errorf("%s %s by %s: %d %s, and the table says %s", call.dialect, route, caller, r.Status, r.Body,
						row.want[i])
				case r.Status >= 500, r.Status >= 300 && allowed && strings.Contains(caller, "fresh"):
					t.Errorf("%s %s by %s: %d %s", call.dialect, route, caller, r.Status, r.Body)
				}
			}
		}
	})
}
