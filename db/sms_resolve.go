package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/dragoman-auth/dragoman/internal/visit"
)

// ResolveSMS finds the account of a message, and counts it, at the first attempt to send it; later attempts get the
// same. Nil means that there is nothing to send: the message is gone or sent, its code is over, nobody proved the
// number, or a limit is reached. limited names the limit then. What is not sent is deleted, so that an earlier code
// stays good.
func (d *DB) ResolveSMS(ctx context.Context, id SMSID, now time.Time) (m *SMS, u *User, limited string, err error) {
	err = d.w.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		m, u = &SMS{}, &User{}
		found, err := d.readSMS(ctx, tx, id, m, u)
		if err != nil || !found {
			m = nil
			return err
		}
		if m.ResolvedAt != nil && m.ExpiresAt.After(now) {
			return nil
		}
		applies := u.Status == UserActive && m.ExpiresAt.After(now)
		if applies {
			if limited, err = d.countSMS(ctx, tx, m, u, now); err != nil {
				return err
			}
		}
		if !applies || limited != "" {
			_, err = tx.NewDelete().Model(m).WherePK().Exec(ctx)
			m = nil
			return err
		}
		m.UserID, m.ResolvedAt = u.ID, &now
		_, err = tx.NewUpdate().Model(m).Column("user_id", "resolved_at").WherePK().Exec(ctx)
		return err
	})
	if err != nil {
		return nil, nil, "", wrap(err, "resolve an SMS")
	}
	return m, u, limited, nil
}

// readSMS reads a message that waits and its account, which it locks first. A zero account means that nobody has the
// number.
func (d *DB) readSMS(ctx context.Context, tx bun.Tx, id SMSID, m *SMS, u *User) (found bool, err error) {
	user := tx.NewSelect().Model(u).Where(`u.id = (SELECT coalesce(x.user_id,
  (SELECT h.id FROM users h WHERE h.phone = x.phone AND h.phone_verified_at IS NOT NULL)) FROM sms x WHERE x.id = ?)`,
		id)
	if d.Postgres() {
		user.For("NO KEY UPDATE")
	}
	if err := ignoreNoRows(user.Scan(ctx)); err != nil {
		return false, err
	}
	err = tx.NewSelect().Model(m).Where("x.id = ? AND x.state = ?", id, MailQueued).Scan(ctx)
	return err == nil, ignoreNoRows(err)
}

// SMSLimits are how many messages go out. Those to a number and from a network do not change (MF-16).
type SMSLimits struct {
	Number  func(phone string) []byte // the keyed hash of a number
	Country int                       // within an hour, to a country
	Daily   int                       // within a day, in all
}

// The limits of a number and of a network.
const (
	smsPause       = time.Minute // between messages to a number
	smsNumberHour  = 5
	smsNumberDay   = 10
	smsNetworkHour = 10
	smsNetworkDay  = 30
)

// LimitSMS sets the limits. It is called before the first message is resolved. Without it messages are not limited.
func (d *DB) LimitSMS(l SMSLimits) { d.smsLimits = &l }

// smsCounts are the messages of a day, and smsFits is that none of its limits is reached.
const (
	smsCounts = `SELECT
    count(*) FILTER (WHERE number = :number AND at > :pause_ago) AS pausing,
    count(*) FILTER (WHERE number = :number AND at > :hour_ago) AS number_hour,
    count(*) FILTER (WHERE number = :number) AS number_day,
    count(*) FILTER (WHERE network = :network AND at > :hour_ago) AS network_hour,
    count(*) FILTER (WHERE network = :network) AS network_day,
    count(*) FILTER (WHERE country = :country AND at > :hour_ago) AS country_hour,
    count(*) AS in_all
  FROM sms_sends WHERE at > :day_ago AND limited = ''`
	smsFits = `pausing = 0 AND number_hour < :number_hourly AND number_day < :number_daily
    AND network_hour < :network_hourly AND network_day < :network_daily AND country_hour < :country_hourly
    AND in_all < :all_daily`
	insertSend = `INSERT INTO sms_sends (id, at, number, network, country) SELECT :sms, :now, :number, :network, ` +
		`:country`
)

// countSend counts a message if every limit has room. The counts are those before it.
var countSend = writes("countSend",
	`WITH c AS (`+smsCounts+`
), i AS (`+insertSend+` FROM c WHERE `+smsFits+` RETURNING 1
) SELECT c.*, (SELECT count(*) FROM i) AS counted FROM c`,
	insertSend+` FROM (`+smsCounts+`) WHERE `+smsFits,
	smsCounts+` AND id <> :sms`,
)

var readSends = reads("readSends", smsCounts)

