package db

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun/migrate"
)

// migrationFiles has a folder for each database. A file is named YYYYMMDDHHMMSS_what: .tx.up.sql on Postgres, .up.sql
// on SQLite, where the whole run is one transaction already. On Postgres, running a statement twice does no harm: a
// server that is killed between a migration and its mark runs the migration again. Servers of the former version keep
// running on the new schema: a new column has a default or allows NULL, no column is renamed or dropped, and those
// servers ignore the columns that they do not know.
//
//go:embed migrations
var migrationFiles embed.FS

// Migrations gives the files that Migrate runs, a folder for each database.
func Migrations() fs.FS { return migrationFiles }

// firstMigration names the oldest file. Version 0.1.0 had others, all of them older.
const firstMigration = "20261129000000"

// migrationLock is an arbitrary number that all instances share: "dragoman" as eight bytes.
const migrationLock int64 = 0x647261676f6d616e

// Migrate brings the schema up to date. Several servers may do so at once: one works while the others wait.
//
// The lock of bun/migrate would not do: all but one of several simultaneous starts fail on it, and it stays behind when
// its holder is killed. Postgres frees an advisory lock, and SQLite a transaction, with the connection.
func (d *DB) Migrate(ctx context.Context) (err error) {
	unlock, err := d.lockMigrations(ctx)
	if err != nil {
		return fmt.Errorf("db: migrate: %w", err)
	}
	defer func() { err = errors.Join(err, unlock(err)) }()
	m, err := d.migrator()
	if err != nil {
		return err
	}
	if err := m.Init(ctx); err != nil {
		return migrateError(err)
	}
	if err := refuseUnknown(ctx, m); err != nil {
		return err
	}
	if _, err := m.Migrate(ctx); err != nil {
		return migrateError(err)
	}
	return nil
}

// migrateError tells a role that may not change the schema what to do.
func migrateError(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "42501" {
		return fmt.Errorf("db: migrate: %w: this role may not change the schema. "+
			"Run dragoman migrate with the role that owns it, and the server with DRAGOMAN_MIGRATE=off", err)
	}
	return fmt.Errorf("db: migrate: %w", err)
}

// refuseUnknown fails on a schema of version 0.1.0, and on one that a later version has changed: this version knows the
// meaning of neither.
func refuseUnknown(ctx context.Context, m *migrate.Migrator) error {
	known, err := m.MigrationsWithStatus(ctx)
	if err != nil {
		return wrap(err, "migrations")
	}
	applied, err := m.AppliedMigrations(ctx)
	if err != nil {
		return wrap(err, "migrations")
	}
	var newer []string
	for _, a := range applied {
		switch {
		case slices.ContainsFunc(known, func(k migrate.Migration) bool { return k.Name == a.Name }):
		case a.Name < firstMigration:
			return errors.New("the database has the schema of Dragoman 0.1.0, which this version does not read: " +
				"start with an empty database")
		default:
			newer = append(newer, a.Name)
		}
	}
	if len(newer) == 0 {
		return nil
	}
	slices.Sort(newer)
	return fmt.Errorf("the schema of the database is newer than this server, which does not know the migrations %s: "+
		"run the version of Dragoman that made them, or a later one", strings.Join(newer, ", "))
}

// Pending counts the migrations that the schema lacks, for a role that may not change it. It fails on a schema that
// this version does not know.
func (d *DB) Pending(ctx context.Context) (int, error) {
	m, err := d.migrator()
	if err != nil {
		return 0, err
	}
	known, err := m.MigrationsWithStatus(ctx)
	if err != nil {
		if missingTable(err) {
			return 1, nil
		}
		return 0, wrap(err, "migrations")
	}
	return len(known.Unapplied()), refuseUnknown(ctx, m)
}

// Empty tells whether neither a server nor `dragoman migrate` ever used the database.
func (d *DB) Empty(ctx context.Context) (bool, error) {
	m, err := d.migrator()
	if err != nil {
		return false, err
	}
	if _, err = m.MigrationsWithStatus(ctx); err != nil && !missingTable(err) {
		return false, wrap(err, "migrations")
	}
	return err != nil, nil
}

func missingTable(err error) bool {
	text := err.Error()
	return strings.Contains(text, "SQLSTATE 42P01") || strings.Contains(text, "no such table")
}

func (d *DB) migrator() (*migrate.Migrator, error) {
	folder := "migrations/sqlite"
	if d.Postgres() {
		folder = "migrations/postgres"
	}
	files, err := fs.Sub(migrationFiles, folder)
	if err != nil {
		return nil, err
	}
	migrations := migrate.NewMigrations()
	if err := migrations.Discover(files); err != nil {
		return nil, fmt.Errorf("db: migrations: %w", err)
	}
	return migrate.NewMigrator(d.w, migrations, migrate.WithMarkAppliedOnSuccess(true)), nil
}

// lockMigrations takes the lock and gives the function that frees it. That function keeps the work after success, and
// undoes it after an error where the database can.
func (d *DB) lockMigrations(ctx context.Context) (unlock func(error) error, err error) {
	if !d.Postgres() {
		// The writer pool has one connection, so what follows runs inside this transaction.
		if _, err := d.w.DB.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
			return nil, err
		}
		return func(failure error) error {
			end := "COMMIT"
			if failure != nil {
				end = "ROLLBACK"
			}
			_, err := d.w.DB.ExecContext(context.WithoutCancel(ctx), end)
			return err
		}, nil
	}
	// A connection of its own, so that a pool of one does not wait for itself.
	conn, err := pgx.ConnectConfig(ctx, d.pg)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return nil, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return func(error) error { return conn.Close(context.WithoutCancel(ctx)) }, nil
}
