package operator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db/userimport"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/userfile"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// ImportArgs are the arguments of `dragoman users import`.
type ImportArgs struct {
	File     string       `arg:"" help:"A file of accounts, a directory of such files, or - for standard input."`
	From     string       `help:"The system that wrote the file: ${recipes}. Default: the format of Dragoman, NDJSON or CSV."`
	Check    bool         `help:"Report every record that cannot be imported, and write nothing."`
	OnError  string       `enum:"refuse,skip" default:"refuse" help:"What to do if a record cannot be imported: refuse all, or skip it."`
	IDPrefix string       `help:"Put before each id of the other system, for accounts of several systems with ids of one kind."`
	Firebase FirebaseArgs `embed:"" prefix:"firebase-"`
}

// FirebaseArgs are the parameters of the password hashes of a Firebase project.
type FirebaseArgs struct {
	SignerKey     string `help:"base64_signer_key of the project's password hash parameters."`
	SaltSeparator string `help:"base64_salt_separator of the same."`
	Rounds        int    `help:"rounds of the same."`
	MemCost       int    `help:"mem_cost of the same."`
}

// ImportVars gives the texts that the help of ImportArgs takes from elsewhere.
func ImportVars() map[string]string {
	var names []string
	for _, r := range userfile.Recipes() {
		names = append(names, r[0])
	}
	return map[string]string{"recipes": strings.Join(names, ", ")}
}

// ImportUsers is `dragoman users import`. It reads the file twice: unless it skips, nothing is written while a record
// is wrong, and of two records with one address the confirmed one counts, wherever it stands. A run that was killed is
// run again: what is there stays as it is.
func ImportUsers(ctx context.Context, settings *config.Settings, stdout io.Writer, of ImportArgs) (err error) {
	file, done, err := spooled(ctx, of.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	database, err := app.OpenExisting(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	master, err := settings.Master()
	if err != nil {
		return err
	}
	ctx = visit.With(ctx, &visit.Visit{Dialect: "terminal", RequestID: rand.Text()})
	defer debug.SetGCPercent(debug.SetGCPercent(importGC))
	open := func() (userfile.Source, error) {
		return userfile.Open(file, of.From, userfile.Options{Firebase: userfile.FirebaseHash{
			SignerKey: of.Firebase.SignerKey, SaltSeparator: of.Firebase.SaltSeparator,
			Rounds: of.Firebase.Rounds, MemoryCost: of.Firebase.MemCost,
		}})
	}
	reads := userimport.Terms{Sealing: master.Key(userimport.TOTPSealing), Lenient: of.From != "", Prefix: of.IDPrefix}
	first := &userImport{database: database, reads: reads, out: stdout, pass: checks, names: &claims{}}
	if !of.Check && of.OnError == "skip" {
		first.pass = surveys
	}
	if err := first.all(ctx, open); err != nil {
		return err
	}
	if first.pass == checks && first.bad > 0 {
		return fmt.Errorf("%d of %d records cannot be imported; nothing was written%s", first.bad, first.read,
			map[bool]string{true: "", false: ": correct them, or pass --on-error=skip"}[of.Check])
	}
	if of.Check {
		return first.report("can be imported")
	}
	second := &userImport{database: database, reads: reads, out: stdout, pass: writes, names: first.names}
	if err := second.all(ctx, open); err != nil {
		return fmt.Errorf("stopped after %d records: %w; run it again: what is there stays as it is", second.written,
			err)
	}
	err = second.report("imported")
	if err == nil && second.bad > 0 && of.OnError == "refuse" {
		err = fmt.Errorf("%d records were left out: what they need was taken after the check", second.bad)
	}
	return err
}

// importGC makes the collector work earlier: what stays of an import grows with the file, and the rest is garbage.
const importGC = 50

// spooled gives the path of a file that can be read twice. Standard input goes to a file without a name, so that
// nothing of it stays behind, however the program ends.
func spooled(ctx context.Context, path string) (_ string, done func() error, err error) {
	if path != "-" {
		return path, func() error { return nil }, nil
	}
	f, err := os.CreateTemp("", "dragoman-import-*") // 0600
	if err != nil {
		return "", nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return "", nil, errors.Join(err, f.Close())
	}
	stop := context.AfterFunc(ctx, func() { _ = os.Stdin.Close() })
	defer stop()
	if _, err = io.Copy(f, os.Stdin); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return "", nil, errors.Join(err, f.Close())
	}
	return fmt.Sprintf("/dev/fd/%d", f.Fd()), f.Close, nil
}
