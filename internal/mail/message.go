package mail

import (
	"strings"
	"time"
	"unicode"
)

// Message is the content of a mail. Templates see nothing else.
type Message struct {
	Kind string // the kind of mail, which is the name of its template: see kinds

	Locale string // the language of the account as a tag (BCP 47), "" for none
	Accept string // Accept-Language of the request that caused the mail, "" for none

	Site string // the name of the service, for example auth.example.com
	Home string // the URL of the service, for example https://auth.example.com

	To         string // the address of the recipient
	Name       string // the name of the user, "" for none
	Account    string // the address or the username of the account; "" if the recipient may not be its owner
	NewAddress string // the new address of a change of address, "" in other mails

	Button  map[string]string // replaces the text of the button, by language; "" for every other language
	Link    string            // holds the one-time token; "" in notices
	Page    string            // the page where the code can be typed, "" for none of this server
	Code    string            // the short form of the token, "" for none
	LinkFor time.Duration     // how long the token is valid
	CodeFor time.Duration     // how long the code is valid

	At       time.Time // when it happened
	Device   string    // for example "Safari on iPhone", "" if unknown
	IP       string    // "" if unknown
	Failures int       // how many wrong passwords there were before

	TakesOver   bool // the link is the first proof of whose address it is: what the account had before is removed
	Unconfirmed bool // nobody ever proved to own the address that the mail goes to
	Key         *Key // that the mail is about, nil for others
	Factor      *Factor
	Phone       *Phone // that the mail is about, nil for others
	Keys        []Key  // the API keys of the account that work, in mails about a new password

	Repeats []Repeat // of a digest, which stands for several notices
}

// Repeat is how many notices of a kind a digest stands for.
type Repeat struct {
	Kind   string
	Change string // of an API key or a number, as in Key and Phone; "" in other notices
	Count  int
	Since  time.Time
}

// Factor is what happened to the second factors of an account, or by wrong codes of them.
type Factor struct {
	Change string // added, removed, reset, codes-replaced, code-used, wrong-codes or guesses-spent
	Name   string // of an authenticator app
	Left   int    // recovery codes
}

// Phone is a phone number.
type Phone struct {
	Number string // its end alone
	Change string // confirmed, changed, removed or moved (another account proved it)
}

// Key is an API key.
type Key struct {
	Name     string
	Scopes   []string  // what it may do, in the names of the API; of the key that a mail is about
	Change   string    // made, widened (it may more than before) or rotated (it has another secret); likewise
	LastUsed time.Time // zero for never; of the keys in a list
}

// LastUse is the time of the last use as mails write times, "" for never.
func (k Key) LastUse() string { return clock(k.LastUsed) }

// clock writes a time, "" for none.
func clock(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02 15:04 UTC")
}

// The greatest lengths of texts that users chose, in characters.
const (
	maxName    = 60
	maxAddress = 254
)

// cleaned gives the message with every text that a user chose on one line of bounded length, and without anything that
// mail programs make links of (OT-20, OT-40). The address of the recipient alone may stay an address.
func (m Message) cleaned() Message {
	for _, text := range []*string{&m.Name, &m.Device} {
		*text = unlinked(line(*text, maxName))
	}
	for _, text := range []*string{&m.To, &m.Account, &m.NewAddress, &m.IP, &m.Site} {
		*text = line(*text, maxAddress)
	}
	own := m.To
	if !plainAddress(own) {
		m.To = unlinked(own)
	}
	for _, text := range []*string{&m.Account, &m.NewAddress} {
		if *text == own {
			*text = m.To
		} else {
			*text = unlinked(*text)
		}
	}
	if m.Key != nil {
		key := m.Key.cleaned()
		m.Key = &key
	}
	if m.Factor != nil {
		factor := *m.Factor
		factor.Name = unlinked(line(factor.Name, maxName))
		m.Factor = &factor
	}
	keys := make([]Key, len(m.Keys))
	for i, k := range m.Keys {
		keys[i] = k.cleaned()
	}
	m.Keys = keys
	return m
}

func (k Key) cleaned() Key {
	k.Name = unlinked(line(k.Name, maxName))
	return k
}

// line makes one line of a text, at most limit characters long. It removes control characters and invisible format
// characters, and joins runs of spaces and breaks.
func line(text string, limit int) string {
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
	if runes := []rune(text); len(runes) > limit {
		text = strings.TrimSpace(string(runes[:limit-1])) + "…"
	}
	return text
}

// Lasting is a duration in its greatest whole unit, which templates put into words.
type Lasting struct {
	Count int
	Unit  string // day, hour or minute
}

// lasting rounds up to whole minutes. One day is given as 24 hours.
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
