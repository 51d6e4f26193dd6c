package admin

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// actedRow is a row of audit_events as far as administration goes, "" for NULL.
type actedRow struct{ action, outcome, reason, user, actor, session, key string }

func acted(t testing.TB, s *harness.Side) (all []actedRow) {
	t.Helper()
	rows, err := s.Query(`SELECT action, outcome, reason, user_id, actor_id, session_id, key_id FROM audit_events ` +
		`ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r actedRow
		var reason sql.NullString
		var user, actor db.UserID
		var session db.SessionID
		var key db.KeyID
		if err := rows.Scan(&r.action, &r.outcome, &reason, &user, &actor, &session, &key); err != nil {
			t.Fatal(err)
		}
		r.reason = reason.String
		for _, one := range []struct {
			zero bool
			text string
			into *string
		}{
			{user.IsZero(), user.String(), &r.user},
			{actor.IsZero(), actor.String(), &r.actor},
			{session.IsZero(), session.String(), &r.session},
			{key.IsZero(), key.String(), &r.key},
		} {
			if !one.zero {
				*one.into = one.text
			}
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// AU-01 for administration: one row for each operation, done and refused, that says whose account it was and who did
// it.
func TestAU01_Administration(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		keyID, key := s.NewKey(t, root.Access, map[string]any{"scopes": []string{"USERS_WRITE"}})
		absent := db.NewUserID().String()
		step := func(credential, document string, variables map[string]any, want actedRow) *harness.Answer {
			t.Helper()
			before := len(acted(t, side))
			a := s.GraphQL(t, credential, document, variables)
			fresh := acted(t, side)[before:]
			if len(fresh) != 1 {
				t.Errorf("%s: %d rows: %s", want.action, len(fresh), a.Raw)
				return a
			}
			if want.user == "*" {
				want.user = fresh[0].user
			}
			want.action = harness.ActionOf(want.action, want.outcome)
			if fresh[0] != want {
				t.Errorf("the row is\n%+v, want\n%+v", fresh[0], want)
			}
			return a
		}
		by := func(action, outcome, reason, user string) actedRow {
			return actedRow{action, outcome, reason, user, root.ID, root.Session, ""}
		}
		made := step(root.Access, harness.CreateUserDoc,
			harness.InputOf("email", "bob@example.com", "password", harness.GoodPass, "emailVerified", true),
			by("user.created", "ok", "role_user email_verified password", "*"))
		bob := made.Text("createUser", "user", "id")
		if rows := acted(t, side); rows[len(rows)-1].user != bob {
			t.Errorf("%+v is not about %s", rows[len(rows)-1], bob)
		}
		step(root.Access, harness.CreateUserDoc, harness.InputOf("email", "bob@example.com"),
			by("user.created", "failed", "already_exists", ""))
		step(root.Access, harness.CreateUserDoc, harness.InputOf("email", "nonsense"),
			by("user.created", "failed", "invalid_input", ""))
		step(root.Access, harness.UpdateUserDoc, harness.InputOf("id", bob, "email", "b@example.com", "username",
			"bobby", "name", "B", "metadata", nil, "role", "admin"),
			by("user.updated", "ok", "email username name metadata role_admin", bob))
		step(root.Access, harness.UpdateUserDoc, harness.InputOf("id", bob, "role", "user", "active", false),
			by("user.updated", "ok", "role_user suspended", bob))
		step(root.Access, harness.UpdateUserDoc, harness.InputOf("id", bob, "email", "ada@example.com"),
			by("user.updated", "failed", "already_exists", bob))
		step(root.Access, harness.UpdateUserDoc, harness.InputOf("id", absent, "name", "x"),
			by("user.updated", "failed", "not_found", absent))
		step(root.Access, harness.UpdateUserDoc, harness.InputOf("id", "canary", "name", "x"),
			by("user.updated", "failed", "not_found", ""))
		step(root.Access, harness.UpdateUserDoc, harness.InputOf("id", root.ID, "role", "user"),
			by("user.updated", "failed", "conflict", root.ID))
		step(root.Access, harness.SuspendDoc, harness.InputOf("id", ada.ID),
			by("user.suspended", "ok", "suspended", ada.ID))
		step(root.Access, harness.SuspendDoc, harness.InputOf("id", root.ID),
			by("user.suspended", "failed", "conflict", root.ID))
		step(root.Access, harness.ReactivateDoc, harness.InputOf("id", ada.ID),
			by("user.reactivated", "ok", "active", ada.ID))
		step(root.Access, harness.ReactivateDoc, harness.InputOf("id", absent),
			by("user.reactivated", "failed", "not_found", absent))
		step(root.Access, harness.EndUserDoc, harness.InputOf("id", ada.ID),
			by("session.all_revoked", "ok", "", ada.ID))
		step(root.Access, harness.EndUserDoc, harness.InputOf("id", absent),
			by("session.all_revoked", "failed", "not_found", absent))
		step(key, harness.UpdateUserDoc, harness.InputOf("id", bob, "name", "C"),
			actedRow{"user.updated", "ok", "name", bob, root.ID, "", keyID})
		step(root.Access, harness.DeleteUserDoc, harness.InputOf("id", root.ID),
			by("user.deleted", "failed", "conflict", root.ID))
		step(root.Access, harness.DeleteUserDoc, harness.InputOf("id", bob), by("user.deleted", "ok", "", bob))
		step(root.Access, harness.DeleteUserDoc, harness.InputOf("id", bob),
			by("user.deleted", "failed", "not_found", bob))
		// AU-09: what is not allowed, by who tried.
		ada = s.LoginAs(t, ada, "BODY")
		step(ada.Access, harness.DeleteUserDoc, harness.InputOf("id", root.ID),
			actedRow{"access.granted", "failed", "deleteUser", ada.ID, "", ada.Session, ""})
		step(ada.Access, harness.CreateKey, harness.InputOf("scopes", []string{"USERS_READ"}),
			actedRow{"api_key.created", "failed", "scope_not_grantable", ada.ID, "", ada.Session, ""})
		step(key, harness.UpdateUserDoc, harness.InputOf("id", root.ID, "name", "x"),
			actedRow{"access.granted", "failed", "updateUser", root.ID, "", "", keyID})
		step(key, harness.MeDoc, nil, actedRow{"access.granted", "failed", "me", root.ID, "", "", keyID})
		if strings.Contains(harness.Dump(t, dsn), "canary") {
			t.Error("what was typed is kept")
		}
	})
}

// AU-09: nobody floods the log with what they may not do, and the next minute is written down again.
func TestAU09_ForbiddenIsSampled(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		count := func(who harness.Account) (n int) {
			for _, r := range acted(t, side) {
				if r.action == "access.denied" && r.user == who.ID {
					n++
				}
			}
			return n
		}
		many := "{ " + strings.Repeat("%s: users { pageInfo { hasNextPage } } ", 30) + "}"
		var names []any
		for n := range 30 {
			names = append(names, fmt.Sprint("u", n))
		}
		for range 5 {
			s.Expect(t, "FORBIDDEN", ada.Access, fmt.Sprintf(many, names...), nil)
		}
		s.Expect(t, "FORBIDDEN", bob.Access, harness.UsersDoc, nil)
		if count(ada) != 5 || count(bob) != 1 {
			t.Errorf("%d and %d rows", count(ada), count(bob))
		}
		s.Clock.Add(time.Minute)
		s.Expect(t, "FORBIDDEN", ada.Access, harness.UsersDoc, nil)
		if count(ada) != 6 {
			t.Errorf("%d rows after a minute", count(ada))
		}
	})
}

// AU-09: who is sent away by a limit is in the log, a few times and not every time.
func TestAU09_LimitsAreLogged(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		for n := range 200 {
			if a := s.Refresh(t, harness.RefreshOfNobody(t)); (a.Code() == "RATE_LIMITED") != (n >= 150) {
				t.Fatalf("%d: %s", n, a.Raw)
			}
		}
		if n := strings.Count(s.Logged.String(),
			`"msg":"request sent away","code":"RATE_LIMITED","field":"refresh","block":"127.0.0.1"`); n != 5 {
			t.Errorf("%d lines", n)
		}
	})
}
