package db

import (
	"slices"
	"strings"
	"time"
)

// The rule of this file: an account beyond `user`, and the address of anybody else, is changed by a person who proved
// themselves lately (AZ-11); so is what an API key may do (AK-10). Every statement that changes the account of somebody
// else, or an API key, takes the rule as its condition. A use case, a directive and a dialect add nothing to it.

// The conditions of a role in SQL: User.BeyondUser, and a role that holds every permission there is. A role that this
// version does not know is beyond `user` and holds nothing. TestAZ12_BeyondUser compares both with the roles.
const (
	beyondUser = `role NOT IN ('` + RoleUser + `')`
	holdsAll   = `role = '` + RoleAdmin + `'`
)

// BeyondUser tells whether the account is beyond `user`: whether it holds a permission other than PROFILE_* (AZ-12).
func (u *User) BeyondUser() bool {
	role, known := RoleNamed(u.Role)
	return !known || role.BeyondUser()
}

// BeyondUser tells whether a role holds a permission other than PROFILE_* (AZ-12).
func (r Role) BeyondUser() bool { return slices.ContainsFunc(r.Permissions, Permission.BeyondUser) }

// BeyondUser tells whether a permission reaches farther than the own account.
func (p Permission) BeyondUser() bool { return !strings.HasPrefix(string(p), "PROFILE_") }

// rolesWith names the roles that hold all of these permissions.
func rolesWith(needs []Permission) list[string] {
	names := list[string]{}
	for _, role := range BuiltInRoles() {
		if !slices.ContainsFunc(needs, func(p Permission) bool { return !slices.Contains(role.Permissions, p) }) {
			names = append(names, role.Name)
		}
	}
	return names
}

