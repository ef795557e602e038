package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"cairn/bench/load"
	"cairn/bench/report"
	"cairn/bench/stack"
)

const (
	// wayThere is how long answers are under way: what a slow replica is compared
	// with must be more than the noise of this machine.
	wayThere = 5 * time.Millisecond
	// slower is how many times that one of the replicas takes.
	slower = 10
	// readEntries is how many entries are read, and readCallers by how many.
	readEntries = 10_000
	readCallers = 16
)

// replicas measures how reads are spread over three replicas: one of them slow,
// half of the reads of one key, one of them killed.
func replicas(ctx context.Context, s settings) (err error) {
	d, err := stack.StartDurable(ctx, 3)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	var keys load.NewKeys
	if _, err := load.Exactly(ctx, d.Batches(&keys, 4, 128), readEntries); err != nil {
		return err
	}
	// A follower may lag by the last batch; reads are of what was before.
	const first = readEntries - 4*128
	r := reads{d, &keys, first, s}
	return errors.Join(r.slow(ctx), r.hot(ctx), r.killed(ctx))
}

type reads struct {
	stack *stack.Durable
	keys  *load.NewKeys
	first uint64
	settings
}

// run reads through a router of its own, with the second replica so far away.
// during, if there is one, goes on beside it.
func (r reads) run(ctx context.Context, second time.Duration, hot float64, during func()) (load.Result, []uint64, error) {
	reader, err := r.stack.NewReader()
	if err != nil {
		return load.Result{}, nil, err
	}
	defer reader.Close()
	for i, wire := range reader.Wires {
		wire.Delay(wayThere)
		if i == 1 {
			wire.Delay(second)
		}
	}
	var beside sync.WaitGroup
	if during != nil {
		beside.Go(during)
	}
	result, err := load.Closed(ctx, reader.Locates(r.keys, r.first, readCallers, hot), r.warmup, r.length)
	beside.Wait()
	return result, reader.Asked(), err
}

// slow compares the 99th percentile with that of all healthy.
func (r reads) slow(ctx context.Context) error {
	var ratios []float64
	var well, ill load.Result
	for range r.pairs {
		var err error
		if well, _, err = r.run(ctx, wayThere, 0, nil); err != nil {
			return err
		}
		var asked []uint64
		if ill, asked, err = r.run(ctx, slower*wayThere, 0, nil); err != nil {
			return err
		}
		ratios = append(ratios, float64(ill.Quantile(0.99))/float64(well.Quantile(0.99)))
		fmt.Fprintf(r.out, "# all healthy p99 %v, the second replica %d times slower p99 %v; asked %v\n", well.Quantile(0.99), slower, ill.Quantile(0.99), asked)
	}
	slices.Sort(ratios)
	verdict(r.settings, "ratio p99 Replicas/slow / all healthy", report.Median(ratios), 1.5)
	return nil
}

// hot has half of the reads be of one key.
func (r reads) hot(ctx context.Context) error {
	_, asked, err := r.run(ctx, wayThere, 0.5, nil)
	if err != nil {
		return err
	}
	sum := uint64(0)
	for _, n := range asked {
		sum += n
	}
	fmt.Fprintf(r.out, "# half of the reads of one key: asked %v\n", asked)
	verdict(r.settings, "ratio Replicas/hot fullest / mean", float64(slices.Max(asked))*float64(len(asked))/float64(sum), 1.25)
	return nil
}

// killed ends one replica's process while it is read from; it fails with the first
// read that does.
func (r reads) killed(ctx context.Context) error {
	var failure error
	result, asked, err := r.run(ctx, wayThere, 0, func() {
		time.Sleep(r.warmup + r.length/3)
		failure = r.stack.Index().Kill()
	})
	if err := errors.Join(err, failure); err != nil {
		return fmt.Errorf("a replica was killed: %w", err)
	}
	fmt.Fprintf(r.out, "Replicas/killed: none of %d reads failed, p99 %v, longest %v; asked %v\n", result.Calls, result.Quantile(0.99), result.Quantile(1), asked)
	return nil
}

// verdict writes a figure that must not be above a bound.
func verdict(s settings, name string, figure, most float64) {
	reached := "reached"
	if figure > most {
		reached = "MISSED"
	}
	fmt.Fprintf(s.out, "%s: %.2f; wanted %.2f or less: %s\n", name, figure, most, reached)
}
