package nodeindex

import (
	"maps"
	"math"
	"slices"
	"testing"

	"cairn"
)

func TestChooseNodes(t *testing.T) {
	nodes := []cairn.Node{
		{ID: 1, Zone: "z1", Weight: 1, State: cairn.NodeActive},
		{ID: 2, Zone: "z1", Weight: 2, State: cairn.NodeActive},
		{ID: 3, Zone: "z2", Weight: 1, State: cairn.NodeActive},
		{ID: 4, Zone: "z3", Weight: 9, State: cairn.NodeDraining},
		{ID: 5, Zone: "z3", Weight: 0, State: cairn.NodeActive},
		{ID: 6, Zone: "z3", Weight: 9, State: cairn.NodeDown},
	}
	const keys = 40_000
	primaries := make(map[cairn.NodeID]int)
	for key := range uint64(keys) {
		chosen := ChooseNodes(nodes, mix(key), 2)
		primaries[chosen[0]]++
		if len(chosen) != 2 || (chosen[0] == 3) == (chosen[1] == 3) {
			t.Fatalf("%v: not in two zones", chosen)
		}
		// Without its second node, the others keep their keys.
		if chosen[0] != 2 {
			without := slices.Delete(slices.Clone(nodes), 1, 2)
			if got := ChooseNodes(without, mix(key), 1); got[0] != chosen[0] {
				t.Fatalf("key %d moved from %d to %d", key, chosen[0], got[0])
			}
		}
	}
	for id, share := range map[cairn.NodeID]float64{1: 0.25, 2: 0.5, 3: 0.25} {
		if got := float64(primaries[id]) / keys; math.Abs(got-share) > 0.02 {
			t.Errorf("node %d is the primary of %.3f, want %.3f", id, got, share)
		}
	}
	if got := ChooseNodes(nodes, 1, 9); len(got) != 3 {
		t.Errorf("%v of three nodes", got)
	}
	if got := ChooseNodes(nodes[3:], 1, 1); got != nil {
		t.Errorf("%v of none", got)
	}
}

// TestNewKeysAvoidNodesThatAreDown: by checks, and only as long as there are others.
func TestNewKeysAvoidNodesThatAreDown(t *testing.T) {
	down := map[cairn.NodeID]bool{}
	r := &replica{t: t, dir: t.TempDir()}
	r.open(Options{Down: func(id cairn.NodeID) bool { return down[id] }})
	a := testAssignment(t, cairn.SchemeHash, 4)
	a.Keyspaces[0].Replicas = 1
	r.assign(a)
	for n, test := range []struct{ failing, want []cairn.NodeID }{
		{nil, []cairn.NodeID{1, 2, 3}},
		{[]cairn.NodeID{2}, []cairn.NodeID{1, 3}},
		{[]cairn.NodeID{1, 2, 3}, []cairn.NodeID{1, 2, 3}},
	} {
		clear(down)
		for _, id := range test.failing {
			down[id] = true
		}
		got := map[cairn.NodeID]bool{}
		for i := range 200 {
			key := testKey(1000*n + i)
			r.write(put(key))
			got[r.locate(key).Nodes[0]] = true
		}
		if !slices.Equal(slices.Sorted(maps.Keys(got)), test.want) {
			t.Errorf("with %d down, keys are on %v; want %d", test.failing, got, test.want)
		}
	}
	// A key that has its node keeps it.
	clear(down)
	had := r.locate(testKey(0)).Nodes[0]
	down[had] = true
	r.write(put(testKey(0)))
	if has := r.locate(testKey(0)).Nodes[0]; has != had {
		t.Errorf("the key was on node %d, and is on %d", had, has)
	}
}

func TestAffinityKeepsNodes(t *testing.T) {
	k := &keyspace{Keyspace: cairn.Keyspace{Placement: cairn.Placement{Scheme: cairn.SchemeHash, Affinity: ":"}}}
	a, b, c := nodeHash(k, cairn.Key("user:1"), nil), nodeHash(k, cairn.Key("user:2"), nil), nodeHash(k, cairn.Key("other:1"), nil)
	if a != b || a == c {
		t.Fatal(a, b, c)
	}
}
