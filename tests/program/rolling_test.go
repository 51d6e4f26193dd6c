package program

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

func newBalancer(t *testing.T) *harness.Balancer {
	t.Helper()
	b := &harness.Balancer{All: map[string]*httputil.ReverseProxy{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.URL = "http://" + l.Addr().String()
	front := &http.Server{Handler: b}
	go func() { _ = front.Serve(l) }()
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() { stop(); _ = front.Close() })
	go func() {
		for tick := time.NewTicker(250 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			b.Look()
		}
	}()
	return b
}

func add(b *harness.Balancer, address string) {
	to, _ := url.Parse(address)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	b.Mu.Lock()
	b.All[address] = proxy
	b.Mu.Unlock()
	b.Look()
}

func remove(b *harness.Balancer, address string) {
	b.Mu.Lock()
	delete(b.All, address)
	b.Mu.Unlock()
}

// TestRollingRestart stops and starts three servers on one Postgres, one after the other, while people sign in, stay
// signed in and read. Every request gets its answer.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	env := append(harness.ProcessEnv(dsn), "DRAGOMAN_RATE_LIMITS=off", "DRAGOMAN_PUBLIC_URL=http://auth.example.com")
	b := newBalancer(t)
	servers := make([]*harness.Process, 3)
	for i := range servers {
		servers[i] = harness.Spawn(t, env...)
		add(b, servers[i].URL)
	}
	l := &load{url: b.URL, least: int64(harness.Amount(1500, 20_000))}
	const workers = 6
	var people []harness.Account
	for n := range workers {
		a, err := harness.Send(b.URL, "", harness.RegisterDoc,
			harness.InputOf("email", fmt.Sprintf("p%d@example.com", n), "password", harness.GoodPass))
		if err != nil || a.Code() != "" {
			t.Fatalf("%v %+v", err, a)
		}
		people = append(people, harness.Account{
			ID: a.Text("register", "user", "id"), Email: fmt.Sprintf("p%d@example.com", n),
			Access: a.Text("register", "tokens", "accessToken"), Refresh: a.Text("register", "tokens", "refreshToken"),
		})
	}
	var wg sync.WaitGroup
	for _, who := range people {
		wg.Go(func() { l.live(t, who) })
	}
	restarts := 0
	for ; restarts < len(servers) || l.done.Load() < l.least; restarts++ {
		i := restarts % len(servers)
		old := servers[i]
		_ = old.Cmd.Process.Signal(syscall.SIGTERM)
		if err := old.Cmd.Wait(); err != nil {
			t.Errorf("server %d ended with %v: %s", i, err, old.Out)
		}
		remove(b, old.URL)
		servers[i] = harness.Spawn(t, env...)
		add(b, servers[i].URL)
	}
	l.restarted.Store(true)
	wg.Wait()
	t.Logf("%d restarts, %d requests: me %d, refresh %d, login %d; failed %d", restarts, l.done.Load(), l.me.Load(),
		l.refresh.Load(), l.login.Load(), l.failed.Load())
	if l.failed.Load() != 0 || l.me.Load() == 0 || l.refresh.Load() == 0 || l.login.Load() == 0 {
		t.Errorf("%d requests failed", l.failed.Load())
	}
	for i, p := range servers {
		if strings.Contains(p.Out.String(), `"level":"ERROR"`) {
			t.Errorf("server %d: %s", i, p.Out)
		}
	}
}

// load is what people do, counted by kind.
type load struct {
	url                string
	least              int64 // how many requests are made at least, and until all servers are new
	restarted          atomic.Bool
	done, failed       atomic.Int64
	me, refresh, login atomic.Int64
}

// live is one person: mostly reads, now and then a refresh, rarely a sign-in.
func (l *load) live(t *testing.T, who harness.Account) {
	for n := 0; l.done.Load() < l.least || !l.restarted.Load(); n++ {
		var a *harness.Answer
		var err error
		ok := false
		switch {
		case n%50 == 49:
			a, err = harness.Send(l.url, "", harness.LoginDoc,
				harness.InputOf("email", who.Email, "password", harness.GoodPass))
			ok = err == nil && a.Text("login", "user", "id") == who.ID
			l.login.Add(1)
		case n%5 == 4:
			a, err = harness.Send(l.url, "", harness.RefreshDoc, map[string]any{"token": who.Refresh})
			if next := ""; err == nil {
				if next = a.Text("refresh", "tokens", "refreshToken"); next != "" && next != who.Refresh {
					ok, who.Refresh, who.Access = true, next, a.Text("refresh", "tokens", "accessToken")
				}
			}
			l.refresh.Add(1)
		default:
			a, err = harness.Send(l.url, who.Access, harness.MeDoc, nil)
			ok = err == nil && a.Text("me", "id") == who.ID
			l.me.Add(1)
		}
		l.done.Add(1)
		if !ok {
			if l.failed.Add(1); l.failed.Load() < 5 {
				t.Errorf("request %d: %v %+v", n, err, a)
			}
		}
	}
}
