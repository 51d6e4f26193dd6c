package main

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
)

// balancer hands requests round to the servers that say that they are ready, as docs/operations.md asks of one: it looks at
// /readyz four times a second, and it tries nothing twice.
type balancer struct {
	URL string

	mu    sync.Mutex
	ready []*httputil.ReverseProxy
	all   map[string]*httputil.ReverseProxy // by address
	next  atomic.Int64
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{all: map[string]*httputil.ReverseProxy{}}
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
			b.look()
		}
	}()
	return b
}

// look asks every server whether it is ready.
func (b *balancer) look() {
	b.mu.Lock()
	asked := map[string]*httputil.ReverseProxy{}
	for address, proxy := range b.all {
		asked[address] = proxy
	}
	b.mu.Unlock()
	var ready []*httputil.ReverseProxy
	for address, proxy := range asked {
		res, err := client.Get(address + "/readyz")
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			ready = append(ready, proxy)
		}
	}
	b.mu.Lock()
	b.ready = ready
	b.mu.Unlock()
}

func (b *balancer) add(address string) {
	to, _ := url.Parse(address)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	b.mu.Lock()
	b.all[address] = proxy
	b.mu.Unlock()
	b.look()
}

func (b *balancer) remove(address string) {
	b.mu.Lock()
	delete(b.all, address)
	b.mu.Unlock()
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	ready := b.ready
	b.mu.Unlock()
	if len(ready) == 0 {
		http.Error(w, "no server is ready", http.StatusBadGateway)
		return
	}
	ready[int(b.next.Add(1))%len(ready)].ServeHTTP(w, r)
}

// TestRollingRestart stops and starts three servers on one Postgres, one after the other, while people sign in, stay signed in and
// read. Every request gets its answer. Acceptance line 5 of the issue "the whole account, and what an operator needs".
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	env := append(processEnv(dsn), "DRAGOMAN_RATE_LIMITS=off", "DRAGOMAN_PUBLIC_URL=http://auth.example.com")
	b := newBalancer(t)
	servers := make([]*process, 3)
	for i := range servers {
		servers[i] = spawn(t, env...)
		b.add(servers[i].URL)
	}
	l := &load{url: b.URL, least: int64(amount(1500, 20_000))}
	const workers = 6
	var people []account
	for n := range workers {
		a, err := send(b.URL, "", registerDoc, inputOf("email", fmt.Sprintf("p%d@example.com", n), "password", goodPass))
		if err != nil || a.code() != "" {
			t.Fatalf("%v %+v", err, a)
		}
		people = append(people, account{
			ID: a.text("register", "user", "id"), Email: fmt.Sprintf("p%d@example.com", n),
			Access: a.text("register", "tokens", "accessToken"), Refresh: a.text("register", "tokens", "refreshToken"),
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
		_ = old.cmd.Process.Signal(syscall.SIGTERM)
		if err := old.cmd.Wait(); err != nil {
			t.Errorf("server %d ended with %v: %s", i, err, old.out)
		}
		b.remove(old.URL)
		servers[i] = spawn(t, env...)
		b.add(servers[i].URL)
	}
	l.restarted.Store(true)
	wg.Wait()
	t.Logf("%d restarts, %d requests: me %d, refresh %d, login %d; failed %d", restarts, l.done.Load(), l.me.Load(), l.refresh.Load(), l.login.Load(), l.failed.Load())
	if l.failed.Load() != 0 || l.me.Load() == 0 || l.refresh.Load() == 0 || l.login.Load() == 0 {
		t.Errorf("%d requests failed", l.failed.Load())
	}
	for i, p := range servers {
		if strings.Contains(p.out.String(), `"level":"ERROR"`) {
			t.Errorf("server %d: %s", i, p.out)
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
func (l *load) live(t *testing.T, who account) {
	for n := 0; l.done.Load() < l.least || !l.restarted.Load(); n++ {
		var a *answer
		var err error
		ok := false
		switch {
		case n%50 == 49:
			a, err = send(l.url, "", loginDoc, inputOf("email", who.Email, "password", goodPass))
			ok = err == nil && a.text("login", "user", "id") == who.ID
			l.login.Add(1)
		case n%5 == 4:
			a, err = send(l.url, "", refreshDoc, map[string]any{"token": who.Refresh})
			if next := ""; err == nil {
				if next = a.text("refresh", "tokens", "refreshToken"); next != "" && next != who.Refresh {
					ok, who.Refresh, who.Access = true, next, a.text("refresh", "tokens", "accessToken")
				}
			}
			l.refresh.Add(1)
		default:
			a, err = send(l.url, who.Access, meDoc, nil)
			ok = err == nil && a.text("me", "id") == who.ID
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
