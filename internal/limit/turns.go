package limit

import (
	"context"
	"sync"
)

// Turns lets the holders of one key through one after the other, in this process. The attempts at one account take
// turns, so that each sees the failure of the one before, and a volley of wrong passwords is not evaluated at once
// (security rule LG-10). A key takes memory only while somebody holds it or waits for it. The zero Turns is ready for
// use, and is safe for concurrent use.
type Turns struct {
	mu    sync.Mutex
	gates map[string]*gate
}

// gate is the turnstile of one key.
type gate struct {
	holder chan struct{} // holds one element while somebody is through
	users  int           // holder and waiters
}

// Enter waits for the caller's turn, roughly in the order of arrival, and tells whether it had to: what the caller read
// before is then out of date. The caller has to call leave when done; calling it again does nothing. When ctx ends
// first, the caller leaves the line and err is ctx's; leave is then nil.
func (t *Turns) Enter(ctx context.Context, key string) (leave func(), waited bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	g := t.join(key)
	leave = sync.OnceFunc(func() {
		<-g.holder
		t.quit(key, g)
	})
	select {
	case g.holder <- struct{}{}:
		return leave, false, nil
	default:
	}
	select {
	case g.holder <- struct{}{}:
		return leave, true, nil
	case <-ctx.Done():
		t.quit(key, g)
		return nil, true, ctx.Err()
	}
}

func (t *Turns) join(key string) *gate {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.gates[key]
	if g == nil {
		if t.gates == nil {
			t.gates = make(map[string]*gate)
		}
		g = &gate{holder: make(chan struct{}, 1)}
		t.gates[key] = g
	}
	g.users++
	return g
}

func (t *Turns) quit(key string, g *gate) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g.users--; g.users == 0 {
		delete(t.gates, key)
	}
}
