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

// device words what a program calls itself; nil for nothing.
func device(userAgent *string) *graph.Device {
	if userAgent == nil {
		return &graph.Device{Name: "Unknown device"}
	}
	ua := useragent.Parse(*userAgent)
	d := &graph.Device{
		Name: "Unknown device", Client: nilIfEmpty(ua.Name), ClientVersion: nilIfEmpty(ua.Version),
		Os: nilIfEmpty(ua.OS),
	}
	place := ua.Device // iPhone, Pixel 7
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

// deviceID stands for the device of the present request: a keyed hash of what it calls itself, without versions, and
// of its address block, /24 or /48, in which most connections stay. Whoever reads the database learns neither.
func (r *resolver) deviceID(ctx context.Context) []byte {
	v := visit.From(ctx)
	return r.deviceKey.MAC([]byte(device(nilIfEmpty(v.UserAgent)).Name), []byte(networkPrefix(v.IP)))[:16]
}

// networkPrefix is the address block of a device, "" where its address is unknown.
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

// clientIP is that of the caller, "" when unknown.
func clientIP(ctx context.Context) string {
	if ip := visit.From(ctx).IP; ip.IsValid() {
		return ip.Unmap().String()
	}
	return ""
}
