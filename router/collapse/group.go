package collapse

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// Need is how fresh an answer must be: of a map at least as new as Epoch and a log
// at least up to Index. Latest asks for everything that was acknowledged before the
// request.
type Need struct {
	Epoch, Index uint64
	Latest       bool
}

// covers tells whether what was asked for n is an answer to other.
func (n Need) covers(other Need) bool {
	return n.Epoch >= other.Epoch && n.Index >= other.Index && n.Latest == other.Latest
}

// The limits of a Group whose own are 0.
const (
	DefaultFlights = 4096
	DefaultWaiting = 1 << 17
)

// Group collapses requests. The zero Group is ready; any goroutine may use it.
type Group[K comparable, V any] struct {
	// Flights is how many can be joined at a time, Waiting how many callers may wait
	// for one of them; 0 for the defaults. Beyond them requests go alone.
	Flights, Waiting int
	// Patience is how long a flight has at least, whatever time its first caller has
	// left: who joins may have more. 0: its first caller's time.
	Patience time.Duration

	mu      sync.Mutex // guards what follows and the flights
	flights map[K]*flight[V]
}

// flight is one request on its way.
type flight[V any] struct {
	need Need
	// sent, of one that asks for the latest: whoever comes from now on may have been
	// acknowledged something that the answer does not have.
	sent bool
	// waiting is how many callers there are; with the last one the flight ends.
	waiting int
	ctx     context.Context
	cancel  context.CancelFunc

	rings  []func()      // of those who are told when it has landed
	landed chan struct{} // closed when what follows is set
	value  V
	err    error
	// late: its own time was up.
	late     bool
	panicked *Panic
}

// Panic is what a request panicked with, as its caller's own panic.
type Panic struct {
	Value any // nil if its goroutine ended in another way
	Stack []byte
}

func (p *Panic) String() string { return fmt.Sprintf("%v\n\n%s", p.Value, p.Stack) }

// Do is ask's answer to a request, which key must tell from all others; joined
// tells whether it was asked by somebody else. It fails with ctx's error where that
// ends first, and panics where ask does.
//
// ask may be called in another goroutine and go on after Do has returned. Its context
// has ctx's values, and ends when nobody waits any more.
func (g *Group[K, V]) Do(ctx context.Context, key K, need Need, ask func(context.Context) (V, error)) (value V, joined bool, err error) {
	for {
		seat := g.Board(ctx, key, need, ask, nil)
		if seat.Alone() {
			value, err = ask(ctx)
			return value, false, err
		}
		if value, joined, again, err := seat.Land(ctx); !again {
			return value, joined, err
		}
	}
}

// Seat is a caller's place in a flight.
type Seat[K comparable, V any] struct {
	group  *Group[K, V]
	key    K
	flight *flight[V]
	joined bool
}

// Board is the first half of Do, which waits for nothing: the Seat's Land is the second
// one, and must be called, unless the Seat is Alone. ring, if not nil, is called from
// another goroutine when there is an answer; it must not block.
func (g *Group[K, V]) Board(ctx context.Context, key K, need Need, ask func(context.Context) (V, error), ring func()) Seat[K, V] {
	flight, joined := g.board(ctx, key, need, ask, ring)
	return Seat[K, V]{g, key, flight, joined}
}

// Alone tells that there was no room: nobody carries the request out.
func (s *Seat[K, V]) Alone() bool { return s.flight == nil }

// Land waits for the answer, as Do does. What it brings is nobody's answer where again is
// set: the request is to be made again.
func (s *Seat[K, V]) Land(ctx context.Context) (value V, joined, again bool, err error) {
	f := s.flight
	select {
	case <-f.landed:
	default:
		select {
		case <-f.landed:
		case <-ctx.Done():
			s.group.leave(s.key, f)
			return value, s.joined, false, ctx.Err()
		}
	}
	switch {
	case f.panicked != nil && !s.joined:
		panic(f.panicked)
	case s.joined && (f.panicked != nil || f.late && ctx.Err() == nil):
		return value, true, true, nil // that was the first caller's trouble
	}
	return f.value, s.joined, false, f.err
}

// board is a flight to wait for, nil beyond the limits.
func (g *Group[K, V]) board(ctx context.Context, key K, need Need, ask func(context.Context) (V, error), ring func()) (f *flight[V], joined bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, flies := g.flights[key]
	if flies && f.need.covers(need) && (!need.Latest || !f.sent) {
		if f.waiting >= limit(g.Waiting, DefaultWaiting) {
			return nil, false
		}
		f.waiting++
		f.ringLater(ring)
		return f, true
	}
	if !flies && len(g.flights) >= limit(g.Flights, DefaultFlights) {
		return nil, false
	}
	f = &flight[V]{need: need, waiting: 1, landed: make(chan struct{})}
	f.ringLater(ring)
	f.ctx, f.cancel = g.context(ctx)
	if g.flights == nil {
		g.flights = make(map[K]*flight[V])
	}
	// One that was there goes on for those who wait for it.
	g.flights[key] = f
	go g.fly(key, f, ask)
	return f, false
}

func (f *flight[V]) ringLater(ring func()) {
	if ring != nil {
		f.rings = append(f.rings, ring)
	}
}

func limit(own, otherwise int) int {
	if own > 0 {
		return own
	}
	return otherwise
}

// flightContext ends when nobody waits any more. By its deadline those who carry the
// request out know how long it is of use, its first caller's time or the Group's
// patience, whichever is longer; it needs no timer, since every caller has his own.
type flightContext struct {
	context.Context
	deadline time.Time // zero: none
}

func (c *flightContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func (g *Group[K, V]) context(ctx context.Context) (context.Context, context.CancelFunc) {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &flightContext{Context: inner}
	if deadline, has := ctx.Deadline(); has {
		c.deadline = deadline
		if patient := time.Now().Add(g.Patience); patient.After(deadline) {
			c.deadline = patient
		}
	}
	return c, cancel
}

// fly carries a request out.
func (g *Group[K, V]) fly(key K, f *flight[V], ask func(context.Context) (V, error)) {
	returned := false
	defer func() {
		if recovered := recover(); !returned {
			f.panicked = &Panic{Value: recovered, Stack: debug.Stack()}
		}
		g.mu.Lock()
		g.forgetLocked(key, f)
		g.mu.Unlock()
		close(f.landed)
		for _, ring := range f.rings {
			ring()
		}
		f.cancel()
	}()
	if f.need.Latest {
		// Callers that can run do so first: they may want to join.
		runtime.Gosched()
		g.mu.Lock()
		f.sent = true
		g.mu.Unlock()
	}
	f.value, f.err = ask(f.ctx)
	deadline, has := f.ctx.Deadline()
	f.late = f.err != nil && has && !time.Now().Before(deadline)
	returned = true
}

// leave is for a caller who does not wait any more.
func (g *Group[K, V]) leave(key K, f *flight[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		g.forgetLocked(key, f)
		f.cancel()
	}
}

// forgetLocked lets nobody join a flight any more.
func (g *Group[K, V]) forgetLocked(key K, f *flight[V]) {
	if g.flights[key] == f {
		delete(g.flights, key)
	}
}
