package resolvers

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/secret"
)

// mailsAnHour is how many mails of a kind an address gets within any hour that somebody asks for; a minute lies
// between two (OT-17).
const mailsAnHour = 5

// mailLimits counts the mails that are asked for, by address and kind. On Postgres all instances count together.
type mailLimits struct {
	limiter *limit.Limiter
	name    secret.Key // what is stored names no address (AU-02)
}

// newMailLimits counts nothing where limits are off. Each of the mails of an hour has a bucket of one try: one bucket
// of five tries fills while it is used, and gives more than five within some hours.
func newMailLimits(deps Deps) (*mailLimits, error) {
	if !deps.Throttle {
		return nil, nil
	}
	var store limit.Store = limit.NewMemory(limit.DefaultSize)
	if deps.DB.Postgres() {
		store = deps.DB
	}
	limiter, err := limit.New(store, map[string]limit.Rule{
		"minute": {
			Name: "mail-minute", Burst: 1, Window: time.Minute,
		},
		"hour": {Name: "mail-hour", Burst: 1, Window: time.Hour},
	}, deps.Now)
	if err != nil {
		return nil, fmt.Errorf("limit of mails: %w", err)
	}
	return &mailLimits{limiter, deps.Master.Stable("mail limits")}, nil
}

// allowMail tells whether an address may get another mail of a kind, and counts it. It asks nobody whether the address
// is anybody's, and what it says must not be told to the caller.
func (r *resolver) allowMail(ctx context.Context, kind db.MailKind, canonical string) (bool, error) {
	if r.mailLimits == nil {
		return true, nil
	}
	block := base64.RawURLEncoding.EncodeToString(r.mailLimits.name.MAC([]byte(kind), []byte(canonical)))
	d, err := r.mailLimits.limiter.Allow(ctx, "minute", block)
	for n := 0; err == nil && d.Allowed && n < mailsAnHour; n++ {
		if d, err = r.mailLimits.limiter.Allow(ctx, "hour", block+"."+strconv.Itoa(n)); d.Allowed {
			return true, err
		}
		d.Allowed = true // the next one, perhaps
	}
	return false, err
}
