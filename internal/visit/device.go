package visit

import "net/http"

// OfferDeviceCookie keeps the cookie of a new device token, for a dialect whose answer sets cookies. It is safe for
// concurrent use.
func (v *Visit) OfferDeviceCookie(c *http.Cookie) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.deviceCookie = c
}

// DeviceCookie returns the cookie of OfferDeviceCookie, nil for none. It is safe for concurrent use.
func (v *Visit) DeviceCookie() *http.Cookie {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.deviceCookie
}
