package mail

import "time"

// Kept is a mail of the local mailbox.
type Kept struct {
	ID        string // mail_…
	To        string
	CreatedAt time.Time
	Rendered
	Links []string // with one-time tokens
	Code  string   // "" for none
}
