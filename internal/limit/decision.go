package limit

import (
	"fmt"
	"time"
)

// Decision is the answer to one try, with what the header fields of an HTTP answer need.
type Decision struct {
	Allowed   bool
	Rule      Rule          // the rule that decided; the zero Rule when none applies, and then no field is to be sent
	Remaining int           // tries that are left
	Reset     time.Duration // until the bucket is full again; when nothing remains, until the next try
	// RetryAfter is how long a denied caller has to wait for the next try, never zero on a denial; zero when allowed.
	RetryAfter time.Duration
}

// granted describes a try that was taken, after which the bucket is full at tat.
func granted(r Rule, tat, now time.Time) Decision {
	full := max(tat.Sub(now), 0)
	d := Decision{Allowed: true, Rule: r, Reset: full}
	d.Remaining = int(max(r.capacity()-full, 0) / r.interval())
	if d.Remaining == 0 {
		d.Reset = full + r.interval() - r.capacity()
	}
	return d
}

// denied describes tries that were refused. The step is the time in which as many come back.
func denied(r Rule, step time.Duration, tat, now time.Time) Decision {
	// Where the store does not tell: a bucket without these tries gets them within a step, at the latest.
	wait := step
	if !tat.IsZero() {
		wait = max(tat.Sub(now)+step-r.capacity(), time.Microsecond)
	}
	return Decision{Rule: r, Reset: wait, RetryAfter: wait}
}

// PolicyField is the value of the field RateLimit-Policy, for example `"login";q=60;w=900`
// (draft-ietf-httpapi-ratelimit-headers-10 section 3).
func (d Decision) PolicyField() string {
	return fmt.Sprintf(`"%s";q=%d;w=%d`, d.Rule.Name, d.Rule.Burst, seconds(d.Rule.Window))
}

// LimitField is the value of the field RateLimit, for example `"login";r=12;t=720` (section 4 of the same draft).
func (d Decision) LimitField() string {
	return fmt.Sprintf(`"%s";r=%d;t=%d`, d.Rule.Name, d.Remaining, seconds(d.Reset))
}

func seconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}
