package mfa

import (
	"encoding/base32"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// MF-06: the database has the secret of an app and the recovery codes in no form that reads, and no field shows a
// secret after it was confirmed, the export included.
func TestMF06_Sealed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		app := s.Enrols(t, ada.Access)
		raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(app.Secret)
		if err != nil {
			t.Fatal(err)
		}
		asHex := `hex(sealed)`
		if strings.HasPrefix(dsn, "postgres") {
			asHex = `encode(sealed, 'hex')`
		}
		var seen strings.Builder
		for _, query := range []string{
			`SELECT ` + asHex + ` FROM authenticators`,
			`SELECT ` + strings.ReplaceAll(asHex, "sealed", "hash") + ` FROM recovery_codes`,
			`SELECT CAST(data AS text) FROM mails`,
			`SELECT action || coalesce(reason, '') FROM audit_events`,
		} {
			seen.WriteString(strings.Join(side.Texts(t, query), "\n"))
		}
		for _, answer := range []*harness.Answer{
			s.GraphQL(t, ada.Access, harness.MfaStatusDoc, nil), s.GraphQL(t, ada.Access, harness.ExportDoc, nil),
		} {
			seen.WriteString(harness.Fine(t, answer).Raw)
		}
		text := strings.ToLower(seen.String())
		secrets := []string{app.Secret, hex.EncodeToString(raw)}
		for _, code := range app.Codes {
			plain := strings.ReplaceAll(code, "-", "")
			secrets = append(secrets, code, plain, hex.EncodeToString([]byte(plain)))
		}
		for i, secret := range secrets {
			if strings.Contains(text, strings.ToLower(secret)) {
				t.Errorf("secret %d is readable", i)
			}
		}
		harness.RefusedWith(t, s.GraphQL(t, ada.Access, harness.ConfirmTotpDoc,
			harness.InputOf("id", app.ID, "code", s.NextCode(t, app))), "NOT_FOUND")
	})
}
