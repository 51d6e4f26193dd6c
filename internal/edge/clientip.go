package edge

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientIP returns the address of the client: the socket's peer, or behind a trusted proxy the right-most address of
// X-Forwarded-For that is not a trusted proxy (HT-13). A malformed header is ignored, and the peer counts.
func clientIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	socket := peer.Addr().Unmap().WithZone("")
	if !contains(trusted, socket) {
		return socket
	}
	client := socket
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := hopAddr(strings.TrimSpace(hops[i]))
		if !ok {
			return socket
		}
		client = hop
		if !contains(trusted, hop) {
			return hop
		}
	}
	return client
}

// hopAddr reads one hop: an address, possibly with a port or in brackets.
func hopAddr(text string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return a.Unmap().WithZone(""), err == nil
}

func contains(networks []netip.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
