package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ImportedUser is an account that comes from another system, or back from an export. Number is what is wanted, 0 for
// any. All times are those of the other system.
type ImportedUser struct {
	User
	AppMetadata JSONObject
	TakenOverAt *time.Time       // since when the account may be another person's: an export of their data begins there
	TOTP        []byte           // the sealed secret of an authenticator app; nil for none
	Identities  []LinkedIdentity // accounts at other providers
	KeepsID     bool             // whether ID is the account's own, and not one that was made for it
	GivesHash   bool             // an account that is there without a password takes the hash
	HashOnly    bool             // the record is for such an account, and makes none
	SparesName  bool             // where another account has the username, this one comes without
	Hash        ForeignHash      // the kind of a password hash that is not as ours are; zero for any other
}

// LinkedIdentity is an account at another provider by which a person signs in.
type LinkedIdentity struct {
	Provider string `json:"provider"`
	Subject  string `json:"subject"`
	Email    string `json:"email,omitempty"`
}

// ImportOutcome says what became of one account of an import.
type ImportOutcome int

// The outcomes of an import. Imported and There are successes.
const (
	Imported    ImportOutcome = iota // made; CheckImport: free to be made
	There                            // an earlier run made it
	ImportTaken                      // another account has what Column names
	NoAccount                        // of HashOnly: there is no such account
)

// ImportResult is the outcome of one account.
type ImportResult struct {
	Outcome    ImportOutcome
	Column     string // of ImportTaken: externalId, email, username, pendingEmail or identities
	Holder     UserID // the account that has it
	Unproved   bool   // of ImportTaken: the holder never confirmed the email
	Differs    bool   // of There: the account has another email than the file
	Renumbered bool   // the wanted number belongs to another account, so this one gets a number by chance
	Unnamed    bool   // the username belongs to another account, so this one comes without
	HashTaken  bool   // of There: the account had no password, and has the hash now; CheckImport: would have it
	HashLeft   bool   // of There: the account has no password, and must not get the hash

	account UserID // of There with HashTaken
}

// importFound holds the ids of the accounts that have what a row needs, as UUID or in hex; "" for none.
type importFound struct {
	N        int    `json:"n"`
	ID       string `json:"id"`
	External string `json:"external"`
	Email    string `json:"email"`
	Pending  string `json:"pending"`
	Username string `json:"username"`
	Number   string `json:"number"`
	Identity string `json:"identity"`

	EmailCounts flag `json:"email_counts"` // the holder of the email confirmed it, or was imported
	SameEmail   flag `json:"same_email"`   // the account with the id or the external id has the email of the row
	LacksHash   flag `json:"lacks_hash"`   // that account has no password, and the row brings a hash
	TakesHash   flag `json:"takes_hash"`   // and the account may get it
}

// flag is a boolean of JSON, which SQLite writes as a number.
type flag bool

// UnmarshalJSON reads true, false, 1 and 0.
func (f *flag) UnmarshalJSON(b []byte) error {
	*f = flag(string(b) == "true" || string(b) == "1")
	return nil
}

