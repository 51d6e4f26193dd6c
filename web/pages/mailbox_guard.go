package pages

import (
	"crypto/subtle"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// mailboxKey is the name of the query parameter and of the cookie that hold the key of the mailbox.
const mailboxKey, mailboxCookie = "key", "mailbox_key"

// The sentences for who may not read the mailbox.
const (
	localOnly = "The local mailbox is for people and programs at this machine, by its own address and without a proxy. " +
		"DRAGOMAN_MAILBOX=on opens it behind a key."
	keyOnly = "This mailbox opens by the key that the server printed at its start: "
)

// refusal is what to say to a request that may not read the mailbox, "" for one that may (HT-20, HT-21).
func (b *mailbox) refusal(r *http.Request) string {
	if b.key == "" {
		if !local(r) || !b.ours(r.Host) || elsewhere(r) {
			return localOnly
		}
		return ""
	}
	if b.isKey(r.URL.Query().Get(mailboxKey)) {
		return ""
	}
	c, err := r.Cookie(mailboxCookie)
	if err != nil || !b.isKey(c.Value) || elsewhere(r) {
		return keyOnly + b.at.Path("/dev/mailbox?key=…")
	}
	return ""
}

// isKey compares in constant time.
func (b *mailbox) isKey(text string) bool {
	return subtle.ConstantTimeCompare([]byte(text), []byte(b.key)) == 1
}

// keep gives a browser that came with the key a cookie with it, and sends it on without the key in its address. It
// tells whether it did. A program shows the key with each request.
func (b *mailbox) keep(w http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	if b.key == "" || !query.Has(mailboxKey) || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure is left out without https
		Name: mailboxCookie, Value: b.key, Path: b.at.Path("/dev/"), HttpOnly: true, Secure: b.at.HTTPS(),
		SameSite: http.SameSiteLaxMode,
	})
	query.Del(mailboxKey)
	to := url.URL{Path: b.at.Path(r.URL.Path), RawQuery: query.Encode()}
	w.Header().Set("Location", to.String())
	w.WriteHeader(http.StatusSeeOther)
	return true
}

// local tells whether the request comes from this machine, and through no proxy: a proxy at this machine lets others
// in. HTTP/1.0 is what nginx speaks to servers unless it is told otherwise; it sends none of the headers then.
func local(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() || !r.ProtoAtLeast(1, 1) {
		return false
	}
	for name := range r.Header {
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			return false
		}
	}
	return true
}

// ours tells whether the request names this machine, or the server as its callers do.
func (b *mailbox) ours(host string) bool {
	name, err := url.Parse("//" + host)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(name.Hostname())
	return strings.EqualFold(host, b.at.Host()) || strings.EqualFold(name.Hostname(), "localhost") || err == nil &&
		ip.IsLoopback()
}

// elsewhere tells whether a page of another origin makes the browser ask. It may send its user here, which shows it
// nothing.
func elsewhere(r *http.Request) bool {
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "same-origin", "none":
		return false
	case "":
		origin := r.Header.Get("Origin")
		return origin != "" && !strings.HasSuffix(origin, "://"+r.Host)
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}
