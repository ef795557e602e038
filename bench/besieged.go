package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"cairn"
	"cairn/bench/load"
	"cairn/bench/stack"
	"cairn/router/client"
	"cairn/shardmap/placement"
)

// besieged is what callers do while shards move: each writes entries of its own
// with ascending numbers, and reads them back by the token of the write.
type besieged struct {
	shards, entries, callers int
	clients                  []*client.Client
	longest                  []atomic.Int64               // of the writes to a shard, by id, in nanoseconds
	longestRead              [len(readKinds)]atomic.Int64 // of the shard that moves
	moving                   atomic.Int64                 // its id
	before                   cairn.Token                  // of before any moved
	counted                  uint64                       // what the first view has throughout
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

// reset forgets what took longest, before a shard moves.
func (w *besieged) reset(id cairn.ShardID) {
	w.moving.Store(int64(id))
	for id := range w.longest {
		w.longest[id].Store(0)
	}
	for kind := range w.longestRead {
		w.longestRead[kind].Store(0)
	}
}

// readKinds are ways to read a shard that moves.
var readKinds = [...]string{
	"eventual read of it", "read of it by the token of an older write", "linearizable read of it", "linearizable count of a view",
}

// The places of readKinds.
const (
	readEventual = iota
	readOlder
	readLinearizable
	readCount
)

// readPause is between a reader's questions.
const readPause = time.Millisecond

// read reads entries of the shard that moves, one after the other.
func (w *besieged) read(ctx context.Context, kind int) error {
	c, random := w.clients[kind%2], rand.New(rand.NewPCG(uint64(kind), 0))
	for {
		key := load.Key(random.IntN(w.entries))
		id := w.moving.Load()
		if id == 0 || int64(min(w.shardOf(key), w.shards)) != id {
			if err := ctx.Err(); err != nil {
				return err
			}
			continue
		}
		began := time.Now()
		if err := w.readOnce(ctx, c, kind, key); err != nil {
			return err
		}
		raise(&w.longestRead[kind], time.Since(began))
		time.Sleep(readPause)
	}
}

func (w *besieged) readOnce(ctx context.Context, c *client.Client, kind int, key cairn.Key) error {
	var reading cairn.Reading
	switch kind {
	case readCount:
		count, err := c.CountView(ctx, cairn.Selection{View: "view-0", Freshness: cairn.Freshness{Level: cairn.Linearizable}})
		if err == nil && count.Count != w.counted {
			err = fmt.Errorf("a view had %d entries, and %d while a shard moved", w.counted, count.Count)
		}
		return err
	case readLinearizable:
		reading.Freshness.Level = cairn.Linearizable
	case readOlder:
		reading.Freshness = cairn.Freshness{Level: cairn.AtLeast, Token: w.before}
	}
	found, _, err := c.Locate(ctx, stack.Keyspace, key, reading)
	if err == nil && found.Err != nil {
		err = found.Err
	}
	return err
}

// raise makes a number of nanoseconds at least so much.
func raise(most *atomic.Int64, took time.Duration) {
	for {
		if present := most.Load(); int64(took) <= present || most.CompareAndSwap(present, int64(took)) {
			return
		}
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
		raise(&w.longest[min(w.shardOf(write.Key), w.shards)], time.Since(began))
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
