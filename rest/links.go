package rest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/profile"
)

// A dialect decides the links in the mails that it causes. A browser that opens a link is redirected to our page for
// that purpose, with the token in the fragment, which browsers send to no server. A program gets the dialect's route at
// that address, if there is one. Opening a link changes nothing (OT-13, OT-14).

// link is the address in the mails of one kind.
type link struct {
	at    *node
	kind  string
	text  string        // as the file has it
	ttl   time.Duration // of the token; 0 for the server's
	path  string        // as in a route
	param string        // the query parameter that holds the token; "" if the path holds it
}

// linkPages are our pages, by the kinds of mail that link to them.
var linkPages = map[string]string{
	"verifyEmail":   "verify-email",
	"resetPassword": "reset-password",
	"signIn":        "sign-in",
	"changeEmail":   "confirm-email",
}

// linkKinds are the kinds of mail that carry a link of the dialect.
var linkKinds = []string{"verifyEmail", "resetPassword", "signIn", "changeEmail"}

const (
	tokenGap  = "{token}"
	publicGap = "{publicUrl}"
	linkMend  = "Write it like {publicUrl}/reset/{token} or {publicUrl}/reset?token={token}; {email} may be a " +
		"parameter too."
)

func (d *Dialect) decodeLinks(n *node) error {
	table := keys{}
	for _, kind := range linkKinds {
		table[kind] = func(n *node) error { return d.decodeLink(kind, n) }
	}
	return n.decode("links", table)
}

func (d *Dialect) decodeLink(kind string, n *node) error {
	l := &link{at: n, kind: kind}
	if n.kind == isMapping {
		err := n.decode("a link", keys{"url": text(&l.text), "ttl": duration(&l.ttl, time.Minute, 30*24*time.Hour)})
		if err == nil {
			err = n.require("a link", "url")
		}
		if err != nil {
			return err
		}
		l.at = n.get("url")
	} else if err := text(&l.text)(n); err != nil {
		return err
	}
	if err := l.read(); err != nil {
		return err
	}
	for _, other := range d.links {
		if l.path == other.path && l.param == other.param {
			return l.at.fault("Give one of them another path, or another name of the parameter.",
				"%s and %s have the same address, but lead to different pages", other.kind, kind)
		}
	}
	d.links = append(d.links, l)
	return nil
}

var linkParam = regexp.MustCompile(`^([A-Za-z0-9._~-]+)=(\{token\}|\{email\}|[A-Za-z0-9._~-]*)$`)

// read parses the address. The token must be a whole segment of the path or a whole parameter, so that it comes back
// unchanged.
func (l *link) read() error {
	rest, ok := strings.CutPrefix(l.text, publicGap+"/")
	if !ok || strings.Count(l.text, tokenGap) != 1 {
		return l.at.fault(linkMend, "a link begins with {publicUrl}/ and holds {token} once")
	}
	path, query, asked := strings.Cut("/"+rest, "?")
	if !routePath.MatchString(path) {
		return l.at.fault(linkMend, "%q is not the path of a link", path)
	}
	for _, name := range parameter.FindAllString(path, -1) {
		if name != tokenGap { // an email address would be percent-encoded, and a path has one spelling
			return l.at.fault(linkMend, "the path of a link cannot hold %s", name)
		}
	}
	l.path = path
	if !asked {
		return nil
	}
	var seen []string
	for _, one := range strings.Split(query, "&") {
		found := linkParam.FindStringSubmatch(one)
		if found == nil || slices.Contains(seen, found[1]) {
			return l.at.fault(linkMend, "%q is not a parameter of a link", one)
		}
		seen = append(seen, found[1])
		if found[2] == tokenGap {
			l.param = found[1]
		}
	}
	return nil
}

// mails returns the links for the dialect's profile.
func (d *Dialect) mails(publicURL string) map[string]profile.Mail {
	out := map[string]profile.Mail{}
	for _, l := range d.links {
		out[l.kind] = profile.Mail{Link: publicURL + strings.TrimPrefix(l.text, publicGap), TTL: l.ttl}
	}
	return out
}

// landing is the path of a link in a mail.
type landing struct {
	*link
	page    string // the absolute URL of our page
	segment string // the ServeMux name of the path parameter that holds the token
}

func (l *link) landing(publicURL string) *landing {
	out := &landing{link: l, page: publicURL + "/account/" + linkPages[l.kind]}
	for i, name := range parameter.FindAllString(l.path, -1) {
		if name == tokenGap {
			out.segment = "p" + strconv.Itoa(i)
		}
	}
	return out
}

// token returns the token of the link, "" for none.
func (l *landing) token(req *http.Request) string {
	if l.segment != "" {
		return req.PathValue(l.segment)
	}
	return req.URL.Query().Get(l.param)
}

// land redirects a link of a mail to our page, and tells whether it did. A browser is always redirected, a program only
// if the path has no route.
func (p *place) land(w http.ResponseWriter, req *http.Request) bool {
	switch {
	case len(p.landings) == 0:
		return false
	case len(p.routes) == 0 && (req.Method == http.MethodGet || req.Method == http.MethodHead):
	case req.Method != http.MethodGet || classifyOrigin(req, false) != needsConfirmation:
		return false
	}
	for _, l := range p.landings {
		if text := l.token(req); text != "" {
			w.Header().Set("Location", l.page+"#token="+url.QueryEscape(text))
			w.WriteHeader(http.StatusSeeOther)
			return true
		}
	}
	return false
}
