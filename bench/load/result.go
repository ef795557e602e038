package load

import (
	"context"
	"errors"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what a run of work came to, its warm-up left out.
type Result struct {
	// Items are what was worked on, keys as a rule; Calls may carry several.
	Items, Calls int
	Elapsed      time.Duration
	// Processor is the processor time that all processes together took for an
	// item; 0 where nobody measured it.
	Processor time.Duration
	// latencies of the calls in nanoseconds; nil where there were none.
	latencies *hdrhistogram.Histogram
}

// Latencies are told to three digits; one above the longest counts as that.
const (
	longest           = 10 * time.Minute
	significantDigits = 3
)

// Took is the result of calls that were made one after the other and took so long.
func Took(latencies []time.Duration) Result {
	var r Result
	for _, latency := range latencies {
		r.add(1, latency)
		r.Elapsed += latency
	}
	return r
}

// Rate is how many items were done a second.
func (r Result) Rate() float64 { return float64(r.Items) / r.Elapsed.Seconds() }

// Quantile is the latency that a share q of the calls did not exceed, 0 if
// there were none.
func (r Result) Quantile(q float64) time.Duration {
	if r.latencies == nil {
		return 0
	}
	return time.Duration(r.latencies.ValueAtQuantile(100 * q))
}

// add adds a call.
func (r *Result) add(items int, latency time.Duration) {
	if r.latencies == nil {
		r.latencies = hdrhistogram.New(1, int64(longest), significantDigits)
	}
	r.Items += items
	r.Calls++
	_ = r.latencies.RecordValue(int64(min(max(latency, 1), longest))) // which is in its range
}

func join(results []Result, length time.Duration) Result {
	whole := Result{Elapsed: length}
	for _, r := range results {
		whole.Items += r.Items
		whole.Calls += r.Calls
		switch {
		case whole.latencies == nil:
			whole.latencies = r.latencies
		case r.latencies != nil:
			whole.latencies.Merge(r.latencies)
		}
	}
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
