package limit

import (
	"context"
	"sync"
)

// Ticket is the admission of one root field of GraphQL. The field asks for it with Enter, once its input was judged and
// before it does anything that costs or changes something. So what is refused as input is never counted with what an
// honest caller does (LG-26).
type Ticket struct {
	mu        sync.Mutex
	take      func(context.Context) error
	asked     bool
	worthless bool
	err       error
}

type ticketKey struct{}

// WithTicket gives a root field its ticket. take counts the field and refuses it; it is called at most once.
func WithTicket(ctx context.Context, take func(context.Context) error) (context.Context, *Ticket) {
	t := &Ticket{take: take}
	return context.WithValue(ctx, ticketKey{}, t), t
}

// Enter asks for admission. A field may ask several times, and is counted once. The error is that of the first time.
func Enter(ctx context.Context) error {
	t, ok := ctx.Value(ticketKey{}).(*Ticket)
	if !ok {
		return nil // not below a root field
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.asked {
		t.asked = true
		t.err = t.take(ctx)
	}
	return t.err
}

// Worthless says that the field was called with a token, a code or a credential that the server never made.
func Worthless(ctx context.Context) {
	if t, ok := ctx.Value(ticketKey{}).(*Ticket); ok {
		t.mu.Lock()
		t.worthless = true
		t.mu.Unlock()
	}
}

// Asked tells whether the field has asked for admission.
func (t *Ticket) Asked() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked
}

// Admitted tells whether the field has asked and was not refused. It is false for no ticket.
func (t *Ticket) Admitted() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked && t.err == nil
}

// Worthless tells whether the field said so.
func (t *Ticket) Worthless() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.worthless
}

type costKey struct{}

// WithCost notes what the operation of the context costs.
func WithCost(ctx context.Context, cost int) context.Context {
	return context.WithValue(ctx, costKey{}, cost)
}

// costOfATry is what one try of a limit of queries stands for.
const costOfATry = 100

// Tries gives how many tries of a limit of queries the operation of the context takes: one for each hundred of its
// cost, at least one.
func Tries(ctx context.Context) int {
	cost, _ := ctx.Value(costKey{}).(int)
	return max((cost+costOfATry-1)/costOfATry, 1)
}
