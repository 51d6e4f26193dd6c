package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
)

// The bounds of a bcrypt hash. Each step of the cost doubles the time.
const (
	minBcryptCost = 4
	maxBcryptCost = 14

	bcryptLength = 60
	bcryptSalt   = 22 // characters
)

// bcryptBase64 is the base64 of bcrypt, without padding.
var bcryptBase64 = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").
	WithPadding(base64.NoPadding)

// bcryptHash is a parsed bcrypt hash: $2b$<cost>$<salt><sum>, with 22 and 31 characters.
type bcryptHash struct {
	text string
	cost int
}

func (b bcryptHash) kind() string { return "bcrypt " + strconv.Itoa(b.cost) }

func parseBcrypt(text string) (bcryptHash, error) {
	if len(text) != bcryptLength {
		return bcryptHash{}, fmt.Errorf("%d characters; want %d", len(text), bcryptLength)
	}
	switch text[:4] {
	case "$2a$", "$2b$", "$2x$", "$2y$":
	default:
		return bcryptHash{}, errors.New("unknown version; want 2a, 2b, 2x or 2y")
	}
	cost, err := strconv.ParseUint(text[4:6], 10, 8)
	if err != nil || text[6] != '$' {
		return bcryptHash{}, errors.New("the cost cannot be read; want two digits and a $")
	}
	if cost < minBcryptCost || cost > maxBcryptCost {
		return bcryptHash{}, fmt.Errorf("cost %d; want %d to %d", cost, minBcryptCost, maxBcryptCost)
	}
	salt, sum := text[7:7+bcryptSalt], text[7+bcryptSalt:]
	if _, err := bcryptBase64.DecodeString(salt); err != nil {
		return bcryptHash{}, errors.New("the salt is not in the base64 of bcrypt")
	}
	if _, err := bcryptBase64.Strict().DecodeString(sum); err != nil {
		return bcryptHash{}, errors.New("the sum is not in the base64 of bcrypt")
	}
	return bcryptHash{text: text, cost: int(cost)}, nil
}
