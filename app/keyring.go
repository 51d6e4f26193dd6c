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
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

const (
	// KeysEvery is how often a server looks whether its signing keys are still those of the database.
	KeysEvery = 3 * time.Second

	// KeyPublishedFor is how long a key is published before it signs: whoever keeps the key set for as long as it
	// allows has seen the key by then, also from a server that learned of it as late as servers do (JW-14).
	KeyPublishedFor = jwksMaxAge + 2*KeysEvery

	jwksMaxAge = 300 * time.Second      // how long others may keep the published keys
	askPause   = 100 * time.Millisecond // between two looks because of tokens under an unknown key
	askFor     = 2 * time.Second        // in which the database has to answer one
)

// Keyring makes and checks access tokens with the signing keys that the database holds at this time. Keys that others
// rotate come in without a restart: by Refresh, which is to be called every KeysEvery, and at once when a token names a
// key that is not known yet. It is safe for concurrent use.
type Keyring struct {
	db     *db.DB
	master *secret.Master
	issuer func([]token.SigningKey) (*token.Issuer, error)
	now    func() time.Time

	held    atomic.Pointer[keySet]
	reading sync.Mutex // one reads at a time, so that what was read last is what stays
	asked   time.Time  // when the last look ended that tokens asked for; held by reading

	mu   sync.Mutex
	next *look // one that has not begun
}

// keySet is what is held of the keys of one moment. It never changes.
type keySet struct {
	rows   []string // kid and state of each, to see a change by
	keys   map[string]token.SigningKey
	issuer *token.Issuer
	jwks   []byte
}

// look is a reading of the keys that several callers wait for.
type look struct {
	done chan struct{}
	err  error
}

// OpenKeyring reads the signing keys, and makes them on a new database.
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
	// A key that was set goes first; the derived ones stay good, so that setting one ends no token.
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
	return k, k.hold(rows)
}

// Issue is token.Issuer's, with the key that is active.
func (k *Keyring) Issue(a token.Access, ttl time.Duration) (secret.Text, token.Access, error) {
	return k.held.Load().issuer.Issue(a, ttl)
}

// Verify is token.Issuer's, with the keys that the database holds. An error that is not token.ErrMalformed says that
// it did not answer.
//
// A token under an unknown key waits for a look at the database that began after it came: there may have been a
// rotation. However many come, there is one such look at a time and a pause between them (JW-08).
func (k *Keyring) Verify(text string) (token.Access, error) {
	access, err := k.held.Load().issuer.Verify(text)
	if !errors.Is(err, token.ErrUnknownKey) {
		return access, err
	}
	if err := k.ask(); err != nil {
		return token.Access{}, err
	}
	return k.held.Load().issuer.Verify(text)
}

func (k *Keyring) ask() error {
	k.mu.Lock()
	l := k.next
	if l == nil {
		l = &look{done: make(chan struct{})}
		k.next = l
		go k.look(l)
	}
	k.mu.Unlock()
	<-l.done
	return l.err
}

// look belongs to no request: others wait for it when the first one hangs up.
func (k *Keyring) look(l *look) {
	k.reading.Lock()
	defer k.reading.Unlock()
	time.Sleep(askPause - time.Since(k.asked))
	k.mu.Lock()
	k.next = nil // who comes from here on may need what is written while this one reads
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), askFor)
	defer cancel()
	l.err = k.read(ctx)
	k.asked = time.Now()
	close(l.done)
}

// Refresh takes up what others changed about the keys.
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
	return k.hold(rows)
}

// hold swaps what is held, all at once, when the rows are others.
func (k *Keyring) hold(rows []db.SigningKey) error {
	if !has(rows, db.KeyActive) {
		return errors.New("signing keys: the database has no active key; restore the table from a backup")
	}
	var names []string
	for _, row := range rows {
		names = append(names, row.KID+" "+string(row.State))
	}
	set := &keySet{rows: names, keys: map[string]token.SigningKey{}}
	before := k.held.Load()
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
	k.held.Store(set)
	return nil
}

// Renew seals under the present server secret what is sealed under a further one, a key at a time, and notes that this
// server makes things under the present one.
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

// ServeJWKS is the JSON Web Key Set of all keys that are accepted or will be (RFC 7517).
func (k *Keyring) ServeJWKS(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(jwksMaxAge.Seconds())))
	_, _ = w.Write(k.held.Load().jwks)
}
