package load

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Result is what a run of work came to, its warm-up left out.
type Result struct {
	// Items are what was worked on, keys as a rule; Calls may carry several.
	Items, Calls int
	Elapsed      time.Duration
	// latencies of the calls, ascending.
	latencies []time.Duration
}

// Rate is how many items were done a second.
func (r Result) Rate() float64 { return float64(r.Items) / r.Elapsed.Seconds() }

// Quantile is the latency that a share q of the calls did not exceed, 0 if
// there were none.
func (r Result) Quantile(q float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(int(q*float64(len(r.latencies))), len(r.latencies)-1)]
}

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
	r.Items += items
	r.Calls++
	r.latencies = append(r.latencies, done.Sub(started))
}

func join(results []Result, length time.Duration) Result {
	whole := Result{Elapsed: length}
	for _, r := range results {
		whole.Items += r.Items
		whole.Calls += r.Calls
		whole.latencies = append(whole.latencies, r.latencies...)
	}
	slices.Sort(whole.latencies)
	return whole
}

// firstCause prefers a failure to the cancellations that it brought about.
func firstCause(errs []error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(errs...)
}
