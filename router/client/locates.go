package client

import (
	"cmp"
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

// locateStreams is how many streams carry locates.
const locateStreams = 2

// locates carries locates of one key and of a few: those that wait while others are
// being sent travel in one message. It never waits for more of them to come.
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

// locate is a locate of one key or of several until all are answered.
type locate struct {
	fellows  fellows
	keys     []cairn.Key
	size     int // of the keys in bytes
	deadline time.Time
	// batch is the one that it is in, once it is about to be sent. Guarded by the
	// mutex of its session.
	batch *locateBatch

	// locations are those of the keys, left of which are not answered yet, and token
	// is what all answers came to.
	locations []cairn.Location
	left      int
	token     cairn.Token
	err       *cairn.Error
	done      chan struct{} // has room for the one signal that these are set
	timer     *time.Timer   // stopped but while a locate without a context's deadline waits

	key      [1]cairn.Key // room for one
	location [1]cairn.Location
}

var locatePool = sync.Pool{New: func() any {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &locate{done: make(chan struct{}, 1), timer: timer}
}}

// put gives a locate back that nobody uses any more.
func (c *locate) put() {
	*c = locate{done: c.done, timer: c.timer}
	locatePool.Put(c)
}

// answered notes that one more of the keys is.
func (c *locate) answered() {
	if c.left--; c.left == 0 {
		c.done <- struct{}{}
	}
}

// travels tells whether keys may go with others': what a context adds to a call goes
// with a call of its own, and so do keys that are refused, and those that are as much
// as travels together anyway.
func travels(ctx context.Context, keys []cairn.Key, withAttributes bool) bool {
	if _, adds := metadata.FromOutgoingContext(ctx); adds {
		return false
	}
	most := mostLocates
	if withAttributes {
		most = 1
	}
	size := 0
	for _, key := range keys {
		if len(key) == 0 || len(key) > cairn.MaxKeyLength {
			return false
		}
		size += len(key)
	}
	return len(keys) > 0 && len(keys) <= most && size <= mostLocateBytes
}

// one locates one key by the deadline, which is ctx's if that has one.
func (l *locates) one(ctx context.Context, deadline time.Time, keyspace string, key cairn.Key, reading cairn.Reading) (cairn.Location, cairn.Token, *cairn.Error) {
	c := locatePool.Get().(*locate)
	c.key[0] = key
	c.keys, c.locations = c.key[:], c.location[:]
	if late := l.ask(ctx, deadline, keyspace, c, reading); late != nil {
		return cairn.Location{}, cairn.Token{}, late
	}
	defer c.put()
	if err := cmp.Or(c.err, c.location[0].Err); err != nil {
		return cairn.Location{}, cairn.Token{}, err
	}
	return c.location[0], c.token, nil
}

// many locates several keys as one does.
func (l *locates) many(ctx context.Context, deadline time.Time, keyspace string, keys []cairn.Key, reading cairn.Reading) ([]cairn.Location, cairn.Token, *cairn.Error) {
	c := locatePool.Get().(*locate)
	c.keys, c.locations = keys, make([]cairn.Location, len(keys))
	if late := l.ask(ctx, deadline, keyspace, c, reading); late != nil {
		return nil, cairn.Token{}, late
	}
	defer c.put()
	if c.err != nil {
		return nil, cairn.Token{}, c.err
	}
	return c.locations, c.token, nil
}

// ask has a locate answered. It is late if the time was up before: the locate is
// then not to be used any more.
func (l *locates) ask(ctx context.Context, deadline time.Time, keyspace string, c *locate, reading cairn.Reading) (late *cairn.Error) {
	left := time.Until(deadline)
	if err := ctx.Err(); err != nil || left <= 0 {
		return l.late(ctx)
	}
	c.deadline, c.left = deadline, len(c.keys)
	for _, key := range c.keys {
		c.size += len(key)
	}
	c.fellows = fellows{keyspace: keyspace, level: reading.Freshness.Level, withAttributes: reading.WithAttributes, patience: bits.Len64(uint64(left.Milliseconds()))}
	if reading.Freshness.Level == cairn.AtLeast {
		c.fellows.token = reading.Freshness.Token.String()
	}
	session, err := l.lanes[l.turn.Add(1)%locateStreams].enqueue(c)
	if err != nil {
		return err
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
		return l.late(ctx)
	}
	return nil
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