var findImported = readsEach("findImported",
	`SELECT coalesce(jsonb_agg(to_jsonb(f)), '[]')::text AS found FROM (
  SELECT r.n,
    coalesce((SELECT u.id::text FROM users u WHERE u.id = r.id), '') AS id,
    coalesce((SELECT u.id::text FROM users u WHERE u.external_id = r.external_id), '') AS external,
    coalesce((SELECT u.id::text FROM users u WHERE u.email_canonical = r.email_canonical), '') AS email,
    coalesce((SELECT u.id::text FROM users u WHERE u.pending_shown AND r.pending_shown
      AND u.pending_email_canonical = r.pending_email_canonical), '') AS pending,
    coalesce((SELECT u.id::text FROM users u WHERE u.username_canonical = r.username_canonical), '') AS username,
    coalesce((SELECT u.id::text FROM users u WHERE u.number = r.number), '') AS number,
    coalesce((SELECT l.user_id::text FROM linked_identities l
      JOIN jsonb_to_recordset(r.identities) AS i (provider text, subject text) USING (provider, subject)
      LIMIT 1), '') AS identity,
    EXISTS (SELECT 1 FROM users u WHERE u.email_canonical = r.email_canonical AND (u.email_verified_at IS NOT NULL
      OR EXISTS (SELECT 1 FROM audit_events a
        WHERE a.user_id = u.id AND a.action IN ('user.imported', 'user.migrated')))) AS email_counts,
    EXISTS (SELECT 1 FROM users u WHERE (u.id = r.id OR u.external_id = r.external_id)
      AND u.email_canonical IS NOT DISTINCT FROM r.email_canonical) AS same_email,
    EXISTS (SELECT 1 FROM users u WHERE r.password_hash IS NOT NULL AND (u.id = r.id OR u.external_id = r.external_id)
      AND u.password_hash IS NULL) AS lacks_hash,
    EXISTS (SELECT 1 FROM users u WHERE r.password_hash IS NOT NULL AND (u.id = r.id OR u.external_id = r.external_id)
      AND `+takesHash+`) AS takes_hash
  FROM `+importRowsPostgres+`
) f`,
	`SELECT json_group_array(json_object('n', r.n,
  'id', coalesce((SELECT hex(u.id) FROM users u WHERE u.id = r.id), ''),
  'external', coalesce((SELECT hex(u.id) FROM users u WHERE u.external_id = r.external_id), ''),
  'email', coalesce((SELECT hex(u.id) FROM users u WHERE u.email_canonical = r.email_canonical), ''),
  'pending', coalesce((SELECT hex(u.id) FROM users u WHERE u.pending_shown AND r.pending_shown
    AND u.pending_email_canonical = r.pending_email_canonical), ''),
  'username', coalesce((SELECT hex(u.id) FROM users u WHERE u.username_canonical = r.username_canonical), ''),
  'number', coalesce((SELECT hex(u.id) FROM users u WHERE u.number = r.number), ''),
  'identity', coalesce((SELECT hex(l.user_id) FROM json_each(r.identities) i JOIN linked_identities l
    ON l.provider = i.value ->> 'provider' AND l.subject = i.value ->> 'subject' LIMIT 1), ''),
  'email_counts', EXISTS (SELECT 1 FROM users u WHERE u.email_canonical = r.email_canonical
    AND (u.email_verified_at IS NOT NULL
      OR EXISTS (SELECT 1 FROM audit_events a
        WHERE a.user_id = u.id AND a.action IN ('user.imported', 'user.migrated')))),
  'same_email', EXISTS (SELECT 1 FROM users u WHERE (u.id = r.id OR u.external_id = r.external_id)
    AND u.email_canonical IS r.email_canonical),
  'lacks_hash', EXISTS (SELECT 1 FROM users u WHERE r.password_hash IS NOT NULL
    AND (u.id = r.id OR u.external_id = r.external_id) AND u.password_hash IS NULL),
  'takes_hash', EXISTS (SELECT 1 FROM users u WHERE r.password_hash IS NOT NULL
    AND (u.id = r.id OR u.external_id = r.external_id) AND `+takesHash+`)
)) AS found FROM `+importRowsSQLite,
)

const importEvent = insertEvent + ` SELECT r.event, :event_at, :event_action, :event_outcome, :event_reason, r.id,
  :event_session, :event_key, :event_methods, :event_dialect, :event_ip, :event_user_agent, :event_request FROM `

// importedApp names an authenticator app that an account brought along. There is one, so it has the id of its account.
const importedApp = "Authenticator app"

// On Postgres the accounts decide which rows count, on SQLite the events do: nothing else writes in between.
var importUsers = writes("importUsers",
	`WITH r AS (SELECT * FROM `+importRowsPostgres+`),
u AS (
  INSERT INTO users (`+importColumns+`) SELECT `+importValues+` FROM r ORDER BY r.n ON CONFLICT DO NOTHING RETURNING id
), t AS (
  INSERT INTO authenticators (id, user_id, name, sealed, created_at, confirmed_at)
  SELECT r.id, r.id, '`+importedApp+`', decode(r.totp, 'hex'), :event_at, :event_at FROM r JOIN u USING (id) WHERE r.totp IS NOT NULL
), i AS (
  INSERT INTO linked_identities (provider, subject, user_id, email, created_at)
  SELECT i.provider, i.subject, r.id, i.email, :event_at
  FROM r JOIN u USING (id), jsonb_to_recordset(r.identities) AS i (provider text, subject text, email text)
), a AS (`+importEvent+`r JOIN u USING (id)
) SELECT count(*) AS n FROM u`,
	importEvent+importRowsSQLite+` WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = r.id)
  AND NOT EXISTS (SELECT 1 FROM users u WHERE u.number = r.number)
  AND NOT EXISTS (SELECT 1 FROM users u WHERE u.external_id = r.external_id)
  AND NOT EXISTS (SELECT 1 FROM users u WHERE u.email_canonical = r.email_canonical)
  AND NOT EXISTS (SELECT 1 FROM users u WHERE u.username_canonical = r.username_canonical)`,
	`INSERT INTO users (`+importColumns+`) SELECT `+importValues+`
FROM `+importRowsSQLite+` JOIN audit_events a ON a.id = r.event`,
	`INSERT INTO authenticators (id, user_id, name, sealed, created_at, confirmed_at)
SELECT r.id, r.id, '`+importedApp+`', unhex(r.totp), :event_at, :event_at FROM `+importRowsSQLite+` JOIN audit_events a ON a.id = r.event
WHERE r.totp IS NOT NULL`,
	`INSERT INTO linked_identities (provider, subject, user_id, email, created_at)
SELECT i.value ->> 'provider', i.value ->> 'subject', r.id, i.value ->> 'email', :event_at
FROM `+importRowsSQLite+` JOIN audit_events a ON a.id = r.event, json_each(r.identities) i`,
	`SELECT count(*) AS n FROM `+importRowsSQLite+` JOIN audit_events a ON a.id = r.event`,
)

