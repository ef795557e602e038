package router

import (
	"container/list"
	"context"
	"sync"
	"time"

	"cairn"
	"cairn/shardmap"
)

// HoldLimits bound the writes that wait because their shard is fenced: it is about
// to get another owner, or to be let go again. What is beyond them fails with
// KindUnavailable (SHARD_FENCED), and was not carried out.
type HoldLimits struct {
	// For is how long one write waits, within its request's deadline; 10 s if 0.
	// It is above what another mover needs to take over.
	For time.Duration
	// Writes is how many may wait in this router, 100,000 if 0, and Bytes how large
	// they are together, 64 MiB if 0.
	Writes int
	Bytes  int
}

func (l HoldLimits) withDefaults() HoldLimits {
	if l.For == 0 {
		l.For = 10 * time.Second
	}
	if l.Writes == 0 {
		l.Writes = 100_000
	}
	if l.Bytes == 0 {
		l.Bytes = 64 << 20
	}
	return l
}

// holding is what is held back together: some writes of one request, to one shard
// at least.
type holding struct {
	keyspace     cairn.UID
	placementKey []byte // of one of them
	writes       int
	bytes        int
}

// holds are the writes that this router holds back.
type holds struct {
	topology Topology
	limits   HoldLimits

	mu     sync.Mutex // guards what follows
	gates  map[shardmap.ShardRef]*gate
	writes int
	bytes  int
}

// gate is one fenced shard, and who waits for its fate, in order.
type gate struct {
	waiting list.List // of chan struct{}
	stop    context.CancelFunc
}

// place is one in the queue at a gate; let is closed when it is let go.
type place struct {
	gate    *gate
	element *list.Element
	let     chan struct{}
}

// wait holds writes back until their shard is not fenced any more, and then lets
// them go in the order in which they came. Where the map does not show the fence,
// as it is older or newer than what refused them, it is a pause. It is false if
// they are not to be tried again.
func (h *holds) wait(ctx context.Context, held holding, since time.Time, pauseFor time.Duration) bool {
	left := h.limits.For - time.Since(since)
	if left <= 0 || !h.take(held) {
		return false
	}
	defer h.give(held)
	shard, move := fenced(h.topology.Map(), held)
	if move == 0 {
		return pause(ctx, min(pauseFor, left, longestLag))
	}
	ref := shardmap.ShardRef{Keyspace: shard.Keyspace, ID: shard.ID}
	at := h.enter(ref, held)
	defer h.leave(ref, at)
	bound := time.NewTimer(left)
	defer bound.Stop()
	select {
	case <-at.let:
		return true
	case <-bound.C:
	case <-ctx.Done():
	}
	return false
}

// longestLag is how long to wait for a map that shows what an index knows.
const longestLag = 16 * time.Millisecond

// fenced is the shard of what is held, and the move that has it fenced by a map; 0
// if none has.
func fenced(m *shardmap.Map, held holding) (shardmap.Shard, cairn.UID) {
	if m == nil {
		return shardmap.Shard{}, 0
	}
	shard, found := m.Lookup(held.keyspace, held.placementKey)
	if !found {
		return shard, 0
	}
	move, moves := m.MoveOf(held.keyspace, shard.ID)
	if !moves || move.Phase != shardmap.MoveFenced {
		return shard, 0
	}
	return shard, move.UID
}

func (h *holds) take(held holding) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.writes+held.writes > h.limits.Writes || h.bytes+held.bytes > h.limits.Bytes {
		return false
	}
	h.writes += held.writes
	h.bytes += held.bytes
	return true
}

func (h *holds) give(held holding) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes -= held.writes
	h.bytes -= held.bytes
}

// enter queues at a shard's gate. One goroutine a gate follows the map, however
// many wait.
func (h *holds) enter(ref shardmap.ShardRef, held holding) place {
	let := make(chan struct{})
	h.mu.Lock()
	defer h.mu.Unlock()
	g := h.gates[ref]
	if g == nil {
		ctx, stop := context.WithCancel(context.Background())
		g = &gate{stop: stop}
		if h.gates == nil {
			h.gates = make(map[shardmap.ShardRef]*gate)
		}
		h.gates[ref] = g
		go h.follow(ctx, ref, g, held)
	}
	return place{gate: g, element: g.waiting.PushBack(let), let: let}
}

// leave gives a place in the queue up, if it is still held. Without anybody the
// gate is not watched any longer.
func (h *holds) leave(ref shardmap.ShardRef, at place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	g := at.gate
	if h.gates[ref] != g {
		return // it has been opened
	}
	g.waiting.Remove(at.element)
	if g.waiting.Len() == 0 {
		delete(h.gates, ref)
		g.stop()
	}
}

// follow opens a gate when the map does not show the fence any more.
func (h *holds) follow(ctx context.Context, ref shardmap.ShardRef, g *gate, held holding) {
	defer g.stop()
	for m := h.topology.Map(); ; {
		if shard, move := fenced(m, held); move == 0 || shard.ID != ref.ID {
			h.open(ref, g)
			return
		}
		next, err := h.topology.Wait(ctx, m.Revision()+1)
		switch {
		case ctx.Err() != nil:
			return // nobody waits
		case err == nil:
			m = next
		case !pause(ctx, shortestPause):
			return
		}
	}
}

// Writes are let go so many at a time, so that the owner's queue is not flooded at
// once by what has gathered.
const (
	letGo      = 128
	letGoEvery = time.Millisecond
)

func (h *holds) open(ref shardmap.ShardRef, g *gate) {
	h.mu.Lock()
	if h.gates[ref] == g {
		delete(h.gates, ref) // whoever comes now finds the fence gone
	}
	h.mu.Unlock()
	n := 0
	for e := g.waiting.Front(); e != nil; e = e.Next() {
		close(e.Value.(chan struct{}))
		if n++; n%letGo == 0 {
			time.Sleep(letGoEvery)
		}
	}
}
