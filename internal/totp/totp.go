// Package totp makes and checks the codes of authenticator apps (RFC 6238): six digits by HMAC-SHA-1, a new one every
// 30 seconds. Apps ignore other parameters too often for them to be of use.
package totp

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"image/png"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// SecretBytes is the length of a secret: 160 bits (RFC 4226 section 4, R6).
const SecretBytes = 20

// Period is how long a code is shown.
const Period = 30 * time.Second

// skew is how many steps before and after the present one a code may be of (RFC 6238 section 5.2).
const skew = 1

var text = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewSecret draws a secret.
func NewSecret() []byte {
	b := make([]byte, SecretBytes)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}

// Enrolment is what an authenticator app needs to know.
type Enrolment struct {
	Secret secret.Text // in Base32, without padding
	URI    secret.Text // otpauth://totp/…
	QRCode secret.Text // of the URI, as a data URI of a PNG image
}

// Enrol describes a secret for the apps of people. Apps show the issuer and the account beside the code.
func Enrol(raw []byte, issuer, account string) (*Enrolment, error) {
	// A colon separates the two in the label.
	clean := strings.NewReplacer(":", " ")
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: clean.Replace(issuer), AccountName: clean.Replace(account), Secret: raw,
		Period: uint(Period / time.Second), Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return nil, errors.New("totp: an issuer or account has no form that apps can read")
	}
	image, err := key.Image(256, 256)
	if err != nil {
		return nil, errors.New("totp: the URI is too long for a QR code; shorten the name of the account")
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image); err != nil {
		return nil, errors.New("totp: the QR code could not be drawn")
	}
	return &Enrolment{
		Secret: secret.Text(text.EncodeToString(raw)), URI: secret.Text(key.URL()),
		QRCode: secret.Text("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())),
	}, nil
}

// IsCode tells whether a text has the form of a code: six digits.
func IsCode(code string) bool { return len(code) == 6 && strings.Trim(code, "0123456789") == "" }

// Step finds the step of a code: how many periods after 1970 it belongs to. It compares in constant time with the codes
// of the present step and of one before and after, and gives ok false for any other code.
func Step(raw []byte, code string, now time.Time) (step int64, ok bool) {
	for n := int64(-skew); n <= skew; n++ {
		at := now.Add(time.Duration(n) * Period)
		want, err := Code(raw, at)
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = at.Unix()/int64(Period/time.Second), true
		}
	}
	return step, ok
}

// CodeOf gives the code that an app shows at a time, by its secret in Base32.
func CodeOf(secret string, at time.Time) (string, error) {
	raw, err := text.DecodeString(secret)
	if err != nil {
		return "", fmt.Errorf("totp: the secret is not Base32: %w", err)
	}
	return Code(raw, at)
}

// Code gives the code that an app shows at a time.
func Code(raw []byte, at time.Time) (string, error) {
	return totp.GenerateCodeCustom(text.EncodeToString(raw), at, totp.ValidateOpts{
		Period: uint(Period / time.Second), Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
}
