// Package userimport makes accounts of the records of other systems, whether a file holds them or the old system gives
// them one by one.
package userimport

import (
	"encoding/base32"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/strictjson"
	"github.com/dragoman-auth/dragoman/internal/totp"
	"github.com/dragoman-auth/dragoman/internal/userfile"
)

// Terms are how records become accounts.
type Terms struct {
	Sealing secret.Key // of the secrets of authenticator apps
	Prefix  string     // before each id of the other system
	Hashes  bool       // an account that was imported without a password takes the hash of a later file
	Lenient bool       // a field that people set themselves costs nobody the account: it is left out with a note
}

// Account makes an account of a record. The Problem has no place.
func (t Terms) Account(r *userfile.Record, now time.Time) (*db.ImportedUser, *userfile.Problem) {
	out := &db.ImportedUser{User: db.User{Role: db.RoleUser, Status: db.UserActive}}
	a := reading{Terms: t, record: r, now: now, out: out}
	parts := []func(){
		a.times, a.ids, a.names, a.emails, a.profile, a.standing, a.password, a.providers,
		a.totp,
	}
	out.GivesHash = t.Hashes
	if out.HashOnly = r.HashOnly; out.HashOnly {
		parts = []func(){a.times, a.ids, a.names, a.emails, a.password}
	}
	for _, read := range parts {
		if read(); a.problem != nil {
			return nil, a.problem
		}
	}
	u := a.out
	u.SparesName = t.Lenient && u.EmailCanonical != "" && u.UsernameCanonical != nil
	if !u.HashOnly && u.EmailCanonical == "" && u.UsernameCanonical == nil && len(u.Identities) == 0 {
		return nil, &userfile.Problem{Reason: "it has neither an email nor a username nor an identity of a provider: " +
			"nobody could sign in"}
	}
	return u, nil
}

// reading is a record on its way to an account. It stops at the first problem.
type reading struct {
	Terms
	record  *userfile.Record
	now     time.Time
	out     *db.ImportedUser
	problem *userfile.Problem
}

func (a *reading) bad(column, reason string) {
	if a.problem == nil {
		a.problem = &userfile.Problem{Column: column, Reason: reason}
	}
}

// check takes the error of a check as the problem of a column.
func (a *reading) check(column string, err error) bool {
	if err != nil {
		reason := err.Error()
		if f := fault.From(err); f != nil {
			reason = f.Message
		}
		a.bad(column, strings.TrimSuffix(reason, "."))
	}
	return err == nil
}

// fits is check for a field that people set themselves.
func (a *reading) fits(column string, err error) bool {
	if err != nil && a.Lenient {
		a.record.Notes = append(a.record.Notes, column+": it breaks a rule of ours and is left out")
		return false
	}
	return a.check(column, err)
}

// times come first: a new id and a confirmation take the time of the account.
func (a *reading) times() {
	r, u := a.record, a.out
	u.CreatedAt = a.now
	if at := a.time("createdAt", r.CreatedAt); at != nil {
		u.CreatedAt = *at
	}
	u.UpdatedAt = u.CreatedAt
	if at := a.time("updatedAt", r.UpdatedAt); at != nil {
		u.UpdatedAt = *at
	}
	u.LastLoginAt = a.time("lastLoginAt", r.LastLoginAt)
	u.PasswordDisabledAt = a.time("passwordDisabledAt", r.PasswordDisabledAt)
	u.DevicesClearedAt = a.time("devicesClearedAt", r.DevicesClearedAt)
	u.TakenOverAt = a.time("takenOverAt", r.TakenOverAt)
}

// time reads a time that is not in the future; a minute is for clocks that differ.
func (a *reading) time(column, text string) *time.Time {
	if text == "" {
		return nil
	}
	t, err := userfile.Time(text)
	if !a.check(column, err) {
		return nil
	}
	if t.After(a.now.Add(time.Minute)) {
		a.bad(column, "this time is in the future")
		return nil
	}
	t = db.Clock(t)
	return &t
}

// maxExternalID bounds the id of another system, in bytes.
const maxExternalID = 255

func (a *reading) ids() {
	r, u := a.record, a.out
	external := r.ExternalID
	u.KeepsID = strings.HasPrefix(r.ID, "user_")
	switch {
	case u.KeepsID:
		if u.ID.UnmarshalText([]byte(r.ID)) != nil || u.ID.IsZero() {
			a.bad("id", "an id that begins with user_ must be one of Dragoman; put another one into externalId")
		}
	case r.ID != "" && external != "" && external != r.ID:
		a.bad("externalId", "it differs from id, which is an id of the other system too; give one of them")
	case r.ID != "":
		external = r.ID
	}
	if !u.KeepsID {
		u.ID = db.NewUserIDAt(u.CreatedAt)
	}
	if external != "" {
		if !u.KeepsID {
			external = a.Prefix + external
		}
		if len(external) > maxExternalID || strings.TrimSpace(external) != external {
			a.bad("externalId", "it must have at most 255 bytes, and no white space around it")
		}
		a.check("externalId", identity.CheckPrintable(external))
		u.ExternalID = &external
	}
	if u.Number = r.Number; u.Number < 0 || u.Number > 1<<31-1 {
		a.bad("number", "it must be a whole number from 1 to 2147483647")
	}
}

func (a *reading) names() {
	r, u := a.record, a.out
	if r.Username != "" {
		if username, canonical, err := identity.Username(r.Username); a.check("username", err) {
			u.Username, u.UsernameCanonical = &username, &canonical
		}
	}
	if strings.TrimSpace(r.Name) != "" {
		if name, err := identity.Name(r.Name); a.fits("name", err) {
			u.Name = &name
		}
	}
}

