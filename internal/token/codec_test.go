package token_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/internal/token"
)

func TestRefresh_RoundTrip(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	shape := regexp.MustCompile(`^rt1\.[0-7][0-9a-hjkmnp-tv-z]{25}\.(0|[1-9][0-9]{0,15})\.[A-Za-z0-9_-]{47}$`)
	for _, generation := range []int64{0, 1, 9, 10, 4711, 1 << 32, 1 << 53} {
		id := token.NewID()
		text := c.Refresh(id, generation)
		if !shape.MatchString(text.Reveal()) {
			t.Errorf("another shape at generation %d", generation)
		}
		if c.Refresh(id, generation) != text {
			t.Error("two texts for one token: a repeated answer would differ (SE-10)")
		}
		session, got, err := c.ParseRefresh(text.Reveal())
		if err != nil || session != id || got != generation {
			t.Errorf("generation %d is read %s %d, %v", generation, session, got, err)
		}
	}
}

func TestRefresh_GenerationOutOfRangeRefused(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	for _, generation := range []int64{-1, -1 << 63, 1<<53 + 1, 1<<63 - 1} {
		_, _, err := c.ParseRefresh(c.Refresh(token.NewID(), generation).Reveal())
		if !errors.Is(err, token.ErrMalformed) {
			t.Errorf("generation %d accepted", generation)
		}
	}
}

func TestSession_RoundTrip(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	id := token.NewID()
	text := c.Session(id)
	if !regexp.MustCompile(`^st1\.[0-7][0-9a-hjkmnp-tv-z]{25}\.[A-Za-z0-9_-]{47}$`).MatchString(text.Reveal()) {
		t.Error("another shape")
	}
	if got, err := c.ParseSession(text.Reveal()); err != nil || got != id || c.Session(id) != text {
		t.Errorf("read %s, %v", got, err)
	}
}

// TestSE02_MACsDiffer: every session and every generation has its own MAC.
func TestSE02_MACsDiffer(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	seen := map[string]bool{}
	for i := range samples(10_000, 1_000_000) / 2 {
		id := token.NewID()
		for _, text := range []string{c.Refresh(id, int64(i)).Reveal(), c.Session(id).Reveal()} {
			mac := text[strings.LastIndexByte(text, '.')+1:][4:]
			if len(mac) != 43 || seen[mac] {
				t.Fatal("a MAC is short or came twice")
			}
			seen[mac] = true
		}
	}
}

func TestSE04_RefreshToken_EveryMutationRefused(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	for _, generation := range []int64{0, 7, 1_000_000} {
		for _, text := range mutants(c.Refresh(token.NewID(), generation).Reveal()) {
			session, got, err := c.ParseRefresh(text)
			if !errors.Is(err, token.ErrMalformed) || session != uuid.Nil || got != 0 {
				t.Fatalf("%q accepted: %s %d, %v", text, session, got, err)
			}
		}
	}
}

func TestSE04_RefreshToken_OtherSpellingsOfTheGeneration(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	good := c.Refresh(token.NewID(), 7).Reveal()
	for _, number := range []string{"07", "+7", "-7", "7.0", "7e0", "0x7", "0b111", "٧", " 7", "7 ", "", "7_", "0_7"} {
		_, _, err := c.ParseRefresh(strings.Replace(good, ".7.", "."+number+".", 1))
		if !errors.Is(err, token.ErrMalformed) {
			t.Errorf("%q accepted", number)
		}
	}
}

func TestSE04_SessionToken_EveryMutationRefused(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	for _, text := range mutants(c.Session(token.NewID()).Reveal()) {
		if session, err := c.ParseSession(text); !errors.Is(err, token.ErrMalformed) || session != uuid.Nil {
			t.Fatalf("%q accepted: %s, %v", text, session, err)
		}
	}
}

// The last base64 character of 32 bytes has two spare bits, so three other characters decode to the same MAC.
func TestSE04_SpareBitsRefused(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	c := newCodec(t)
	id := token.NewID()
	for _, good := range []string{c.Refresh(id, 1).Reveal(), c.Session(id).Reveal()} {
		last := strings.IndexByte(alphabet, good[len(good)-1])
		for bits := 1; bits < 4; bits++ {
			twin := good[:len(good)-1] + alphabet[last|bits:last|bits+1]
			_, _, errRefresh := c.ParseRefresh(twin)
			_, errSession := c.ParseSession(twin)
			if errRefresh == nil || errSession == nil {
				t.Errorf("spare bits %d accepted", bits)
			}
		}
	}
}

// Session id and generation are readable in the token: without the key nobody can make a valid token of them.
func TestRefresh_ForeignKeyRefused(t *testing.T) {
	t.Parallel()
	ours, theirs := newCodec(t), newCodec(t)
	id := token.NewID()
	good, foreign := ours.Refresh(id, 3).Reveal(), theirs.Refresh(id, 3).Reveal()
	cut := len(good) - 43
	for name, text := range map[string]string{
		"foreign":                  foreign,
		"foreign under our key id": good[:cut] + foreign[cut:],
		"foreign id, our mac":      foreign[:cut] + good[cut:],
		"other session":            ours.Refresh(token.NewID(), 3).Reveal()[:cut] + good[cut:],
		"other generation":         strings.Replace(good, ".3.", ".4.", 1),
		"mac of zeros":             good[:cut] + strings.Repeat("A", 43),
		"no mac":                   good[:cut],
	} {
		if _, _, err := ours.ParseRefresh(text); !errors.Is(err, token.ErrMalformed) {
			t.Errorf("%s accepted", name)
		}
	}
}

func FuzzParseRefresh(f *testing.F) {
	c := newCodec(f)
	f.Add(c.Refresh(token.NewID(), 0).Reveal())
	f.Add(c.Refresh(token.NewID(), 1<<53).Reveal())
	f.Add(c.Session(token.NewID()).Reveal())
	f.Add("rt1.01h455vb4pex5vsknk084sn02q.1.")
	f.Add("rt1.01h455vb4pex5vsknk084sn02q")
	f.Fuzz(func(t *testing.T, text string) {
		if session, generation, err := c.ParseRefresh(text); err == nil &&
			c.Refresh(session, generation).Reveal() != text {
			t.Errorf("%q is a second spelling", text)
		}
		if session, err := c.ParseSession(text); err == nil && c.Session(session).Reveal() != text {
			t.Errorf("%q is a second spelling", text)
		}
	})
}
