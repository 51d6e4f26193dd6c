package password

import (
	"errors"
	"fmt"
	"strings"
)

// maxForeign bounds the text of a foreign hash, in bytes. The longest form, Firebase's with its keys, has about 400.
const maxForeign = 1024

// Foreign is a password hash of another system that ReadForeign accepted.
type Foreign struct {
	Text string // as it is stored in place of a hash of ours
	Kind string // algorithm and cost, such as "bcrypt 10"; hashes of one kind take the same time
}

// ReadForeign reads a password hash of another system. It accepts exactly what Verify can check later, within the
// bounds on cost. Its error tells an operator what is wrong with the text, and does not contain it.
func ReadForeign(text string) (Foreign, error) {
	switch {
	case text == "":
		return Foreign{}, errors.New("password hash: empty; leave the field out for an account without a password")
	case len(text) > maxForeign:
		return Foreign{}, fmt.Errorf("password hash: %d bytes long; at most %d are read", len(text), maxForeign)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return Foreign{}, errors.New("password hash: contains white space or characters beyond ASCII; none has these")
	case strings.HasPrefix(text, "$2"):
		b, err := parseBcrypt(text)
		if err != nil {
			return Foreign{}, fmt.Errorf("password hash: bcrypt: %w", err)
		}
		return Foreign{Text: b.text, Kind: b.kind()}, nil
	}
	return Foreign{}, errors.New("password hash: unknown format; docs/moving-in.md lists those that are read")
}
