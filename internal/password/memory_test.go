package password

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// 500 logins as fast as the queue lets them in, hashed for real: the peak of the resident memory stays under 200 MB (security rule PW-14). It
// reads the whole process's peak, so it runs beside nothing else, and only in the full experiment.
func TestPW14_ResidentMemory(t *testing.T) {
	if os.Getenv("DRAGOMAN_TEST_FULL") == "" {
		t.Skip("set DRAGOMAN_TEST_FULL=1 to run the full experiment")
	}
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Skipf("this system does not tell the peak: %v", err)
	}
	h := NewHasher(2)
	encoded, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var left atomic.Int32
	left.Store(500)
	began := time.Now()
	for range 8 { // more of them only wait longer, and hold nothing while they do
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if ok, err := h.Verify(t.Context(), encoded, "correct horse"); err != nil || !ok {
					t.Errorf("%v, %v", ok, err)
				}
			}
		})
	}
	all.Wait()
	peak := peakMiB(t)
	t.Logf("500 hashed in %v, peak %d MiB", time.Since(began).Round(time.Millisecond), peak)
	if peak >= 190 {
		t.Errorf("peak of %d MiB", peak)
	}
}

// peakMiB is the most memory that this process has had resident since the peak was cleared.
func peakMiB(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := bytes.Cut(status, []byte("VmHWM:"))
	kib, err := strconv.Atoi(string(bytes.Fields(after)[0]))
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}
