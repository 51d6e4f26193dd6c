package mail

import "time"

// StoredMail is a mail of the local mailbox, or a message to a phone.
type StoredMail struct {
	ID        string // mail_… or sms_…
	SMS       bool   // a message to a phone: it has neither links nor HTML
	To        string
	CreatedAt time.Time
	Rendered
	Links []string // the links with a one-time token
	Code  string   // "" for none
}
