package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"
)

// Open has calls done at a rate whatever becomes of them: they are due at random
// times, so many a second on the average, the same times for the same seed, and
// done by whoever of the callers is free. A latency begins when a call is due,
// not when a caller got round to it, so that one that takes long counts for all
// that waited behind it (what Gil Tene calls coordinated omission is the contrary).
//
// What is due after the warm-up counts, and all of it is done, however long it
// takes: a Result's rate is below the one asked for where that is more than what
// can be done. Open ends early with the first call that fails.
func Open(ctx context.Context, callers []Call, rate float64, seed uint64, warmup, length time.Duration) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	due := schedule(rate, seed, warmup+length)
	begun := make(chan time.Duration, len(due)) // so that whoever is late holds up nobody
	began := time.Now()
	var pacing sync.WaitGroup
	pacing.Go(func() { pace(ctx, began, due, begun) })
	results := make([]Result, len(callers))
	errs := make([]error, len(callers))
	var running sync.WaitGroup
	for i, call := range callers {
		running.Go(func() {
			for at := range begun {
				items, err := call(ctx)
				if err != nil {
					errs[i] = err
					cancel()
					return
				}
				if at >= warmup {
					results[i].add(items, time.Since(began)-at)
				}
			}
		})
	}
	running.Wait()
	took := max(time.Since(began)-warmup, length)
	cancel()
	pacing.Wait()
	return join(results, took), firstCause(errs)
}

// schedule is the times of a Poisson process up to an end: none at a rate of 0.
func schedule(rate float64, seed uint64, end time.Duration) []time.Duration {
	if rate <= 0 {
		return nil
	}
	random := rand.New(rand.NewPCG(seed, 0))
	var due []time.Duration
	for at := 0.0; ; {
		at += random.ExpFloat64() / rate
		next := time.Duration(at * float64(time.Second))
		if next >= end {
			return due
		}
		due = append(due, next)
	}
}

// pace passes on each time when it has come.
func pace(ctx context.Context, began time.Time, due []time.Duration, begun chan<- time.Duration) {
	defer close(begun)
	for _, at := range due {
		if ctx.Err() != nil {
			return
		}
		if ahead := at - time.Since(began); ahead > 0 {
			// The runtime's timers are late by up to a millisecond, the kernel's
			// by some fifty microseconds. A signal ends a sleep early.
			rest := syscall.NsecToTimespec(int64(ahead))
			_ = syscall.Nanosleep(&rest, nil)
		}
		begun <- at
	}
}
