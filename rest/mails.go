package rest

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/internal/site"
)

// A mail links to a page with the token in the fragment, which browsers send to no server (OT-35). The address that the
// document of the API shows in its mails is a landing: a browser that opens it is redirected to the page, a program
// gets the route of that path, if there is one. Opening a landing changes nothing (OT-13, OT-36).

// mail is what the file says of the mails of one kind.
type mail struct {
	kind     string
	page     string // in the form of profile.ParsePage, with {publicUrl}; "" for none
	landings []*landing
	ttl      time.Duration     // of the token; 0 for the server's
	button   map[string]string // by language, "" for the others; nil for none
}

// landing is the address in mails that a document shows.
type landing struct {
	at    *node
	kind  string
	text  string // as the file has it
	path  string // as in a route
	param string // the query parameter that holds the token; "" if the path holds it
}

// mailPages are our pages, by the kinds of mail that link to them.
var mailPages = map[string]string{
	"verifyEmail":   "verify-email",
	"resetPassword": "reset-password",
	"signIn":        "sign-in",
	"changeEmail":   "confirm-email",
}

const (
	tokenGap    = profile.TokenGap
	publicGap   = "{publicUrl}"
	landingMend = "Write it like /reset/{token} or /reset?token={token}; {email} may be a parameter too."
	pageMend    = "Write it like https://app.example.com/reset or {publicUrl}/reset; the token is put behind the #, " +
		"where {token} may say how."

	// somePublicURL stands for the public URL while a file is checked.
	somePublicURL = "https://public-url.invalid"
)

func (d *Dialect) decodeMails(n *node) error {
	table := keys{}
	for _, kind := range profile.MailKinds {
		table[kind] = func(n *node) error { return d.decodeMail(kind, n) }
	}
	return n.decode("mails", table)
}

func (d *Dialect) decodeMail(kind string, n *node) error {
	m := &mail{kind: kind}
	if err := n.decode("a mail", keys{
		"page":    m.decodePage,
		"landing": m.decodeLandings,
		"ttl":     duration(&m.ttl, time.Minute, 30*24*time.Hour),
		"button":  m.decodeButton,
	}); err != nil {
		return err
	}
	for _, l := range m.landings {
		for _, other := range d.landings() {
			if l.path == other.path && l.param == other.param {
				return l.at.fault("Give one of them another path, or another name of the parameter.",
					"%s and %s have the same address, but lead to different pages", other.kind, kind)
			}
		}
	}
	d.mails = append(d.mails, m)
	return nil
}

// landings are those of all mails, in the order of the file.
func (d *Dialect) landings() (all []*landing) {
	for _, m := range d.mails {
		all = append(all, m.landings...)
	}
	return all
}

// decodePage checks a page. Where it begins with {publicUrl}, it may be http.
func (m *mail) decodePage(n *node) error {
	var given string
	if err := text(&given)(n); err != nil {
		return err
	}
	if rest, ours := strings.CutPrefix(given, publicGap+"/"); ours {
		given = somePublicURL + "/" + rest
	}
	page, err := profile.ParsePage(given)
	if err != nil {
		return n.fault(pageMend, "this cannot be the page of a mail: %v", err)
	}
	if rest, ours := strings.CutPrefix(page, somePublicURL); ours {
		page = publicGap + rest
	}
	m.page = page
	return nil
}

// decodeLandings takes one address or a list of them.
func (m *mail) decodeLandings(n *node) error {
	if n.kind == isList {
		return items(m.decodeLanding)(n)
	}
	return m.decodeLanding(n)
}

func (m *mail) decodeLanding(n *node) error {
	l := &landing{at: n, kind: m.kind}
	if err := text(&l.text)(n); err != nil {
		return err
	}
	if err := l.read(); err != nil {
		return err
	}
	for _, other := range m.landings {
		if l.path == other.path && l.param == other.param {
			return n.fault("Take one of them away.", "this address stands here twice")
		}
	}
	m.landings = append(m.landings, l)
	return nil
}

// maxButton is the longest text of a button, in bytes.
const maxButton = 60

