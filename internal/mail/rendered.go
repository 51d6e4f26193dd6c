// Package mail words mails and hands them to a mail server.
package mail

// Rendered is a mail in its words.
type Rendered struct {
	Subject string // one line
	Text    string // the text/plain part
	HTML    string // the text/html part; nothing in it is loaded from elsewhere
}
