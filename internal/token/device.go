package token

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// devicePrefix is the prefix of device tokens. The digit is the version of the format.
const devicePrefix = "dt1."

// DeviceLife is how long a device token counts after its issue.
const DeviceLife = 180 * 24 * time.Hour

// maxMicroseconds is the latest time of issue in a device token, in microseconds since 1970: 16 digits.
const maxMicroseconds = 9_999_999_999_999_999

// maxDevice is the length of the longest device token.
const maxDevice = len(devicePrefix) + idLength + 1 + idLength + 1 + 16 + 1 + macLength

// Device is the content of a device token: an account was signed in to on this device. It is no proof of who is
// calling. Failed sign-ins that show it are counted apart from those of strangers.
type Device struct {
	ID       uuid.UUID // random; stays the same while the token is renewed
	Account  uuid.UUID
	IssuedAt time.Time // whole microseconds; the token expires DeviceLife later
}

// Device returns the device token of d:
//
//	dt1.<device: 26 base32>.<account: 26 base32>.<microseconds of the issue: decimal>.
//	<key id: 4 base64url><mac: 43 base64url>
//
// No token is stored.
func (c *Codec) Device(d Device) secret.Text { return deviceText(c.device, d) }

func deviceText(key secret.Key, d Device) secret.Text {
	var at [8]byte
	micros := d.IssuedAt.UnixMicro()
	binary.BigEndian.PutUint64(at[:], uint64(micros))
	return secret.Text(devicePrefix + encodeID(d.ID) + "." + encodeID(d.Account) + "." +
		strconv.FormatInt(micros, 10) + "." + sign(key, d.ID[:], d.Account[:], at[:]))
}

// ParseDevice reads a device token. It compares the MAC in constant time. A token that has expired, or was issued in
// the future, is ErrMalformed like any other text. Whether the account still counts the token is for the database.
func (c *Codec) ParseDevice(text string) (Device, error) {
	rest, ok := strings.CutPrefix(text, devicePrefix)
	if !ok || len(text) > maxDevice {
		return Device{}, ErrMalformed
	}
	parts := strings.Split(rest, ".")
	if len(parts) != 4 {
		return Device{}, ErrMalformed
	}
	device, err1 := decodeID(parts[0])
	account, err2 := decodeID(parts[1])
	micros, err3 := strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || micros < 0 || micros > maxMicroseconds {
		return Device{}, ErrMalformed
	}
	d := Device{ID: device, Account: account, IssuedAt: time.UnixMicro(micros).UTC()}
	if !same(c.device, text, func(k secret.Key) secret.Text { return deviceText(k, d) }) {
		return Device{}, ErrMalformed
	}
	if age := c.now().Sub(d.IssuedAt); age >= DeviceLife || age < -leeway {
		return Device{}, ErrMalformed
	}
	return d, nil
}
