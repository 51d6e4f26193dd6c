package config

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/limit"
)

const goodSecret = "Zb3Xq0mTt8sWk2Rj6VnYc4Lh9Dp1Fg7Ux5Ae"

// load loads settings from env, whose elements are NAME=value.
func load(env ...string) (*Settings, error) {
	return Load(func(name string) string {
		for _, e := range env {
			if value, ok := strings.CutPrefix(e, name+"="); ok {
				return value
			}
		}
		return ""
	})
}

func mustLoad(t *testing.T, env ...string) *Settings {
	t.Helper()
	s, err := load(env...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s := mustLoad(t)
	if len(s.Listen) != 1 || s.Listen[0] != "localhost:8080" || s.URL() != "http://localhost:8080" || !s.Loopback() ||
		s.HTTPS() {
		t.Errorf("the server is reached at %v, %s", s.Listen, s.URL())
	}
	if s.AccessTTL != 10*time.Minute || s.SessionTTL != 720*time.Hour || s.SessionIdle != 336*time.Hour ||
		s.RefreshGrace != 10*time.Second {
		t.Errorf("times %v %v %v %v", s.AccessTTL, s.SessionTTL, s.SessionIdle, s.RefreshGrace)
	}
	if s.PasswordMinLength != 8 || !s.RateLimits || s.RevealAccounts || !s.Registration || !s.Migrate ||
		s.TrustedProxies != nil || s.Playground != Auto || s.Introspection != Auto || s.LogLevel != slog.LevelInfo ||
		s.DataDir != "./data" || s.DatabaseURL != "" || s.Secret != "" || s.Issuer != "" || s.Audience != "" {
		t.Errorf("defaults %+v", s)
	}
}

// The values auto, on and off of a switch, on a loopback listener and on one that others can reach.
func TestSwitchAndLoopback(t *testing.T) {
	t.Parallel()
	for listen, loopback := range map[string]bool{
		"localhost:1": true, "127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1,127.0.0.1:2": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "192.0.2.1:1": false, "localhost:1,:2": false,
		"auth.example.com:1":       false,
		"localhost.evil.example:1": false, "LOCALHOST:1": false,
	} {
		s := mustLoad(t, "DRAGOMAN_LISTEN="+listen)
		if s.Loopback() != loopback || s.Playground.Is(s.Loopback()) != loopback {
			t.Errorf("%s: loopback %t", listen, s.Loopback())
		}
	}
	if !On.Is(false) || Off.Is(true) {
		t.Error("on is not on, or off not off")
	}
}

// HT-14: the address of the server comes from its settings.
func TestURL(t *testing.T) {
	t.Parallel()
	cases := []struct {
		env  []string
		want string
	}{
		{[]string{"PORT=9000"}, "http://localhost:9000"},
		{[]string{"PORT=9000", "DRAGOMAN_LISTEN=127.0.0.1:1"}, "http://127.0.0.1:1"},
		{[]string{"DRAGOMAN_LISTEN=[::]:1"}, "http://localhost:1"},
		{[]string{"DRAGOMAN_LISTEN=0.0.0.0:1, [::1]:2"}, "http://localhost:1"},
		{[]string{"DRAGOMAN_LISTEN=[::1]:2"}, "http://[::1]:2"},
		{[]string{"DRAGOMAN_PUBLIC_URL=https://auth.example.com/"}, "https://auth.example.com"},
		{[]string{"DRAGOMAN_PUBLIC_URL=http://auth.example.com:81"}, "http://auth.example.com:81"},
		{[]string{"DRAGOMAN_PUBLIC_URL=https://EXAMPLE.com/Accounts/"}, "https://example.com/Accounts"},
		{[]string{"DRAGOMAN_PUBLIC_URL=https://example.com:8443/a/b-c.d_e~1"}, "https://example.com:8443/a/b-c.d_e~1"},
	}
	for _, c := range cases {
		s := mustLoad(t, c.env...)
		if s.URL() != c.want || s.HTTPS() != strings.HasPrefix(c.want, "https:") {
			t.Errorf("%s: %s, want %s", c.env, s.URL(), c.want)
		}
	}
}

// KE-03: the error of an invalid value names the setting, and quotes the value unless it is a secret.
func TestErrors(t *testing.T) {
	t.Parallel()
	for env, secret := range map[string]bool{
		"DRAGOMAN_ACCESS_TTL=1h1":                              false,
		"DRAGOMAN_ACCESS_TTL=9s":                               false,
		"DRAGOMAN_SESSION_TTL=8761h":                           false,
		"DRAGOMAN_SESSION_IDLE=721h":                           false,
		"DRAGOMAN_REFRESH_GRACE=61s":                           false,
		"DRAGOMAN_PASSWORD_MIN_LENGTH=7":                       false,
		"DRAGOMAN_PASSWORD_MIN_LENGTH=65":                      false,
		"DRAGOMAN_TRUSTED_PROXIES=10.0.0.1":                    false,
		"DRAGOMAN_PLAYGROUND=yes":                              false,
		"DRAGOMAN_LOG_LEVEL=all":                               false,
		"DRAGOMAN_RATE_LIMITS=1":                               false,
		"DRAGOMAN_PUBLIC_URL=example.com":                      false,
		"DRAGOMAN_PUBLIC_URL=https://x.example/y?z":            false,
		"DRAGOMAN_ISSUER=a b":                                  false,
		"PORT=0":                                               false,
		"PORT=65536":                                           false,
		"DRAGOMAN_LISTEN=:70000":                               false,
		"DRAGOMAN_LISTEN=,":                                    false,
		"DRAGOMAN_DIALECTS=a,,b":                               false,
		"DRAGOMAN_DIALECTS=a,a":                                false,
		"DRAGOMAN_DIALECT_PASSWORDS=on":                        false,
		"DRAGOMAN_SECRET_PREVIOUS=hunter2":                     true,
		"DRAGOMAN_SECRET_PREVIOUS=" + goodSecret + "\nhunter2": true,
		"DRAGOMAN_JWT_ALG=HS256":                               false,
		"DRAGOMAN_JWT_ALG=es256":                               false,
		"DRAGOMAN_JWT_HS256_SECRET=hunter2hunter2":             true, // JW-07
		"DRAGOMAN_SECRET=hunter2hunter2":                       true,
		"DATABASE_URL=mysql://u:hunter2@h":                     true,
	} {
		name, value, _ := strings.Cut(env, "=")
		_, err := load(env)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Name != name || e.Want == "" || !strings.Contains(err.Error(), name) ||
			!strings.Contains(err.Error(), e.Want) {
			t.Errorf("%s: %v", env, err)
			continue
		}
		if secret == strings.Contains(err.Error(), value) && name != "DRAGOMAN_SESSION_IDLE" ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", env, err)
		}
	}
	for _, env := range []string{
		"DRAGOMAN_ACCESS_TTL=10s",
		"DRAGOMAN_ACCESS_TTL=24h",
		"DRAGOMAN_REFRESH_GRACE=0s",
		"DRAGOMAN_PASSWORD_MIN_LENGTH=64",
		"DRAGOMAN_TRUSTED_PROXIES=10.1.2.3/8, fd00::/8",
		"DATABASE_URL=postgresql://h/d",
		"DRAGOMAN_SECRET=" + goodSecret,
		"DRAGOMAN_RATE_LIMITS=false",
	} {
		if _, err := load(env); err != nil {
			t.Errorf("%s: %v", env, err)
		}
	}
	if s := mustLoad(t, "DRAGOMAN_TRUSTED_PROXIES=10.1.2.3/8"); s.TrustedProxies[0].String() != "10.0.0.0/8" {
		t.Errorf("networks %v", s.TrustedProxies)
	}
	if _, err := load("DRAGOMAN_SESSION_TTL=5m", "DRAGOMAN_ACCESS_TTL=10m"); err == nil {
		t.Error("an access token may outlive its session")
	}
	s := mustLoad(t, "DRAGOMAN_SESSION_TTL=5m")
	if s.SessionIdle != 5*time.Minute || s.AccessTTL != 5*time.Minute {
		t.Errorf("defaults do not give way to a short session: idle %s, access %s", s.SessionIdle, s.AccessTTL)
	}
}

