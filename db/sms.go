package db

import (
	"context"
	"database/sql"
	"time"

	"github.com/uptrace/bun"

	"github.com/dragoman-auth/dragoman/db/outbox"
)

// SMSPurpose is what the code of a message is good for.
type SMSPurpose string

// The purposes that there are.
const (
	SMSVerifyPhone SMSPurpose = "VERIFY_PHONE" // confirm the number for the account that asked
	SMSLogin       SMSPurpose = "LOGIN"
)

// SMS is a message to a phone: a row of sms. It is made in the transaction of the request, and brings one code, which
// is made from its id when it is sent. Neither the code nor the words are stored.
type SMS struct {
	bun.BaseModel `bun:"table:sms,alias:x"`

	ID      SMSID      `bun:"id,pk"`
	Purpose SMSPurpose `bun:"purpose"`

	// UserID is whose code it is. It is zero for a message that somebody requested by number: ResolveSMS finds the
	// account, so that a request does the same for every number (LG-05).
	UserID UserID `bun:"user_id"`

	Phone         string     `bun:"phone"`   // E.164
	Country       string     `bun:"country"` // of the calling code
	Network       []byte     `bun:"network"` // a keyed hash of the network that asked
	Locale        string     `bun:"locale"`  // the languages of the request
	Dialect       string     `bun:"dialect"`
	State         MailState  `bun:"state"`
	Attempts      int        `bun:"attempts"`
	LastError     *string    `bun:"last_error"`
	NextAttemptAt *time.Time `bun:"next_attempt_at"`
	CreatedAt     time.Time  `bun:"created_at"`
	ResolvedAt    *time.Time `bun:"resolved_at"`
	SentAt        *time.Time `bun:"sent_at"`
	ExpiresAt     time.Time  `bun:"expires_at"` // of the code
	RedeemedAt    *time.Time `bun:"redeemed_at"`
}

// smsJob is the job that sends one message. Its row holds the rest.
type smsJob struct {
	SMS SMSID `json:"sms"`
}

// smsJobs are tried as long as a code is good.
var smsJobs = outbox.Kind[smsJob]{
	Name: "sms", AtOnce: 4, Within: 25 * time.Second,
	Pauses: []time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 2 * time.Minute, 3 * time.Minute},
}

// smsIn queues a message in the transaction of its request.
func (d *DB) smsIn(ctx context.Context, tx *sql.Tx, m *SMS) error {
	if m == nil {
		return nil
	}
	if _, err := d.w.NewInsert().Model(m).Conn(tx).Exec(ctx); err != nil {
		return wrap(err, "queue an SMS")
	}
	return wrap(smsJobs.Insert(ctx, d.queue, tx, smsJob{m.ID}), "queue the job of an SMS")
}

// AskSMS writes the event of a request for a code, and queues its message. It does the same for every number.
func (d *DB) AskSMS(ctx context.Context, e Event, m *SMS, now time.Time) error {
	var row struct{ N int }
	queue := func(tx *sql.Tx) error { return d.smsIn(ctx, tx, m) }
	_, err := d.queryRow(ctx, recordEvent, eventWithActorParams(ctx, e, now), &row, after(queue))
	return err
}

// SMSList lists the messages that were resolved, the newest first, for the local mailbox. phone and id pick some; ""
// and zero pick all.
func (d *DB) SMSList(ctx context.Context, phone string, id SMSID, limit int) (list []*SMS, err error) {
	q := d.r.NewSelect().Model(&list).Where("x.resolved_at IS NOT NULL")
	if phone != "" {
		q.Where("x.phone = ?", phone)
	}
	if !id.IsZero() {
		q.Where("x.id = ?", id)
	}
	return list, wrap(q.Order("x.id DESC").Limit(int64(limit)).Scan(ctx), "messages to phones")
}
