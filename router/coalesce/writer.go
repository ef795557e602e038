package coalesce

import (
	"context"
	"runtime"
	"sync"
	"time"

	"cairn"
)

// BatchWrite carries out writes, each by itself; router.Router's and
// client.Client's are two. A batch is given no request id of its own: they give
// it one.
type BatchWrite func(ctx context.Context, keyspace string, writes []cairn.Write, request cairn.RequestID) ([]cairn.WriteOutcome, cairn.Token, error)

const (
	// batchesInFlight is how many batches may be on their way. With one, all who
	// wait share the next, and with it a sync of the log.
	batchesInFlight = 1
	// mostWrites bounds a batch.
	mostWrites = 1024
	// idleYields is how often the processor is offered without one more write
	// coming, until no more are expected; letInTime bounds all of that.
	idleYields = 32
	letInTime  = 100 * time.Microsecond
	// batchTimeout bounds a batch: its writes' own deadlines end the waiting for
	// it, not the batch, which others share.
	batchTimeout = 30 * time.Second
)

// Writer makes batches of the writes of one keyspace. Any goroutine may use it.
type Writer struct {
	keyspace string
	write    BatchWrite

	mu      sync.Mutex // guards what follows
	waiting []*waiting
	flights int
}

// waiting is one write until it is answered.
type waiting struct {
	write   cairn.Write
	sent    bool
	outcome cairn.WriteOutcome
	token   cairn.Token
	err     error
	done    chan struct{} // closed when outcome and token, or err, are set
}

// NewWriter makes a Writer that has batches carried out by write.
func NewWriter(keyspace string, write BatchWrite) *Writer {
	return &Writer{keyspace: keyspace, write: write}
}

// Write carries out one write, in a batch with others. It fails as a batch's
// single write does, and with KindDeadline if ctx ends before the write is sent
// or KindUnknown (OUTCOME_UNKNOWN) if it ends after. The token covers what the
// batch wrote.
func (w *Writer) Write(ctx context.Context, write cairn.Write) (cairn.WriteOutcome, cairn.Token, error) {
	mine := &waiting{write: write, done: make(chan struct{})}
	w.mu.Lock()
	w.waiting = append(w.waiting, mine)
	if w.flights < batchesInFlight {
		w.flights++
		go w.fly()
	}
	w.mu.Unlock()
	select {
	case <-mine.done:
	case <-ctx.Done():
		if w.withdraw(mine) {
			return cairn.WriteOutcome{}, cairn.Token{}, cairn.Errorf(cairn.KindDeadline, "DEADLINE_EXCEEDED", "the write waited for others and was withdrawn: %w", ctx.Err())
		}
		select {
		case <-mine.done:
		default:
			return cairn.WriteOutcome{}, cairn.Token{}, cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "the write was under way with others: %w", ctx.Err())
		}
	}
	if mine.err == nil && mine.outcome.Err != nil {
		return cairn.WriteOutcome{}, mine.token, mine.outcome.Err
	}
	return mine.outcome, mine.token, mine.err
}

// withdraw takes a write back that was not sent.
func (w *Writer) withdraw(mine *waiting) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if mine.sent {
		return false
	}
	for i, each := range w.waiting {
		if each == mine {
			w.waiting = append(w.waiting[:i], w.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// fly sends batches until nothing waits.
func (w *Writer) fly() {
	for {
		batch := w.take()
		if batch == nil {
			return
		}
		w.carryOut(batch)
		w.letIn(len(batch))
	}
}

// letIn lets those who were answered, and write again, join the next batch: it
// would otherwise leave with a few of them, and the others wait for the one after
// it. It offers the processor until as many have come or no more do, and not for
// long where others keep it: who could run has had a turn by then.
func (w *Writer) letIn(answered int) {
	began, came := time.Now(), 0
	for idle := 0; idle < idleYields && came < answered && time.Since(began) < letInTime; idle++ {
		runtime.Gosched()
		if n := w.queued(); n > came {
			came, idle = n, 0
		}
	}
}

func (w *Writer) queued() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting)
}

// take takes the next batch, the oldest writes first; nil ends the flight.
func (w *Writer) take() []*waiting {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.waiting), mostWrites)
	if n == 0 {
		w.flights--
		return nil
	}
	batch := make([]*waiting, n)
	copy(batch, w.waiting)
	left := copy(w.waiting, w.waiting[n:])
	clear(w.waiting[left:])
	w.waiting = w.waiting[:left]
	for _, each := range batch {
		each.sent = true
	}
	return batch
}

func (w *Writer) carryOut(batch []*waiting) {
	writes := make([]cairn.Write, len(batch))
	for i, each := range batch {
		writes[i] = each.write
	}
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	outcomes, token, err := w.write(ctx, w.keyspace, writes, cairn.RequestID{})
	if err == nil && len(outcomes) != len(batch) {
		err = cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "%d outcomes for %d writes", len(outcomes), len(batch))
	}
	for i, each := range batch {
		if err != nil {
			each.err = err
		} else {
			each.outcome, each.token = outcomes[i], token
		}
		close(each.done)
	}
}
