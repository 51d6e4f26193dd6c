package identity_test

import (
	"testing"

	"github.com/dragoman-auth/dragoman/internal/identity"
)

// ID-10: a phone number has one spelling, and says its country.
func TestID10_Phone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"+4930123456": "+4930123456", " +49 (30) 12-34-56 ": "+4930123456", "+123456789012345": "+123456789012345",
		"+12345678":  "+12345678",
		"4930123456": "", "004930123456": "", "030123456": "", "+0301234567": "", "+1234567": "",
		"+1234567890123456": "",
		"":                  "", "+": "", "+49301234a6": "", "+49.30.123456": "", "+49 30 123456 ext 7": "",
		"+٤٩٣٠١٢٣٤٥٦":       "",
		"+4930\u200b123456": "", "++4930123456": "", "+49/30123456": "",
	} {
		if got, err := identity.Phone(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
