package main

import (
	"context"
	"crypto/pbkdf2"
	secret "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/dragoman-auth/dragoman/operator"
)

// importAll makes the accounts as an import does, with the hashes of three systems in turn: bcrypt of cost 10, which
// takes longer than ours, bcrypt of cost 8 and PBKDF2, which take less.
func (s *server) importAll(ctx context.Context, names []string) error {
	var hashes []string
	for _, cost := range []int{10, 8} {
		b, err := bcrypt.GenerateFromPassword([]byte(newPassword), cost)
		if err != nil {
			return err
		}
		hashes = append(hashes, string(b))
	}
	const rounds = 29_000 // of passlib
	salt := []byte(secret.Text()[:16])
	sum, err := pbkdf2.Key(sha256.New, newPassword, salt, rounds, sha256.Size)
	if err != nil {
		return err
	}
	text := base64.RawStdEncoding
	hashes = append(hashes, fmt.Sprintf("$pbkdf2-sha256$%d$%s$%s", rounds,
		strings.ReplaceAll(text.EncodeToString(salt), "+", "."), strings.ReplaceAll(text.EncodeToString(sum), "+", ".")))
	var lines strings.Builder
	for n, name := range names {
		fmt.Fprintf(&lines, `{"id": %q, "email": %q, "emailVerified": true, "passwordHash": %q}`+"\n", name, name,
			hashes[n%len(hashes)])
	}
	file := filepath.Join(s.folder, "import.ndjson")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		return err
	}
	err = operator.ImportUsers(ctx, s.settings, io.Discard, operator.ImportArgs{File: file, OnError: "refuse"})
	if err != nil {
		return err
	}
	return s.app.RefreshHashMix(ctx) // which a server does once a minute
}
