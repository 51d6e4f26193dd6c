package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestFrom(t *testing.T) {
	t.Parallel()
	f := New(NotFound, "There is none.", "input", "id")
	cases := []struct {
		name string
		err  error
		want *Error
	}{
		{"itself", f, f},
		{"wrapped", fmt.Errorf("a: %w", fmt.Errorf("b: %w", f)), f},
		{"joined", errors.Join(io.EOF, f), f},
		{"another error", io.EOF, nil},
		{"its text", errors.New(f.Error()), nil},
		{"nil", nil, nil},
	}
	for _, c := range cases {
		if got := From(c.err); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if Is(c.err, NotFound) != (c.want != nil) || Is(c.err, Conflict) {
			t.Errorf("%s: the code is wrong", c.name)
		}
	}
	if f.Error() != "NOT_FOUND: There is none." || f.RetryAfter != 0 || f.RetrySeconds() != 0 ||
		New(Conflict, "x").Field != nil {
		t.Errorf("%+v", f)
	}
}

// A wait is told in whole seconds and never too short: who waits that long is not refused for the same reason again.
func TestRetrySeconds(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]int{
		0: 0, time.Nanosecond: 1, time.Second - 1: 1, time.Second: 1, time.Second + 1: 2, 15 * time.Minute: 900,
	} {
		if got := Wait(AccountLocked, "x", wait).RetrySeconds(); got != want {
			t.Errorf("%v: %d, want %d", wait, got, want)
		}
	}
}
