package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"cairn"
	"cairn/bench/load"
	"cairn/bench/stack"
)

// moves moves shards of three sizes to and fro between two clusters, copying all of one
// each time, under callers that write and read their entries as fast as they can, and looks
// for what they notice: errors, lost writes, wrong counts, and how long writes wait, beside
// those to shards that stay.
func moves(ctx context.Context, s settings) error {
	for _, each := range []struct{ shards, entries, moves int }{
		{20, 10_000, s.moves},
		{4, 100_000, max(s.moves/20, 2)},
		{2, 1_000_000, s.moves / 100},
	} {
		if each.moves == 0 {
			continue
		}
		if err := movesOf(ctx, s, each.shards, each.entries, each.moves); err != nil {
			return err
		}
	}
	return nil
}

func movesOf(ctx context.Context, s settings, shards, entries, moves int) (err error) {
	moving, err := stack.Move(ctx, shards)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, moving.Close()) }()
	all := shards * entries
	if err := moving.Fill(ctx, all, func(n int) cairn.Write { return numbered(n, 0) }); err != nil {
		return err
	}
	before, err := moving.Counts(ctx)
	if err != nil {
		return err
	}
	stopCounting := countMeanwhile(ctx, moving, before)
	began := time.Now()
	used, err := moving.MoveShard(ctx, cairn.ShardID(shards))
	alone := time.Since(began)
	counted, miscounted := stopCounting()
	if err := errors.Join(err, miscounted); err != nil {
		return err
	}
	w := newBesieged(shards, all, s.callers, moving.Clients)
	w.counted = before[0]
	linearizable := cairn.Reading{Freshness: cairn.Freshness{Level: cairn.Linearizable}}
	if _, w.before, err = moving.Clients[0].Locate(ctx, stack.Keyspace, load.Key(0), linearizable); err != nil {
		return err
	}
	under, stop := context.WithCancel(ctx)
	defer stop()
	group, under := errgroup.WithContext(under)
	for n := range s.callers {
		group.Go(func() error { return w.call(under, n) })
	}
	for kind := range readKinds {
		group.Go(func() error { return w.read(under, kind) })
	}
	var took, pauses, others []time.Duration
	reads := make([][]time.Duration, len(readKinds))
	for n := range moves {
		id := cairn.ShardID(n%shards + 1)
		w.reset(id)
		began := time.Now()
		if _, err := moving.MoveShard(under, id); err != nil {
			stop()
			return errors.Join(err, group.Wait())
		}
		took = append(took, time.Since(began))
		time.Sleep(20 * time.Millisecond) // what was held back has its answers
		pauses = append(pauses, time.Duration(w.longest[id].Load()))
		others = append(others, w.longestToOthers(id))
		for kind := range reads {
			reads[kind] = append(reads[kind], time.Duration(w.longestRead[kind].Load()))
		}
	}
	failed := under.Err() != nil // before they are stopped
	stop()
	if err := group.Wait(); failed {
		return fmt.Errorf("a caller met an error: %w", err)
	}
	lost, err := w.lost(ctx, moving.Clients[0])
	if err != nil {
		return err
	}
	after, err := moving.Counts(ctx)
	if err != nil {
		return err
	}
	wrong := 0
	if !slices.Equal(before, after) {
		wrong = 1
	}
	s.note(fmt.Sprintf("Moves/entries=%d/alone", entries), "a move of a shard with three views, nothing else runs", []time.Duration{alone})
	s.note(fmt.Sprintf("Moves/entries=%d/target", entries), "the processor time that the target's index uses for that", []time.Duration{used})
	s.note(fmt.Sprintf("Moves/entries=%d/move", entries), fmt.Sprintf("a move of a shard with three views, under %d callers", s.callers), took)
	s.note(fmt.Sprintf("Moves/entries=%d/pause", entries), "the longest write to the shard meanwhile", pauses)
	s.note(fmt.Sprintf("Moves/entries=%d/others", entries), "the longest write to a shard that stays, the median of these", others)
	fmt.Fprintf(s.out, "\n# %d moves of shards of %d entries with three views, under %d callers\n", moves, entries, s.callers)
	fmt.Fprintf(s.out, "one before, alone: %v, the target's index uses %v of processor time; the views were counted %d times meanwhile\n", alone.Round(time.Millisecond), used, counted)
	fmt.Fprintf(s.out, "calls %d, errors 0, lost writes %d, wrong view counts %d\n", w.calls.Load(), lost, wrong)
	fmt.Fprintf(s.out, "longest write to the shard during its move: %s\n", spread(pauses))
	fmt.Fprintf(s.out, "to a shard that stays, the median of these: %s\n", spread(others))
	for kind, name := range readKinds {
		fmt.Fprintf(s.out, "longest %s: %s\n", name, spread(reads[kind]))
	}
	fmt.Fprintf(s.out, "a move: %s\n", spread(took))
	if lost+wrong > 0 {
		return errors.New("the moves were noticed")
	}
	return nil
}

// countPause is between two counts of all views.
const countPause = 20 * time.Millisecond

// countMeanwhile counts the views again and again until stop is called, which returns how
// often, and an error if any count was not as before.
func countMeanwhile(ctx context.Context, moving *stack.Moving, before []uint64) (stop func() (times int, err error)) {
	until, end := context.WithCancel(ctx)
	times := 0
	var group errgroup.Group
	group.Go(func() error {
		for ; until.Err() == nil; times++ {
			counts, err := moving.Counts(ctx)
			if err != nil {
				return err
			}
			if !slices.Equal(counts, before) {
				return fmt.Errorf("the views had %v entries, and %v while a shard moved", before, counts)
			}
			time.Sleep(countPause)
		}
		return nil
	})
	return func() (int, error) {
		end()
		err := group.Wait()
		return times, err
	}
}

// spread sorts durations and tells their median, 99th percentile and the longest.
func spread(all []time.Duration) string {
	slices.Sort(all)
	return fmt.Sprintf("p50 %v p99 %v most %v", quantile(all, 0.5), quantile(all, 0.99), quantile(all, 1))
}

// quantile is that of ascending durations.
func quantile(ascending []time.Duration, q float64) time.Duration {
	return ascending[min(int(q*float64(len(ascending))), len(ascending)-1)].Round(10 * time.Microsecond)
}

// numbered is entry n with a number, and one in no order.
func numbered(n int, number int64) cairn.Write {
	return cairn.Write{Operation: cairn.Put, Key: load.Key(n), Attributes: cairn.NamedValues{
		{Name: "n", Value: cairn.Int(number)}, {Name: "tier", Value: cairn.Int(int64(n % 4))},
		{Name: "spread", Value: cairn.Int(int64(uint32(n) * 0x9e3779b1))},
	}}
}
