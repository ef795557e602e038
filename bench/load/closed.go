package load

import (
	"context"
	"sync"
	"time"
)

// Call does one piece of work and says how many items it was.
type Call func(ctx context.Context) (items int, err error)

// Closed lets callers repeat their calls, each by itself, for a time after a
// warm-up. It ends early with the first call that fails.
func Closed(ctx context.Context, callers []Call, warmup, length time.Duration) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := time.Now().Add(warmup)
	end := begin.Add(length)
	results := make([]Result, len(callers))
	errs := make([]error, len(callers))
	var running sync.WaitGroup
	for i, call := range callers {
		running.Go(func() {
			if errs[i] = results[i].repeat(ctx, call, begin, end); errs[i] != nil {
				cancel()
			}
		})
	}
	running.Wait()
	return join(results, length), firstCause(errs)
}

func (r *Result) repeat(ctx context.Context, call Call, begin, end time.Time) error {
	for started := time.Now(); started.Before(end); {
		items, err := call(ctx)
		if err != nil {
			return err
		}
		done := time.Now()
		r.count(items, started, done, begin, end)
		started = done
	}
	return nil
}

// count adds a call to the result if it ended while the run was measured.
func (r *Result) count(items int, started, done, begin, end time.Time) {
	if done.Before(begin) || !done.Before(end) {
		return
	}
	r.add(items, done.Sub(started))
}
