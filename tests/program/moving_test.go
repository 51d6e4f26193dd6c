package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/userfile"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// docs/moving-in.md is played section by section, each on a new database, in a folder with the samples of userfile
// under the names that the page has. A block with run=elsewhere is for another machine.
const movingIn = "docs/moving-in.md"

const (
	samplesFolder  = "internal/userfile/testdata/"
	samplePassword = "Lighthouse-Harbour-7"
	// sampleSigner is that of the Firebase project of the sample.
	sampleSigner = "0CtIkKk1Q+sp1jHXAdRujsqygZb1Am7k9TskbW0v2gdLsWuI2SWPx1BVxl1Dp8OaRtDtcoSXrNJ5Z39KoeDR8A=="
)

// samples are the exports of other systems, by the name that they have on the page.
var samples = map[string]string{
	"auth0": "auth0/export", "devise.csv": "devise/users.csv", "supabase.csv": "supabase/users.csv",
	"firebase.json": "firebase/users.json", "keycloak": "keycloak/export", "django.json": "django/users.json",
	"laravel.csv": "laravel/users.csv", "wolfpal.json": "wolfpal/users.json",
	"sqlite_authc_database.db": "authcompanion/sqlite_authc_database.db",
	"authentication-zero.csv":  "authentication-zero/users.csv",
}

// ownSample is an export with our columns, as the page has them.
const ownSample = `id,email,emailVerified,username,passwordHash,createdAt
7,ada@example.com,t,ada,$2b$10$ZKbNsByUEd8.TNTzyc7i/.Pgh5SAQTwrq5.jWPGowisTNEGBnDr6O,2024-03-01 09:14:40.123
8,ben@example.org,f,,,2024-05-05 08:00:00
`

// sampleFolder makes a folder with the files that the page names.
func sampleFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, from := range samples {
		to := filepath.Join(dir, name)
		if strings.Contains(filepath.Base(from), ".") {
			text, err := os.ReadFile(harness.Path(samplesFolder + from))
			if err == nil {
				err = os.WriteFile(to, text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		} else if err := os.CopyFS(to, os.DirFS(harness.Path(samplesFolder+from))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(ownSample), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// mover types what a section of the page says.
type mover struct {
	t      *testing.T
	dsn    string
	dir    string
	server *harness.Instance
}

func (m *mover) run(b block) {
	m.t.Helper()
	if b.text == "dragoman\n" {
		m.server = harness.Start(m.t, m.dsn)
		return
	}
	text := b.text
	if m.server != nil {
		text = strings.ReplaceAll(text, "http://localhost:8080", m.server.URL)
	}
	c := exec.Command("sh", "-ec", text)
	c.Dir = m.dir
	ours := func(entry string) bool { return strings.HasPrefix(entry, "DRAGOMAN_") }
	c.Env = append(slices.DeleteFunc(os.Environ(), ours), harness.ProcessEnv(m.dsn)...)
	c.Env = append(c.Env, "PATH="+filepath.Dir(harness.ProgramPath(m.t))+":"+os.Getenv("PATH"),
		"SIGNER_KEY="+sampleSigner)
	out, err := c.CombinedOutput()
	if err != nil {
		m.t.Errorf("%s:%d: %v: %s", movingIn, b.line, err, out)
	}
	if b.output != nil && strings.TrimSpace(string(out)) != strings.TrimSpace(*b.output) {
		m.t.Errorf("%s:%d: it printed\n%s\nand the page has\n%s", movingIn, b.line, out, *b.output)
	}
}

// TestMI25_Page plays docs/moving-in.md on both databases: every command of ours does what the page says. Each recipe
// has a section.
func TestMI25_Page(t *testing.T) {
	t.Parallel()
	harness.NeedCurl(t)
	page, err := os.ReadFile(harness.Path(movingIn))
	if err != nil {
		t.Fatal(err)
	}
	heading := regexp.MustCompile(`(?m)^## (.*)$`)
	for _, r := range userfile.Recipes() {
		if !strings.Contains(string(page), "--from "+r[0]+"\n") && !strings.Contains(string(page), "--from "+r[0]+" ") {
			t.Errorf("%s: no command with --from %s", movingIn, r[0])
		}
	}
	dbtest.EachKind(t, func(t *testing.T, fresh func(testing.TB) string) {
		sections := 0
		for _, at := range heading.FindAllSubmatchIndex(page, -1) {
			name, text := string(page[at[2]:at[3]]), string(page[at[1]:])
			if next := heading.FindStringIndex(text); next != nil {
				text = text[:next[0]]
			}
			blocks := slices.DeleteFunc(blocksOf(text), func(b block) bool {
				return b.kind != "sh" || b.attributes["run"] == "elsewhere"
			})
			if len(blocks) == 0 {
				continue
			}
			sections++
			t.Run(name, func(t *testing.T) {
				m := &mover{t: t, dsn: fresh(t), dir: sampleFolder(t)}
				if name == "Moving out" { // there has to be somebody
					m.run(block{text: "dragoman users import users.csv"})
				}
				for _, b := range blocks {
					b.line += strings.Count(string(page[:at[1]]), "\n")
					m.run(b)
				}
			})
		}
		if sections < len(userfile.Recipes()) {
			t.Errorf("%d sections with commands", sections)
		}
	})
}