func (a *reading) emails() {
	r, u := a.record, a.out
	if r.Email != "" {
		if email, canonical, err := identity.Email(r.Email); a.check("email", err) {
			u.Email, u.EmailCanonical = &email, canonical
		}
	}
	if at := a.time("emailVerifiedAt", r.EmailVerifiedAt); at != nil {
		u.EmailVerifiedAt = at
	} else if r.EmailVerified {
		u.EmailVerifiedAt = &u.CreatedAt
	}
	if u.EmailVerifiedAt != nil && u.Email == nil {
		a.bad("emailVerified", "there is no email that could be confirmed")
	}
	if r.PendingEmail == "" {
		return
	}
	if email, canonical, err := identity.Email(r.PendingEmail); a.check("pendingEmail", err) {
		u.PendingEmail, u.PendingEmailCanonical, u.PendingShown = &email, &canonical, r.PendingEmailShown
	}
}

var errPhone = errors.New("write it with the code of its country, such as +4930123456")

// phoneNumber is E.164: a plus sign and up to 15 digits.
var phoneNumber = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

func (a *reading) profile() {
	r, u := a.record, a.out
	if r.Phone != "" {
		phone := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "").Replace(r.Phone)
		if phoneNumber.MatchString(phone) {
			u.Phone = &phone
		} else {
			a.fits("phone", errPhone)
		}
	}
	if u.Phone != nil {
		u.PhoneVerifiedAt = a.time("phoneVerifiedAt", r.PhoneVerifiedAt)
	}
	if r.Locale != "" {
		if locale, err := identity.Locale(r.Locale); a.fits("locale", err) {
			u.Locale = &locale
		}
	}
	u.Metadata, u.AppMetadata = a.metadata()
	u.Invited = r.Invited
}

// metadata reads what is kept with an account. Metadata that is too long for a token goes into appMetadata, which none
// holds: the former system set no such bound.
func (a *reading) metadata() (metadata, appMetadata db.JSONObject) {
	r := a.record
	metadata, err := object(r.Metadata, identity.Metadata)
	if err != nil && a.Lenient {
		moved := maps.Clone(r.AppMetadata)
		if moved == nil {
			moved = map[string]any{}
		}
		_, taken := moved["metadata"]
		moved["metadata"] = r.Metadata
		if kept, err := object(moved, identity.AppMetadata); err == nil && !taken {
			r.Notes = append(r.Notes, "metadata: it is longer than 4 KiB; appMetadata has it, as its member metadata")
			return nil, kept
		}
	}
	if !a.fits("metadata", err) {
		metadata = nil
	}
	appMetadata, err = object(r.AppMetadata, identity.AppMetadata)
	a.fits("appMetadata", err)
	return metadata, appMetadata
}

// object reads free data by the rules of a request: UTF-8 without U+0000, no deep nesting.
func object(given map[string]any, within func(map[string]any) (map[string]any, error)) (db.JSONObject, error) {
	if given == nil {
		return nil, nil
	}
	if _, err := strictjson.Check(given); err != nil {
		return nil, err
	}
	return within(given)
}

func (a *reading) standing() {
	r, u := a.record, a.out
	switch r.Role {
	case "", db.RoleUser:
	case db.RoleAdmin:
		u.Role = db.RoleAdmin
	default:
		a.bad("role", "it must be user or admin")
	}
	switch db.UserStatus(strings.ToUpper(r.Status)) {
	case "", db.UserActive:
	case db.UserSuspended:
		u.Status = db.UserSuspended
	default:
		a.bad("status", "it must be ACTIVE or SUSPENDED")
	}
}

func (a *reading) password() {
	if a.record.PasswordHash == "" {
		return
	}
	if h, err := password.ReadForeign(a.record.PasswordHash); a.check("passwordHash", err) {
		a.out.PasswordHash = h.Text
		if !h.Current() {
			a.out.Hash = db.ForeignHash{Kind: h.Kind, Sample: h.Dummy}
		}
	}
}

var provider = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

func (a *reading) providers() {
	for _, i := range a.record.Identities {
		i.Provider = strings.ToLower(i.Provider)
		if !provider.MatchString(i.Provider) {
			a.bad("identities", "the name of a provider has up to 64 letters, digits, dots, dashes and underscores")
		}
		if i.Subject == "" || len(i.Subject) > maxExternalID || identity.CheckPrintable(i.Subject) != nil {
			a.bad("identities", "a subject has 1 to 255 printable bytes")
		}
		if len(i.Email) > maxExternalID || identity.CheckPrintable(i.Email) != nil {
			a.bad("identities", "an email has at most 255 printable bytes")
		}
		same := func(l db.LinkedIdentity) bool { return l.Provider == i.Provider && l.Subject == i.Subject }
		if !slices.ContainsFunc(a.out.Identities, same) {
			a.out.Identities = append(a.out.Identities, db.LinkedIdentity(i))
		}
	}
}

// totp reads and seals the secret of an authenticator app (RFC 6238): base32, as such apps show it.
func (a *reading) totp() {
	if a.record.TOTPSecret == "" {
		return
	}
	text := strings.ToUpper(strings.TrimRight(strings.NewReplacer(" ", "", "-", "").Replace(a.record.TOTPSecret), "="))
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil || len(raw) < 10 || len(raw) > 64 {
		a.bad("totpSecret", "it must be the base32 of 10 to 64 bytes")
		return
	}
	if a.out.TOTP, err = a.Sealing.Seal(raw, totp.SealedAt(a.out.ID)); err != nil {
		a.bad("totpSecret", "it cannot be sealed")
	}
}
