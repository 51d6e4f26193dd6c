package accounts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// holder is an account A in one state in regard of an address E. It has the username of its name.
type holder struct {
	*harness.Instance                   // where the row of the table happens
	before, off, on   *harness.Instance // where the account is made; and with each value of the setting
	side              *harness.Side
	admin             string // the access token of an administrator

	harness.Account
	name, state string
	e, p        string // E, and the other address of A where the state has one
	device      string // the device token of the registration of A
}

// OT-22: every cell of the table of decision "addresses", with the setting that addresses are confirmed first off, on,
// switched on and switched off.
func TestOT22_AddressTable(t *testing.T) {
	t.Parallel()
	states, rows := addressTable(t, "what happens")
	_, differs := addressTable(t, "what differs where addresses are confirmed first")
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const url = "DRAGOMAN_PUBLIC_URL=http://localhost:8080" // the issuer of both
		c, side := harness.NewClock(), harness.OpenSide(t, dsn)
		off, on := harness.StartWithClock(t, c, dsn, url), harness.StartWithClock(t, c, dsn, url, required)
		admin := off.Admin(t, dsn, "admin@example.com")
		side.MustExec(t, `UPDATE users SET email_verified_at = created_at`)
		events := addressEvents()
		for k, mode := range []string{"on", "switched-on", "switched-off", "off"} {
			servers := map[string][2]*harness.Instance{
				"off": {off, off}, "on": {on, on}, "switched-on": {off, on}, "switched-off": {on, off},
			}[mode]
			for n, row := range rows {
				event, wants := events[row[0]], row[1:]
				if event == nil {
					t.Fatalf("nothing does %q", row[0])
				}
				for _, other := range differs {
					if other[0] == row[0] && servers[1] == on {
						wants = other[1:]
					}
				}
				for m, want := range wants {
					if mode != "off" && (n+m)%3 != k && !harness.FullRun {
						continue // a short run tries each cell in one of these
					}
					h := &holder{
						Instance: servers[1], before: servers[0], off: off, on: on, side: side,
						name: fmt.Sprintf("%s-%d-%d", mode, n, m), state: states[m],
					}
					h.e, h.p = h.name+"@example.com", h.name+"@example.org"
					h.place(t)
					h.admin = harness.Fine(t, h.Login(t, admin.Email, harness.GoodPass)).
						Text("login", "tokens", "accessToken")
					if got := h.now(t); got != h.state {
						t.Fatalf("%s, %s: set up %s, got %s", mode, row[0], h.state, got)
					}
					c.Add(time.Minute)
					event(t, h)
					if got := h.now(t); got != want {
						t.Errorf("%s, %s: %s became %s, not %s", mode, row[0], h.state, got, want)
					}
				}
			}
		}
		if len(rows) != len(events) {
			t.Errorf("the table has %d rows for %d", len(rows), len(events))
		}
	})
}

