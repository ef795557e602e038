package client

import (
	"context"
	"errors"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/metadata"

	"cairn"
	"cairn/proto/rpcerr"
)

// locateStreams is how many streams carry plain locates.
const locateStreams = 2

// locates carries plain locates: those that wait while others are being sent
// travel in one message. It never waits for more of them to come.
type locates struct {
	address string
	turn    atomic.Uint32 // picks the next lane
	lanes   [locateStreams]lane
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newLocates(address string, open openLocate) *locates {
	l := &locates{address: address}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	for i := range l.lanes {
		l.lanes[i] = lane{address: address, ctx: ctx, open: open, running: &l.running}
	}
	return l
}

// close fails what is under way with KindUnavailable.
func (l *locates) close() {
	for i := range l.lanes {
		l.lanes[i].close()
	}
	l.cancel()
	l.running.Wait()
}

// fellows are whom a locate may travel with: who asks the same keyspace as
// freshly, and has about as much time, so that nobody gets an answer that is less
// than he asked for or fails for somebody else's lack of time.
type fellows struct {
	keyspace       string
	level          cairn.Level
	token          string
	withAttributes bool
	// patience is the binary logarithm of the milliseconds that are left.
	patience int
}

// locate is one plain locate until it is answered.
type locate struct {
	fellows  fellows
	key      cairn.Key
	deadline time.Time
	// batch is the one that it is in, once it is about to be sent. Guarded by the
	// mutex of its session.
	batch *locateBatch

	location cairn.Location
	token    cairn.Token
	err      *cairn.Error
	done     chan struct{} // has room for the one signal that these are set
	timer    *time.Timer   // stopped but while a locate without a context's deadline waits
}

var locatePool = sync.Pool{New: func() any {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &locate{done: make(chan struct{}, 1), timer: timer}
}}

// travels tells whether a locate may go with others: what its context adds to a
// call goes with a call of its own, and so does a key that is refused.
func travels(ctx context.Context, key cairn.Key) bool {
	_, adds := metadata.FromOutgoingContext(ctx)
	return !adds && len(key) > 0 && len(key) <= cairn.MaxKeyLength
}

// ask locates one key by the deadline, which is ctx's if that has one.
func (l *locates) ask(ctx context.Context, deadline time.Time, keyspace string, key cairn.Key, reading cairn.Reading) (cairn.Location, cairn.Token, *cairn.Error) {
	left := time.Until(deadline)
	if err := ctx.Err(); err != nil || left <= 0 {
		return cairn.Location{}, cairn.Token{}, l.late(ctx)
	}
	c := locatePool.Get().(*locate)
	c.key, c.deadline = key, deadline
	c.fellows = fellows{keyspace: keyspace, level: reading.Freshness.Level, withAttributes: reading.WithAttributes, patience: bits.Len64(uint64(left.Milliseconds()))}
	if reading.Freshness.Level == cairn.AtLeast {
		c.fellows.token = reading.Freshness.Token.String()
	}
	session, err := l.lanes[l.turn.Add(1)%locateStreams].enqueue(c)
	if err != nil {
		return cairn.Location{}, cairn.Token{}, err
	}
	if _, has := ctx.Deadline(); !has {
		c.timer.Reset(left)
	}
	answered := false
	select {
	case <-c.done:
		answered = true
	case <-ctx.Done():
	case <-c.timer.C:
	}
	c.timer.Stop() // before somebody else has it
	if !answered {
		session.abandon(c)
		return cairn.Location{}, cairn.Token{}, l.late(ctx)
	}
	location, token, err := c.location, c.token, c.err
	*c = locate{done: c.done, timer: c.timer}
	locatePool.Put(c)
	return location, token, err
}

// late is the error of a locate whose time is up.
func (l *locates) late(ctx context.Context) *cairn.Error {
	ended := ctx.Err()
	if ended == nil {
		ended = context.DeadlineExceeded
	}
	e := *rpcerr.FromError(ended)
	e.Err = cairn.Errorf(e.Kind, e.Reason, "waiting for router %s: %w", l.address, ended)
	return &e
}

// goesAlone tells whether a locate that failed among others may do better by
// itself: it may have more time, be less to answer, or come when it was told to.
func goesAlone(ctx context.Context, deadline time.Time, failure *cairn.Error) bool {
	switch failure.Kind {
	case cairn.KindUnavailable, cairn.KindNotYet, cairn.KindDeadline:
		return failure.Reason != cairn.ReasonClusterUnreachable && !errors.Is(ctx.Err(), context.Canceled) && time.Until(deadline) > 0
	case cairn.KindExhausted:
		return strings.HasSuffix(failure.Reason, "_TOO_LARGE") || failure.RetryAfter > 0
	default:
		return false
	}
}
