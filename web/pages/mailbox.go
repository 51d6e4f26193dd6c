package pages

import (
	"bytes"
	"context"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/mail"
	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/web/assets"
)

// newMailbox serves the mails that the server stores instead of sending them, for trying it out on one machine and for
// tests of applications:
//
//	/dev/mailbox            the newest mails and messages to phones; ?to= for one address or number; as JSON with
//	                        Accept: application/json
//	/dev/mailbox/ID         one mail; as JSON with Accept: application/json
//	/dev/mailbox/ID/html    the HTML part of the mail, in which no script runs
//
// Reading the mailbox is enough to take over accounts. So it answers requests from this machine alone that came through
// no proxy, for the names of this machine and of the public URL, which keeps out pages that got a name of theirs to
// point here; or whoever has the key of Config.MailboxKey. Pages of other origins learn nothing from it.
func newMailbox(cfg Config, pages *template.Template, refusals *assets.Refusals) http.Handler {
	return &mailbox{
		read: cfg.Mailbox, at: cfg.Site, key: cfg.MailboxKey, pages: pages,
		bar: cfg.Bar.At(assets.Mailbox), refusals: refusals,
	}
}

type mailbox struct {
	read  func(ctx context.Context, to, id string) ([]mail.StoredMail, error)
	at    site.Site
	key   string // "" where the mailbox is for this machine alone
	pages *template.Template
	bar   assets.Bar

	refusals *assets.Refusals
}

// framePolicy is the Content-Security-Policy of the HTML of a mail. It allows inline styles, and links that a person
// clicks and that open in the whole window.
const framePolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'self'; " +
	"sandbox allow-top-navigation-by-user-activation"

// ServeHTTP serves the mailbox.
func (b *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	assets.SetHeaders(w.Header(), securityPolicy)
	for _, name := range []string{
		"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
	} {
		w.Header().Del(name) // the trusted origins of the API may not read the mailbox either
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/dev/mailbox")
	id, html := strings.CutSuffix(strings.TrimPrefix(rest, "/"), "/html")
	switch {
	case !ok || rest != "" && (!strings.HasPrefix(rest, "/") || id == "" || strings.Contains(id, "/")):
		b.refusals.NotFound(w, r)
		return
	case !edge.Allow(w, r, http.MethodGet, http.MethodHead):
		return
	}
	if problem := b.refusal(r); problem != "" {
		b.refusals.Write(w, r, assets.Refusal{
			Status: http.StatusForbidden, Title: "The mailbox stays closed", Text: problem,
		})
		return
	}
	if b.keep(w, r) {
		return
	}
	w.Header().Set("Vary", "Accept")
	to := r.URL.Query().Get("to")
	if id != "" {
		to = ""
	}
	mails, err := b.read(r.Context(), to, id)
	switch {
	case err != nil:
		edge.Problem(w, http.StatusInternalServerError, "The mails can not be read.")
	case id != "" && len(mails) == 0:
		b.refusals.NotFound(w, r)
	case html && mails[0].SMS:
		b.refusals.NotFound(w, r)
	case html:
		w.Header().Set("Content-Security-Policy", framePolicy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		assets.WriteBody(w, r, []byte(openInWindow(mails[0].HTML)))
	case strings.Contains(r.Header.Get("Accept"), "application/json"):
		b.writeJSON(w, r, mails, id != "")
	default:
		b.writePage(w, r, mails, to, id)
	}
}

// openInWindow makes the links of a mail open in the whole window instead of the frame.
func openInWindow(html string) string {
	const base = `<base target="_top">`
	if before, after, ok := strings.Cut(html, "<head>"); ok {
		return before + "<head>" + base + after
	}
	return base + html
}

// mailJSON is the JSON form of a mail.
type mailJSON struct {
	ID        string    `json:"id"`
	SMS       bool      `json:"sms"`
	To        string    `json:"to"`
	Subject   string    `json:"subject"`
	Text      string    `json:"text"`
	HTML      string    `json:"html"`
	Links     []string  `json:"links"`
	Code      *string   `json:"code"`
	CreatedAt time.Time `json:"createdAt"`
}

func (b *mailbox) writeJSON(w http.ResponseWriter, r *http.Request, mails []mail.StoredMail, one bool) {
	all := make([]mailJSON, len(mails))
	for i, m := range mails {
		all[i] = mailJSON{
			ID:        m.ID,
			SMS:       m.SMS,
			To:        m.To,
			Subject:   m.Subject,
			Text:      m.Text,
			HTML:      m.HTML,
			Links:     m.Links,
			CreatedAt: m.CreatedAt.UTC(),
		}
		if m.Code != "" {
			all[i].Code = &mails[i].Code
		}
	}
	var out any = all
	if one {
		out = all[0]
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // people read the JSON too
	if err := encoder.Encode(out); err != nil {
		panic("pages: encode the mailbox as JSON: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	assets.WriteBody(w, r, text.Bytes())
}

// mailboxPage is the list of mails. Here is the open mail, nil for none.
type mailboxPage struct {
	Bar  assets.Bar
	To   string
	All  []mail.StoredMail
	Here *mail.StoredMail
}

func (b *mailbox) writePage(w http.ResponseWriter, r *http.Request, mails []mail.StoredMail, to, id string) {
	page := mailboxPage{Bar: b.bar, To: to, All: mails}
	if id != "" {
		page.Here = &mails[0]
		var err error
		if page.All, err = b.read(r.Context(), "", ""); err != nil {
			edge.Problem(w, http.StatusInternalServerError, "The mails can not be read.")
			return
		}
	}
	writePage(w, r, b.pages, "mailbox.html", http.StatusOK, page)
}
