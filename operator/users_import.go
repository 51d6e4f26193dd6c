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
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/userimport"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/totp"
	"github.com/dragoman-auth/dragoman/internal/userfile"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// ImportArgs are the arguments of `dragoman users import`.
type ImportArgs struct {
	File     string       `arg:"" help:"A file of accounts, a directory of such files, or - for standard input."`
	From     string       `help:"The system that wrote the file: ${recipes}. Default: the format of Dragoman, NDJSON or CSV."`
	Check    bool         `help:"Report every record that cannot be imported, and write nothing."`
	OnError  string       `enum:"refuse,skip" default:"refuse" help:"What to do if a record cannot be imported: refuse all, or skip it."`
	Verbose  bool         `help:"Name every record that a note is about, with its id, and not the first few."`
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

// ImportUsers is `dragoman users import`. It reads the file several times: of two records with one address the
// confirmed one counts, wherever it stands, and unless it skips, nothing is written while a record is wrong. A run that
// was killed is run again: what is there stays as it is.
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
	reads := userimport.Terms{
		Sealing: master.Key(totp.Sealing), Hashes: true, Lenient: of.From != "", Prefix: of.IDPrefix,
	}
	run := importRun{database: database, reads: reads, open: open, out: stdout, names: &claims{}, of: of}
	return run.all(ctx)
}

// importRun is the passes of one import, over the same records.
type importRun struct {
	database *db.DB
	reads    userimport.Terms
	open     func() (userfile.Source, error)
	out      io.Writer
	names    *claims
	of       ImportArgs
}

func (r importRun) all(ctx context.Context) error {
	if _, err := r.pass(ctx, surveys); err != nil {
		return err
	}
	refuses := r.of.OnError == "refuse"
	if r.of.Check || refuses {
		checked, err := r.pass(ctx, checks)
		switch {
		case err != nil:
			return err
		case checked.bad > 0 && refuses:
			return errors.Join(checked.report("can be imported", "cannot"), fmt.Errorf(
				"%d of %s cannot be imported; nothing was written%s", checked.bad, counted(checked.read, "record"),
				map[bool]string{true: "", false: ": correct them, or pass --on-error=skip"}[r.of.Check]))
		case r.of.Check:
			return checked.report("can be imported", "would be left out")
		}
	}
	written, err := r.pass(ctx, writes)
	if err != nil {
		return fmt.Errorf("stopped after %s: %w; run it again: what is there stays as it is",
			counted(written.written, "record"), err)
	}
	err = written.report("imported", "left out")
	if err == nil && written.bad > 0 && refuses {
		err = fmt.Errorf("%s left out: somebody took a name of theirs after the check",
			areCounted(written.bad, "record"))
	}
	return err
}

func (r importRun) pass(ctx context.Context, p pass) (*userImport, error) {
	r.names.rewind()
	i := &userImport{
		database: r.database, reads: r.reads, out: r.out, pass: p, names: r.names,
		notes: notes{out: r.out, all: r.of.Verbose && p != surveys && (p == writes || r.of.Check)},
	}
	return i, i.all(ctx, r.open)
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