// lockSends lets one message after the other be counted: the limits are about many rows.
var lockSends = onPostgres("lockSends", `SELECT pg_advisory_xact_lock(:sends)`)

// sendsLock is an arbitrary number that all instances share: "dragosms" as eight bytes.
const sendsLock int64 = 0x647261676f736d73

// sends is what was sent within a day.
type sends struct {
	Pausing, NumberHour, NumberDay, NetworkHour, NetworkDay, CountryHour, InAll, Counted int
}

// over names the first limit that is reached, "" for none, and how long it may last.
func (s *sends) over(l *SMSLimits) (limit string, lasts time.Duration) {
	switch {
	case s.InAll >= l.Daily:
		return "daily", 24 * time.Hour
	case s.CountryHour >= l.Country:
		return "country", time.Hour
	case s.NetworkDay >= smsNetworkDay:
		return "network", 24 * time.Hour
	case s.NetworkHour >= smsNetworkHour:
		return "network", time.Hour
	case s.NumberDay >= smsNumberDay:
		return "number", 24 * time.Hour
	case s.NumberHour >= smsNumberHour:
		return "number", time.Hour
	case s.Pausing > 0:
		return "pause", smsPause
	}
	return "", 0
}

func (d *DB) sendParams(m *SMS, now time.Time) params {
	return params{
		{"number", d.smsLimits.Number(m.Phone)},
		{"network", m.Network},
		{"country", m.Country},
		{"pause_ago", now.Add(-smsPause)},
		{"hour_ago", now.Add(-time.Hour)},
		{"day_ago", now.Add(-24 * time.Hour)},
	}
}

// SMSLimited tells whether a message would be over a limit now, and how long that may last. It counts nothing.
func (d *DB) SMSLimited(ctx context.Context, m *SMS, now time.Time) (limit string, lasts time.Duration, err error) {
	if d.smsLimits == nil {
		return "", 0, nil
	}
	var s sends
	if _, err := d.queryRow(ctx, readSends, d.sendParams(m, now), &s); err != nil {
		return "", 0, err
	}
	limit, lasts = s.over(d.smsLimits)
	return limit, lasts, nil
}

// countSMS counts a message, or names the limit that it is over. At most one an hour over the same limit leaves an
// event.
func (d *DB) countSMS(ctx context.Context, tx bun.Tx, m *SMS, u *User, now time.Time) (limit string, err error) {
	if d.smsLimits == nil {
		return "", nil
	}
	if d.Postgres() {
		if err := lockIn(ctx, tx.Tx, lockSends, params{{"sends", sendsLock}}); err != nil {
			return "", err
		}
	}
	var s sends
	p := d.sendParams(m, now).with(params{
		{"sms", m.ID},
		{"now", now},
		{"number_hourly", smsNumberHour},
		{"number_daily", smsNumberDay},
		{"network_hourly", smsNetworkHour},
		{"network_daily", smsNetworkDay},
		{"country_hourly", d.smsLimits.Country},
		{"all_daily", d.smsLimits.Daily},
	})
	if _, err := d.queryRowIn(ctx, tx.Tx, countSend, p, &s); err != nil {
		return "", err
	}
	if limit, _ = s.over(d.smsLimits); limit == "" || limit == "pause" {
		return limit, nil
	}
	var noted struct{ N int }
	p = params{
		{"sms", m.ID},
		{"now", now},
		{"number", d.smsLimits.Number(m.Phone)},
		{"network", m.Network},
		{"country", m.Country},
		{"limit", limit},
		{"hour_ago", now.Add(-time.Hour)},
	}
	if _, err := d.queryRowIn(ctx, tx.Tx, noteLimit, p, &noted); err != nil || noted.N == 0 {
		return limit, err
	}
	note := limit
	if limit == "country" {
		note += " " + m.Country
	}
	v := &visit.Visit{Dialect: m.Dialect, RequestID: m.ID.String()}
	return limit, d.recordIn(visit.With(ctx, v), tx.Tx, Event{Action: ActionSMSLimited, Note: note, User: u.ID}, now)
}

const insertLimited = `INSERT INTO sms_sends (id, at, number, network, country, limited)
SELECT :sms, :now, :number, :network, :country, CAST(:limit AS text) WHERE NOT EXISTS (
  SELECT 1 FROM sms_sends WHERE limited = :limit AND at > :hour_ago AND (limited <> 'number' OR number = :number)
    AND (limited <> 'network' OR network = :network) AND (limited <> 'country' OR country = :country))`

var noteLimit = writes("noteLimit",
	`WITH i AS (`+insertLimited+` RETURNING 1) SELECT count(*) AS n FROM i`,
	insertLimited,
	`SELECT changes() AS n`,
)
