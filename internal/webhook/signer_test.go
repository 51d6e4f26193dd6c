package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// known is the secret of the example in the specification.
const known = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// The example of the specification, by which every library is tried; a second secret adds a second signature.
func TestSign(t *testing.T) {
	t.Parallel()
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	body := []byte(`{"test": 2432232314}`)
	for _, secrets := range [][]secret.Text{{known}, {known, secret.Text(known[:37] + "0")}} {
		s, err := NewSigner(secrets...)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		s.Sign(h, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 999), body)
		got := strings.Fields(h.Get("webhook-signature"))
		if len(got) != len(secrets) || got[0] != want || h.Get("webhook-id") != "msg_p5jXN8AQM9LWM0D4loKWxJek" ||
			h.Get("webhook-timestamp") != "1614265330" {
			t.Errorf("%v", h)
		}
		if shown := fmt.Sprintf("%v %+v %#v", s, s, *s); strings.Contains(shown, "49 242 144") ||
			strings.Contains(shown, "0x31, 0xf2") {
			t.Errorf("a signer shows its key: %s", shown)
		}
	}
	if a, b := NewID(), NewID(); a == b || strings.Contains(a, ".") {
		t.Errorf("the ids %s and %s", a, b)
	}
}

// What is no secret is refused, and the error holds nothing of it.
func TestKey_Refused(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{
		"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa==",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n" + known,
		"whsec_" + strings.Repeat("MfKQ", 22), "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	} {
		if _, err := NewSigner(secret.Text(known), secret.Text(wrong)); err == nil ||
			strings.Contains(err.Error(), "MfKQ") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}
