package load

import (
	"context"
	"sync"
	"time"
)

// Flooded is what became of calls that came whether or not those before were
// answered.
type Flooded struct {
	// Calls came, and Answered were answered in time; Failed are the others by why
	// they were not.
	Calls, Answered int
	Failed          map[string]int
	// LastFailure is when the last call began that failed, since the flood did; 0 if
	// none failed.
	LastFailure time.Duration
	Elapsed     time.Duration
}

// Rate is how many were answered in time a second.
func (f Flooded) Rate() float64 { return float64(f.Answered) / f.Elapsed.Seconds() }

// Flood has calls come at a rate for a time, at random times, each by a caller of its
// own who waits for so long and no longer. Unlike Open's callers they never wait for
// one another: so come the calls of very many clients. why is an error in a word. It
// returns once all have ended.
func Flood(ctx context.Context, call Call, why func(error) string, rate float64, seed uint64, length, patience time.Duration) Flooded {
	due := schedule(rate, seed, length)
	begun := make(chan time.Duration, len(due))
	began := time.Now()
	var running sync.WaitGroup
	running.Go(func() { pace(ctx, began, due, begun) })
	out := Flooded{Failed: map[string]int{}, Elapsed: length}
	var mu sync.Mutex // guards out
	for at := range begun {
		out.Calls++
		running.Go(func() {
			ctx, cancel := context.WithDeadline(ctx, began.Add(at+patience))
			defer cancel()
			_, err := call(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err == nil && ctx.Err() == nil {
				out.Answered++
				return
			}
			reason := "late"
			if err != nil {
				reason = why(err)
			}
			out.Failed[reason]++
			out.LastFailure = max(out.LastFailure, at)
		})
	}
	running.Wait()
	return out
}
