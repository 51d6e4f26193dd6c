package program

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestReadme_Commands types what README.md says, in its order, and compares what comes out with what the page shows.
func TestReadme_Commands(t *testing.T) {
	t.Parallel()
	harness.NeedCurl(t)
	server := harness.Spawn(t)
	type answer = map[string]any
	var last []answer
	answers := func(text string) (all []answer) {
		for line := range strings.Lines(text) {
			var a answer
			if err := json.Unmarshal([]byte(line), &a); err == nil {
				all = append(all, a)
			}
		}
		return all
	}
	typed, compared := 0, 0
	for _, b := range blocksOf(harness.ReadFile(t, "README.md")) {
		switch {
		case b.kind == "sh" && strings.Contains(b.text, "curl"):
			shell := exec.Command("sh", "-eu", "-c", strings.ReplaceAll(b.text, "localhost:8080",
				strings.TrimPrefix(server.URL, "http://")))
			shell.Dir = t.TempDir()
			out, err := shell.Output()
			if err != nil {
				t.Fatalf("README.md:%d: %v: %s", b.line, err, out)
			}
			if left, err := os.ReadDir(shell.Dir); err != nil || len(left) != 0 {
				t.Errorf("README.md:%d leaves files behind: %v %v", b.line, left, err)
			}
			if strings.Contains(string(out), `"error"`) || len(answers(strings.ReplaceAll(string(out), "}{", "}\n{"))) == 0 {
				t.Errorf("README.md:%d: %s", b.line, out)
			}
			last, typed = answers(string(out)), typed+1
		case b.kind == "json":
			compared++
			got, _ := json.Marshal(last)
			want, _ := json.Marshal(answers(b.text))
			if string(got) != string(want) {
				t.Errorf("README.md:%d says\n%s\nand the server\n%s", b.line, want, got)
			}
		case b.kind == "sh" && (strings.HasPrefix(b.text, "go run . ") || strings.HasPrefix(b.text, "docker ")):
		default:
			t.Errorf("README.md:%d: nothing plays a block of %q", b.line, b.kind)
		}
	}
	if typed != 2 || compared != 1 {
		t.Errorf("%d blocks were typed, %d compared", typed, compared)
	}
}

// TestReadme_CommandLines finds every command and every setting that README.md names, in the program.
func TestReadme_CommandLines(t *testing.T) {
	t.Parallel()
	page := harness.ReadFile(t, "README.md")
	commands := regexp.MustCompile(`(?:go run \.|\bdragoman) ((?:dialect|admin|keys|users|secret) [a-z-]+)`).
		FindAllStringSubmatch(page, -1)
	for _, c := range commands {
		out, err := exec.Command(harness.ProgramPath(t), append(strings.Fields(c[1]), "--help")...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Usage: dragoman "+c[1]) {
			t.Errorf("%s: %v %s", c[1], err, out)
		}
	}
	settings := regexp.MustCompile(`\bDRAGOMAN_[A-Z0-9_]+`).FindAllString(page, -1)
	known := harness.SettingNames(t)
	for _, name := range settings {
		if !slices.Contains(known, name) {
			t.Errorf("%s is no setting", name)
		}
	}
	if len(commands) < 2 || len(settings) < 5 {
		t.Errorf("%d commands, %d settings", len(commands), len(settings))
	}
}

// TestReadme_Files follows every link of README.md to a file, and holds its pictures to 200 kB.
func TestReadme_Files(t *testing.T) {
	t.Parallel()
	for _, link := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).
		FindAllStringSubmatch(harness.ReadFile(t, "README.md"), -1) {
		info, err := os.Stat(harness.Path(link[1]))
		switch {
		case err != nil:
			t.Error(err)
		case filepath.Ext(link[1]) == ".png" && info.Size() > 200_000:
			t.Errorf("%s has %d bytes", link[1], info.Size())
		}
	}
}
