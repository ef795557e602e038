package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"cairn"
	"cairn/bench/load"
	"cairn/bench/stack"
	"cairn/router/client"
	"cairn/shardmap/placement"
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
	began := time.Now()
	used, err := moving.MoveShard(ctx, cairn.ShardID(shards))
	if err != nil {
		return err
	}
	alone := time.Since(began)
	w := newBesieged(shards, all, s.callers, moving.Clients)
	under, stop := context.WithCancel(ctx)
	defer stop()
	group, under := errgroup.WithContext(under)
	for n := range s.callers {
		group.Go(func() error { return w.call(under, n) })
	}
	var took, pauses, others []time.Duration
	for n := range moves {
		id := cairn.ShardID(n%shards + 1)
		w.reset()
		began := time.Now()
		if _, err := moving.MoveShard(under, id); err != nil {
			stop()
			return errors.Join(err, group.Wait())
		}
		took = append(took, time.Since(began))
		time.Sleep(20 * time.Millisecond) // what was held back has its answers
		pauses = append(pauses, time.Duration(w.longest[id].Load()))
		others = append(others, w.longestToOthers(id))
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
	slices.Sort(took)
	slices.Sort(pauses)
	slices.Sort(others)
	fmt.Fprintf(s.out, "\n# %d moves of shards of %d entries with three views, under %d callers\n", moves, entries, s.callers)
	fmt.Fprintf(s.out, "one before, alone: %v, the target's index uses %v of processor time\n", alone.Round(time.Millisecond), used)
	fmt.Fprintf(s.out, "calls %d, errors 0, lost writes %d, wrong view counts %d\n", w.calls.Load(), lost, wrong)
	fmt.Fprintf(s.out, "longest write to the shard during its move: p50 %v p99 %v most %v\n", quantile(pauses, 0.5), quantile(pauses, 0.99), pauses[len(pauses)-1])
	fmt.Fprintf(s.out, "to a shard that stays, the median of these: p50 %v p99 %v most %v\n", quantile(others, 0.5), quantile(others, 0.99), others[len(others)-1])
	fmt.Fprintf(s.out, "a move: p50 %v p99 %v most %v\n", quantile(took, 0.5), quantile(took, 0.99), took[len(took)-1])
	if lost+wrong > 0 {
		return errors.New("the moves were noticed")
	}
	return nil
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

// besieged is what callers do while shards move: each writes entries of its own
// with ascending numbers, and reads them back by the token of the write.
type besieged struct {
	shards, entries, callers int
	clients                  []*client.Client
	longest                  []atomic.Int64 // of the writes to a shard, by id, in nanoseconds
	calls                    atomic.Int64
	// written is, by caller, the last number that each of its entries got, and
	// unsure which of them was being written when the caller was stopped.
	written [][]int64
	unsure  []int
}

func newBesieged(shards, entries, callers int, clients []*client.Client) *besieged {
	w := &besieged{
		shards: shards, entries: entries, callers: callers, clients: clients,
		longest: make([]atomic.Int64, shards+1), written: make([][]int64, callers), unsure: make([]int, callers),
	}
	for caller := range w.written {
		w.written[caller] = make([]int64, entries/callers)
		w.unsure[caller] = -1
	}
	return w
}

// reset forgets the longest writes.
func (w *besieged) reset() {
	for id := range w.longest {
		w.longest[id].Store(0)
	}
}

// longestToOthers is the longest write to each shard but one, the median of these.
func (w *besieged) longestToOthers(id cairn.ShardID) time.Duration {
	var all []time.Duration
	for other := 1; other <= w.shards; other++ {
		if other != int(id) {
			all = append(all, time.Duration(w.longest[other].Load()))
		}
	}
	slices.Sort(all)
	return quantile(all, 0.5)
}

// shardOf is the shard of a key: the placement keys are divided evenly.
func (w *besieged) shardOf(key cairn.Key) int {
	var buffer [placement.HashLength]byte
	hash := binary.BigEndian.Uint64(placement.Key(cairn.Placement{Scheme: cairn.SchemeHash}, key, buffer[:0]))
	return int(hash/(1<<63/uint64(w.shards)*2)) + 1
}

func (w *besieged) call(ctx context.Context, caller int) error {
	mine := w.written[caller]
	for turn := 0; ; turn++ {
		i := turn * 7919 % len(mine)
		write := numbered(caller+i*w.callers, mine[i]+1)
		began := time.Now()
		_, token, err := w.clients[turn%2].Put(ctx, stack.Keyspace, write, cairn.RequestID{})
		if err != nil {
			w.unsure[caller] = i
			return err
		}
		mine[i]++
		longest := &w.longest[min(w.shardOf(write.Key), w.shards)]
		for took := int64(time.Since(began)); ; {
			if most := longest.Load(); took <= most || longest.CompareAndSwap(most, took) {
				break
			}
		}
		found, _, err := w.clients[(turn+1)%2].Locate(ctx, stack.Keyspace, write.Key, cairn.Reading{Freshness: cairn.Freshness{Level: cairn.AtLeast, Token: token}, WithAttributes: true})
		if err != nil {
			return err
		}
		if err := found.Err; err != nil {
			return err
		}
		if n, _ := found.Attributes.Get("n"); n.Int() != mine[i] {
			return fmt.Errorf("%s was written as %d and read as %d by the token of the write", write.Key, mine[i], n.Int())
		}
		w.calls.Add(2)
	}
}

// lost counts the entries that are not as they were last acknowledged.
func (w *besieged) lost(ctx context.Context, c *client.Client) (lost int, err error) {
	for caller, mine := range w.written {
		for first := 0; first < len(mine); first += checkedTogether {
			part := mine[first:min(first+checkedTogether, len(mine))]
			keys := make([]cairn.Key, len(part))
			for i := range part {
				keys[i] = load.Key(caller + (first+i)*w.callers)
			}
			found, _, err := c.BatchLocate(ctx, stack.Keyspace, keys, cairn.Reading{Freshness: cairn.Freshness{Level: cairn.Linearizable}, WithAttributes: true})
			if err != nil {
				return lost, err
			}
			for i := range found {
				n, _ := found[i].Attributes.Get("n")
				unsure := w.unsure[caller] == first+i && n.Int() == part[i]+1
				if found[i].Err != nil || found[i].State != cairn.Found || n.Int() != part[i] && !unsure {
					lost++
				}
			}
		}
	}
	return lost, nil
}

// checkedTogether is how many entries are looked at together.
const checkedTogether = 2_000