// decodeButton takes one text for every language, or texts by language.
func (m *mail) decodeButton(n *node) error {
	m.button = map[string]string{}
	add := func(tag string, n *node) error {
		var words string
		if err := text(&words)(n); err != nil {
			return err
		}
		if len(words) > maxButton || strings.ContainsAny(words, "\r\n\t") {
			return n.fault("Write a few words on one line.", "this text is too long for a button")
		}
		m.button[tag] = words
		return nil
	}
	if n.kind != isMapping {
		return add("", n)
	}
	return entries(func(one member) error {
		tag, err := language.Parse(one.key)
		if err != nil {
			return one.at.fault("Write it like en or pt-BR.", "%q is not the tag of a language", one.key)
		}
		return add(tag.String(), one.value)
	})(n)
}

var landingParam = regexp.MustCompile(`^([A-Za-z0-9._~-]+)=(\{token\}|\{email\}|[A-Za-z0-9._~-]*)$`)

// read parses the address. The token must be a whole segment of the path or a whole parameter, so that it comes back
// unchanged.
func (l *landing) read() error {
	if !strings.HasPrefix(l.text, "/") || strings.Count(l.text, tokenGap) != 1 {
		return l.at.fault(landingMend, "a landing begins with / and holds {token} once")
	}
	path, query, asked := strings.Cut(l.text, "?")
	if !routePath.MatchString(path) {
		return l.at.fault(landingMend, "%q is not the path of a landing", path)
	}
	for _, name := range parameter.FindAllString(path, -1) {
		if name != tokenGap { // an email address would be percent-encoded, and a path has one spelling
			return l.at.fault(landingMend, "the path of a landing cannot hold %s", name)
		}
	}
	l.path = path
	if !asked {
		return nil
	}
	var seen []string
	for _, one := range strings.Split(query, "&") {
		found := landingParam.FindStringSubmatch(one)
		if found == nil || slices.Contains(seen, found[1]) {
			return l.at.fault(landingMend, "%q is not a parameter of a landing", one)
		}
		seen = append(seen, found[1])
		if found[2] == tokenGap {
			l.param = found[1]
		}
	}
	return nil
}

// profileMails returns the mails for the dialect's profile.
func (d *Dialect) profileMails(publicURL string) map[string]profile.Mail {
	out := map[string]profile.Mail{}
	for _, m := range d.mails {
		out[m.kind] = profile.Mail{
			Page: strings.Replace(m.page, publicGap, publicURL, 1), TTL: m.ttl, Button: m.button,
		}
	}
	return out
}

// arrival is a landing on a server.
type arrival struct {
	*landing
	page    string // the absolute URL of the page, with {token}
	segment string // the ServeMux name of the path parameter that holds the token
}

// arrive gives the landing its page: that of the file, or of the operator, or ours.
func (m *mail) arrive(l *landing, at site.Site, operators map[string]string) *arrival {
	ours := at.URL("/account/") + mailPages[l.kind] + "#token=" + tokenGap
	out := &arrival{
		landing: l, page: cmp.Or(strings.Replace(m.page, publicGap, at.URL(""), 1), operators[l.kind], ours),
	}
	for i, name := range parameter.FindAllString(l.path, -1) {
		if name == tokenGap {
			out.segment = "p" + strconv.Itoa(i)
		}
	}
	return out
}

// token returns the token in the address of a request, "" for none.
func (a *arrival) token(req *http.Request) string {
	if a.segment != "" {
		return req.PathValue(a.segment)
	}
	return req.URL.Query().Get(a.param)
}

// land redirects a request for a landing to the page, and tells whether it did. A browser is always redirected, a
// program only if the path has no route. Only the form of the request counts, never its credentials: a browser has the
// cookie of a session too.
func (p *place) land(w http.ResponseWriter, req *http.Request) bool {
	switch {
	case len(p.arrivals) == 0:
		return false
	case len(p.routes) == 0 && (req.Method == http.MethodGet || req.Method == http.MethodHead):
	case req.Method != http.MethodGet || classifyOrigin(req, false) != needsConfirmation:
		return false
	}
	for _, a := range p.arrivals {
		if token := a.token(req); token != "" {
			w.Header().Set("Location", profile.Filled(a.page, token))
			w.WriteHeader(http.StatusSeeOther)
			return true
		}
	}
	return false
}
