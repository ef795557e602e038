package load

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Exactly lets callers repeat their calls until together they have done at least
// so many items. It ends early with the first call that fails.
func Exactly(ctx context.Context, callers []Call, items int) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	results, errs := make([]Result, len(callers)), make([]error, len(callers))
	var done atomic.Int64
	var running sync.WaitGroup
	for i, call := range callers {
		running.Go(func() {
			for ctx.Err() == nil && done.Load() < int64(items) {
				started := time.Now()
				n, err := call(ctx)
				if err != nil {
					errs[i] = err
					cancel()
					return
				}
				done.Add(int64(n))
				results[i].add(n, time.Since(started))
			}
		})
	}
	running.Wait()
	return join(results, time.Since(began)), firstCause(errs)
}

// Paced lets callers repeat their calls until ctx ends, so many items a second at
// most. Its end by ctx is no error.
func Paced(ctx context.Context, callers []Call, rate float64) error {
	under, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(callers))
	began := time.Now()
	var done atomic.Int64
	var running sync.WaitGroup
	for i, call := range callers {
		running.Go(func() {
			for {
				ahead := time.Duration(float64(done.Load())/rate*float64(time.Second)) - time.Since(began)
				select {
				case <-time.After(ahead):
				case <-under.Done():
					return
				}
				n, err := call(under)
				if err != nil {
					errs[i] = err
					cancel()
					return
				}
				done.Add(int64(n))
			}
		})
	}
	running.Wait()
	if err := firstCause(errs); err != nil && ctx.Err() == nil {
		return errors.Join(errors.New("a paced call"), err)
	}
	return nil
}
