package identity

import (
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

const (
	maxEmail = 254 // octets of the whole address (RFC 5321 section 4.5.3.1.3, less the angle brackets)
	maxLocal = 64  // octets (RFC 5321 section 4.5.3.1.1)
)

// Email reads an email address (security rules ID-01 and ID-03). original is what was typed without surrounding space,
// in NFC: the form to show and to send mail to. canonical is the form to compare and to keep unique: the local part in
// lower case, the domain as lower-case A-labels (UTS #46, RFC 5891). Dots and +tags are part of the address and stay.
//
// Accepted is a dot-atom of ASCII, "@" and a domain name of two labels or more (RFC 5321 section 4.1.2); quoted local
// parts, comments, addresses of machines in brackets, and local parts beyond ASCII (RFC 6531) are refused.
func Email(text string) (original, canonical string, err error) {
	// The surrounding space comes off the length: nobody means it.
	if text = strings.Trim(text, " "); len(text) > maxEmail || !clean(text, false) {
		return "", "", errEmail()
	}
	local, domain, found := strings.Cut(strings.TrimSpace(text), "@")
	// Before NFC, which makes ASCII of a few characters that are not (U+212A, the Kelvin sign).
	if !found || len(local) > maxLocal || !dotAtom(local) {
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

func errEmail() error { return refuse("Please enter a valid email address.") }

// dotAtom is RFC 5321's Dot-string: runs of atext joined by single dots.
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

// letterOrDigit is for ASCII only.
func letterOrDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// hostname gives the A-label form of a domain of two labels or more, in lower case.
func hostname(domain string) (string, bool) {
	ascii, err := domains().ToASCII(domain)
	if err != nil {
		return "", false
	}
	ascii = strings.ToLower(ascii)
	dot := strings.LastIndexByte(ascii, '.')
	if dot < 1 || strings.Trim(ascii[dot+1:], "0123456789") == "" {
		return "", false // one label, a dot at the end, or the address of a machine (RFC 3696 section 2)
	}
	// What a name turns into has to stay what it is when it is typed in that form: the key of a unique index.
	again, err := domains().ToASCII(ascii)
	return ascii, err == nil && again == ascii
}

// domains is the lookup profile of RFC 5891 section 5 with the length limits of DNS: what is typed is mapped as
// browsers map it, and anything that could not be a registered name is refused.
func domains() *idna.Profile {
	return idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.CheckHyphens(true),
		idna.CheckJoiners(true), idna.StrictDomainName(true), idna.ValidateLabels(true), idna.VerifyDNSLength(true))
}
