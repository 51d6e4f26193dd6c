// Package operator holds what the commands of an operator do, over named functions of db. A command has the machine's
// own rights and no caller, so it does not go through the schema.
package operator

import (
	"context"
	"io"

	"github.com/dragoman-auth/dragoman/internal/config"
)

// Commands are those for keys, secrets and backups, as a part of the command line.
type Commands struct {
	Keys struct {
		List   struct{} `cmd:"" help:"List the keys that sign access tokens."`
		Rotate struct {
			Force bool `help:"Also when the next key is not published for long enough."`
		} `cmd:"" help:"Let the next key sign, retire the active one and make a new next one."`
	} `cmd:"" help:"The keys of access tokens."`
	Secret struct {
		Status struct{} `cmd:"" help:"Show what still depends on a previous server secret."`
	} `cmd:"" help:"The server secret."`
	Backup struct {
		File string `arg:"" help:"A file that does not exist yet."`
	} `cmd:"" help:"Write the SQLite database into a file, while the server runs."`
	RestoreFinish struct{} `cmd:"" help:"End what a restored backup may have brought back to life. Run it once after a restore."`
}

// DialectCommands are those for dialects.
type DialectCommands struct {
	List struct{} `cmd:"" help:"List the REST APIs that there are."`
	Show struct {
		Name string `arg:"" help:"The name of a dialect."`
	} `cmd:"" help:"Print the file of a dialect."`
	Check struct {
		File string `arg:"" help:"A dialect file."`
	} `cmd:"" help:"Check a dialect file and run its examples."`
	Usage UsageArgs `cmd:"" help:"Show which routes are called, how often, when last and by whom."`
}

// Run runs the command of that name and tells whether it is one of these.
func (c *DialectCommands) Run(ctx context.Context, name string, settings *config.Settings, stdout io.Writer) (bool,
	error,
) {
	switch name {
	case "dialect list":
		return true, ListDialects(settings, stdout)
	case "dialect show <name>":
		return true, ShowDialect(settings, stdout, c.Show.Name)
	case "dialect check <file>":
		return true, CheckDialect(ctx, settings, stdout, c.Check.File)
	case "dialect usage", "dialect usage <name>":
		return true, DialectUsage(ctx, settings, stdout, c.Usage)
	}
	return false, nil
}

// Run runs the command of that name and tells whether it is one of these.
func (c *Commands) Run(ctx context.Context, name string, settings *config.Settings, stdout io.Writer) (bool, error) {
	switch name {
	case "keys list":
		return true, ListKeys(ctx, settings, stdout)
	case "keys rotate":
		return true, RotateKeys(ctx, settings, stdout, c.Keys.Rotate.Force)
	case "secret status":
		return true, SecretStatus(ctx, settings, stdout)
	case "backup <file>":
		return true, Backup(ctx, settings, stdout, c.Backup.File)
	case "restore-finish":
		return true, FinishRestore(ctx, settings, stdout)
	}
	return false, nil
}
