package app

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/origin"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

const (
	// KeysEvery is the period of Keyring.Refresh.
	KeysEvery = 3 * time.Second

	// KeyPublishedFor is how long a key must be published before it signs (JW-14). By then every client has it: a
	// client may cache the key set for jwksMaxAge, and a server may take two periods of Refresh to publish a new key.
	KeyPublishedFor = jwksMaxAge + 2*KeysEvery

	jwksMaxAge   = 300 * time.Second      // how long clients may cache the key set
	reloadPause  = 100 * time.Millisecond // between two reloads for tokens with an unknown key
	reloadWithin = 2 * time.Second        // how long the database may take for one
)

// Keyring makes and verifies access tokens with the signing keys in the database. It needs no restart after a rotation:
// Refresh, to be called every KeysEvery, reloads the keys, and so does a token with an unknown key. It is safe for
// concurrent use.
type Keyring struct {
	db     *db.DB
	master *secret.Master
	issuer func([]token.SigningKey) (*token.Issuer, error)
	now    func() time.Time

	current  atomic.Pointer[keySet]
	reading  sync.Mutex // serialises reads, so that an older read never replaces a newer one
	reloaded time.Time  // the end of the last reload; guarded by reading

	mu   sync.Mutex
	next *reload // the reload that has not begun, nil for none; guarded by mu
}

// keySet is the content of the keyring at one moment. It is immutable.
type keySet struct {
	rows   []string // kid and state of each key, to detect a change
	keys   map[string]token.SigningKey
	issuer *token.Issuer
	jwks   []byte
}

// reload is one read of the keys for all the tokens that wait for it.
type reload struct {
	done chan struct{}
	err  error
}

// OpenKeyring reads the signing keys, and makes those that lack: both on a new database.
func OpenKeyring(
	ctx context.Context, database *db.DB, master *secret.Master, settings *config.Settings, now func() time.Time,
) (*Keyring, error) {
	name, audience := settings.Issuer, settings.Audience
	if name == "" {
		name = settings.URL()
	}
	if audience == "" {
		audience = settings.URL()
	}
	// The key of DRAGOMAN_JWT_HS256_SECRET signs. The derived keys stay accepted: setting a key ends no token.
	hmac := master.HMACKeys("access tokens")
	if own := settings.HS256Secret.Reveal(); own != "" {
		hmac = slices.Insert(hmac, 0, []byte(own))
	}
	k := &Keyring{db: database, master: master, now: now}
	k.issuer = func(keys []token.SigningKey) (*token.Issuer, error) {
		i, err := token.NewIssuer(name, audience, keys[0], keys[1:], hmac[0], now)
		if err != nil {
			return nil, err
		}
		return i.Accepting(hmac[1:]...)
	}
	rows, err := SigningRows(ctx, database, master, settings.JWTAlg, now())
	if err != nil {
		return nil, err
	}
	return k, k.set(rows)
}

// Issue is the Issue of token.Issuer, with the active key.
func (k *Keyring) Issue(a token.Access, ttl time.Duration) (secret.Text, token.Access, error) {
	return k.current.Load().issuer.Issue(a, ttl)
}

// Verify is the Verify of token.Issuer, with the keys in the database. An error other than token.ErrMalformed means
// that the database did not answer.
//
// A token with an unknown key waits for a reload that began after it came: the keys may have been rotated. Any number
// of these tokens cause one reload at a time, with a pause between two (JW-08).
func (k *Keyring) Verify(text string) (token.Access, error) {
	access, err := k.current.Load().issuer.Verify(text)
	if !errors.Is(err, token.ErrUnknownKey) {
		return access, err
	}
	if err := k.awaitReload(); err != nil {
		return token.Access{}, err
	}
	return k.current.Load().issuer.Verify(text)
}

func (k *Keyring) awaitReload() error {
	k.mu.Lock()
	next := k.next
	if next == nil {
		next = &reload{done: make(chan struct{})}
		k.next = next
		go k.run(next)
	}
	k.mu.Unlock()
	<-next.done
	return next.err
}

// run does a reload. It has a context of its own: the others still wait for it when the first caller disconnects.
func (k *Keyring) run(r *reload) {
	k.reading.Lock()
	defer k.reading.Unlock()
	time.Sleep(reloadPause - time.Since(k.reloaded))
	k.mu.Lock()
	k.next = nil // later tokens need a later reload: their key may be written during this one
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), reloadWithin)
	defer cancel()
	r.err = k.read(ctx)
	k.reloaded = time.Now()
	close(r.done)
}

// Refresh reads the keys again, for changes by other servers and by commands.
func (k *Keyring) Refresh(ctx context.Context) error {
	k.reading.Lock()
	defer k.reading.Unlock()
	return k.read(ctx)
}

func (k *Keyring) read(ctx context.Context) error {
	rows, err := k.db.SigningKeys(ctx)
	if err != nil {
		return err
	}
	return k.set(rows)
}

// set replaces the current keySet if the rows changed.
func (k *Keyring) set(rows []db.SigningKey) error {
	if !has(rows, db.KeyActive) {
		return errors.New("signing keys: the database has no active key; restore the table from a backup")
	}
	var names []string
	for _, row := range rows {
		names = append(names, row.KID+" "+string(row.State))
	}
	set := &keySet{rows: names, keys: map[string]token.SigningKey{}}
	before := k.current.Load()
	if before == nil {
		before = &keySet{}
	} else if slices.Equal(before.rows, names) {
		return nil
	}
	keys, err := openKeys(k.master, rows, before.keys)
	if err != nil {
		return err
	}
	for _, key := range keys {
		set.keys[key.KID] = key
	}
	if set.issuer, err = k.issuer(keys); err != nil {
		return err
	}
	if set.jwks, err = token.JWKS(keys...); err != nil {
		return err
	}
	k.current.Store(set)
	return nil
}

// Renew records that this server uses the present server secret, and reseals the signing keys that are sealed under
// another accepted secret.
func (k *Keyring) Renew(ctx context.Context) error {
	if err := k.db.RecordSecretUse(ctx, k.master.IDs()[0], db.Clock(k.now())); err != nil {
		return err
	}
	rows, err := k.db.SigningKeys(ctx)
	if err != nil {
		return err
	}
	seal := k.master.Key(sealing)
	for _, row := range rows {
		if seal.Present(row.Sealed) {
			continue
		}
		der, err := seal.Open(row.Sealed, sealedAt(row.KID))
		if err != nil {
			return err
		}
		sealed, err := seal.Seal(der, sealedAt(row.KID))
		if err != nil {
			return err
		}
		if err := k.db.ResealSigningKey(ctx, row.KID, row.Sealed, sealed); err != nil {
			return err
		}
	}
	return nil
}

// ServeJWKS serves the JSON Web Key Set (RFC 7517 section 5) of the active, the next and the retired keys.
func (k *Keyring) ServeJWKS(w http.ResponseWriter, _ *http.Request) {
	origin.Public(w.Header()) // a page of another origin checks tokens by it
	w.Header().Set("Content-Type", "application/jwk-set+json; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(jwksMaxAge.Seconds())))
	_, _ = w.Write(k.current.Load().jwks)
}
