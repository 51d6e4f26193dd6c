package token_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

func someDevice(at time.Time) token.Device {
	return token.Device{ID: token.NewID(), Account: token.NewID(), IssuedAt: at}
}

func TestDevice_RoundTrip(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	shape := regexp.MustCompile(
		`^dt1\.[0-7][0-9a-hjkmnp-tv-z]{25}\.[0-7][0-9a-hjkmnp-tv-z]{25}\.[0-9]{16}\.[A-Za-z0-9_-]{47}$`)
	for _, age := range []time.Duration{
		0, time.Microsecond, time.Hour, token.DeviceLife - time.Microsecond,
		-time.Second,
	} {
		d := someDevice(noon().Add(-age).UTC())
		text := c.Device(d).Reveal()
		if got, err := c.ParseDevice(text); err != nil || got != d || !shape.MatchString(text) {
			t.Errorf("%v old: %+v, %v", age, got, err)
		}
	}
	for _, age := range []time.Duration{token.DeviceLife, 2 * token.DeviceLife, -time.Minute} {
		if _, err := c.ParseDevice(c.Device(someDevice(noon().Add(-age))).Reveal()); !errors.Is(err,
			token.ErrMalformed) {
			t.Errorf("%v old: %v", age, err)
		}
	}
}

func TestSE04_DeviceToken_EveryMutationRefused(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	for _, text := range mutants(c.Device(someDevice(noon())).Reveal()) {
		if d, err := c.ParseDevice(text); !errors.Is(err, token.ErrMalformed) || d != (token.Device{}) {
			t.Fatalf("%q accepted: %+v, %v", text, d, err)
		}
	}
}

// The parts of a device token cannot be exchanged, and the token of another server counts for nothing. One that was
// made under the previous server secret still counts.
func TestDevice_PartsBelongTogether(t *testing.T) {
	t.Parallel()
	old := secret.Generate()
	before, err := secret.New(old)
	if err != nil {
		t.Fatal(err)
	}
	after, err := secret.New(secret.Generate(), old)
	if err != nil {
		t.Fatal(err)
	}
	c := token.NewCodec(before, noon)
	one, two := c.Device(someDevice(noon())).Reveal(), c.Device(someDevice(noon().Add(-time.Hour))).Reveal()
	a, b := strings.Split(one, "."), strings.Split(two, ".")
	for n := 1; n < len(a); n++ {
		mixed := append([]string{}, a...)
		mixed[n] = b[n]
		if _, err := c.ParseDevice(strings.Join(mixed, ".")); !errors.Is(err, token.ErrMalformed) {
			t.Errorf("part %d of another token is accepted", n)
		}
	}
	if _, err := newCodec(t).ParseDevice(one); !errors.Is(err, token.ErrMalformed) {
		t.Error("the token of another server is accepted")
	}
	if _, err := token.NewCodec(after, noon).ParseDevice(one); err != nil {
		t.Errorf("under a previous server secret: %v", err)
	}
}

func FuzzParseDevice(f *testing.F) {
	c := newCodec(f)
	f.Add(c.Device(someDevice(noon())).Reveal())
	f.Add("dt1.01h455vb4pex5vsknk084sn02q.01h455vb4pex5vsknk084sn02q.1.")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := c.ParseDevice(text); err == nil && c.Device(d).Reveal() != text {
			t.Errorf("%q is a second spelling", text)
		}
	})
}
