package visit

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"testing"
)

// LG-13, LG-15: limits count by the address for IPv4, by the /64 for IPv6, and in one bucket for nobody.
func TestBlock(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"192.0.2.1":              "192.0.2.1",
		"::ffff:192.0.2.1":       "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::":    "2001:db8:1:2::/64",
		"2001:db8:1:3::":         "2001:db8:1:3::/64",
		"fe80::1%eth0":           "fe80::/64",
		"::1":                    "::/64",
		"64:ff9b::192.0.2.1":     "64:ff9b::/64",
		"255.255.255.255":        "255.255.255.255",
		"::ffff:255.255.255.255": "255.255.255.255",
	}
	for address, want := range cases {
		if got := (&Visit{IP: netip.MustParseAddr(address)}).Block(); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if got := (&Visit{}).Block(); got != "unknown" {
		t.Errorf("no address: %s", got)
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	v := &Visit{RequestID: "x"}
	if From(With(context.Background(), v)) != v {
		t.Error("the visit did not come back")
	}
	first, second := From(context.Background()), From(context.Background())
	if first == nil || first == second || first.Block() != "unknown" {
		t.Error("without a visit there is not a fresh one each time")
	}
}

// Resolvers of one query set headers side by side.
func TestHeaders(t *testing.T) {
	t.Parallel()
	v, h := &Visit{}, http.Header{"Kept": {"1"}, "A": {"old"}}
	v.CopyHeaders(h)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { v.SetHeader("a", "new") })
	}
	wg.Wait()
	v.CopyHeaders(h)
	if h.Get("A") != "new" || len(h["A"]) != 1 || h.Get("Kept") != "1" || len(h) != 2 {
		t.Errorf("headers %v", h)
	}
}

// A cookie that is set wins over one that is cleared, in whatever order: the stale one came with the request.
func TestCookies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(v *Visit)
		want string
	}{
		"set": {func(v *Visit) { v.SetCookie(&http.Cookie{Name: "a", Value: "1"}) }, "a=1"},
		"set twice": {func(v *Visit) {
			v.SetCookie(&http.Cookie{Name: "a", Value: "1"})
			v.SetCookie(&http.Cookie{Name: "a", Value: "2"})
		}, "a=2"},
		"cleared": {func(v *Visit) { v.ClearCookie(&http.Cookie{Name: "a", MaxAge: -1}) }, "a=; Max-Age=0"},
		"set, cleared": {func(v *Visit) {
			v.SetCookie(&http.Cookie{Name: "a", Value: "1"})
			v.ClearCookie(&http.Cookie{Name: "a", MaxAge: -1})
		}, "a=1"},
		"cleared, set": {func(v *Visit) {
			v.ClearCookie(&http.Cookie{Name: "a", MaxAge: -1})
			v.SetCookie(&http.Cookie{Name: "a", Value: "1"})
		}, "a=1"},
		"nothing at all": {func(*Visit) {}, ""},
	} {
		v, h := &Visit{}, http.Header{}
		c.do(v)
		v.CopyHeaders(h)
		if got := h.Get("Set-Cookie"); got != c.want || len(h.Values("Set-Cookie")) > 1 {
			t.Errorf("%s: %q, want %q", name, h.Values("Set-Cookie"), c.want)
		}
	}
}
