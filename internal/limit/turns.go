package limit

import (
	"context"
	"sync"
)

// Turns is a lock for each key, in this process. The attempts at one account take turns: each sees the failure of the
// one before, and parallel attempts cannot evade the delay (LG-10). A key uses memory only while it is held or waited
// for. The zero Turns is ready for use, and is safe for concurrent use.
type Turns struct {
	mu    sync.Mutex
	gates map[string]*gate
}

// gate is the lock of one key.
type gate struct {
	holder chan struct{} // holds one element while somebody is through
	users  int           // holder and waiters
}

// Enter waits for the caller's turn, roughly in the order of arrival. waited means that the caller must read its data
// again. The caller must call leave when done; a second call does nothing. If ctx ends first, err is the error of ctx,
// and leave is nil.
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
