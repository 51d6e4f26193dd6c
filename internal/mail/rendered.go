// Package mail renders mails and sends them by SMTP.
package mail

// Rendered is a mail that is ready to be sent.
type Rendered struct {
	Subject string // one line
	Text    string // the text/plain part
	HTML    string // the text/html part; it loads nothing from the network
}