// Secrets may come from files, and settings never print them.
func TestSecretFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, empty := write("good", goodSecret+"\r\n"), write("empty", "\n")
	s := mustLoad(t, "DRAGOMAN_SECRET_FILE="+good, "DATABASE_URL_FILE="+write("dsn", "postgres://u:hunter2@h/d\n"))
	if s.Secret.Reveal() != goodSecret || s.DatabaseURL.Reveal() != "postgres://u:hunter2@h/d" {
		t.Error("the files were read wrongly")
	}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "settings", s, "secret", s.Secret, "dsn", s.DatabaseURL)
	if text := out.String(); strings.Contains(text, goodSecret) || strings.Contains(text, "hunter2") {
		t.Errorf("the log holds a secret: %s", text)
	}
	for _, env := range [][]string{
		{"DRAGOMAN_SECRET_FILE=" + empty},
		{"DRAGOMAN_SECRET_FILE=" + dir + "/none"},
		{"DRAGOMAN_SECRET_FILE=" + dir},
		{"DRAGOMAN_SECRET_FILE=" + good, "DRAGOMAN_SECRET=" + goodSecret},
	} {
		_, err := load(env...)
		if e, ok := errors.AsType[*Error](err); !ok || e.Name != "DRAGOMAN_SECRET_FILE" {
			t.Errorf("%s: %v", env, err)
		}
	}
	if s := mustLoad(t, "DRAGOMAN_LISTEN_FILE="+good); s.Listen[0] != "localhost:8080" {
		t.Error("a setting that is no secret was read from a file")
	}
}

