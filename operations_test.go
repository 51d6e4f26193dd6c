package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// TestSlowStatements has every statement logged, on both databases: each with its name and its text with placeholders, and none
// with an argument (AU-02).
func TestSlowStatements(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_SLOW_STATEMENT=1ns", "DRAGOMAN_RATE_LIMITS=on")
		ada := s.register(t, "canary@example.com")
		s.login(t, ada.Email, "a canary of a password")
		s.graphql(t, "", loginDoc, inputOf("username", "canary", "password", goodPass))
		login := s.login(t, ada.Email, goodPass)
		s.graphql(t, ada.Access, `{ me { id email } sessions { id } keys { id name } }`, nil)
		s.graphql(t, ada.Access, createKey, inputOf("name", "canary"))
		s.refresh(t, ada.Refresh)
		s.refresh(t, ada.Refresh)
		s.graphql(t, login.text("login", "tokens", "accessToken"), logoutDoc, nil)
		names, texts := map[string]bool{}, ""
		for line := range strings.SplitSeq(s.log.String(), "\n") {
			var entry struct {
				Msg, Level, Statement, SQL string
				Duration                   int64
				RequestID                  string `json:"request_id"`
			}
			if json.Unmarshal([]byte(line), &entry) != nil || entry.Msg != "slow statement" {
				continue
			}
			names[entry.Statement] = true
			texts += line + "\n"
			if entry.Level != "WARN" || entry.Duration <= 0 || entry.SQL == "" || !regexp.MustCompile(`^[A-Z][A-Za-z]+$`).MatchString(entry.Statement) {
				t.Errorf("%s", line)
			}
		}
		for _, name := range []string{"Register", "Attempt", "Login", "LoginFailed", "Rotate", "Replay", "CreateKey", "Keys", "Sessions"} {
			if !names[name] {
				t.Errorf("there is no statement %s: %v", name, names)
			}
		}
		for _, private := range []string{
			"canary", "127.0.0.1", goodPass, ada.ID[5:], ada.Session[5:], ada.Access, ada.Refresh, "$argon2", "Go-http-client",
		} {
			if strings.Contains(texts, private) {
				t.Errorf("the log of statements tells %q", private)
			}
		}
	})
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		s := start(t, dbtest.SQLite(t), "DRAGOMAN_SLOW_STATEMENT=0")
		s.register(t, "ada@example.com")
		if strings.Contains(s.log.String(), "slow statement") {
			t.Error(s.log.String())
		}
	})
}

// TestStart_MisspeltSetting refuses a name that is no setting, and leaves nothing behind.
func TestStart_MisspeltSetting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{nil, {"migrate"}, {"admin", "create", "ada@example.com"}, {"dialect", "list"}} {
		got := command(t, dir, []string{"DRAGOMAN_LISTN=" + canarySecret, "DRAGOMAN_LISTEN=localhost:FREEPORT"}, args...)
		if got.code != 1 || got.stdout != "" || got.stderr != "dragoman: DRAGOMAN_LISTN is not a setting; did you mean DRAGOMAN_LISTEN?\n" {
			t.Errorf("%s: %+v", args, got)
		}
	}
	for _, args := range [][]string{{"version"}, {"--help"}} { // which read no setting
		if got := command(t, dir, []string{"DRAGOMAN_LISTN=x"}, args...); got.code != 0 {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left %v behind", entries)
	}
	// Beside a service of the name dragoman in Kubernetes.
	spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), "DRAGOMAN_PORT=tcp://10.0.0.1:80", "DRAGOMAN_SERVICE_HOST=10.0.0.1", "DRAGOMAN_PORT_80_TCP_ADDR=10.0.0.1")
}

