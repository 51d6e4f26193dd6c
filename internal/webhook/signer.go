// Package webhook signs the requests that this server sends to another one, as Standard Webhooks has it
// (https://www.standardwebhooks.com): the receiver sees that the body is ours, and when it was sent.
package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// The header fields of a signed request.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp" // seconds since 1970
	HeaderSignature = "Webhook-Signature" // v1, and the base64 of an HMAC-SHA-256; several have spaces between
)

const (
	secretPrefix = "whsec_"
	shortestKey  = 24 // bytes, by the specification, as longestKey
	longestKey   = 64
)

var errSecret = errors.New("a secret is whsec_ and the base64 of 24 to 64 random bytes")

// Signer signs requests. With several secrets each makes a signature, so that a receiver may change its secret at any
// time.
type Signer struct{ keys func() [][]byte } // a function, because fmt prints the bytes of a slice

// NewSigner makes a signer of secrets of the form whsec_…. The errors hold nothing of a secret.
func NewSigner(secrets ...secret.Text) (*Signer, error) {
	var keys [][]byte
	for _, s := range secrets {
		key, err := Key(s)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return &Signer{func() [][]byte { return keys }}, nil
}

// Key gives the bytes of a secret. Whether they are random is not judged.
func Key(s secret.Text) ([]byte, error) {
	text, prefixed := strings.CutPrefix(s.Reveal(), secretPrefix)
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if !prefixed || err != nil || len(key) < shortestKey || len(key) > longestKey {
		return nil, errSecret
	}
	return key, nil
}

// NewID makes the id of a message, by which a receiver knows one that comes twice.
func NewID() string { return "msg_" + rand.Text() }

// Sign adds the header fields for a message with this id, body and time. The id is one of NewID.
func (s *Signer) Sign(h http.Header, id string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	var signatures []string
	for _, key := range s.keys() {
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(id + "." + timestamp + ".")) // a hash never returns an error
		_, _ = mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, timestamp)
	h.Set(HeaderSignature, strings.Join(signatures, " "))
}