// KE-03: the secret is generated once, readable for its owner alone, and not where servers share a Postgres.
func TestMaster(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "data")
	s := mustLoad(t, "DRAGOMAN_DATA_DIR="+dir)
	first, err := s.Master()
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Master()
	if err != nil || !bytes.Equal(first.Key("x").MAC([]byte("y")), second.Key("x").MAC([]byte("y"))) {
		t.Errorf("the second secret is another one: %v", err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("the folder is %v, %v", info.Mode(), err)
	}
	if dsn, err := s.DSN(); err != nil || dsn != "sqlite:"+dir+"/dragoman.db" {
		t.Errorf("DSN %s, %v", dsn, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "dragoman.db")); err != nil || info.Mode() != 0o600 {
		t.Errorf("the database is %v, %v", info.Mode(), err)
	}
	_, err = mustLoad(t, "DATABASE_URL=postgres://h/d", "DRAGOMAN_LISTEN=:1", "DRAGOMAN_DATA_DIR="+dir+"/none").Master()
	if err == nil || !strings.Contains(err.Error(), "openssl rand -base64 32") {
		t.Errorf("on a shared Postgres: %v", err)
	}
	if _, err := os.Stat(dir + "/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the refusal made a folder")
	}
	s = mustLoad(t, "DATABASE_URL=postgres://h/d", "DRAGOMAN_LISTEN=:1", "DRAGOMAN_SECRET="+goodSecret)
	if _, err := s.Master(); err != nil {
		t.Errorf("with a secret: %v", err)
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s = mustLoad(t, "DRAGOMAN_DATA_DIR="+blocked)
	_, errMaster := s.Master()
	_, errDSN := s.DSN()
	for _, err := range []error{errMaster, errDSN} {
		if err == nil || !strings.Contains(err.Error(), "DRAGOMAN_DATA_DIR") {
			t.Errorf("a file in the way: %v", err)
		}
	}
}

