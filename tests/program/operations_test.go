package program

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestStart_MisspeltSetting refuses a name that is no setting, and leaves nothing behind.
func TestStart_MisspeltSetting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{nil, {"migrate"}, {"admin", "create", "ada@example.com"}, {"dialect", "list"}} {
		got := command(t, dir, []string{"DRAGOMAN_LISTN=" + harness.CanarySecret, "DRAGOMAN_LISTEN=localhost:FREEPORT"},
			args...)
		if got.code != 1 || got.stdout != "" || got.stderr != "dragoman: DRAGOMAN_LISTN is not a setting; did you "+
			"mean DRAGOMAN_LISTEN?\n" {
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
	harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), "DRAGOMAN_PORT=tcp://10.0.0.1:80",
		"DRAGOMAN_SERVICE_HOST=10.0.0.1", "DRAGOMAN_PORT_80_TCP_ADDR=10.0.0.1")
}

// TestStart_NewerSchema refuses a database that a later version has changed, and names what it does not know; and,
// where it may not migrate, one that lacks a migration.
func TestStart_NewerSchema(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env := append(harness.ProcessEnv(dsn), "DRAGOMAN_LISTEN=localhost:FREEPORT")
		sideways := harness.OpenSide(t, dsn)
		sideways.MustExec(t, `INSERT INTO bun_migrations (name, group_id, migrated_at) VALUES ('29990101000000', 9, `+
			`current_timestamp), ('29990102000000', 9, current_timestamp)`)
		users := sideways.Texts(t, `SELECT name FROM bun_migrations ORDER BY name`)
		for _, c := range []struct {
			env  []string
			args []string
		}{
			{nil, nil},
			{[]string{"DRAGOMAN_MIGRATE=off"}, nil},
			{nil, []string{"migrate"}},
			{nil, []string{"admin", "create", "ada@example.com"}},
		} {
			got := command(t, t.TempDir(), append(env, c.env...), c.args...)
			if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "newer than this server") ||
				!strings.Contains(got.stderr, "29990101000000, 29990102000000") ||
				strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("%s %s: %+v", c.env, c.args, got)
			}
		}
		if after := sideways.Texts(t, `SELECT name FROM bun_migrations ORDER BY name`); fmt.Sprint(after) !=
			fmt.Sprint(users) {
			t.Errorf("the migrations were %s and are %s", users, after)
		}
		sideways.MustExec(t, `DELETE FROM bun_migrations WHERE name LIKE '2999%'`)
		harness.Spawn(t, append(harness.ProcessEnv(dsn), "DRAGOMAN_MIGRATE=off")...)
		sideways.MustExec(t, `DELETE FROM bun_migrations WHERE name = (SELECT max(name) FROM bun_migrations)`)
		got := command(t, t.TempDir(), append(env, "DRAGOMAN_MIGRATE=off"))
		if got.code != 1 || !strings.Contains(got.stderr, "older than this server") ||
			!strings.Contains(got.stderr, "dragoman migrate") {
			t.Errorf("an older schema: %+v", got)
		}
	})
}

