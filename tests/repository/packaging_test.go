package repository

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

// pinned is a reference to an image that says which: with a registry, and a tag that is none of those that move on to
// another major version.
var pinned = regexp.MustCompile(`^[a-z0-9.]+\.[a-z]+/[a-z0-9/_-]+:\d+(\.\d+)*(-[a-z]+)?$`)

// TestPackaging_Containerfile reads the image's recipe: what it is made from, and who runs in it.
func TestPackaging_Containerfile(t *testing.T) {
	t.Parallel()
	text := harness.ReadFile(t, "Containerfile")
	var from []string
	for _, m := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(text, -1) {
		from = append(from, m[1])
	}
	if len(from) != 2 || !pinned.MatchString(from[0]) || from[1] != "scratch" {
		t.Errorf("made from %s", from)
	}
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(harness.ReadFile(t, "go.mod"))[1]
	if !strings.Contains(from[0], "/golang:"+goVersion+"-") {
		t.Errorf("%s is not for go %s", from[0], goVersion)
	}
	_, last, _ := strings.Cut(text, "FROM scratch\n")
	for _, want := range []string{
		`(?m)^USER [1-9]\d+:[1-9]\d+$`, `(?m)^VOLUME /data$`, `(?m)^ENV .*DRAGOMAN_DATA_DIR=/data`,
		`(?m)^HEALTHCHECK .* CMD \["/dragoman", "health"\]$`,
		`(?m)^ENTRYPOINT \["/dragoman"\]$`, `(?m)^STOPSIGNAL SIGTERM$`,
		`(?m)^COPY --from=build --chown=65532:65532 /out/data /data$`,
	} {
		if !regexp.MustCompile(want).MatchString(last) {
			t.Errorf("the image lacks %s", want)
		}
	}
	if !strings.Contains(text, "CGO_ENABLED=0") ||
		regexp.MustCompile(`(?i)latest|curl|wget|ADD http|SECRET=`).MatchString(text) {
		t.Error("the recipe fetches or holds what it should not")
	}
	for _, name := range regexp.MustCompile(`DRAGOMAN_[A-Z_]+`).FindAllString(text, -1) {
		knownSetting(t, name)
	}
	ignored := harness.ReadFile(t, ".dockerignore") // podman reads it too, and docker no .containerignore
	if _, err := os.Stat(harness.Path(".containerignore")); err == nil {
		t.Error("podman would read .containerignore alone")
	}
	for _, name := range []string{".git", "data", "secrets"} {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `$`).MatchString(ignored) {
			t.Errorf("%s goes into the build", name)
		}
	}
}

func knownSetting(t *testing.T, name string) {
	t.Helper()
	for _, known := range harness.SettingNames(t) {
		if name == known || name == known+"_FILE" {
			return
		}
	}
	t.Errorf("%s is no setting", name)
}

// TestPackaging_Compose reads compose.yaml: pinned images, secrets from files, and a server that can change nothing but
// the database.
func TestPackaging_Compose(t *testing.T) {
	t.Parallel()
	var compose struct {
		Services map[string]struct {
			Image       string
			Build       struct{ Context, Dockerfile string }
			Environment map[string]string
			Secrets     []string
			Ports       []string
			Networks    []string
			ReadOnly    bool     `yaml:"read_only"`
			CapDrop     []string `yaml:"cap_drop"`
			SecurityOpt []string `yaml:"security_opt"`
			Stop        string   `yaml:"stop_grace_period"`
		}
		Networks map[string]struct{ Internal bool }
		Secrets  map[string]struct{ File string }
	}
	if err := yaml.Unmarshal([]byte(harness.ReadFile(t, "compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	postgres, server := compose.Services["postgres"], compose.Services["dragoman"]
	if !pinned.MatchString(postgres.Image) || !strings.Contains(postgres.Image, "/postgres:17") ||
		len(postgres.Ports) != 0 {
		t.Errorf("postgres: %+v", postgres)
	}
	if server.Build.Dockerfile != "Containerfile" || !server.ReadOnly || len(server.CapDrop) != 1 ||
		server.CapDrop[0] != "ALL" ||
		len(server.SecurityOpt) != 1 || server.Stop != "30s" || !compose.Networks["database"].Internal {
		t.Errorf("dragoman: %+v", server)
	}
	for _, port := range server.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			t.Errorf("the port %s is open to others", port)
		}
	}
	for name, value := range server.Environment {
		if name != "DATABASE_URL_FILE" {
			knownSetting(t, name)
		}
		if base, ok := strings.CutPrefix(value, "/run/secrets/"); ok && compose.Secrets[base].File != "./secrets/"+
			base {
			t.Errorf("%s: there is no secret %s", name, base)
		}
		if name == "DRAGOMAN_SECRET" || name == "DATABASE_URL" {
			t.Errorf("%s stands in the file", name)
		}
	}
	if ignored := harness.ReadFile(t, ".gitignore"); !strings.Contains(ignored, "/secrets/") {
		t.Error("the secrets would be committed")
	}
}

// TestPackaging_Service reads the unit of systemd.
func TestPackaging_Service(t *testing.T) {
	t.Parallel()
	unit := harness.ReadFile(t, "packaging/dragoman.service")
	for _, want := range []string{
		"DynamicUser=yes", "StateDirectory=dragoman", "ProtectSystem=strict", "NoNewPrivileges=yes",
		"CapabilityBoundingSet=", "UMask=0077",
		"MemoryDenyWriteExecute=yes", "Environment=DRAGOMAN_DATA_DIR=/var/lib/dragoman", "TimeoutStopSec=30",
	} {
		if !strings.Contains(unit, "\n"+want+"\n") {
			t.Errorf("the unit lacks %s", want)
		}
	}
	// Five starts within ten seconds and systemd gives up: a Postgres that comes up late must not end the server for
	// good.
	if every := regexp.MustCompile(`(?m)^RestartSec=(\d+)$`).FindStringSubmatch(unit); every == nil ||
		len(every[1]) == 1 && every[1] < "5" {
		t.Errorf("restarts after %s", every)
	}
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "dragoman.service")
	if err := os.WriteFile(copied, []byte(strings.Replace(unit, "ExecStart=/usr/local/bin/dragoman", "ExecStart="+
		program, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(verify, "verify", copied).CombinedOutput(); err != nil ||
		strings.Contains(string(out), "dragoman.service") {
		t.Errorf("systemd-analyze verify: %v: %s", err, out)
	}
}

// TestPackaging_Static builds the program as the image does: one file that needs no other, of at most 37 MB. A build
// without cgo shares nothing with the one of the tests and takes minutes, so it belongs to the full experiments.
func TestPackaging_Static(t *testing.T) {
	t.Parallel()
	if !harness.FullRun {
		return
	}
	binary := filepath.Join(t.TempDir(), "dragoman")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	if info, _ := os.Stat(binary); err != nil || len(libraries) != 0 || info.Size() > 37_000_000 {
		t.Errorf("%d bytes, needs %s, %v", info.Size(), libraries, err)
	}
}
