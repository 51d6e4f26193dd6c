package operator

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/rest"
)

// ListDialects prints the dialects that there are, and which of them are served.
func ListDialects(settings *config.Settings, stdout io.Writer) error {
	served, err := app.LoadDialects(settings)
	if err != nil {
		return err
	}
	all, err := rest.Load(settings.DialectsDir, nil)
	if err != nil {
		return err
	}
	on, unsaid := map[string]string{}, settings.RequireDialects()
	for _, d := range served {
		if unsaid == nil {
			on[d.Name] = "yes"
		}
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSERVED\tMOUNTS\tROUTES\tFILE\tTITLE")
	for _, d := range all {
		if on[d.Name] == "" {
			on[d.Name] = "no"
		}
		fmt.Fprintf(
			table, "%s\t%s\t%s\t%d\t%s\t%s\n", d.Name, on[d.Name], strings.Join(d.Mounts, " "), d.Routes(), d.File,
			d.Title,
		)
	}
	if err := table.Flush(); err != nil || unsaid == nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, "\nThe server does not start:", unsaid)
	return err
}

// ShowDialect prints the file of a dialect, from which one of your own can start.
func ShowDialect(settings *config.Settings, stdout io.Writer, name string) error {
	if err := app.CheckDialectsDir(settings.DialectsDir); err != nil {
		return err
	}
	found, err := rest.Load(settings.DialectsDir, []string{name})
	if err != nil {
		return err
	}
	_, err = stdout.Write(found[0].Text)
	return err
}
