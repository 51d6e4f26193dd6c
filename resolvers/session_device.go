package resolvers

import (
	"context"
	"net/netip"
	"time"

	"github.com/mileusna/useragent"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Device is Session.device.
func (sessionFields) Device(_ context.Context, s *db.Session) (*graph.Device, error) {
	return device(s.UserAgent), nil
}

// device describes the device of a user agent, nil for an unknown one.
func device(userAgent *string) *graph.Device {
	if userAgent == nil {
		return &graph.Device{Name: "Unknown device"}
	}
	ua := useragent.Parse(*userAgent)
	d := &graph.Device{
		Name:          "Unknown device",
		Client:        nilIfEmpty(ua.Name),
		ClientVersion: nilIfEmpty(ua.Version),
		Os:            nilIfEmpty(ua.OS),
	}
	place := ua.Device // such as iPhone or Pixel 7
	if place == "" {
		place = ua.OS
	}
	switch {
	case ua.Name != "" && place != "":
		d.Name = ua.Name + " on " + place
	case ua.Name != "":
		d.Name = ua.Name
	case place != "":
		d.Name = place
	}
	return d
}

func nilIfEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// shownDevice gives the device token of the request: the given one, else that of its header or cookie. It is zero for a
// text that is no valid device token: such a caller is a stranger.
func (r *resolver) shownDevice(ctx context.Context, given *string) db.Shown {
	text := visit.From(ctx).DeviceToken
	if given != nil && *given != "" {
		text = *given
	}
	d, err := r.Codec.ParseDevice(text)
	if err != nil {
		return db.Shown{}
	}
	return db.Shown{Device: d.ID, Account: db.UserIDFrom(d.Account), IssuedAt: d.IssuedAt}
}

// asCaller says in the queue of hashes who shows a device token, in the input or in the request.
func asCaller(ctx context.Context, shown db.Shown) context.Context {
	c := password.Caller{Network: visit.From(ctx).Network()}
	if !shown.Account.IsZero() {
		c.Account = shown.Account.UUID.String()
	}
	return password.WithCaller(ctx, c)
}

// deliverDevice renews the device token of a person who just signed in, or makes one, and gives it where the tokens of
// the session go: in a cookie, in a header of the answer where a dialect serves the request, or else as text.
func (r *resolver) deliverDevice(
	ctx context.Context, u *db.User, shown db.Shown, at time.Time, delivery graph.TokenDelivery,
) *string {
	d := token.Device{ID: shown.Device, Account: u.ID.UUID, IssuedAt: at}
	if !shown.Counts(u) {
		d.ID = token.NewID()
	}
	text, v := r.Codec.Device(d).Reveal(), visit.From(ctx)
	switch {
	case delivery == graph.TokenDeliveryCookie:
		v.SetCookie(r.DeviceCookie.SetDevice(text))
		return nil
	case r.Profiles[v.Dialect] != nil:
		v.SetHeader(credential.DeviceHeader, text)
		if r.DeviceCookie.Name != "" {
			v.OfferDeviceCookie(r.DeviceCookie.SetDevice(text))
		}
	}
	return &text
}

// deviceID identifies the device of the request, in 16 bytes: a keyed hash of the name of its user agent, which has no
// version, and of its network prefix. The database reveals neither.
func (r *resolver) deviceID(ctx context.Context) []byte {
	v := visit.From(ctx)
	return r.deviceKey.MAC([]byte(device(nilIfEmpty(v.UserAgent)).Name), []byte(networkPrefix(v.IP)))[:16]
}

// networkPrefix gives the /24 (IPv4) or /48 (IPv6) network of an address, "" for an unknown address.
func networkPrefix(ip netip.Addr) string {
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

// clientIP gives the IP address of the caller, "" for an unknown one.
func clientIP(ctx context.Context) string {
	if ip := visit.From(ctx).IP; ip.IsValid() {
		return ip.Unmap().String()
	}
	return ""
}