// localhost listens on IPv4 and IPv6. If one port is in use, the listeners that were opened before are closed.
func TestOpen(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	s := mustLoad(t, "DRAGOMAN_LISTEN="+address+","+taken.Addr().String())
	if _, err := s.Open(context.Background()); err == nil || !strings.HasPrefix(err.Error(), "DRAGOMAN_LISTEN: ") {
		t.Errorf("a port in use: %v", err)
	}
	all, err := mustLoad(t, "DRAGOMAN_LISTEN="+address).Open(context.Background())
	if err != nil || len(all) != 1 {
		t.Fatalf("the port was not freed: %v", err)
	}
	_ = all[0].Close()
	_, port, _ := net.SplitHostPort(address)
	all, err = mustLoad(t, "DRAGOMAN_LISTEN=localhost:"+port).Open(context.Background())
	if err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	for _, l := range all {
		if ip := l.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
			t.Errorf("localhost listens on %s", ip)
		}
		_ = l.Close()
	}
}

func TestPrint(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	Print(&out)
	for _, k := range keys {
		for _, text := range []string{"  " + k.name, k.meaning, "Expected: " + k.want} {
			if !strings.Contains(out.String(), text) {
				t.Errorf("the table lacks %q", text)
			}
		}
		if !strings.HasPrefix(k.name, "DRAGOMAN_") && k.name != "DATABASE_URL" || k.meaning == "" || k.want == "" ||
			k.secret != strings.Contains(out.String(), k.name+"_FILE") {
			t.Errorf("the row of %s is not whole", k.name)
		}
	}
}

// LG-27: every rule has a setting, with the default of the table, and a bad value is refused by its name.
func TestLG27_Limits(t *testing.T) {
	t.Parallel()
	standard := mustLoad(t).Limits
	for _, e := range limit.Table() {
		if standard[e.Name] != e.Rule {
			t.Errorf("%s by default: %+v", e.Setting, standard[e.Name])
		}
		s := mustLoad(t, e.Setting+"=7/90s")
		if want := (limit.Rule{Name: e.Name, Burst: 7, Window: 90 * time.Second}); s.Limits[e.Name] != want {
			t.Errorf("%s: %+v", e.Setting, s.Limits[e.Name])
		}
		_, err := load(e.Setting + "=60 in 15m")
		if bad, ok := errors.AsType[*Error](err); !ok || bad.Name != e.Setting ||
			!strings.Contains(bad.Want, "60/15m") {
			t.Errorf("%s: %v", e.Setting, err)
		}
	}
	// Each is tried by its name: one that is renamed here is renamed for operators.
	for _, env := range []string{
		"DRAGOMAN_LIMIT_LOGIN=2/1m", "DRAGOMAN_LIMIT_REGISTER=2/1m", "DRAGOMAN_LIMIT_REFRESH=2/1m",
		"DRAGOMAN_LIMIT_RECOVERY=2/1m", "DRAGOMAN_LIMIT_VERIFICATION=2/1m", "DRAGOMAN_LIMIT_CANCEL_EMAIL_CHANGE=2/1m",
		"DRAGOMAN_LIMIT_ACCOUNT=2/1m", "DRAGOMAN_LIMIT_CREATE_USER=2/1m", "DRAGOMAN_LIMIT_MUTATION=2/1m",
		"DRAGOMAN_LIMIT_REFUSED=2/1m", "DRAGOMAN_LIMIT_NETWORK=2/1m", "DRAGOMAN_LIMIT_ACCOUNT_MUTATION=2/1m",
		"DRAGOMAN_LIMIT_SESSION_REFRESH=2/1m", "DRAGOMAN_LIMIT_KEY_MUTATION=2/1m", "DRAGOMAN_LIMIT_ACCOUNT_QUERY=2/1m",
		"DRAGOMAN_LIMIT_KEY_QUERY=2/1m", "DRAGOMAN_LIMIT_ACCOUNT_EXPORT=2/1m",
	} {
		changed := 0
		for name, rule := range mustLoad(t, env).Limits {
			if rule != standard[name] {
				changed++
			}
		}
		if changed != 1 {
			t.Errorf("%s changes %d rules", env, changed)
		}
	}
}