// ImportUsers makes those accounts of a batch that are not there yet, in one transaction, with an event for each, and
// gives hashes to those that are there without a password. An account that collides with another one is passed over. No
// two of a batch may have the same id, external id, email, username or identity.
func (d *DB) ImportUsers(ctx context.Context, batch []*ImportedUser, now time.Time) ([]ImportResult, error) {
	return d.makeImported(ctx, batch, Event{Action: ActionUserImported}, now)
}

// MigrateUser makes an account that comes by a sign-in of its person, as ImportUsers does. It changes none.
func (d *DB) MigrateUser(ctx context.Context, u *ImportedUser, now time.Time) (ImportResult, error) {
	e := Event{Action: ActionUserMigrated}
	if u.ExternalID != nil {
		e.Note = "external_id=" + *u.ExternalID
	}
	results, err := d.makeImported(ctx, []*ImportedUser{u}, e, now)
	if err != nil {
		return ImportResult{}, err
	}
	return results[0], nil
}

// makeImported is ImportUsers with an event like this one for each account that it makes.
func (d *DB) makeImported(
	ctx context.Context, batch []*ImportedUser, of Event, now time.Time,
) ([]ImportResult, error) {
	var results []ImportResult
	for round := range numberDraws { // a further round where others changed meanwhile what the batch needs
		found, err := d.CheckImport(ctx, batch)
		if err != nil {
			return nil, err
		}
		if results == nil {
			results = found
			if of.Action == ActionUserImported { // no sign-in gives an account that is there another password
				err = d.importHashes(ctx, batch, results, now)
			}
			if err != nil {
				return nil, err
			}
		}
		var due []*ImportedUser
		numbers := map[int]bool{}
		for i, u := range batch {
			if found[i].Outcome != Imported {
				if results[i].Outcome == Imported && found[i].Outcome != There { // somebody else was faster
					results[i] = found[i]
				}
				continue
			}
			if taken := found[i].Renumbered || numbers[u.Number]; taken || u.Number == 0 {
				results[i].Renumbered = results[i].Renumbered || taken && round == 0
				u.Number = randomNumber()
			}
			if found[i].Unnamed {
				u.Username, u.UsernameCanonical = nil, nil
				results[i].Unnamed = true
			}
			numbers[u.Number] = true
			due = append(due, u)
		}
		if len(due) == 0 {
			return results, nil
		}
		made, err := d.insertImported(ctx, due, of, now)
		if err != nil {
			return nil, err
		}
		if made == len(due) {
			return results, nil
		}
	}
	return nil, errors.New("db: import: other writers kept taking what the accounts need; run the import again")
}

// insertImported gives the number of accounts that it made: 0 where another writer took a name that a row needs.
func (d *DB) insertImported(ctx context.Context, due []*ImportedUser, of Event, now time.Time) (int, error) {
	if err := d.leaveNumbers(ctx, due); err != nil {
		return 0, err
	}
	rows, err := importRows(due)
	if err != nil {
		return 0, err
	}
	e := importEventParams(ctx, of, now)
	var made struct {
		N int `bun:"n"`
	}
	kinds := func(tx *sql.Tx) error {
		if made.N == 0 {
			return nil
		}
		return d.addForeignHashes(ctx, tx, due)
	}
	_, err = d.queryRow(ctx, importUsers, params{{"rows", rows}}.with(e), &made, after(kinds))
	if notUnique(err) {
		return 0, nil
	}
	return made.N, err
}

