package credential

import (
	"net/http"
	"time"

	"github.com/dragoman-auth/dragoman/internal/site"
)

// DeviceHeader is the header that holds a device token, in requests and in the answers of dialects.
const DeviceHeader = "X-Device-Token"

// deviceCookieLife is how long a browser keeps the cookie of a device token.
const deviceCookieLife = 365 * 24 * time.Hour

// NewDeviceCookie returns the cookie for device tokens of a server. It exists where the session cookie does, with the
// same attributes.
func NewDeviceCookie(at site.Site) ServerCookie { return ServerCookie{at.Cookie("device")} }

// SetDevice returns the cookie with a device token.
func (c ServerCookie) SetDevice(token string) *http.Cookie { return c.Set(token, deviceCookieLife) }

// Device returns the text that a request presents as its device token, "" for none: the header, else the cookie. Two
// headers, and two different cookies, count as none. A device token authenticates nothing, so no request becomes
// ambiguous by it.
func Device(h http.Header, cookie string) string {
	var f find
	if f.add(f.one(h, DeviceHeader)); f.text == "" && f.problem == "" && cookie != "" {
		f.cookies(h, []string{cookie})
	}
	if f.problem != "" {
		return ""
	}
	return f.text
}