// TestKE08_GrantsOfTheGuide runs the statements of docs/operations.md, migrates as the owner, and serves as a role that
// can change rows and nothing else.
func TestKE08_GrantsOfTheGuide(t *testing.T) {
	t.Parallel()
	dsn := dbtest.EmptyPostgres(t)
	admin := harness.OpenSide(t, dsn)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	database := strings.TrimPrefix(u.Path, "/")
	owner, runtime := database+"_owner", database+"_runtime"
	script := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(harness.ReadFile(t,
		"docs/operations.md"), -1)
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
		text = strings.NewReplacer("dragoman_owner", owner, "dragoman_runtime", runtime, "DATABASE dragoman",
			"DATABASE "+database).Replace(text)
		for statement := range strings.SplitSeq(regexp.MustCompile(`(?m)--.*$`).ReplaceAllString(text, ""), ";") {
			if statement = strings.TrimSpace(statement); statement == "" ||
				strings.HasPrefix(statement, "CREATE DATABASE") {
				continue // the test has its database already
			}
			admin.MustExec(t, statement)
		}
	}
	as := func(role, password string) string {
		copied := *u
		copied.User = url.UserPassword(role, password)
		return copied.String()
	}
	apply(script[0][1])
	ownerDSN, runtimeDSN := as(owner, "owner-password"), as(runtime, "runtime-password")
	common := []string{
		"DRAGOMAN_SECRET=" + harness.Secret, "DRAGOMAN_RATE_LIMITS=on",
		"DRAGOMAN_LISTEN=localhost:FREEPORT",
	}
	if got := command(t, t.TempDir(), append(common, "DATABASE_URL="+runtimeDSN, "DRAGOMAN_MIGRATE=off")); got.code !=
		1 ||
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
	p := harness.Spawn(t, "DRAGOMAN_SECRET="+harness.Secret, "DATABASE_URL="+runtimeDSN, "DRAGOMAN_MIGRATE=off")
	a, err := harness.Send(p.URL, "", harness.RegisterDoc,
		harness.InputOf("email", "ada@example.com", "password", harness.GoodPass))
	if err != nil || a.Code() != "" {
		t.Fatalf("%v %+v", err, a)
	}
	access, refresh := a.Text("register", "tokens", "accessToken"), a.Text("register", "tokens", "refreshToken")
	for _, call := range []func() (*harness.Answer, error){
		func() (*harness.Answer, error) {
			return harness.Send(p.URL, "", harness.LoginDoc,
				harness.InputOf("email", "ada@example.com", "password", harness.GoodPass))
		},
		func() (*harness.Answer, error) { return harness.Send(p.URL, access, harness.MeDoc, nil) },
		func() (*harness.Answer, error) { return harness.Send(p.URL, access, harness.CreateKey, nil) },
		func() (*harness.Answer, error) {
			return harness.Send(p.URL, "", harness.RefreshDoc, map[string]any{"token": refresh})
		},
		func() (*harness.Answer, error) { return harness.Send(p.URL, access, harness.LogoutDoc, nil) },
	} {
		if a, err := call(); err != nil || a.Code() != "" {
			t.Errorf("%v %+v", err, a)
		}
	}
	if d, err := db.Open(t.Context(), runtimeDSN); err != nil {
		t.Error(err)
	} else if _, err := d.Sweep(t.Context(), db.Clock(time.Now())); errors.Join(err, d.Close()) != nil {
		t.Errorf("sweep: %v", err)
	}
	serving := harness.OpenSide(t, runtimeDSN)
	for _, forbidden := range []string{
		"CREATE TABLE x (id int)", "DROP TABLE users", "ALTER TABLE users ADD COLUMN x int", "TRUNCATE users",
		"CREATE INDEX x ON users (email)",
		"DELETE FROM bun_migrations", "INSERT INTO bun_migrations (name) VALUES ('x')", "CREATE SCHEMA x",
		"CREATE TEMPORARY TABLE x (id int)",
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
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{host},
		IsCA:     true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
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

// overTLS stands before a Postgres and speaks TLS, as a Postgres with a certificate does (PostgreSQL, "SSL Session
// Encryption").
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
				if _, err := io.ReadFull(conn, request[:]); err != nil ||
					binary.BigEndian.Uint32(request[4:]) != 80877103 {
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
		return "postgres://" + user + "@localhost:" + port + u.Path + "?sslmode=verify-full&sslrootcert=" +
			url.QueryEscape(root)
	}
	p := harness.Spawn(t, "DRAGOMAN_SECRET="+harness.Secret, "DATABASE_URL="+to(overTLS(t, dsn, right), trusted))
	if a, err := harness.Send(p.URL, "", harness.RegisterDoc,
		harness.InputOf("email", "ada@example.com", "password", harness.GoodPass)); err != nil || a.Code() != "" {
		t.Errorf("%v %+v", err, a)
	}
	for what, dsn := range map[string]string{
		"another authority": to(overTLS(t, dsn, stranger), trusted),
		"another host":      to(overTLS(t, dsn, elsewhere), trustedElsewhere),
	} {
		got := command(t, t.TempDir(), []string{"DRAGOMAN_LISTEN=localhost:FREEPORT", "DRAGOMAN_SECRET=" +
			harness.Secret, "DATABASE_URL=" + dsn})
		if got.code != 1 || !strings.Contains(got.stderr, "certificate") {
			t.Errorf("%s: %+v", what, got)
		}
	}
}
