package identity

import "strings"

// The digits of a phone number with the code of its country (ITU-T E.164 section 6.2; no number in use is shorter).
const (
	leastDigits = 8
	mostDigits  = 15
)

// Phone reads a phone number in the international form: +, the code of the country, the number (ID-10). Blanks, hyphens
// and parentheses are left out; nothing else is, so that every number has one spelling. A number without + means
// another one in each country, and is refused.
func Phone(text string) (string, error) {
	if err := CheckPrintable(text); err != nil {
		return "", err
	}
	number := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(strings.TrimSpace(text))
	digits, plus := strings.CutPrefix(number, "+")
	if !plus || len(digits) < leastDigits || len(digits) > mostDigits || digits[0] == '0' ||
		strings.Trim(digits, "0123456789") != "" {
		return "", refuse("Please enter a phone number with the code of its country, such as +49 30 123456.")
	}
	return number, nil
}