// TestStart_NewerSchema refuses a database that a later version has changed, and names what it does not know; and, where it may
// not migrate, one that lacks a migration.
func TestStart_NewerSchema(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env := append(processEnv(dsn), "DRAGOMAN_LISTEN=localhost:FREEPORT")
		sideways := openSide(t, dsn)
		sideways.exec(t, `INSERT INTO bun_migrations (name, group_id, migrated_at) VALUES ('29990101000000', 9, current_timestamp), ('29990102000000', 9, current_timestamp)`)
		users := sideways.texts(t, `SELECT name FROM bun_migrations ORDER BY name`)
		for _, c := range []struct {
			env  []string
			args []string
		}{{nil, nil}, {[]string{"DRAGOMAN_MIGRATE=off"}, nil}, {nil, []string{"migrate"}}, {nil, []string{"admin", "create", "ada@example.com"}}} {
			got := command(t, t.TempDir(), append(env, c.env...), c.args...)
			if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "newer than this server") ||
				!strings.Contains(got.stderr, "29990101000000, 29990102000000") || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("%s %s: %+v", c.env, c.args, got)
			}
		}
		if after := sideways.texts(t, `SELECT name FROM bun_migrations ORDER BY name`); fmt.Sprint(after) != fmt.Sprint(users) {
			t.Errorf("the migrations were %s and are %s", users, after)
		}
		sideways.exec(t, `DELETE FROM bun_migrations WHERE name LIKE '2999%'`)
		spawn(t, append(processEnv(dsn), "DRAGOMAN_MIGRATE=off")...)
		sideways.exec(t, `DELETE FROM bun_migrations WHERE name = (SELECT max(name) FROM bun_migrations)`)
		got := command(t, t.TempDir(), append(env, "DRAGOMAN_MIGRATE=off"))
		if got.code != 1 || !strings.Contains(got.stderr, "older than this server") || !strings.Contains(got.stderr, "dragoman migrate") {
			t.Errorf("an older schema: %+v", got)
		}
	})
}

// TestPW15_AbortedLogins has callers who hang up at once: their places in the line for a hash are free again, and somebody who
// waits for an answer gets one within two seconds.
func TestPW15_AbortedLogins(t *testing.T) {
	t.Parallel()
	s := start(t, dbtest.SQLite(t), realHashes, "DRAGOMAN_METRICS_TOKEN="+metricsToken)
	ada := s.register(t, "ada@example.com")
	body, err := json.Marshal(map[string]any{"query": loginDoc, "variables": inputOf("email", "nobody@example.com", "password", goodPass)})
	if err != nil {
		t.Fatal(err)
	}
	total := amount(600, 10_000)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range total / 20 {
				conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
				if err != nil {
					continue // the machine ran out of ports for a moment
				}
				_, _ = io.WriteString(conn, rawPost("/graphql", string(body)))
				_ = conn.Close()
			}
		})
	}
	wg.Wait()
	began := time.Now()
	for {
		a := s.login(t, ada.Email, goodPass)
		if a.code() == "" {
			break
		}
		if a.Status != http.StatusServiceUnavailable || time.Since(began) > 10*time.Second {
			t.Fatalf("%d %s", a.Status, a.Raw)
		}
	}
	took := time.Since(began)
	for time.Since(began) < 10*time.Second {
		if working, waiting := scrapeQueue(t, s.URL); working+waiting == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	empty := time.Since(began)
	t.Logf("%d aborted sign-ins; the next one answered after %v, the line empty after %v", total, took.Round(time.Millisecond), empty.Round(time.Millisecond))
	if most := 2 * time.Second; took > most || empty > most {
		t.Errorf("answered after %v, empty after %v", took, empty)
	}
}

func scrapeQueue(t *testing.T, url string) (working, waiting float64) {
	got, _ := scrape(t, url, metricsToken)
	return got["dragoman_hash_working"], got["dragoman_hash_waiting"]
}

