package dbtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestMain lets the test program be a further one beside it: see program.
func TestMain(m *testing.M) {
	if os.Getenv(usesPostgres) == "1" && os.Getenv(keeperOf) == "" {
		if err := use(); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(Run(m))
}

const usesPostgres = "DRAGOMAN_TEST_USES_POSTGRES"

// use opens Postgres as a test does, makes a database, says where, and waits for the end of its input.
func use() error {
	if err := open(); err != nil || server.cluster == nil {
		return fmt.Errorf("no Postgres: %w", err)
	}
	if err := execute("CREATE DATABASE " + server.own + " TEMPLATE " + server.from); err != nil {
		return err
	}
	keeper := 0
	if server.cluster.keeper != nil {
		keeper = server.cluster.keeper.Process.Pid
	}
	fmt.Println(server.cluster.dir, server.own, server.from, keeper)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// program is a test program in a process of its own.
type program struct {
	cmd                 *exec.Cmd
	end                 func() // as a program ends that passes
	dir, database, from string
	keeper              int // the process that it started to keep the server, 0 for none
}

// programsIn starts test programs at once that share a temporary folder, and with it a server of their own.
func programsIn(t *testing.T, tmp string, n int) []*program {
	t.Helper()
	if os.Getenv("CI") != "true" && programs() == "" {
		t.Skip(skipped)
	}
	var all []*program
	var outs []io.Reader
	for range n {
		p := &program{cmd: exec.Command(os.Args[0])}
		p.cmd.Env = append(os.Environ(), usesPostgres+"=1", "TMPDIR="+tmp, "TEST_DATABASE_URL=")
		in, err := p.cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		p.cmd.Stderr = os.Stderr
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.cmd.Process.Kill() })
		p.end = func() {
			_ = in.Close()
			if err := p.cmd.Wait(); err != nil {
				t.Errorf("a program failed: %v", err)
			}
		}
		all, outs = append(all, p), append(outs, out)
	}
	for i, p := range all {
		said, err := bufio.NewReader(outs[i]).ReadString('\n')
		if f := strings.Fields(said); len(f) == 4 {
			p.dir, p.database, p.from = f[0], f[1], f[2]
			p.keeper, err = strconv.Atoi(f[3])
		}
		if err != nil || p.dir == "" {
			t.Fatalf("a program said %q, %v", said, err)
		}
	}
	return all
}

func (p *program) kill(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Kill()
	if err := p.cmd.Wait(); err == nil {
		t.Error("a killed program passed")
	}
}

// watch is a connection to the server, which notices its end.
func watch(t *testing.T, dir, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), within((&cluster{dir: dir}).url(), database))
	if err != nil {
		t.Fatalf("connect to %s of %s: %v", database, dir, err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// lives waits for a while that is too long for a server without users.
func lives(t *testing.T, dir, database string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), grace+grace/2)
	defer cancel()
	if _, err := watch(t, dir, database).WaitForNotification(ctx); ctx.Err() == nil {
		t.Fatalf("the server ended while it was used: %v", err)
	}
}

// ends waits for the end of the server, and looks for what it left.
func ends(t *testing.T, tmp string, conn *pgx.Conn, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := conn.WaitForNotification(ctx); ctx.Err() != nil {
		t.Fatalf("the server did not end: %v", err)
	}
	places, _ := filepath.Glob(filepath.Join(tmp, prefix+"*"))
	if len(places) != 1 {
		t.Fatalf("the programs met at %v", places)
	}
	f, err := locked(places[0], "cluster", syscall.LOCK_EX) // which its keeper holds until it is done
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	if named, err := (register{f}).read(); err != nil || named != "" {
		t.Errorf("the register still names %q: %v", named, err)
	}
}

func TestCluster_SharedUntilTheLastEnds(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	all := programsIn(t, tmp, 3)
	a, b, c := all[0], all[1], all[2]
	if a.dir != b.dir || a.dir != c.dir || a.from != b.from || a.database == b.database {
		t.Fatalf("%+v and %+v and %+v", a, b, c)
	}
	if keeper := a.keeper + b.keeper + c.keeper; keeper == 0 || keeper != max(a.keeper, b.keeper, c.keeper) {
		t.Errorf("the keepers are %d, %d and %d", a.keeper, b.keeper, c.keeper)
	}
	var users int
	if err := watch(t, a.dir, a.database).QueryRow(t.Context(),
		"SELECT count(*) FROM users").Scan(&users); err != nil || users != 0 {
		t.Errorf("the database is not migrated: %d, %v", users, err)
	}
	for _, p := range []*program{a, b} { // one of them may be the one that started the server
		p.end()
	}
	lives(t, c.dir, c.database)
	late := programsIn(t, tmp, 1)[0]
	if late.dir != c.dir || late.keeper != 0 {
		t.Errorf("a later program made %s beside %s", late.dir, c.dir)
	}
	conn := watch(t, c.dir, c.database)
	late.end()
	c.end()
	ends(t, tmp, conn, c.dir)
}

func TestCluster_KilledProgramsLeaveNothing(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	all := programsIn(t, tmp, 2)
	all[0].kill(t)
	lives(t, all[1].dir, all[1].database)
	conn := watch(t, all[1].dir, all[1].database)
	all[1].kill(t)
	ends(t, tmp, conn, all[1].dir)
}

// A keeper that is killed takes its server with it; the next program sweeps up, beside one that still thinks it has a
// server.
func TestCluster_KilledKeeper(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	first := programsIn(t, tmp, 1)[0]
	conn := watch(t, first.dir, first.database)
	if err := syscall.Kill(first.keeper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := conn.WaitForNotification(ctx); ctx.Err() != nil {
		t.Fatalf("the server did not end with its keeper: %v", err)
	}
	second := programsIn(t, tmp, 1)[0]
	if second.dir == first.dir || second.keeper == 0 {
		t.Errorf("the second program was sent to the dead server: %+v", second)
	}
	if _, err := os.Stat(first.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", first.dir, err)
	}
	again := watch(t, second.dir, second.database)
	second.end()
	first.end()
	ends(t, tmp, again, second.dir)
}

// The time of the grace is the time without a user, and a user is whoever holds the lock.
func TestKeeper_Over(t *testing.T) {
	place, now := t.TempDir(), time.Now()
	k := &keeper{place: place, dir: filepath.Join(t.TempDir(), prefix+"a")}
	lock := func(name string, how int) *os.File {
		f, err := locked(place, name, how)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	name := func(dir string) {
		f := lock("cluster", syscall.LOCK_EX)
		if err := (register{f}).write(dir); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	at := func(since time.Duration, want bool) {
		t.Helper()
		release, err := k.over(now.Add(since))
		if err != nil || (release != nil) != want {
			t.Fatalf("%s: over %v, %v", since, release != nil, err)
		}
		if release != nil {
			if _, err := locked(place, "cluster", syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
				t.Error("a program could have come while the server ended")
			}
			if err := release(); err != nil {
				t.Error(err)
			}
		}
	}
	name(k.dir)
	user := lock("users", syscall.LOCK_SH)
	at(0, false)
	at(grace, false)
	user.Close()
	at(grace, false)
	at(2*grace-1, false)
	coming := lock("cluster", syscall.LOCK_EX)
	at(2*grace, false)
	coming.Close()
	at(2*grace, false)
	at(3*grace, true)
	name("/elsewhere/" + prefix + "b") // another server has taken the place of this one
	user = lock("users", syscall.LOCK_SH)
	at(3*grace, true)
	user.Close()
	name("/etc")
	if _, err := k.over(now); err == nil {
		t.Error("a register that names no folder of a server was believed")
	}
}
