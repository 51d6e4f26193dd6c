// Package sms hands messages to a provider that sends them to phones, and tells the country of a number.
package sms

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// Message is a message to a phone.
type Message struct {
	ID   string // by which a provider knows a message that comes twice
	To   string // in E.164
	Text string
	Kind Kind
}

// Kind is what the code of a message is for.
type Kind string

// The kinds of messages.
const (
	KindVerifyPhone Kind = "verify-phone"
	KindLogin       Kind = "login"
)

// words are the texts by language, English first: the code, the service, the minutes. They fit into one message of the
// 160 characters of GSM 7-bit with a name of 30.
var words = []struct {
	tag   language.Tag
	texts map[Kind]string
}{
	{language.English, map[Kind]string{
		KindVerifyPhone: "%s is your code to confirm this number at %s. It is good for %d minutes.",
		KindLogin:       "%s is your code to sign in to %s. It is good for %d minutes. Give it to nobody.",
	}},
	{language.German, map[Kind]string{
		KindVerifyPhone: "%s ist Ihr Code, um diese Nummer bei %s zu bestätigen. Er gilt %d Minuten.",
		KindLogin:       "%s ist Ihr Code zur Anmeldung bei %s. Er gilt %d Minuten. Geben Sie ihn niemandem.",
	}},
}

// Text words a message. wanted are Accept-Language headers and tags, the most wanted first. The last line lets the
// browser fill the code in on pages of host alone (the form of origin-bound one-time codes).
func Text(kind Kind, code secret.Text, site, host string, lasts time.Duration, wanted ...string) string {
	tags := make([]language.Tag, len(words))
	for i, w := range words {
		tags[i] = w.tag
	}
	_, i := language.MatchStrings(language.NewMatcher(tags), wanted...)
	text := fmt.Sprintf(words[i].texts[kind], code.Reveal(), shortened(site), int(lasts/time.Minute))
	if host != "" {
		text += fmt.Sprintf("\n\n@%s #%s", host, code.Reveal())
	}
	return text
}

const longestName = 30

// shortened gives the name of a service on one line.
func shortened(name string) string {
	runes := []rune(strings.Join(strings.Fields(name), " "))
	return string(runes[:min(longestName, len(runes))])
}
