package resolvers

import (
	"context"
	"net/netip"

	"github.com/mileusna/useragent"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
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
