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

// mailsAnHour is how many requested mails of one kind an address gets within any hour. At least a minute lies between
// two of them (OT-17).
const mailsAnHour = 5

// mailLimits limits the mails that callers request, by address and kind. On Postgres all instances count together.
type mailLimits struct {
	limiter *limit.Limiter
	name    secret.Key // hashes the addresses, so that none is stored (AU-02)
}

// newMailLimits gives nil where limits are off. Each of the five mails of an hour has a bucket of its own, with one
// try. One bucket of five tries would refill while it is used, and would allow more than five mails within some hours.
func newMailLimits(deps Deps) (*mailLimits, error) {
	if !deps.Throttle {
		return nil, nil
	}
	var store limit.Store = limit.NewMemory(limit.DefaultSize)
	if deps.DB.Postgres() {
		store = deps.DB
	}
	limiter, err := limit.New(store, map[string]limit.Rule{
		"minute": {Name: "mail-minute", Burst: 1, Window: time.Minute},
		"hour":   {Name: "mail-hour", Burst: 1, Window: time.Hour},
	}, deps.Now)
	if err != nil {
		return nil, fmt.Errorf("limit of mails: %w", err)
	}
	return &mailLimits{limiter, deps.Master.Stable("mail limits")}, nil
}

// allowMail tells whether an address may get another mail of a kind, and counts it. It does not look for an account
// with the address. The caller of the API must not learn the result.
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
		d.Allowed = true // try the next bucket
	}
	return false, err
}
