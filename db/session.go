package db

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Session is a signed-in device: a row of sessions, and the GraphQL type Session.
//
// A refresh writes Generation, RotatedAt, LastUsedAt, UserAgent and IP, a use UsedGeneration and LastUsedAt. All of
// these stay out of every index, so that on Postgres each refresh is a heap-only update. What the retries of a refresh
// write is read by statements alone and has no field here.
type Session struct {
	bun.BaseModel `bun:"table:sessions,alias:s"`

	ID         SessionID `bun:"id,pk"`
	Number     int       `bun:"number"` // random, below 2^31, for callers that expect an integer id
	UserID     UserID    `bun:"user_id"`
	Generation int64     `bun:"generation"` // rotations of the refresh token, or NoRefresh

	// UsedGeneration is the newest generation of which an access token was used, as far as it is written: see Touch.
	UsedGeneration int64 `bun:"used_generation"`

	Methods       []AuthMethod `bun:"methods,type:jsonb"`
	UserAgent     *string      `bun:"user_agent"`
	IP            *string      `bun:"ip"`
	Dialect       string       `bun:"dialect"`
	CreatedAt     time.Time    `bun:"created_at"`
	AuthAt        time.Time    `bun:"authenticated_at"`   // when the person last proved themselves
	ProvedBy      AuthMethod   `bun:"proved_by,nullzero"` // by which method; "" for those that the sign-in used
	FactorAt      *time.Time   `bun:"factor_at"`          // when they last did so by a second factor; nil for never
	RotatedAt     *time.Time   `bun:"rotated_at"`
	LastUsedAt    time.Time    `bun:"last_used_at"`
	AbsoluteEnd   time.Time    `bun:"expires_at"`
	IdleSeconds   int          `bun:"idle_seconds"`
	RevokedAt     *time.Time   `bun:"revoked_at"`
	RevokedReason *string      `bun:"revoked_reason"`

	// Challenge makes the session one that waits for its second factor; nil for any other. See Challenge.
	Challenge *NewChallenge `bun:"-"`

	// Remembered is the device that was asked for no second factor; zero for none.
	Remembered uuid.UUID `bun:"-"`

	// Device is the keyed hash of the device that signs in, nil not to remember it: see Attempt.NewDevice. No row of
	// sessions holds it.
	Device []byte `bun:"-"`
}

// NoRefresh is the Generation of a session that was handed out as a session token or a cookie. It has no refresh token:
// scripts of a page can not read its cookie, and must not get the session in another form.
const NoRefresh = -1

// IsNode marks a GraphQL Node.
func (Session) IsNode() {}

// ExpiresAt gives when the session ends unless it is used: the idle limit, or the absolute limit if that comes first.
func (s Session) ExpiresAt() time.Time {
	idle := s.LastUsedAt.Add(time.Duration(s.IdleSeconds) * time.Second)
	if idle.Before(s.AbsoluteEnd) {
		return idle
	}
	return s.AbsoluteEnd
}

// The condition of a session that is alive at :now: neither ended, nor past its absolute end, nor idle for too long
// (SE-16). A session is alive up to its limits and not at them.
const (
	alivePostgres = `revoked_at IS NULL AND expires_at > :now
AND last_used_at + make_interval(secs => idle_seconds) > :now`
	aliveSQLite = `revoked_at IS NULL AND expires_at > :now
AND unixepoch(last_used_at, 'subsec') + idle_seconds > unixepoch(:now, 'subsec')`
)

// insertSession begins the part of a statement that makes a session; sessionValues and Session.params go with it.
const (
	insertSession = `INSERT INTO sessions (id, number, user_id, methods, user_agent, ip, dialect,
created_at, authenticated_at, last_used_at, expires_at, idle_seconds, generation, revoked_at, revoked_reason,
challenge_until, challenge_version)`
	sessionValues = `:session, :session_number, :user, :session_methods, :session_user_agent, :session_ip,
  :session_dialect, :now, :now, :now, :session_expires_at, :session_idle_seconds, :session_generation,
  :session_revoked_at, :session_revoked_reason, :challenge_until, :challenge_version`
)

// NewSession describes the session of a person who just proved themselves by methods, on the device of this visit. The
// session lives for life in all, and for idle without being used. Its number is drawn when it is stored.
func NewSession(
	ctx context.Context, user UserID, life, idle time.Duration, now time.Time, methods ...AuthMethod,
) *Session {
	v := visit.From(ctx)
	return &Session{
		ID: NewSessionID(), UserID: user, Methods: methods,
		UserAgent: text(v.UserAgent), IP: ip(v), Dialect: v.Dialect,
		CreatedAt: now, AuthAt: now, LastUsedAt: now,
		AbsoluteEnd: now.Add(life), IdleSeconds: int(idle / time.Second),
	}
}

