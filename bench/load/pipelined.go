package load

import (
	"context"
	"sync"
	"time"
)

// Stream is one end of a stream of batches. Send and Recv may run at the same
// time, each in one goroutine.
type Stream interface {
	// Send sends the next batch.
	Send() error
	// Recv waits for an answer and says how many items it has.
	Recv() (items int, err error)
	// CloseSend says that no more is sent.
	CloseSend() error
}

// Pipelined keeps a window of batches in flight on each stream for a time
// after a warm-up, then drains them. A latency is that of a batch, from its
// sending to the answer that stands at its place in the stream. It ends early
// with the first stream that fails.
func Pipelined(ctx context.Context, streams []Stream, window int, warmup, length time.Duration) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := time.Now().Add(warmup)
	end := begin.Add(length)
	results := make([]Result, len(streams))
	errs := make([]error, 2*len(streams))
	var running sync.WaitGroup
	for i, stream := range streams {
		sent := make(chan time.Time, window)
		running.Go(func() {
			if errs[2*i] = send(ctx, stream, sent, end); errs[2*i] != nil {
				cancel()
			}
		})
		running.Go(func() {
			if errs[2*i+1] = results[i].receive(stream, sent, begin, end); errs[2*i+1] != nil {
				cancel()
			}
		})
	}
	running.Wait()
	return join(results, length), firstCause(errs)
}

// send sends a batch whenever the window, which sent's capacity is, has room.
func send(ctx context.Context, stream Stream, sent chan<- time.Time, end time.Time) error {
	defer close(sent)
	for now := time.Now(); now.Before(end); now = time.Now() {
		select {
		case sent <- now:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := stream.Send(); err != nil {
			return err
		}
	}
	return stream.CloseSend()
}

func (r *Result) receive(stream Stream, sent <-chan time.Time, begin, end time.Time) error {
	for started := range sent {
		items, err := stream.Recv()
		if err != nil {
			return err
		}
		r.count(items, started, time.Now(), begin, end)
	}
	return nil
}