func TestDialects(t *testing.T) {
	t.Parallel()
	if s := mustLoad(t); s.Dialects != nil || s.StrictPasswords || s.DialectsDir != "" {
		t.Errorf("by default %v, %v, %q", s.Dialects, s.StrictPasswords, s.DialectsDir)
	}
	for value, auto := range map[string]bool{"": true, "auto": true, "all": false, "none": false, "a": false} {
		if s := mustLoad(t, "DRAGOMAN_DIALECTS="+value); s.DialectsAuto != auto {
			t.Errorf("%q: auto %t", value, s.DialectsAuto)
		}
	}
	if s := mustLoad(t, "DRAGOMAN_DIALECTS=none"); s.Dialects == nil || len(s.Dialects) != 0 {
		t.Errorf("none: %v", s.Dialects)
	}
	s := mustLoad(t, "DRAGOMAN_DIALECTS=b, a", "DRAGOMAN_DIALECT_PASSWORDS=strict", "DRAGOMAN_DIALECTS_DIR=/x")
	if strings.Join(s.Dialects, " ") != "b a" || !s.StrictPasswords || s.DialectsDir != "/x" {
		t.Errorf("%v, %v, %q", s.Dialects, s.StrictPasswords, s.DialectsDir)
	}
}

// KE-02, JW-07: previous secrets are given one a line, and no two settings share a secret.
func TestFurtherSecrets(t *testing.T) {
	t.Parallel()
	other := func(n int) string { return strings.ReplaceAll(goodSecret, "0", string(rune('a'+n))) }
	s := mustLoad(t,
		"DRAGOMAN_SECRET="+goodSecret,
		"DRAGOMAN_SECRET_PREVIOUS="+other(1)+"\r\n\n"+other(2)+"\n",
		"DRAGOMAN_JWT_ALG=EdDSA",
		"DRAGOMAN_JWT_HS256_SECRET="+other(3))
	if len(s.PreviousSecrets) != 2 || s.PreviousSecrets[1].Reveal() != other(2) || s.JWTAlg != "EdDSA" ||
		s.HS256Secret.Reveal() != other(3) {
		t.Errorf("read %d secrets, %s", len(s.PreviousSecrets), s.JWTAlg)
	}
	if m, err := s.Master(); err != nil || len(m.IDs()) != 3 || len(m.Key("x").Previous()) != 2 {
		t.Errorf("%v", err)
	}
	if s := mustLoad(t); s.JWTAlg != "ES256" || s.PreviousSecrets != nil || s.HS256Secret != "" {
		t.Errorf("by default %s, %d secrets", s.JWTAlg, len(s.PreviousSecrets))
	}
	for _, env := range [][]string{
		{"DRAGOMAN_SECRET_PREVIOUS", "DRAGOMAN_SECRET=" + goodSecret, "DRAGOMAN_SECRET_PREVIOUS=" + goodSecret},
		{
			"DRAGOMAN_SECRET_PREVIOUS",
			"DRAGOMAN_SECRET_PREVIOUS=" + strings.Join([]string{other(1), other(2), other(3), other(4)}, "\n"),
		},
		{"DRAGOMAN_JWT_HS256_SECRET", "DRAGOMAN_SECRET=" + goodSecret, "DRAGOMAN_JWT_HS256_SECRET=" + goodSecret},
		{
			"DRAGOMAN_JWT_HS256_SECRET",
			"DRAGOMAN_SECRET_PREVIOUS=" + goodSecret, "DRAGOMAN_JWT_HS256_SECRET=" + goodSecret,
		},
	} {
		_, err := load(env[1:]...)
		if e, ok := errors.AsType[*Error](err); !ok || e.Name != env[0] || strings.Contains(err.Error(), goodSecret) {
			t.Errorf("%s: %v", env[0], err)
		}
	}
	dir := t.TempDir()
	made, err := mustLoad(t, "DRAGOMAN_DATA_DIR="+dir).Master()
	if err != nil {
		t.Fatal(err)
	}
	// The generated secret becomes the previous one.
	s = mustLoad(t, "DRAGOMAN_DATA_DIR="+dir, "DRAGOMAN_SECRET_PREVIOUS_FILE="+dir+"/secret")
	if _, err := s.Master(); err == nil || !strings.Contains(err.Error(), "DRAGOMAN_SECRET_PREVIOUS") {
		t.Errorf("the present one as the previous: %v", err)
	}
	if err := os.Rename(dir+"/secret", dir+"/secret.previous"); err != nil {
		t.Fatal(err)
	}
	m, err := mustLoad(t, "DRAGOMAN_DATA_DIR="+dir, "DRAGOMAN_SECRET_PREVIOUS_FILE="+dir+"/secret.previous").Master()
	if err != nil || m.IDs()[1] != made.IDs()[0] || m.IDs()[0] == made.IDs()[0] {
		t.Errorf("after the change: %v", err)
	}
}

