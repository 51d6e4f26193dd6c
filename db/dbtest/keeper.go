package dbtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// keeperOf makes a test program the keeper of the server in the folder that it names: see Run.
const keeperOf = "DRAGOMAN_TEST_KEEPER_OF"

// grace is how long a server stays without a user: `go test` builds and starts its programs one after the other.
const grace = 2 * time.Second

// keeper makes the server in a folder and ends it, and the folder, when nobody uses it any more. A test program starts
// it, and it outlives that: it is in a session of its own.
type keeper struct {
	place, dir string
	idle       time.Time // since when there has been no user, zero while there is one
}

// keep is the program of a keeper.
func keep(dir string) error {
	bin := programs()
	place, err := meeting(bin)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the next one of this name finds what is left
	postgres, err := serve(bin, dir)
	if err != nil {
		return err
	}
	var failed error
	ended := make(chan struct{})
	go func() {
		failed = postgres.Wait()
		close(ended)
	}()
	k := &keeper{place: place, dir: dir}
	ticks := time.NewTicker(grace / 10)
	defer ticks.Stop()
	for {
		select {
		case <-ended:
			return fmt.Errorf("postgres ended: %w", failed)
		case now := <-ticks.C:
			release, err := k.over(now)
			if release == nil && err == nil {
				continue
			}
			_ = postgres.Process.Signal(syscall.SIGQUIT) // immediate shutdown: nothing here is worth a checkpoint
			<-ended
			if err != nil {
				return err
			}
			return errors.Join(os.RemoveAll(dir), release())
		}
	}
}

// over tells whether the server is to end now. If so nobody can become a user until release, which forgets the server;
// else release is nil.
func (k *keeper) over(now time.Time) (release func() error, err error) {
	f, err := locked(k.place, "cluster", syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		k.idle = time.Time{} // somebody is coming
		return nil, busy(err)
	}
	registered, err := register{f}.read()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if registered != k.dir { // another server was started in its place
		return f.Close, nil
	}
	users, err := locked(k.place, "users", syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		k.idle = time.Time{}
		return nil, errors.Join(busy(err), f.Close())
	}
	if k.idle.IsZero() {
		k.idle = now
	}
	if now.Sub(k.idle) < grace {
		return nil, errors.Join(users.Close(), f.Close())
	}
	return func() error { return errors.Join(register{f}.write(""), users.Close(), f.Close()) }, nil
}

// busy is nil for a lock that somebody else has.
func busy(err error) error {
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	}
	return err
}

// serve makes a database cluster and starts the server on it.
func serve(bin, dir string) (*exec.Cmd, error) {
	// The kernel ends the server when this thread does, so it has to be the one of the process.
	runtime.LockOSThread()
	as, err := runAs(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir = as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	args := []string{"-D", data, "-k", dir}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	postgres := exec.Command(filepath.Join(bin, "postgres"), args...)
	postgres.SysProcAttr, postgres.Dir = as, dir
	postgres.Stdout, postgres.Stderr = os.Stdout, os.Stderr // the log
	return postgres, postgres.Start()
}

// runAs lets the server run as somebody else where we are root, which Postgres refuses to be. A server whose keeper is
// killed ends too, in the way that frees its shared memory.
func runAs(dir string) (*syscall.SysProcAttr, error) {
	as := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
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
		as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return as, os.Chown(dir, uid, gid)
	}
	return nil, errors.New("running as root, and there is neither a user postgres nor nobody to run the server as")
}
