package oldsystem

import (
	"sync"
	"time"
)

const (
	failuresInARow = 5
	pause          = 10 * time.Second
)

// breaker leaves the old system alone for a pause when several questions in a row failed. Then one question goes
// through: it ends the pause or begins another one.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex
	failures int       // in a row
	since    time.Time // when the pause began; zero for none
	probing  bool      // whether the question after a pause is under way
}

// outcome is what a question said about the old system.
type outcome int

const (
	up outcome = iota
	down
	unknown // nothing
)

// enter tells whether a question may be asked, and whether it is the one after a pause. Whoever may must leave.
func (b *breaker) enter() (may, probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.since.IsZero() {
		return true, false
	}
	// A clock that was set back leaves nobody waiting for the difference (AV-05).
	if past := b.now().Sub(b.since); b.probing || past >= 0 && past < pause {
		return false, false
	}
	b.probing = true
	return true, true
}

// leave notes an outcome, and tells whether a pause begins with it. Of the questions that were under way when a pause
// began a success ends it, and a failure says nothing new.
func (b *breaker) leave(of outcome, probe bool) (paused bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = b.probing && !probe
	switch of {
	case up:
		b.failures, b.since = 0, time.Time{}
	case down:
		b.failures++
		if paused = probe || b.failures >= failuresInARow && b.since.IsZero(); paused {
			b.since = b.now()
		}
	case unknown:
	}
	return paused
}
