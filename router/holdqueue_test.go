package router

import (
	"context"
	"testing"

	"cairn/shardmap"
)

// TestLeavingAGateIsCheap: whoever gives up waiting does not touch the others, of
// whom there may be a hundred thousand that give up at the same moment.
func TestLeavingAGateIsCheap(t *testing.T) {
	const n = 2_000
	ref := shardmap.ShardRef{Keyspace: 1, ID: 1}
	_, stop := context.WithCancel(t.Context())
	h := holds{gates: map[shardmap.ShardRef]*gate{ref: {stop: stop}}}
	places := make([]place, n)
	for i := range places {
		places[i] = h.enter(ref, holding{})
	}
	at := 0
	if made := testing.AllocsPerRun(n-1, func() { // and once before
		h.leave(ref, places[at])
		at++
	}); made > 0 {
		t.Errorf("%v allocations for each that leaves", made)
	}
	if len(h.gates) > 0 {
		t.Error("a gate at which nobody waits is kept")
	}
}