// params are the values of sessionValues.
func (s *Session) params() params {
	p := params{{"pending", s.Challenge != nil}}
	if c := s.Challenge; c == nil {
		p = p.with(params{
			{"session_revoked_at", nil},
			{"session_revoked_reason", nil},
			{"challenge_until", nil},
			{"challenge_version", nil},
		})
	} else {
		p = p.with(params{
			{"session_revoked_at", s.CreatedAt},
			{"session_revoked_reason", challengeReason},
			{"challenge_until", c.Until},
			{"challenge_version", c.Version},
		})
	}
	return p.with(params{
		{"session", s.ID},
		{"session_number", s.Number},
		{"user", s.UserID},
		{"session_methods", list[AuthMethod](s.Methods)},
		{"session_user_agent", s.UserAgent},
		{"session_ip", s.IP},
		{"session_dialect", s.Dialect},
		{"now", s.CreatedAt},
		{"session_expires_at", s.AbsoluteEnd},
		{"session_idle_seconds", s.IdleSeconds},
		{"session_generation", s.Generation},
	})
}

// numberDraws is how many numbers are drawn before giving up. With a million rows one number in two thousand is taken.
const numberDraws = 4

// randomNumber is between 1 and 2^31-1. It is never a counter: a counter tells how many there are (SE-19).
func randomNumber() int {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return max(1, int(binary.BigEndian.Uint32(b[:])>>1))
}

// maxListed bounds the plain lists of sessions and keys.
const maxListed = 100

// Sessions lists the live sessions of a person, newest first. The current one, zero for none, is always among them.
func (d *DB) Sessions(ctx context.Context, user UserID, current SessionID, now time.Time) ([]*Session, error) {
	sessions := []*Session{}
	q := d.live(&sessions, user, now)
	if !current.IsZero() {
		q = q.OrderExpr("s.id = ? DESC", current)
	}
	if err := q.Order("s.created_at DESC", "s.id DESC").Limit(maxListed).Scan(ctx); err != nil {
		return nil, wrap(err, "sessions")
	}
	slices.SortFunc(sessions, func(a, b *Session) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), bytes.Compare(b.ID.UUID[:], a.ID.UUID[:]))
	})
	return sessions, nil
}

// SessionPage lists the live sessions of a person behind a session, newest first, and tells whether there are more. It
// orders by id: ids never change, and follow the time of creation.
func (d *DB) SessionPage(
	ctx context.Context, user UserID, after SessionID, limit int, now time.Time,
) (sessions []*Session, more bool, err error) {
	sessions = []*Session{}
	q := d.live(&sessions, user, now)
	if !after.IsZero() {
		q = q.Where("s.id < ?", after)
	}
	if err := q.Order("s.id DESC").Limit(int64(limit) + 1).Scan(ctx); err != nil {
		return nil, false, wrap(err, "sessions, a page")
	}
	if more = len(sessions) > limit; more {
		sessions = sessions[:limit]
	}
	return sessions, more, nil
}

// CountSessions counts the live sessions of a person.
func (d *DB) CountSessions(ctx context.Context, user UserID, now time.Time) (int, error) {
	n, err := d.live(&[]*Session{}, user, now).Count(ctx)
	return int(n), wrap(err, "count sessions")
}

// SessionOf finds one live session of a person, by id or, where id is zero, by number. It gives nil for a session that
// is not theirs (SE-18).
func (d *DB) SessionOf(ctx context.Context, user UserID, id SessionID, number int, now time.Time) (*Session, error) {
	var s []*Session
	q := d.live(&s, user, now).Limit(1)
	if id.IsZero() {
		q = q.Where("s.number = ?", number)
	} else {
		q = q.Where("s.id = ?", id)
	}
	if err := q.Scan(ctx); err != nil || len(s) == 0 {
		return nil, wrap(err, "session")
	}
	return s[0], nil
}

// SessionsOf finds live sessions of a person by their ids, in any order. It leaves out the sessions of others (SE-18).
func (d *DB) SessionsOf(ctx context.Context, user UserID, ids []SessionID, now time.Time) ([]*Session, error) {
	sessions := []*Session{}
	err := d.live(&sessions, user, now).Where("s.id IN (?)", bun.List(ids)).Scan(ctx)
	return sessions, wrap(err, "sessions by id")
}

func (d *DB) live(dest *[]*Session, user UserID, now time.Time) *bun.SelectQuery {
	return d.alive(d.r.NewSelect().Model(dest), now).Where("s.user_id = ?", user)
}

// alive adds to a query that the sessions are alive at now.
func (d *DB) alive(q *bun.SelectQuery, now time.Time) *bun.SelectQuery {
	q = q.Where("s.revoked_at IS NULL").Where("s.expires_at > ?", now)
	if d.Postgres() {
		return q.Where("s.last_used_at + make_interval(secs => s.idle_seconds) > ?", now)
	}
	return q.Where("unixepoch(s.last_used_at, 'subsec') + s.idle_seconds > unixepoch(?, 'subsec')", now)
}
