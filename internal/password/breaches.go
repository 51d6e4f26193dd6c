package password

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // the form of the lists; nothing is kept by it
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

// The bounds of one question to a list of breached passwords.
const (
	breachesWithin = time.Second // it fails open after that: nobody waits longer for a password
	breachesAnswer = 1 << 20     // bytes that are read; a usual answer has about 40 KiB
	prefixLength   = 5           // characters of the hash that the list gets to see
)

// Breaches is a list of breached passwords that somebody serves, asked by k-anonymity as api.pwnedpasswords.com/range/
// is: GET with the first five hexadecimal characters of the SHA-1 of a password, which about a thousand breached ones
// share, is answered with lines `rest of the hash:count`. So the list never learns the password nor its hash (security
// rule PW-07). It is safe for concurrent use; a nil one finds nothing.
type Breaches struct {
	base   string
	client *http.Client
	log    *slog.Logger
}

// NewBreaches is the list below a base URL, nil for "". Redirects are not followed.
func NewBreaches(base string, log *slog.Logger) *Breaches {
	if base == "" {
		return nil
	}
	return &Breaches{
		base: strings.TrimSuffix(base, "/") + "/", log: log,
		client: &http.Client{CheckRedirect: func(*http.Request,
			[]*http.Request,
		) error {
			return http.ErrUseLastResponse
		}},
	}
}

// Check refuses a password that is on the list with a *fault.Error PASSWORD_BREACHED. When the list does not answer
// within a second, or with something else, the password passes and the log says so: a list that is down shall keep
// nobody out. Neither the password nor a part of its hash is logged.
func (b *Breaches) Check(ctx context.Context, password string) error {
	if b == nil {
		return nil
	}
	sum := sha1.Sum(norm.NFC.Bytes([]byte(password))) //nolint:gosec // as above
	hash := strings.ToUpper(hex.EncodeToString(sum[:]))
	limited, cancel := context.WithTimeout(ctx, breachesWithin)
	defer cancel()
	found, err := b.has(limited, hash[:prefixLength], hash[prefixLength:])
	if err != nil && ctx.Err() == nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the URL, which ends with a part of the hash
		}
		b.log.WarnContext(ctx, "a password was not compared with the list of breached ones", "error", err)
	}
	if found {
		return fault.New(fault.PasswordBreached, "This password is known from a data breach. Please choose another.")
	}
	return nil
}

// has looks for the rest of a hash among those that begin with prefix.
func (b *Breaches) has(ctx context.Context, prefix, rest string) (bool, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+prefix, nil)
	if err != nil {
		return false, err
	}
	r.Header.Set("Add-Padding", "true") // answers of like length, by lines with the count 0
	r.Header.Set("User-Agent", "dragoman")
	res, err := b.client.Do(r)
	if err != nil {
		return false, err
	}
	defer res.Body.Close() //nolint:errcheck // read as far as it matters
	if res.StatusCode != http.StatusOK {
		return false, fmt.Errorf("breach list: unexpected status %d", res.StatusCode)
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
