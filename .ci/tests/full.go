package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
)

// most is the time of one experiment; DRAGOMAN_TEST_FULL_MOST says another.
const most = 30 * time.Minute

// row is a line of the table.
type row struct {
	what, database, came string
	took                 float64
}

// full runs the tests that have a full size at it, one after the other: some measure, and need the machine. It is ok
// when all passed.
func full(pattern *regexp.Regexp, out io.Writer) (ok bool, err error) {
	all, err := declarations()
	if err != nil {
		return false, err
	}
	list := all.tests(pattern, all.reach())
	if len(list) == 0 {
		return false, fmt.Errorf("no experiment is called %s", pattern)
	}
	limit := most
	if text := os.Getenv("DRAGOMAN_TEST_FULL_MOST"); text != "" {
		if limit, err = time.ParseDuration(text); err != nil {
			return false, err
		}
	}
	work, err := os.MkdirTemp("", "dragoman-full-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(work) //nolint:errcheck // a temporary folder
	var rows []row
	ok = true
	for i, t := range list {
		fmt.Fprintf(out, "%d of %d: %s %s\n", i+1, len(list), t.dir, t.ident)
		came, err := experiment(work, t, limit, out)
		if err != nil {
			return false, err
		}
		for _, r := range came {
			ok = ok && r.came == "pass"
			rows = append(rows, r)
		}
	}
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "EXPERIMENT\tDATABASE\tRESULT\tTIME")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.what, r.database, r.came,
			(time.Duration(r.took*1000) * time.Millisecond).Round(100*time.Millisecond))
	}
	return ok, table.Flush()
}

// experiment runs one test in a process of its own, and prints what it says unless it passes without a word.
func experiment(work string, t name, limit time.Duration, out io.Writer) ([]row, error) {
	// with the build; the test watches its own time
	ctx, cancel := context.WithTimeout(context.Background(), limit+10*time.Minute)
	defer cancel()
	binary := filepath.Join(work, strings.ReplaceAll(t.dir, "/", "_")+".test")
	if _, err := os.Stat(binary); err != nil {
		if said, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./"+t.dir).CombinedOutput(); err != nil { //nolint:gosec // a folder of this repository
			return nil, fmt.Errorf("build the tests of %s: %w\n%s", t.dir, err, said)
		}
	}
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json", "-p", module+"/"+t.dir, "-t", binary, //nolint:gosec // a test of this repository
		"-test.v=test2json", "-test.run=^"+t.ident+"$", "-test.timeout="+limit.String())
	cmd.Dir, cmd.Env = t.dir, append(os.Environ(), marker+"=1", "CI=true")
	cmd.Stderr = os.Stderr
	began := time.Now()
	said, err := cmd.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return nil, err
	}
	all, err := read(bytes.NewReader(said))
	if err != nil {
		return nil, err
	}
	var rows []row
	whole := row{what: path.Join(t.dir, t.ident), database: "-", came: "fail", took: time.Since(began).Seconds()}
	for _, r := range all {
		switch base := path.Base(r.Test); {
		case r.Test == t.ident && r.Action != "":
			whole.came = r.Action
		case base == "sqlite" || base == "postgres":
			rows = append(rows, row{path.Join(t.dir, path.Dir(r.Test)), base, r.Action, r.Elapsed})
		}
		if r.Action != "pass" && r.Test != "" {
			fmt.Fprint(out, strings.Join(r.output, ""))
		}
	}
	if len(rows) == 0 || whole.came != "pass" {
		rows = append(rows, whole)
	}
	return rows, nil
}
