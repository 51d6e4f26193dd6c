package dbtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is the Postgres server that all test programs of a user share while there are any.
//
// A folder with two files is where programs meet. Each program holds a shared lock on the file users for as long as it
// lives. The file cluster names the folder of the server; who finds, makes or ends the server holds the exclusive lock
// on it. The kernel frees a lock with its process, so a program that is killed leaves nothing that blocks. The server
// is the child of a keeper (keeper.go), which ends it once users has no lock any more.
type cluster struct {
	dir    string
	users  *os.File // open, and with that locked, until the program ends
	keeper *exec.Cmd
}

const (
	prefix = "dragoman-postgres-"
	memory = "/dev/shm"
	needed = 2 << 30 // bytes; a cluster of the whole suite takes a quarter of it
	upTime = time.Minute
)

// settings of the server. Nothing in it outlives the tests, so nothing has to reach a disk. The programs of a whole
// `go test` share the connections.
var settings = []string{
	"listen_addresses=", "port=5432", "max_connections=1000", "shared_buffers=64MB", "dynamic_shared_memory_type=mmap",
	"fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0",
	"log_statement=all", "log_line_prefix=%d ", "autovacuum=off", "jit=off",
}

// meeting is where the programs of this user meet that want the same server: same programs of Postgres, same settings.
func meeting(bin string) (string, error) {
	wanted := crc32.ChecksumIEEE([]byte(bin + strings.Join(settings, " ")))
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("%s%d-%08x", prefix, os.Geteuid(), wanted))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if who, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(who.Uid) != os.Geteuid() {
		return "", fmt.Errorf("%s: it belongs to somebody else; remove it", dir)
	}
	return dir, nil
}

// locked opens a file of the meeting place and locks it. Without syscall.LOCK_NB it waits.
func locked(dir, name string, how int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return f, nil
}

// register is the locked file that names the folder of the server.
type register struct{ *os.File }

func (r register) read() (string, error) {
	text, err := io.ReadAll(io.NewSectionReader(r, 0, 4096))
	dir := string(text)
	if err == nil && dir != "" && !strings.HasPrefix(filepath.Base(dir), prefix) {
		err = fmt.Errorf("%s names %q, which is no folder of a server; remove it", r.Name(), dir)
	}
	return dir, err
}

func (r register) write(dir string) error {
	if err := r.Truncate(0); err != nil {
		return err
	}
	_, err := r.WriteAt([]byte(dir), 0)
	return err
}

// enter makes this program a user of the server, which it starts where none runs.
func enter(bin string) (c *cluster, err error) {
	place, err := meeting(bin)
	if err != nil {
		return nil, err
	}
	f, err := locked(place, "cluster", syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // what was written is in the file
	users, err := locked(place, "users", syscall.LOCK_SH)
	if err != nil {
		return nil, err
	}
	c = &cluster{users: users}
	defer func() {
		if err != nil {
			err = errors.Join(err, users.Close())
		}
	}()
	if c.dir, err = (register{f}).read(); err != nil {
		return nil, err
	}
	if c.listens() {
		if err = c.wait(); err == nil || c.listens() {
			return c, err
		} // else it was about to end
	}
	if err = os.RemoveAll(c.dir); err != nil { // of a server that was killed
		return nil, err
	}
	if err = c.start(register{f}); err != nil {
		return nil, err
	}
	return c, c.wait()
}

// listens tells whether a server has the socket. Anything but a clear no is a yes: one under load is not one that is
// gone.
func (c *cluster) listens() bool {
	if c.dir == "" {
		return false
	}
	conn, err := net.Dial("unix", filepath.Join(c.dir, ".s.PGSQL.5432"))
	if err == nil {
		_ = conn.Close()
	}
	return !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist)
}

// start makes a folder and a keeper for a server. The name is written down first: what a killed program leaves can be
// found.
func (c *cluster) start(r register) error {
	c.dir = filepath.Join(room(), prefix+rand.Text()[:12])
	if err := r.write(c.dir); err != nil {
		return err
	}
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(c.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the keeper has its own handle
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c.keeper = exec.Command(self)
	c.keeper.Dir = "/"
	c.keeper.Env = append(c.keeper.Environ(), keeperOf+"="+c.dir)
	c.keeper.Stdout, c.keeper.Stderr = log, log
	c.keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C is for the tests
	return c.keeper.Start()
}

// wait returns once the server answers, or one that others started has gone.
func (c *cluster) wait() error {
	gone := make(chan error, 1)
	if c.keeper != nil {
		go func() { gone <- c.keeper.Wait() }()
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(upTime)
	for {
		conn, err := pgx.Connect(context.Background(), c.url())
		if err == nil {
			return conn.Close(context.Background())
		}
		if c.keeper == nil && !c.listens() {
			return err
		}
		select {
		case <-tick.C:
			continue
		case ended := <-gone:
			err = fmt.Errorf("its keeper ended: %w", ended)
		case <-late:
		}
		said, _ := os.ReadFile(c.log())
		return fmt.Errorf("the server in %s did not come up: %w\n%s", c.dir, err, bytes.TrimSpace(said))
	}
}

func (c *cluster) log() string { return filepath.Join(c.dir, "log") }

func (c *cluster) url() string {
	return "postgres://postgres@/postgres?host=" + url.QueryEscape(c.dir) + "&port=5432"
}

// room is the folder for the folder of a server: in memory where there is plenty, because a clone is hundreds of small
// files, which a disk takes ten times as long to make.
func room() string {
	var fs syscall.Statfs_t
	err := syscall.Statfs(memory, &fs)
	if err != nil || fs.Bavail*uint64(fs.Bsize) < needed || syscall.Access(memory, 2) != nil {
		return os.TempDir()
	}
	return memory
}

// programs finds the folder of initdb and postgres; Debian keeps them out of the PATH. The highest version wins.
func programs() string {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(folders, func(a, b string) int { return version(b) - version(a) })
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(folder, "initdb")); err == nil {
			return folder
		}
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	return ""
}

func version(folder string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return n
}
