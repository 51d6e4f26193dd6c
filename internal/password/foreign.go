package password

import "fmt"

// Foreign is a password hash that ReadForeign accepted.
type Foreign struct {
	Text  string // as it is stored; the form that one system writes may have become that of another
	Kind  string // algorithm and cost, such as "bcrypt 10"; hashes of one kind take the same time
	Dummy string // a hash of the same kind that no password has
}

// Current tells whether the hash costs what one of ours costs.
func (f Foreign) Current() bool { return f.Kind == current().kind() }

// formats are the hashes that can be verified.
var formats = []format{
	{"$argon2", "argon2", parseArgon2},
	{"argon2$", "argon2", parseDjangoArgon2},
	{"$2", "bcrypt", parseBcrypt},
	{"bcrypt$$2", "bcrypt", parseDjangoBcrypt},
	{"bcrypt_sha256$", "bcrypt_sha256", parseDjangoBcryptSHA256},
	{"$wp$2", "WordPress", parseWordPress},
	{"$scrypt$", "scrypt", parseScrypt},
	{"scrypt$", "scrypt", parseDjangoScrypt},
	{"$fbscrypt$", "fbscrypt", parseFirebase},
	{"$pbkdf2", "pbkdf2", parsePBKDF2},
	{"pbkdf2_", "pbkdf2", parseDjangoPBKDF2},
	{"{SSHA", "SSHA", parseSSHA},
	{"$5$", "SHA-crypt", parseSHACrypt},
	{"$6$", "SHA-crypt", parseSHACrypt},
	{"$P$", "phpass", parsePHPass},
	{"$H$", "phpass", parsePHPass},
}

// ReadForeign reads a password hash of another system, or of ours. It accepts exactly what Verify can check later,
// within the bounds on cost. Its error tells an operator what is wrong with the text, and does not contain it.
func ReadForeign(text string) (Foreign, error) {
	h, err := parse(text)
	if err != nil {
		return Foreign{}, fmt.Errorf("password hash: %w", err)
	}
	return foreign(h), nil
}

func foreign(h stored) Foreign {
	return Foreign{Text: h.String(), Kind: h.kind, Dummy: h.dummy().String()}
}