// TestAV05_ClockSetBack puts the clock of the server back by an hour. What was ended stays ended, nobody is locked out for the
// hour, and refresh tokens go on. docs/operations.md tells what a wrong clock does all the same.
func TestAV05_ClockSetBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		ada, out := s.register(t, "ada@example.com"), s.register(t, "out@example.com")
		if a := s.graphql(t, out.Access, logoutDoc, nil); a.code() != "" {
			t.Fatal(a.Raw)
		}
		for range 5 { // into the delay
			s.login(t, ada.Email, "a wrong password")
		}
		if a := s.login(t, ada.Email, goodPass); a.code() != "ACCOUNT_LOCKED" {
			t.Fatal(a.Raw)
		}
		s.clock.add(-time.Hour)
		if s.is(t, out.Access, out) || s.refresh(t, out.Refresh).code() != "INVALID_TOKEN" {
			t.Error("a session that was ended lives again")
		}
		// An access token that seems to come from the future is refused, which a client answers with a refresh.
		if s.is(t, ada.Access, ada) {
			t.Error("an access token from the future counts")
		}
		next := s.refresh(t, ada.Refresh)
		if next.code() != "" || !s.is(t, next.text("refresh", "tokens", "accessToken"), ada) {
			t.Errorf("refresh: %s", next.Raw)
		}
		if a := s.login(t, ada.Email, goodPass); a.code() != "RATE_LIMITED" {
			t.Errorf("the limit by address gave tries away: %s", a.Raw)
		}
		s.clock.add(time.Minute) // in which the limit gives a few tries back, and not an hour
		if a := s.login(t, ada.Email, "a wrong password"); a.code() != "INVALID_CREDENTIALS" {
			t.Errorf("locked out for the difference of the clocks: %s", a.Raw)
		}
		if a := s.login(t, ada.Email, goodPass); a.code() != "ACCOUNT_LOCKED" {
			t.Errorf("the failures before are forgotten: %s", a.Raw)
		}
		s.clock.add(time.Minute)
		if a := s.login(t, ada.Email, goodPass); a.code() != "" {
			t.Errorf("locked out for the difference of the clocks: %s", a.Raw)
		}
		s.clock.add(time.Hour) // and forward again
		if s.is(t, out.Access, out) || s.refresh(t, out.Refresh).code() != "INVALID_TOKEN" {
			t.Error("a session that was ended lives again")
		}
		if a := s.refresh(t, next.text("refresh", "tokens", "refreshToken")); a.code() != "" {
			t.Errorf("refresh: %s", a.Raw)
		}
	})
}

// TestKE08_GrantsOfTheGuide runs the statements of docs/operations.md, migrates as the owner, and serves as a role that can change
// rows and nothing else.
func TestKE08_GrantsOfTheGuide(t *testing.T) {
	t.Parallel()
	dsn := dbtest.EmptyPostgres(t)
	admin := openSide(t, dsn)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	database := strings.TrimPrefix(u.Path, "/")
	owner, runtime := database+"_owner", database+"_runtime"
	script := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(readDoc(t, "docs/operations.md"), -1)
	if len(script) != 2 {
		t.Fatalf("docs/operations.md has %d pieces of SQL", len(script))
	}
	t.Cleanup(func() {
		for _, role := range []string{owner, runtime} {
			_, _ = admin.Exec("DROP OWNED BY " + role + " CASCADE")
			_, _ = admin.Exec("DROP ROLE " + role)
		}
	})
	apply := func(text string) {
		t.Helper()
		text = strings.NewReplacer("dragoman_owner", owner, "dragoman_runtime", runtime, "DATABASE dragoman", "DATABASE "+database).Replace(text)
		for statement := range strings.SplitSeq(regexp.MustCompile(`(?m)--.*$`).ReplaceAllString(text, ""), ";") {
			if statement = strings.TrimSpace(statement); statement == "" || strings.HasPrefix(statement, "CREATE DATABASE") {
				continue // the test has its database already
			}
			admin.exec(t, statement)
		}
	}
	as := func(role, password string) string {
		copied := *u
		copied.User = url.UserPassword(role, password)
		return copied.String()
	}
	apply(script[0][1])
	ownerDSN, runtimeDSN := as(owner, "owner-password"), as(runtime, "runtime-password")
	common := []string{"DRAGOMAN_SECRET=" + testSecret, "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_LISTEN=localhost:FREEPORT"}
	if got := command(t, t.TempDir(), append(common, "DATABASE_URL="+runtimeDSN, "DRAGOMAN_MIGRATE=off")); got.code != 1 ||
		!strings.Contains(got.stderr, "dragoman migrate") {
		t.Errorf("before the owner migrated: %+v", got)
	}
	if got := command(t, t.TempDir(), append(common, "DATABASE_URL="+ownerDSN), "migrate"); got.code != 0 {
		t.Fatalf("migrate as the owner: %+v", got)
	}
	apply(script[1][1])
	for _, args := range [][]string{nil, {"migrate"}} { // who leaves DRAGOMAN_MIGRATE out is told
		if got := command(t, t.TempDir(), append(common, "DATABASE_URL="+runtimeDSN), args...); got.code != 1 ||
			!strings.Contains(got.stderr, "DRAGOMAN_MIGRATE=off") || !strings.Contains(got.stderr, "dragoman migrate") {
			t.Errorf("%s as the runtime role: %+v", args, got)
		}
	}
	p := spawn(t, "DRAGOMAN_SECRET="+testSecret, "DATABASE_URL="+runtimeDSN, "DRAGOMAN_MIGRATE=off")
	a, err := send(p.URL, "", registerDoc, inputOf("email", "ada@example.com", "password", goodPass))
	if err != nil || a.code() != "" {
		t.Fatalf("%v %+v", err, a)
	}
	access, refresh := a.text("register", "tokens", "accessToken"), a.text("register", "tokens", "refreshToken")
	for _, call := range []func() (*answer, error){
		func() (*answer, error) {
			return send(p.URL, "", loginDoc, inputOf("email", "ada@example.com", "password", goodPass))
		},
		func() (*answer, error) { return send(p.URL, access, meDoc, nil) },
		func() (*answer, error) { return send(p.URL, access, createKey, nil) },
		func() (*answer, error) { return send(p.URL, "", refreshDoc, map[string]any{"token": refresh}) },
		func() (*answer, error) { return send(p.URL, access, logoutDoc, nil) },
	} {
		if a, err := call(); err != nil || a.code() != "" {
			t.Errorf("%v %+v", err, a)
		}
	}
	if d, err := db.Open(t.Context(), runtimeDSN); err != nil {
		t.Error(err)
	} else if _, err := d.Sweep(t.Context(), db.Clock(time.Now())); errors.Join(err, d.Close()) != nil {
		t.Errorf("sweep: %v", err)
	}
	serving := openSide(t, runtimeDSN)
	for _, forbidden := range []string{
		"CREATE TABLE x (id int)", "DROP TABLE users", "ALTER TABLE users ADD COLUMN x int", "TRUNCATE users", "CREATE INDEX x ON users (email)",
		"DELETE FROM bun_migrations", "INSERT INTO bun_migrations (name) VALUES ('x')", "CREATE SCHEMA x", "CREATE TEMPORARY TABLE x (id int)",
	} {
		if _, err := serving.Exec(forbidden); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v", forbidden, err)
		}
	}
}

