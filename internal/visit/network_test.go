package visit

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestNetwork(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"203.0.113.77":            "203.0.113.0/24",
		"::ffff:203.0.113.77":     "203.0.113.0/24",
		"2001:db8:1:2:3:4:5:6":    "2001:db8:1::/48",
		"2001:db8:1:ffff::":       "2001:db8:1::/48",
		"fe80::1%eth0":            "fe80::/48",
		"::1":                     "::/48",
		"0.0.0.0":                 "0.0.0.0/24",
		"::ffff:0.0.0.0%anything": "0.0.0.0/24",
	} {
		if got := (&Visit{IP: netip.MustParseAddr(address)}).Network(); got != want {
			t.Errorf("%s is in %s, want %s", address, got, want)
		}
	}
	if got := (&Visit{}).Network(); got != "unknown" {
		t.Errorf("nowhere is %s", got)
	}
}

// A network has the address in it, is of the one length that there is for its kind, and is the same for all of its
// addresses: nothing of the last octet, or of the last 80 bits, is told.
func TestNetwork_TellsNothingMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{4, 16}).Draw(t, "size")
		raw := rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "address")
		address, _ := netip.AddrFromSlice(raw)
		got := (&Visit{IP: address}).Network()
		network, err := netip.ParsePrefix(got)
		if err != nil || network.Masked() != network || !network.Contains(address.Unmap()) {
			t.Fatalf("%s is in %s (%v)", address, got, err)
		}
		want, kept := 48, 6
		if address.Unmap().Is4() {
			want, kept = 24, size-1
		}
		if network.Bits() != want {
			t.Fatalf("%s is in %s", address, got)
		}
		for i := kept; i < size; i++ {
			raw[i] ^= 0xA5
		}
		if other, _ := netip.AddrFromSlice(raw); (&Visit{IP: other}).Network() != got {
			t.Fatalf("%s and %s are in two networks", address, other)
		}
	})
}
