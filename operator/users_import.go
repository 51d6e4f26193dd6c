package operator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/userfile"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// ImportArgs are the arguments of `dragoman users import`.
type ImportArgs struct {
	File     string       `arg:"" help:"A file of accounts, a directory of such files, or - for standard input."`
	From     string       `help:"The system that wrote the file: ${recipes}. Default: the format of Dragoman, NDJSON or CSV."`
	Check    bool         `help:"Report every record that cannot be imported, and write nothing."`
	OnError  string       `enum:"refuse,skip" default:"refuse" help:"What to do if a record cannot be imported: refuse all, or skip it."`
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

// ImportUsers is `dragoman users import`. Unless it skips, it reads the file twice: nothing is written while a record
// is wrong. A run that was killed is run again: what is there stays as it is.
func ImportUsers(ctx context.Context, settings *config.Settings, stdout io.Writer, of ImportArgs) (err error) {
	file, remove, err := spooled(of.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
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
	open := func() (userfile.Source, error) {
		return userfile.Open(file, of.From, userfile.Options{Firebase: userfile.FirebaseHash{
			SignerKey: of.Firebase.SignerKey, SaltSeparator: of.Firebase.SaltSeparator,
			Rounds: of.Firebase.Rounds, MemoryCost: of.Firebase.MemCost,
		}})
	}
	run := &userImport{database: database, sealing: master.Key(app.TOTPSealing), out: stdout, check: true}
	if of.Check || of.OnError == "refuse" {
		if err := run.all(ctx, open); err != nil {
			return err
		}
		if run.bad > 0 {
			return fmt.Errorf("%d of %d records cannot be imported; nothing was written%s", run.bad, run.read,
				map[bool]string{true: "", false: ": correct them, or pass --on-error=skip"}[of.Check])
		}
		if of.Check {
			return run.report("can be imported")
		}
	}
	run = &userImport{database: database, sealing: run.sealing, out: stdout}
	if err := run.all(ctx, open); err != nil {
		return fmt.Errorf("stopped after %d records: %w; run it again: what is there stays as it is", run.written,
			err)
	}
	return run.report("imported")
}

// spooled gives the path of a file that can be read twice. Standard input goes to a temporary file that only its owner
// can read; remove deletes it.
func spooled(path string) (_ string, remove func() error, err error) {
	if path != "-" {
		return path, func() error { return nil }, nil
	}
	f, err := os.CreateTemp("", "dragoman-import-*") // 0600
	if err != nil {
		return "", nil, err
	}
	remove = func() error { return os.Remove(f.Name()) }
	if _, err = io.Copy(f, os.Stdin); err == nil {
		err = f.Close()
	}
	if err != nil {
		return "", nil, errors.Join(err, f.Close(), remove())
	}
	return f.Name(), remove, nil
}

const (
	importBatch    = 500             // accounts of one transaction; on SQLite the server waits for it
	importProgress = 5 * time.Second // between two lines of progress
	importShown    = 1000            // problems that are printed one by one
)

// userImport is one pass over the records.
type userImport struct {
	database *db.DB
	sealing  secret.Key
	out      io.Writer
	check    bool // whether nothing is written

	seen    seenNames
	batch   []*db.ImportedUser
	places  []string // of the batch
	read    int
	bad     int
	written int // made, or free to be made
	there   int
	numbers int            // wanted numbers that others have
	notes   map[string]int // what stays behind, by sentence
	passed  map[string]int // rows that are no accounts to take, by reason
	began   time.Time
	told    time.Time
}

func (i *userImport) all(ctx context.Context, open func() (userfile.Source, error)) (err error) {
	source, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	i.began, i.told, i.notes = time.Now(), time.Now(), map[string]int{}
	now := db.Clock(time.Now())
	err = userfile.Each(source, func(record *userfile.Record, problem *userfile.Problem) error {
		i.read++
		var user *db.ImportedUser
		if problem == nil {
			user, problem = i.user(record, now)
		}
		if problem != nil {
			return i.complain(problem)
		}
		i.batch, i.places = append(i.batch, user), append(i.places, record.Where)
		if len(i.batch) < importBatch {
			return nil
		}
		return i.flush(ctx, now)
	})
	if err != nil {
		return err
	}
	i.passed = source.PassedOver()
	return i.flush(ctx, now)
}

// user reads an account, and refuses one that has what an earlier record of the file has.
func (i *userImport) user(record *userfile.Record, now time.Time) (*db.ImportedUser, *userfile.Problem) {
	user, problem := account(record, i.sealing, now)
	if problem == nil {
		problem = i.seen.add(user, record.Where)
	}
	if problem != nil {
		problem.Where = record.Where
		return nil, problem
	}
	for _, note := range record.Notes {
		i.notes[note]++
	}
	return user, nil
}

func (i *userImport) complain(problem *userfile.Problem) error {
	i.bad++
	switch {
	case i.bad < importShown:
		_, err := fmt.Fprintln(i.out, problem)
		return err
	case i.bad == importShown:
		_, err := fmt.Fprintln(i.out, "… further problems are counted only")
		return err
	}
	return nil
}

// flush writes the batch, or checks it against the database.
func (i *userImport) flush(ctx context.Context, now time.Time) error {
	if err := ctx.Err(); err != nil || len(i.batch) == 0 {
		return err
	}
	do := i.database.CheckImport
	if !i.check {
		do = func(ctx context.Context, batch []*db.ImportedUser) ([]db.ImportResult, error) {
			return i.database.ImportUsers(ctx, batch, now)
		}
	}
	results, err := do(ctx, i.batch)
	if err != nil {
		return err
	}
	for n, r := range results {
		switch r.Outcome {
		case db.Imported:
			i.written++
		case db.There:
			i.there++
		case db.ImportTaken:
			if err := i.complain(&userfile.Problem{
				Where: i.places[n], Column: r.Column, Reason: "the account " + r.Holder.String() + " has it",
			}); err != nil {
				return err
			}
		}
		if r.Renumbered {
			i.numbers++
		}
	}
	i.batch, i.places = i.batch[:0], i.places[:0]
	if time.Since(i.told) < importProgress {
		return nil
	}
	i.told = time.Now()
	verb := "imported"
	if i.check {
		verb = "checked"
	}
	_, err = fmt.Fprintf(i.out, "%d records %s, %.0f a second\n", i.read, verb,
		float64(i.read)/time.Since(i.began).Seconds())
	return err
}

// report says what became of the records.
func (i *userImport) report(done string) error {
	out := fmt.Sprintf("%d records: %d %s", i.read, i.written, done)
	if i.there > 0 {
		out += fmt.Sprintf(", %d are there already", i.there)
	}
	if i.bad > 0 {
		out += fmt.Sprintf(", %d left out", i.bad)
	}
	out += ".\n"
	if i.numbers > 0 {
		out += fmt.Sprintf("%d got another number, since an account has the one of the file.\n", i.numbers)
	}
	for _, note := range slices.Sorted(maps.Keys(i.notes)) {
		out += fmt.Sprintf("%d: %s.\n", i.notes[note], note)
	}
	for _, reason := range slices.Sorted(maps.Keys(i.passed)) {
		out += fmt.Sprintf("%d passed over: %s.\n", i.passed[reason], reason)
	}
	_, err := io.WriteString(i.out, out)
	return err
}
