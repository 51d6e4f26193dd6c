package limit

import (
	"math"
	"testing"
	"time"
)

func TestLG08_Delay(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int]time.Duration{
		math.MinInt: 0, -1: 0, 0: 0, 1: 0, 4: 0,
		5: 2 * time.Second, 6: 4 * time.Second, 7: 8 * time.Second, 8: 16 * time.Second, 9: 32 * time.Second,
		10: 64 * time.Second, 11: 128 * time.Second, 12: 256 * time.Second, 13: 512 * time.Second,
		14: 15 * time.Minute, 15: 15 * time.Minute, 100: 15 * time.Minute, math.MaxInt: 15 * time.Minute,
	} {
		if got := Delay(failures); got != want {
			t.Errorf("Delay(%d) = %v, want %v", failures, got, want)
		}
	}
}
