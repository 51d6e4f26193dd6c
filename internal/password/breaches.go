package password

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// The bounds of one request to a breach list.
const (
	breachesWithin = time.Second // after it the password passes
	breachesAnswer = 1 << 20     // bytes; a usual answer has about 40 KiB
	prefixLength   = 5           // characters of the hash in the request
)

// Breaches is a client of a list of breached passwords, with the protocol of api.pwnedpasswords.com/range/. The request
// is a GET with the first 5 hexadecimal characters of the SHA-1 of a password. The answer has a line `rest of the
// hash:count` for each breached password with these characters, about a thousand in all. So the list learns neither the
// password nor its hash (PW-07). Breaches is safe for concurrent use. A nil *Breaches accepts every password.
type Breaches struct {
	base   string
	client *http.Client
	log    *slog.Logger
}

// NewBreaches returns a client for the list under a base URL, and nil for "". It does not follow redirects.
func NewBreaches(base string, log *slog.Logger) *Breaches {
	if base == "" {
		return nil
	}
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Breaches{
		base:   strings.TrimSuffix(base, "/") + "/",
		client: &http.Client{CheckRedirect: noRedirect},
		log:    log,
	}
}

// Check returns a *fault.Error PASSWORD_BREACHED for a password on the list. If the list does not answer within a
// second, or answers something else, the password passes and Check logs a warning: a list that is down must not stop
// registration. The log contains neither the password nor a part of its hash.
func (b *Breaches) Check(ctx context.Context, password string) error {
	if b == nil {
		return nil
	}
	sum := sha1.Sum(norm.NFC.Bytes([]byte(password)))
	hash := strings.ToUpper(hex.EncodeToString(sum[:]))
	limited, cancel := context.WithTimeout(ctx, breachesWithin)
	defer cancel()
	found, err := b.has(limited, hash[:prefixLength], hash[prefixLength:])
	if err != nil && ctx.Err() == nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // the URL ends with a part of the hash
		}
		b.log.WarnContext(ctx, "breach list: a password was not compared with the list and passed; "+
			"check DRAGOMAN_BREACHED_PASSWORDS_URL", "error", err)
	}
	if found {
		return fault.New(fault.PasswordBreached, "This password is known from a data breach. Please choose another.")
	}
	return nil
}

// has reports whether the list contains the hash prefix + rest. Only prefix is sent.
func (b *Breaches) has(ctx context.Context, prefix, rest string) (bool, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+prefix, nil)
	if err != nil {
		return false, err
	}
	r.Header.Set("Add-Padding", "true") // hides the length of the answer by lines with the count 0
	r.Header.Set("User-Agent", "dragoman")
	res, err := b.client.Do(r)
	if err != nil {
		return false, err
	}
	defer res.Body.Close() //nolint:errcheck // the answer was read
	if res.StatusCode != http.StatusOK {
		return false, fmt.Errorf("breach list: unexpected status %d; want 200", res.StatusCode)
	}
	lines := bufio.NewScanner(io.LimitReader(res.Body, breachesAnswer))
	for lines.Scan() {
		other, count, ok := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		if !ok || len(other) != len(rest) {
			return false, errors.New("breach list: an unexpected line; want hash:count")
		}
		if strings.EqualFold(other, rest) && strings.Trim(count, "0") != "" {
			return true, nil
		}
	}
	return false, lines.Err()
}
