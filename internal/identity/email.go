package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

const (
	maxEmail = 254 // bytes of the address (RFC 5321 section 4.5.3.1.3, without the angle brackets)
	maxLocal = 64  // bytes of the local part (RFC 5321 section 4.5.3.1.1)
)

// Email reads an email address (ID-01, ID-03). original is the typed address in NFC, without surrounding white space:
// show it and send mails to it. canonical has the local part in lower case and the domain as lower-case A-labels (UTS
// #46, RFC 5891): compare it and keep it unique. Dots and +tags are part of the address and stay in both.
//
// An address is a dot-atom of ASCII, "@" and a domain name of two or more labels (RFC 5321 section 4.1.2). Quoted local
// parts, comments, address literals in brackets and local parts outside ASCII (RFC 6531) are errors.
func Email(text string) (original, canonical string, err error) {
	if err := CheckPrintable(text); err != nil {
		return "", "", err
	}
	text = strings.TrimSpace(text)
	local, domain, found := strings.Cut(text, "@")
	switch {
	case !found || len(text) > maxEmail || len(local) > maxLocal:
		return "", "", errEmail()
	case strings.ContainsFunc(local, beyondASCII):
		return "", "", refuse(`Letters beyond ASCII are not supported before the "@" of an email address. Please use ` +
			`another address.`)
	case !dotAtom(local): // before NFC, which turns a few characters into ASCII (U+212A, the Kelvin sign)
		return "", "", errEmail()
	}
	domain = norm.NFC.String(domain)
	original = local + "@" + domain
	ascii, ok := hostname(domain)
	canonical = strings.ToLower(local) + "@" + ascii
	if !ok || len(original) > maxEmail || len(canonical) > maxEmail {
		return "", "", errEmail()
	}
	return original, canonical, nil
}

func errEmail() error { return refuse("Please enter a valid email address, such as ada@example.com.") }

func beyondASCII(r rune) bool { return r > unicode.MaxASCII }

// dotAtom reports whether local is a Dot-string (RFC 5321 section 4.1.2): runs of atext, joined by single dots.
func dotAtom(local string) bool {
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" {
			return false
		}
		for _, r := range atom {
			if !letterOrDigit(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r) {
				return false
			}
		}
	}
	return true
}

// letterOrDigit reports whether r is a letter or digit of ASCII.
func letterOrDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// hostname returns the A-labels of a domain of two or more labels, in lower case.
func hostname(domain string) (string, bool) {
	ascii, err := domains().ToASCII(domain)
	if err != nil {
		return "", false
	}
	ascii = strings.ToLower(ascii)
	dot := strings.LastIndexByte(ascii, '.')
	if dot < 1 || strings.Trim(ascii[dot+1:], "0123456789") == "" {
		return "", false // one label, a dot at the end, or an IP address (RFC 3696 section 2)
	}
	// The A-labels must map to themselves, because they are compared and kept unique.
	again, err := domains().ToASCII(ascii)
	return ascii, err == nil && again == ascii
}

// domains is the lookup profile of RFC 5891 section 5 with the length limits of DNS. It maps a typed domain as browsers
// do, and rejects a domain that nobody can register.
func domains() *idna.Profile {
	return idna.New(
		idna.MapForLookup(),
		idna.Transitional(false),
		idna.BidiRule(),
		idna.CheckHyphens(true),
		idna.CheckJoiners(true),
		idna.StrictDomainName(true),
		idna.ValidateLabels(true),
		idna.VerifyDNSLength(true),
	)
}

// Abridged keeps the first character of the local part of an address and its domain, for a reader who may be a
// stranger: whoever knows the address recognizes it.
func Abridged(email string) string {
	local, domain, _ := strings.Cut(email, "@")
	_, first := utf8.DecodeRuneInString(local)
	return local[:first] + "…@" + domain
}

// Mailbox gives the mailbox of a canonical address, as mails to it are counted (OT-17): without a +tag, and at Gmail
// without dots. Nothing else goes by it: accounts with such addresses are different ones.
func Mailbox(canonical string) string {
	local, domain, _ := strings.Cut(canonical, "@")
	if name, _, tagged := strings.Cut(local, "+"); tagged && name != "" {
		local = name
	}
	if domain == "gmail.com" || domain == "googlemail.com" {
		local, domain = strings.ReplaceAll(local, ".", ""), "gmail.com"
	}
	return local + "@" + domain
}
