package userfile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// gzipped packs what write writes.
func gzipped(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var out bytes.Buffer
	pack := gzip.NewWriter(&out)
	if err := write(pack); err != nil {
		t.Fatal(err)
	}
	if err := pack.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// MI-26: whatever a sample holds, it gives the same packed.
func TestMI26_Packed(t *testing.T) {
	t.Parallel()
	for _, sample := range samples {
		text, err := os.ReadFile(filepath.Join("testdata", sample.path))
		if err != nil || strings.HasPrefix(string(text), sqliteStart) { // a directory
			continue
		}
		o := Options{Firebase: sampleFirebase}
		plainly, _ := readPath(t, sample.recipe, filepath.Join("testdata", sample.path), o)
		records, failures := readText(t, sample.recipe, "users.gz",
			gzipped(t, func(w io.Writer) error { _, err := w.Write(text); return err }), o)
		if failures != "" || len(records) != len(plainly) || len(records) == 0 {
			t.Errorf("%s: %d records packed and %d not, %q", sample.path, len(records), len(plainly), failures)
		}
	}
}

// MI-26: a packed file that fills the machine ends the import, and so do one that is cut off and a value without end.
func TestMI26_Bombs(t *testing.T) {
	t.Parallel()
	fill := func(start string, bytes int) string {
		return gzipped(t, func(w io.Writer) error {
			if _, err := io.WriteString(w, start); err != nil {
				return err
			}
			part := strings.Repeat(" ", 1<<20)
			for range bytes >> 20 {
				if _, err := io.WriteString(w, part); err != nil {
					return err
				}
			}
			return nil
		})
	}
	whole := fill(`{"user_id":"auth0|1"}`+"\n", 1<<20)
	held, err := io.ReadAll(&budget{in: strings.NewReader(whole), left: 10})
	if len(held) != 10 || !errors.Is(err, errLong) {
		t.Errorf("%d bytes of one value, %v", len(held), err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"lines":    {fill(`{"user_id":"auth0|1"}`+"\n", 100<<20), "it unpacks to more than 200 times its size"},
		"an array": {fill(`[{"user_id":"`, 100<<20), "it unpacks to more than 200 times its size"},
		"cut off":  {whole[:len(whole)-20], "unexpected EOF"},
		"a ZIP":    {"PK\x03\x04", "this is a ZIP archive"},
		"UTF-16":   {"\xff\xfe{\x00", "this is UTF-16"},
		"a dump":   {"-- MySQL dump 10.13", "this is a dump by mysqldump"},
		"packed SQLite": {
			gzipped(t, func(w io.Writer) error { _, err := io.WriteString(w, sqliteStart+"x"); return err }),
			"this is a packed SQLite file",
		},
	} {
		_, failures := readText(t, "auth0", "users.json.gz", c.text, Options{})
		if !strings.Contains(failures, c.want) {
			t.Errorf("%s: %q; want %s", name, failures, c.want)
		}
	}
}

// MI-26: without --from, or with another one, a file of a system that a recipe reads is told by its columns.
func TestMI26_Guessed(t *testing.T) {
	t.Parallel()
	for _, sample := range samples {
		_, failures := readPath(t, "", filepath.Join("testdata", sample.path), Options{})
		if !strings.Contains(failures, sample.recipe) {
			t.Errorf("%s: %q", sample.path, failures)
		}
	}
	for recipe, text := range map[string]string{
		"devise": `{"user_id":"auth0|1","identities":[],"email":"a@example.com"}`,
		"django": `{"_id":{"$oid":"1"},"passwordHash":"x","connection":"c"}`,
	} {
		if _, failures := readText(t, recipe, "users.json", text, Options{}); !strings.Contains(failures,
			"line 1: this looks like an export of Auth0: ") || !strings.Contains(failures, "pass --from=auth0") {
			t.Errorf("%s: %q", recipe, failures)
		}
	}
}
