package resolvers

import (
	"context"
	"net/netip"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// manyFailures is how many failures before a sign-in are worth a mail.
const manyFailures = 5

// notice makes a mail that tells a person of something that just happened to their account, and from where.
func (r *resolver) notice(ctx context.Context, kind db.MailKind, u *db.User) *db.Mail {
	m := r.mail(ctx, kind, u.ID, *u.Email, u.EmailCanonical)
	v := visit.From(ctx)
	m.Data.Device, m.Data.IP = device(some(v.UserAgent)).Name, address(ctx)
	return m
}

// notices are those that the end of an attempt may give cause for (LG-20).
func (r *resolver) notices(ctx context.Context, a *db.Attempt) (n db.Notices) {
	if a.User.ID.IsZero() || a.User.Email == nil {
		return n
	}
	if a.NewDevice {
		n.NewDevice = r.notice(ctx, db.MailNewSignIn, &a.User)
	}
	if a.Failures >= manyFailures {
		n.AfterFailures = r.notice(ctx, db.MailAfterFailures, &a.User)
		n.AfterFailures.Data.Failures = a.Failures
	}
	if a.NearlyDisabled() {
		n.Disabled = r.notice(ctx, db.MailDisabled, &a.User)
	}
	return n
}

// deviceID stands for the device of the present request: a keyed hash of what it calls itself, without versions, and of its address
// block, /24 or /48, in which most connections stay. Whoever reads the database learns neither.
func (r *resolver) deviceID(ctx context.Context) []byte {
	v := visit.From(ctx)
	return r.devices.MAC([]byte(device(some(v.UserAgent)).Name), []byte(neighbourhood(v.IP)))[:16]
}

// neighbourhood is the address block of a device, "" where its address is unknown.
func neighbourhood(ip netip.Addr) string {
	ip = ip.Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	block, err := ip.Prefix(bits)
	if err != nil {
		return ""
	}
	return block.String()
}