// importEventParams are those of the events of many accounts.
func importEventParams(ctx context.Context, of Event, now time.Time) params {
	return slices.DeleteFunc(eventParams(ctx, of, now), func(p param) bool {
		return p.name == "event_id" || p.name == "event_user"
	})
}

// leaveNumbers lets a confirmed number to the account that proved it here, or that comes first: a second one has it
// unconfirmed.
func (d *DB) leaveNumbers(ctx context.Context, due []*ImportedUser) error {
	var wanted, held []string
	for _, u := range due {
		if u.PhoneVerified() {
			wanted = append(wanted, *u.Phone)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	err := d.r.NewSelect().Model((*User)(nil)).Column("phone").
		Where("u.phone IN (?) AND u.phone_verified_at IS NOT NULL", bun.List(wanted)).Scan(ctx, &held)
	if err != nil {
		return wrap(err, "confirmed numbers")
	}
	for _, u := range due {
		switch {
		case !u.PhoneVerified():
		case slices.Contains(held, *u.Phone):
			u.PhoneVerifiedAt = nil
		default:
			held = append(held, *u.Phone)
		}
	}
	return nil
}

// notUnique tells whether an error says that a row exists which has what another row must have alone.
func notUnique(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == "23505"
	}
	lite, ok := errors.AsType[*sqlite.Error](err)
	return ok && (lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE ||
		lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

func importRows(batch []*ImportedUser) (string, error) {
	rows := make([]importRow, len(batch))
	for i, u := range batch {
		var err error
		if rows[i], err = newImportRow(i, u); err != nil {
			return "", err
		}
	}
	b, err := json.Marshal(rows)
	return string(b), err
}

// CheckImport says what ImportUsers would make of a batch, and writes nothing.
func (d *DB) CheckImport(ctx context.Context, batch []*ImportedUser) ([]ImportResult, error) {
	rows, err := importRows(batch)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Found string `bun:"found"`
	}
	if _, err := d.queryRow(ctx, findImported, params{{"rows", rows}}, &answer); err != nil {
		return nil, err
	}
	var found []importFound
	if err := json.Unmarshal([]byte(answer.Found), &found); err != nil {
		return nil, wrap(err, findImported.name)
	}
	results := make([]ImportResult, len(batch))
	for _, f := range found {
		results[f.N] = f.result(batch[f.N])
	}
	return results, nil
}

// result judges one account. One with an id, of ours or of another system, is there if the id is. One without is there
// if its email is, or without an email its username; an email counts only where the holder confirmed it, or came by an
// import: else it may be anybody who registered with it.
func (f *importFound) result(u *ImportedUser) ImportResult {
	named := u.KeepsID || u.ExternalID != nil
	if u.KeepsID && f.ID != "" || !u.KeepsID && f.External != "" {
		id := f.ID
		if !u.KeepsID {
			id = f.External
		}
		account, _ := uuid.Parse(id)
		return ImportResult{
			Outcome: There, Differs: !bool(f.SameEmail), account: UserIDFrom(account),
			HashTaken: u.GivesHash && bool(f.TakesHash), HashLeft: u.GivesHash && bool(f.LacksHash && !f.TakesHash),
		}
	}
	if u.HashOnly {
		return ImportResult{Outcome: NoAccount}
	}
	if !named && (f.Email != "" && bool(f.EmailCounts) || u.EmailCanonical == "" && f.Username != "") {
		return ImportResult{Outcome: There}
	}
	unnamed := u.SparesName && f.Username != ""
	if unnamed {
		f.Username = ""
	}
	for _, name := range []struct{ column, holder string }{
		{"externalId", f.External},
		{"email", f.Email},
		{"username", f.Username},
		{"pendingEmail", f.Pending},
		{"identities", f.Identity},
	} {
		if name.holder != "" {
			holder, _ := uuid.Parse(name.holder)
			return ImportResult{
				Outcome: ImportTaken, Column: name.column, Holder: UserIDFrom(holder),
				Unproved: name.column == "email" && !bool(f.EmailCounts),
			}
		}
	}
	return ImportResult{Renumbered: u.Number != 0 && f.Number != "", Unnamed: unnamed}
}
