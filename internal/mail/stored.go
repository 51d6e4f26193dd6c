package mail

import "time"

// StoredMail is a mail of the local mailbox.
type StoredMail struct {
	ID        string // mail_…
	To        string
	CreatedAt time.Time
	Rendered
	Links []string // the links with a one-time token
	Code  string   // "" for none
}
