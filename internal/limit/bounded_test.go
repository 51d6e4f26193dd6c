package limit

import (
	"context"
	"crypto/rand"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/visit"
)

// TestLG16_AMillionAddresses lets callers from a million random addresses (a part of them without DRAGOMAN_TEST_FULL)
// sign in, through the limiter as the server has it: the store stays at its size, and grows by less than 64 MiB. It
// runs alone, because it looks at the memory of the process.
func TestLG16_AMillionAddresses(t *testing.T) {
	callers := 150_000
	if os.Getenv("DRAGOMAN_TEST_FULL") == "1" {
		callers = 1_000_000
	}
	store := NewMemory(DefaultSize)
	l, err := New(store, Defaults(), func() time.Time { return start })
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	var raw [16]byte
	for range callers {
		_, _ = rand.Read(raw[:])
		v := &visit.Visit{IP: netip.AddrFrom16(raw)}
		if err := l.Admit(visit.With(context.Background(), v), "login"); err != nil {
			t.Fatal(err)
		}
	}
	grown := heap() - before
	t.Logf("%d addresses: %d keys, %.1f MiB", callers, store.Len(), float64(grown)/(1<<20))
	if store.Len() != DefaultSize || grown > 64<<20 {
		t.Errorf("%d keys, %d bytes", store.Len(), grown)
	}
	runtime.KeepAlive(store)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}