// newAuthority makes a certificate for host, which vouches for itself, and the file to trust it by.
func newAuthority(t *testing.T, host string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{host},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// overTLS stands before a Postgres and speaks TLS, as a Postgres with a certificate does (PostgreSQL, "SSL Session Encryption").
func overTLS(t *testing.T, dsn string, certificate tls.Certificate) (port string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	network, address := "tcp", u.Host
	if dir := u.Query().Get("host"); dir != "" {
		number := u.Query().Get("port")
		if number == "" {
			number = "5432"
		}
		network, address = "unix", dir+"/.s.PGSQL."+number
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				var request [8]byte
				if _, err := io.ReadFull(conn, request[:]); err != nil || binary.BigEndian.Uint32(request[4:]) != 80877103 {
					return // only TLS here
				}
				_, _ = conn.Write([]byte("S"))
				front := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}})
				back, err := net.Dial(network, address)
				if err != nil || front.Handshake() != nil {
					return
				}
				defer back.Close()
				go func() { _, _ = io.Copy(front, back); _ = front.Close() }()
				_, _ = io.Copy(back, front)
			}()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// TestKE08_TLS connects with sslmode=verify-full: to a database that the certificate is for, and to none other.
func TestKE08_TLS(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	right, trusted := newAuthority(t, "localhost")
	stranger, _ := newAuthority(t, "localhost")
	elsewhere, trustedElsewhere := newAuthority(t, "db.example.com")
	to := func(port, root string) string {
		user := "postgres"
		if u.User != nil {
			user = u.User.String()
		}
		return "postgres://" + user + "@localhost:" + port + u.Path + "?sslmode=verify-full&sslrootcert=" + url.QueryEscape(root)
	}
	p := spawn(t, "DRAGOMAN_SECRET="+testSecret, "DATABASE_URL="+to(overTLS(t, dsn, right), trusted))
	if a, err := send(p.URL, "", registerDoc, inputOf("email", "ada@example.com", "password", goodPass)); err != nil || a.code() != "" {
		t.Errorf("%v %+v", err, a)
	}
	for what, dsn := range map[string]string{
		"another authority": to(overTLS(t, dsn, stranger), trusted), "another host": to(overTLS(t, dsn, elsewhere), trustedElsewhere),
	} {
		got := command(t, t.TempDir(), []string{"DRAGOMAN_LISTEN=localhost:FREEPORT", "DRAGOMAN_SECRET=" + testSecret, "DATABASE_URL=" + dsn})
		if got.code != 1 || !strings.Contains(got.stderr, "certificate") {
			t.Errorf("%s: %+v", what, got)
		}
	}
}
