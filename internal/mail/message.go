package mail

import (
	"strings"
	"time"
	"unicode"
)

// Message is what a mail speaks of. Templates see this and nothing else.
type Message struct {
	Kind string // its name, which is that of its template: see Kinds

	Locale string // the language of the account as a tag (BCP 47), "" for none
	Accept string // the languages of the request that the mail comes from, as in Accept-Language; "" for none

	Site string // what the service is called, for example auth.example.com
	Home string // its address, for example https://auth.example.com

	To         string // the address that the mail goes to
	Name       string // of the person, "" for none
	Account    string // what the account goes by: its address mostly; "" where its reader may not be its owner
	NewAddress string // of a change of the address, "" for others

	Link    string        // with the one-time token; "" in notices
	Page    string        // where the code can be typed, "" for nowhere of ours
	Code    string        // the short form of the token, "" for none
	LinkFor time.Duration // how long the token is good
	CodeFor time.Duration // and the code

	At       time.Time // when it happened
	Device   string    // "Safari on iPhone", "" when nothing is known of it
	IP       string    // "" when it is not known
	Failures int       // wrong passwords before
}

// The greatest lengths of what people chose themselves, in characters.
const (
	maxName    = 60
	maxAddress = 254
)

// cleaned is the message with everything that people chose as one line of a bounded length. A name and a device can
// make no link: mail programs turn whatever looks like an address into one (OT-20).
func (m Message) cleaned() Message {
	for _, text := range []*string{&m.Name, &m.Device} {
		*text = unlinked(line(*text, maxName))
	}
	for _, text := range []*string{&m.To, &m.Account, &m.NewAddress, &m.IP, &m.Site} {
		*text = line(*text, maxAddress)
	}
	return m
}

// line makes a text one line: without control characters, those that act unseen and breaks, its spaces single.
func line(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		text = strings.TrimSpace(string(runes[:most-1])) + "…"
	}
	return text
}

// unlinked puts a space behind every sign that addresses have within: evil.example becomes evil. example.
func unlinked(text string) string {
	var out strings.Builder
	runes := []rune(text)
	for i, r := range runes {
		out.WriteRune(r)
		if strings.ContainsRune("./:@\\", r) && i+1 < len(runes) && runes[i+1] != ' ' {
			out.WriteByte(' ')
		}
	}
	return out.String()
}

// Lasting is a time in its greatest whole unit, for templates to put into words.
type Lasting struct {
	Count int
	Unit  string // day, hour or minute
}

// lasting rounds to whole minutes, up. A day is said as 24 hours.
func lasting(d time.Duration) Lasting {
	minutes := int((d + time.Minute - 1) / time.Minute)
	switch {
	case minutes > 0 && minutes%(48*60) == 0, minutes > 48*60 && minutes%(24*60) == 0:
		return Lasting{minutes / (24 * 60), "day"}
	case minutes > 0 && minutes%60 == 0:
		return Lasting{minutes / 60, "hour"}
	}
	return Lasting{minutes, "minute"}
}
