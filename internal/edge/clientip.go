package edge

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientIP is the address of the client: the socket's peer, unless that is a trusted proxy. Then it is the right-most
// address of X-Forwarded-For that is not a trusted proxy itself (HT-13). A header that can not be read in full counts for
// nothing: the peer stands, and no check is skipped.
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

// hopAddr reads one hop: an address, with a port or in brackets where a proxy writes it so.
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