func TestMail(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]SMTP{
		"smtp://mail.example.com": {Host: "mail.example.com", Port: 587, Security: MailSTARTTLS},
		"smtp://ada:p%40ss%25@mail.example.com:2525/": {
			Host: "mail.example.com", Port: 2525, Security: MailSTARTTLS, User: "ada", Password: "p@ss%",
		},
		"smtps://ada:x@mail.example.com": {
			Host: "mail.example.com", Port: 465, Security: MailTLS, User: "ada", Password: "x",
		},
		"smtp://localhost:25": {Host: "localhost", Port: 25, Security: MailPlain},
		"smtp://[::1]:1025":   {Host: "::1", Port: 1025, Security: MailPlain},
		"smtps://127.0.0.1":   {Host: "127.0.0.1", Port: 465, Security: MailTLS},
	} {
		if s := mustLoad(t, "DRAGOMAN_SMTP_URL="+value); s.SMTP == nil || *s.SMTP != want || s.MailOff ||
			s.LocalMailbox() {
			t.Errorf("%s: %+v", value, s.SMTP)
		}
	}
	if s := mustLoad(t, "DRAGOMAN_SMTP_URL=none"); s.SMTP != nil || !s.MailOff || s.LocalMailbox() {
		t.Errorf("none: %+v", s)
	}
	for env, want := range map[string]bool{ // HT-20, HT-21
		"DRAGOMAN_MAILBOX=auto": true, "DRAGOMAN_MAILBOX=off": false, "DRAGOMAN_TRUSTED_PROXIES=10.0.0.0/8": false,
		"DRAGOMAN_MAILBOX=on\nDRAGOMAN_LISTEN=:80": true,
	} {
		if s := mustLoad(t, strings.Split(env, "\n")...); s.LocalMailbox() != want {
			t.Errorf("%s: %t", env, !want)
		}
	}
	if !mustLoad(t).LocalMailbox() || mustLoad(t, "DRAGOMAN_LISTEN=:80").LocalMailbox() {
		t.Error("the local mailbox is for this machine alone")
	}
	for env, want := range map[string]string{
		"":                             `"Dragoman" <no-reply@localhost>`,
		"DRAGOMAN_LISTEN=127.0.0.1:80": `"Dragoman" <no-reply@localhost>`,
		"DRAGOMAN_PUBLIC_URL=https://auth.example.com:8443":       `"Dragoman" <no-reply@auth.example.com>`,
		"DRAGOMAN_MAIL_FROM=auth@example.com":                     `<auth@example.com>`,
		"DRAGOMAN_MAIL_FROM=Example, Inc. <auth@example.com>":     "",
		`DRAGOMAN_MAIL_FROM="Example, Inc." <Auth@Example.com>`:   `"Example, Inc." <Auth@example.com>`,
		"DRAGOMAN_MAIL_FROM=Zoë <auth@bücher.example>":            `=?utf-8?q?Zo=C3=AB?= <auth@xn--bcher-kva.example>`,
		"DRAGOMAN_MAIL_FROM==?utf-8?q?a=0Ab?= <auth@example.com>": "",
	} {
		s, err := load(env)
		if (err != nil) != (want == "") {
			t.Errorf("%s: %v", env, err)
		} else if err == nil {
			if sender := s.Sender(); sender.String() != want {
				t.Errorf("%s: %s", env, sender.String())
			}
		}
	}
}