// addressTable reads a table of the decision, by the head of its first column: the states and the rows.
func addressTable(t *testing.T, head string) (states []string, rows [][]string) {
	t.Helper()
	found, err := filepath.Glob(harness.Path("docs/decisions/*-addresses.md"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n| "+head+" |")
	for n, line := range strings.Split("| "+head+" |"+table, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		switch {
		case !strings.HasPrefix(line, "|"):
			if len(rows) == 0 || len(states) != 6 {
				t.Fatalf("the table has %d rows and %d states", len(rows), len(states))
			}
			return states, rows
		case n == 0:
			states = cells[1:]
		case n > 1:
			rows = append(rows, cells)
		}
	}
	return states, rows
}

// place makes the account in its state.
func (h *holder) place(t *testing.T) {
	t.Helper()
	named := func(a harness.Account) {
		h.Account = a
		h.side.MustExec(t, fmt.Sprintf(`UPDATE users SET username = '%s', username_canonical = '%[1]s' WHERE `+
			`email_canonical = '%s'`, h.name, a.Email))
	}
	switch h.state {
	case "unproved":
		named(h.off.Register(t, h.e))
	case "proved":
		named(h.proved(t, h.e))
	case "waits":
		named(h.proved(t, h.p))
		h.ask(t, h.e)
	case "shown":
		named(h.proved(t, h.p))
		changeAtOnce(t, h.off, h.Access, h.e)
	case "registered":
		h.device = harness.Fine(t, h.on.Registers(t, "email", h.e, "username", h.name, "password", harness.GoodPass)).
			Text("register", "deviceToken")
	case "former":
		named(h.proved(t, h.e))
		h.ask(t, h.p)
		h.follow(t, harness.VerifyDoc, h.p, db.MailConfirmChange)
	}
	h.Deliver(t)
}

// proved makes an account with a confirmed address, with the setting that is before the row happens.
func (h *holder) proved(t *testing.T, email string) harness.Account {
	t.Helper()
	if h.before == h.on {
		return h.on.Waited(t, email)
	}
	return confirmed(t, h.off, email)
}

// ask asks for another address, which waits.
func (h *holder) ask(t *testing.T, address string) {
	t.Helper()
	harness.Fine(t, h.GraphQL(t, h.Access, askDoc, harness.InputOf("email", address)))
}

// follow redeems the newest token that was mailed to an address in mails of some kinds, if there is one. It says
// whether it was taken.
func (h *holder) follow(t *testing.T, document, address string, kinds ...db.MailKind) bool {
	t.Helper()
	h.Deliver(t)
	for _, kind := range kinds {
		for _, l := range h.Letters(t, address, kind) {
			if l.Token == "" {
				continue
			}
			in := harness.InputOf("token", l.Token)
			switch {
			case document == harness.ResetDoc:
				in = harness.InputOf("token", l.Token, "newPassword", harness.NewPass)
			case document == harness.VerifyDoc && h.device != "":
				in = harness.InputOf("token", l.Token, "deviceToken", h.device)
			}
			if h.GraphQL(t, "", document, in).Code() == "" {
				return true
			}
		}
	}
	return false
}

// now is the state of the account.
func (h *holder) now(t *testing.T) string {
	t.Helper()
	is := func(condition string) bool {
		return h.side.Count(t, fmt.Sprintf(`SELECT count(*) FROM users u WHERE u.username_canonical = '%s' AND `+condition,
			h.name, h.e)) == 1
	}
	switch {
	case h.side.Count(t, fmt.Sprintf(`SELECT count(*) FROM registrations WHERE username_canonical = '%s' AND `+
		`address_canonical = '%s'`, h.name, h.e)) == 1:
		return "registered"
	case is(`u.email_canonical = '%s' AND u.email_verified_at IS NULL`):
		return "unproved"
	case is(`u.email_canonical = '%s' AND EXISTS (SELECT 1 FROM audit_events a WHERE a.user_id = u.id
AND a.reason LIKE '%%took_over%%')`):
		return "taken over"
	case is(`u.email_canonical = '%s'`):
		return "proved"
	case is(`u.pending_email_canonical = '%s' AND EXISTS (SELECT 1 FROM users o WHERE o.id <> u.id
AND o.email_canonical = u.pending_email_canonical AND o.email_verified_at IS NOT NULL)`):
		return "beaten"
	case is(`u.pending_email_canonical = '%s' AND u.pending_shown`):
		return "shown"
	case is(`u.pending_email_canonical = '%s'`):
		return "waits"
	case is(`EXISTS (SELECT 1 FROM one_time_tokens t WHERE t.user_id = u.id AND t.purpose = 'CANCEL_CHANGE'
AND t.address_canonical = '%s' AND t.invalidated_at IS NULL)`):
		return "former"
	}
	return "none"
}

// addressEvents are the rows of the table.
func addressEvents() map[string]func(t *testing.T, h *holder) {
	return map[string]func(t *testing.T, h *holder){
		"the link of A's mail to E is followed": func(t *testing.T, h *holder) {
			if h.state == "former" {
				h.follow(t, cancelDoc, h.e, db.MailEmailChanged)
			} else {
				h.follow(t, harness.VerifyDoc, h.e, db.MailVerifyEmail, db.MailConfirmChange)
			}
		},
		"a password reset is asked for by E, and what comes to E is followed": func(t *testing.T, h *holder) {
			harness.Fine(t, h.GraphQL(t, "", harness.AskResetDoc, harness.InputOf("email", h.e)))
			h.follow(t, harness.ResetDoc, h.e, db.MailResetPassword)
		},
		"a magic link is asked for by E, and what comes to E is followed": func(t *testing.T, h *holder) {
			harness.Fine(t, h.GraphQL(t, "", harness.AskMagicDoc, harness.InputOf("email", h.e)))
			h.follow(t, harness.MagicDoc, h.e, db.MailMagicLink)
		},
		"somebody registers with E": func(t *testing.T, h *holder) {
			h.Registers(t, "email", h.e, "password", harness.NewPass)
		},
		"somebody else asks for E, and follows what comes to E": func(t *testing.T, h *holder) {
			other := *h
			other.Account = confirmed(t, h.off, "other-"+h.e)
			other.ask(t, h.e)
			h.Deliver(t)
			for _, l := range h.Letters(t, h.e, db.MailConfirmChange) {
				if l.ResolvedMail.User.ID.String() == other.ID {
					harness.Fine(t, h.GraphQL(t, other.Access, harness.VerifyDoc, harness.InputOf("token", l.Token)))
				}
			}
			if h.state != "proved" && addresses(t, h.Instance, other.Access) != h.e+" true <nil>" {
				t.Errorf("%s: who proved the address has %s", h.state, addresses(t, h.Instance, other.Access))
			}
			if h.follow(t, harness.VerifyDoc, h.e, db.MailVerifyEmail, db.MailConfirmChange) {
				t.Errorf("%s: a link is good after somebody else proved the address", h.state)
			}
		},
		"somebody else's registration with E is proved": func(t *testing.T, h *holder) {
			a := harness.Fine(t, h.on.Registers(t, "email", h.e, "password", harness.GoodPass))
			h.Deliver(t)
			for _, l := range h.Letters(t, h.e, db.MailVerifyEmail) {
				if l.Registration != nil && l.Token != "" {
					h.GraphQL(t, "", harness.VerifyDoc,
						harness.InputOf("token", l.Token, "deviceToken", a.Text("register", "deviceToken")))
				}
			}
			made := h.side.Count(t, fmt.Sprintf(`SELECT count(*) FROM users WHERE email_canonical = '%s' AND `+
				`email_verified_at IS NOT NULL AND coalesce(username, '') <> '%s'`, h.e, h.name))
			if (made == 1) != (h.state != "proved") {
				t.Errorf("%s: %d accounts of the registration", h.state, made)
			}
		},
		"somebody else shows E at once": func(t *testing.T, h *holder) {
			other := confirmed(t, h.off, "other-"+h.e)
			defer func() { // it is shown only where nobody has or shows it (OT-56)
				want := map[string]string{
					"unproved": "other-" + h.e + " true " + h.e, "shown": "other-" + h.e + " true " + h.e,
					"proved": "other-" + h.e + " true <nil>",
				}[h.state]
				if h.state == "proved" && h.Instance == h.on { // where nothing is shown at once, it waits whoever has it
					want = "other-" + h.e + " true " + h.e
				}
				if got := addresses(t, h.Instance, other.Access); want != "" && got != want {
					t.Errorf("%s: who shows it has %s", h.state, got)
				}
			}()
			_, _ = h.Call("POST /v1/auth/users/me", `{"data":{"type":"users","attributes":{"email":"`+h.e+`"}}}`,
				harness.Bearer(other.Access)...)
		},
		"A asks for another address": func(t *testing.T, h *holder) {
			if h.Access != "" {
				h.ask(t, "next-"+h.e)
			}
		},
		"A shows another address at once": func(t *testing.T, h *holder) {
			if h.Access != "" {
				changeAtOnce(t, h.Instance, h.Access, "next-"+h.e)
			}
		},
		"A changes the password": changesPassword,
		"A deletes the account":  deletesAccount,
		"an administrator sets another address": func(t *testing.T, h *holder) {
			if h.Access != "" {
				harness.Fine(t, h.GraphQL(t, h.admin, harness.UpdateUserDoc,
					harness.InputOf("id", h.ID, "email", "set-"+h.e)))
			}
		},
		"an administrator gives E to somebody else": func(t *testing.T, h *holder) {
			other := h.off.Register(t, "other-"+h.e)
			h.GraphQL(t, h.admin, harness.UpdateUserDoc, harness.InputOf("id", other.ID, "email", h.e))
		},
		"A resets the password by the other address": func(t *testing.T, h *holder) {
			harness.Fine(t, h.GraphQL(t, "", harness.AskResetDoc, harness.InputOf("email", h.p)))
			h.follow(t, harness.ResetDoc, h.p, db.MailResetPassword)
		},
		"the link at the other address to take the change back is followed": func(t *testing.T, h *holder) {
			h.follow(t, cancelDoc, h.p, db.MailChangeAsked, db.MailEmailChanged)
		},
	}
}

func changesPassword(t *testing.T, h *holder) {
	if h.Access == "" {
		return
	}
	harness.Fine(t, h.GraphQL(t, h.Access, harness.ChangePasswordDoc,
		harness.InputOf("newPassword", harness.NewPass, "currentPassword", harness.GoodPass)))
}

func deletesAccount(t *testing.T, h *holder) {
	if h.Access == "" {
		return
	}
	harness.Fine(t, h.GraphQL(t, h.Access, harness.DeleteAccountDoc, nil))
}
