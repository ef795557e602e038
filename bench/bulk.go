package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cairn/bench/load"
	"cairn/bench/report"
	"cairn/bench/stack"
)

const (
	// bulkBatch is how many writes, or keys to locate, travel in one call.
	bulkBatch = 128
	// bulkCallers is how many batches are under way.
	bulkCallers = 16
	// burst is how many entries the first figure is of.
	burst = 1_000_000
)

// bulk writes new random keys in batches into the index of one replica, as fast
// as it takes them: the first million, then on to as many as were asked for.
// Then it compares locates while nothing is written with those while writes go on
// at half that rate.
func bulk(ctx context.Context, s settings) (err error) {
	ours, err := stack.StartDurable(ctx, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.Close()) }()
	var keys load.NewKeys
	calls := ours.Batches(&keys, bulkCallers, bulkBatch)
	began := time.Now()
	first, err := load.Exactly(ctx, calls, min(burst, s.bulk))
	if err != nil {
		return err
	}
	report.Single(s.out, "Bulk/burst", []load.Result{first}, report.Goal{Rate: 200_000})
	for done := first.Items; done < s.bulk; {
		more, err := load.Exactly(ctx, calls, min(burst, s.bulk-done))
		if err != nil {
			return err
		}
		done += more.Items
		usage, err := ours.Index().Usage()
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%d entries: the last at %.0f/s; the index has %d MiB resident, %d of them without its file's pages, at most %d MiB, and wrote %.0f bytes an entry\n",
			done, more.Rate(), usage.Memory>>20, usage.Anonymous>>20, usage.MemoryPeak>>20, float64(usage.Written)/float64(done))
	}
	whole := load.Result{Items: int(keys.Taken()), Calls: int(keys.Taken()) / bulkBatch, Elapsed: time.Since(began)}
	report.Single(s.out, "Bulk/sustained", []load.Result{whole}, report.Goal{Rate: 60_000})
	return locatesUnderWrites(ctx, s, ours, &keys)
}

// locatesUnderWrites compares locates beside writes with those alone.
func locatesUnderWrites(ctx context.Context, s settings, ours *stack.Durable, keys *load.NewKeys) error {
	writes, err := load.Closed(ctx, ours.Batches(keys, bulkCallers, bulkBatch), s.warmup, s.length)
	if err != nil {
		return err
	}
	half := writes.Rate() / 2
	locates := ours.Locates(keys, keys.Taken()/2, bulkCallers, bulkBatch)
	alone := func(ctx context.Context) (load.Result, error) { return load.Closed(ctx, locates, s.warmup, s.length) }
	beside := func(ctx context.Context) (load.Result, error) {
		under, stop := context.WithCancel(ctx)
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- load.Paced(under, ours.Batches(keys, bulkCallers, bulkBatch), half) }()
		result, err := alone(ctx)
		stop()
		return result, errors.Join(err, <-ended)
	}
	comparison, err := report.Compare(ctx, fmt.Sprintf("Locate/writes=%.0f", half), "locates alone", s.pairs, alone, beside)
	comparison.About = fmt.Sprintf("batches of %d, %d callers, while so many writes a second go on", bulkBatch, bulkCallers)
	comparison.Write(s.out, report.Goal{Ratio: 0.8})
	return err
}
