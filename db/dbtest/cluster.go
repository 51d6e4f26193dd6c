package dbtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cluster is a Postgres server that lives as long as one test program.
type cluster struct {
	dir string
	log string
	url string
	cmd *exec.Cmd
}

// newCluster makes and starts a server; nil without an error where the programs are missing.
func newCluster() (*cluster, error) {
	bin := programs()
	if bin == "" {
		return nil, nil
	}
	dir, err := os.MkdirTemp(room(), prefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, log: filepath.Join(dir, "log")}
	if err := c.start(bin); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

const (
	prefix = "dragoman-pg-"
	memory = "/dev/shm"
	needed = 2 << 30 // bytes; a cluster of the whole suite takes a quarter of it
)

// room is the folder for a cluster: in memory where there is plenty, because a clone is hundreds of small files, which a
// disk takes ten times as long to make. What a killed test program has left there goes away.
func room() string {
	var fs syscall.Statfs_t
	err := syscall.Statfs(memory, &fs)
	if err != nil || fs.Bavail*uint64(fs.Bsize) < needed || syscall.Access(memory, 2) != nil { //nolint:gosec // sizes
		return ""
	}
	left, _ := filepath.Glob(filepath.Join(memory, prefix+"*"))
	for _, dir := range left {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		if pid, err := strconv.Atoi(owner); err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir)
		}
	}
	return memory
}

func (c *cluster) start(bin string) error {
	as, err := runAs(c.dir)
	if err != nil {
		return err
	}
	data := filepath.Join(c.dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = as, c.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	log, err := os.Create(c.log)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the server has its own handle
	c.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", c.dir,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "synchronous_commit=off",
		"-c", "full_page_writes=off", "-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "max_connections=400",
		"-c", "shared_buffers=64MB", "-c", "dynamic_shared_memory_type=mmap",
		"-c", "log_statement=all", "-c", "log_line_prefix=%d ", "-c", "autovacuum=off", "-c", "jit=off")
	c.cmd.SysProcAttr, c.cmd.Dir = as, c.dir
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if err := c.cmd.Start(); err != nil {
		return err
	}
	c.url = "postgres://postgres@/postgres?host=" + url.QueryEscape(c.dir)
	return c.wait()
}

func (c *cluster) wait() error {
	server.url = c.url
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := admin("SELECT 1")
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(c.log)
			return fmt.Errorf("the server did not come up: %w\n%s", err, bytes.TrimSpace(said))
		}
	}
}

func (c *cluster) stop() {
	if c.cmd != nil && c.cmd.Process != nil {
		_ = c.cmd.Process.Signal(syscall.SIGQUIT) // immediate shutdown: nothing here is worth a checkpoint
		_ = c.cmd.Wait()
	}
	_ = os.RemoveAll(c.dir)
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

// runAs lets the server run as somebody else where we are root, which Postgres refuses to be.
func runAs(dir string) (*syscall.SysProcAttr, error) {
	as := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		return as, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		who, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(who.Uid)
		gid, _ := strconv.Atoi(who.Gid)
		as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} //nolint:gosec // ids of this system
		return as, os.Chown(dir, uid, gid)
	}
	return nil, errors.New("running as root, and there is neither a user postgres nor nobody to run the server as")
}
