package app_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

const (
	oneSecret   = "Zb3Xq0mTt8sWk2Rj6VnYc4Lh9Dp1Fg7Ux5Ae"
	otherSecret = "Qm7Zt2Lw9Xc4Vb6Nk1Jh8Gf3Ds5Ap0Ou-Yi"
)

func master(t *testing.T, text string) *secret.Master {
	t.Helper()
	m, err := secret.New([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Several servers that start at once on an empty database end up with one active key and one next.
func TestSigningKeys_MadeOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, m := dbtest.Open(t, dsn), master(t, oneSecret)
		var mu sync.Mutex
		ids := map[string]int{}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				keys, err := app.SigningKeys(context.Background(), d, m, token.AlgES256, time.Now)
				if err != nil || len(keys) != 2 {
					t.Errorf("%d keys, %v", len(keys), err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				ids[keys[0].KID+" "+keys[1].KID]++
			})
		}
		wg.Wait()
		if len(ids) != 1 {
			t.Errorf("keys %v", ids)
		}
	})
}

// KE-01: a key is sealed under the server secret and bound to its row. Under another secret, in another row, or changed
// in one bit, it does not open, and the database does not hold it in the clear.
func TestSigningKeys_KE01(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d := context.Background(), dbtest.Open(t, dsn)
		keys, err := app.SigningKeys(ctx, d, master(t, oneSecret), token.AlgES256, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		der, err := keys[0].MarshalPrivate()
		if err != nil {
			t.Fatal(err)
		}
		rows, err := d.SigningKeys(ctx)
		if err != nil || len(rows) != 2 || rows[0].KID != keys[0].KID ||
			bytes.Contains(rows[0].Sealed, der[len(der)-32:]) {
			t.Fatalf("stored as %+v, %v", rows, err)
		}
		refused := func(what, secret string) {
			t.Helper()
			got, err := app.SigningKeys(ctx, d, master(t, secret), token.AlgES256, time.Now)
			if err == nil || got != nil || !strings.Contains(err.Error(), "another secret") ||
				strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v, %v", what, got, err)
			}
		}
		refused("another secret", otherSecret)
		conn := dbtest.Beside(t, dsn)
		exec := func(statement string, args ...any) {
			t.Helper()
			if _, err := conn.Exec(statement, args...); err != nil {
				t.Fatal(err)
			}
		}
		// The row gets another kid: the key was sealed for the former one.
		exec(`UPDATE signing_keys SET kid = 'other' WHERE state = 'active'`)
		refused("another row", oneSecret)
		exec(`UPDATE signing_keys SET kid = $1 WHERE state = 'active'`, keys[0].KID)
		changed := bytes.Clone(rows[0].Sealed)
		changed[len(changed)/2] ^= 1
		exec(`UPDATE signing_keys SET private_key = $1 WHERE state = 'active'`, changed)
		refused("one bit", oneSecret)
		exec(`UPDATE signing_keys SET private_key = $1 WHERE state = 'active'`, rows[0].Sealed[:8])
		refused("cut", oneSecret)
		exec(`UPDATE signing_keys SET private_key = $1 WHERE state = 'active'`, rows[0].Sealed)
		if again, err := app.SigningKeys(ctx, d, master(t, oneSecret), token.AlgES256, time.Now); err != nil ||
			again[0].KID != keys[0].KID {
			t.Errorf("mended: %v", err)
		}
	})
}