// permissionsWhere lists the permissions of all roles for which is holds, each once.
func permissionsWhere(is func(Permission) bool) list[Permission] {
	all := list[Permission]{}
	for _, role := range BuiltInRoles() {
		for _, p := range role.Permissions {
			if is(p) && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// Actor is who makes a change: a person in a session, an API key, or the operator at the terminal.
type Actor struct {
	User     UserID
	Session  SessionID // of a person; zero for an API key
	Key      KeyID     // of an API key; zero for a person
	Terminal bool      // the operator, who may everything

	// ProvedFrom and ProvedUntil bound the sudo window: a proof of the session counts after the one and up to the
	// other.
	ProvedFrom, ProvedUntil time.Time
}

// event gives an event the names of the actor.
func (a *Actor) event(e Event) Event {
	e.Actor, e.Sess, e.Key = a.User, a.Session, a.Key
	return e
}

// params are the values of the actor row, for a deed that needs permissions.
func (a *Actor) params(now time.Time, needs ...Permission) params {
	return params{
		{"now", now},
		{"by", a.User},
		{"by_session", a.Session},
		{"by_key", a.Key},
		{"by_scopes", append(list[Permission]{}, needs...)},
		{"by_roles", rolesWith(needs)},
		{"proved_from", a.ProvedFrom},
		{"proved_until", a.ProvedUntil},
	}
}

// The actor row `a` has one row while the actor is there: the account active, the session alive or the key working. It
// says what the actor holds at this moment: `holds` all permissions that the deed needs, `rules` every permission there
// is, `proved` a proof within the sudo window, by a second factor too where the account has one, and whether it is a
// `person`. An API key proves nothing.
const (
	actorPostgres = `(SELECT u.id, s.id IS NOT NULL AS person,
    CAST(:by_roles AS jsonb) @> to_jsonb(u.role) AND (k.id IS NULL OR k.scopes @> CAST(:by_scopes AS jsonb)) AS holds,
    ` + holdsAll + ` AND (k.id IS NULL OR k.scopes @> CAST(:all_scopes AS jsonb)) AS rules,
    coalesce(s.authenticated_at > :proved_from AND s.authenticated_at <= :proved_until AND (u.mfa_enabled_at IS NULL
      OR s.factor_at > :proved_from AND s.factor_at <= :proved_until), false) AS proved
  FROM users u
  LEFT JOIN (SELECT id, authenticated_at, factor_at FROM sessions WHERE id = :by_session AND user_id = :by
    AND ` + alivePostgres + `) s ON true
  LEFT JOIN (SELECT id, scopes FROM api_keys WHERE id = :by_key AND user_id = :by AND ` + keyWorks + `) k ON true
  WHERE u.id = :by AND u.status = 'ACTIVE' AND (s.id IS NOT NULL OR k.id IS NOT NULL)) a`

	actorSQLite = `(SELECT u.id, s.id IS NOT NULL AS person,
    role IN (SELECT value FROM json_each(:by_roles)) AND (k.id IS NULL OR NOT EXISTS (
      SELECT 1 FROM json_each(:by_scopes) WHERE value NOT IN (SELECT value FROM json_each(k.scopes)))) AS holds,
    ` + holdsAll + ` AND (k.id IS NULL OR NOT EXISTS (
      SELECT 1 FROM json_each(:all_scopes) WHERE value NOT IN (SELECT value FROM json_each(k.scopes)))) AS rules,
    coalesce(s.authenticated_at > :proved_from AND s.authenticated_at <= :proved_until AND (u.mfa_enabled_at IS NULL
      OR s.factor_at > :proved_from AND s.factor_at <= :proved_until), false) AS proved
  FROM users u
  LEFT JOIN (SELECT id, authenticated_at, factor_at FROM sessions WHERE id = :by_session AND user_id = :by
    AND ` + aliveSQLite + `) s ON true
  LEFT JOIN (SELECT id, scopes FROM api_keys WHERE id = :by_key AND user_id = :by AND ` + keyWorks + `) k ON true
  WHERE u.id = :by AND u.status = 'ACTIVE' AND (s.id IS NOT NULL OR k.id IS NOT NULL)) a`
)

// deed is what an actor does to an account.
type deed struct {
	needs    Permission
	makes    bool    // the account; else it has to be there
	gives    bool    // a role beyond `user`
	vouches  bool    // says that an address is confirmed without a mail to it
	erases   bool    // the account, or what guards it
	signsOut bool    // ends sessions and does nothing else: nobody needs a proof to end their own
	email    *string // the new address, as it is written; nil for none
}

// params are the values of a verdict.
func (d deed) params(by *Actor, now time.Time) params {
	return by.params(now, d.needs).with(params{
		{"all_scopes", permissionsWhere(Permission.BeyondUser)},
		{"by_operator", by.Terminal},
		{"deed_makes", d.makes},
		{"deed_gives", d.gives},
		{"deed_vouches", d.vouches},
		{"deed_erases", d.erases},
		{"deed_signs_out", d.signsOut},
		{"deed_email", d.email},
	})
}

// The verdict on a deed to the account :user: 'ok', or why not, as a Refusal. The statement around it holds locks on
// the account of the deed before it reads.
const (
	otherEmail = `(CAST(:deed_email AS text) IS NOT NULL AND coalesce(t.email, '') <> :deed_email)`

	judge = `(SELECT CASE
  WHEN :by_operator THEN CASE WHEN t.id IS NULL AND NOT :deed_makes THEN 'not_found' ELSE 'ok' END
  WHEN a.id IS NULL THEN 'caller_gone'
  WHEN NOT a.holds OR (:deed_gives AND NOT a.rules) THEN 'forbidden'
  WHEN t.id IS NULL AND NOT :deed_makes THEN 'not_found'
  WHEN ` + beyondUser + ` AND NOT a.rules THEN 'forbidden'
  WHEN :deed_signs_out AND a.person AND t.id = a.id THEN 'ok'
  WHEN ` + beyondUser + ` AND t.id <> a.id AND ` + otherEmail + ` THEN 'owner_only'
  WHEN (:deed_gives OR :deed_vouches OR :deed_erases OR ` + otherEmail + ` OR ` + beyondUser + `)
    AND NOT a.proved THEN 'sudo_required'
  ELSE 'ok' END
FROM (SELECT 1) one LEFT JOIN users t ON t.id = :user LEFT JOIN `

	verdictPostgres = judge + actorPostgres + ` ON true)`
	verdictSQLite   = judge + actorSQLite + ` ON true)`
)

// The verdict on a deed to the API key :key of the actor: to make one, to change it, or to give it another secret. It
// takes a proof to let a key do more than it could, beyond PROFILE_*, and to get the secret of a key that can (AK-10).
const (
	widensPostgres = `NOT coalesce(k.scopes, '[]') || CAST(:own_scopes AS jsonb) @> CAST(:scopes AS jsonb)`
	reachPostgres  = `NOT CAST(:own_scopes AS jsonb) @> k.scopes`
	widensSQLite   = `EXISTS (SELECT 1 FROM json_each(:scopes) WHERE value NOT IN (
    SELECT value FROM json_each(:own_scopes) UNION SELECT value FROM json_each(coalesce(k.scopes, '[]'))))`
	reachSQLite = `EXISTS (SELECT 1 FROM json_each(k.scopes)
    WHERE value NOT IN (SELECT value FROM json_each(:own_scopes)))`

	judgeKey = `(SELECT CASE
  WHEN a.id IS NULL THEN 'caller_gone'
  WHEN NOT a.person OR NOT a.holds THEN 'forbidden'
  WHEN k.id IS NULL AND NOT :deed_makes THEN 'not_found'
  WHEN NOT a.proved AND (`
	judgeKeyThen = `) THEN 'sudo_required'
  WHEN :deed_makes AND (SELECT count(*) FROM api_keys WHERE user_id = :by AND ` + keyWorks + `) >= :max_keys THEN 'full'
  ELSE 'ok' END
FROM (SELECT 1) one
LEFT JOIN (SELECT id, scopes FROM api_keys WHERE id = :key AND user_id = :by AND ` + keyWorks + `) k ON true
LEFT JOIN `

	keyVerdictPostgres = judgeKey + widensPostgres + ` OR (:deed_rotates AND ` + reachPostgres + `)` +
		judgeKeyThen + actorPostgres + ` ON true)`
	keyVerdictSQLite = judgeKey + widensSQLite + ` OR (:deed_rotates AND ` + reachSQLite + `)` +
		judgeKeyThen + actorSQLite + ` ON true)`
)

// Refusal says why a guarded statement changed nothing.
type Refusal string

// The refusals that there are.
const (
	NotFound     Refusal = "not_found"
	CallerGone   Refusal = "caller_gone"   // the session is over, the key revoked, or the account suspended or gone
	Forbidden    Refusal = "forbidden"     // the actor does not hold what it takes
	OwnerOnly    Refusal = "owner_only"    // the address of an account beyond `user`, by somebody else
	SudoRequired Refusal = "sudo_required" // the actor did not prove themselves lately
	LastAdmin    Refusal = "last_admin"    // no administrator would be left
	NameTaken    Refusal = "name_taken"    // see Rejection.Taken
	KeysFull     Refusal = "full"          // the person has MaxKeys
)

// Rejection says why a change did not happen.
type Rejection struct {
	Why   Refusal
	Taken Taken // which name, for NameTaken
}

// rejection reads the verdict of a statement that changed nothing. A change that was allowed and did not happen would
// have removed the last administrator.
func rejection(verdict string) *Rejection {
	if verdict == "ok" {
		return &Rejection{Why: LastAdmin}
	}
	return &Rejection{Why: Refusal(verdict)}
}
