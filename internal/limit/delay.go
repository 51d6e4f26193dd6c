package limit

import "time"

const (
	freeFailures = 4                // failures in a row that cost nothing
	firstDelay   = 2 * time.Second  // after one more
	longestDelay = 15 * time.Minute // the cap
)

// Delay is how long an account is closed to password attempts after so many failures in a row: not at all below five,
// two seconds after the fifth, and twice as long after each further one, up to fifteen minutes (security rule LG-08).
func Delay(failures int) time.Duration {
	if failures <= freeFailures {
		return 0
	}
	d := firstDelay
	for n := freeFailures + 1; n < failures && d < longestDelay; n++ {
		d *= 2
	}
	return min(d, longestDelay)
}
