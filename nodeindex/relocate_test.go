package nodeindex

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"cairn"

	"pgregory.net/rapid"
)

// drained has all leave node 1 of testAssignment.
var drained = &cairn.Relocation{
	Leaving: []cairn.LeavingNode{{Node: 1, Share: cairn.WholeNode}},
	Targets: []cairn.Node{{ID: 2, Weight: 1, Zone: "z2"}, {ID: 3, Weight: 2, Zone: "z3"}},
}

// openRelocation has entries in the file and beside it, of two shards, of which
// entries of the second are to leave node 1.
func openRelocation(t *testing.T) (r *replica, a cairn.Assignment, m cairn.MovingShard) {
	t.Helper()
	view := cairn.View{UID: 5, Keyspace: testKeyspace, Name: "all", Version: 1, Sort: []cairn.SortField{{Attribute: 2}}}
	r, a = openReplica(t, Options{}), testAssignment(t, cairn.SchemeHash, 2)
	a.Views = []cairn.View{view}
	r.assign(a)
	for i := range 600 {
		if r.write(put(testKey(i), size(int64(i)))); i == 400 {
			r.checkpoint()
		}
	}
	s := a.Shards[1]
	return r, a, cairn.MovingShard{Move: testMove, Keyspace: testKeyspace, Shard: s.ID, Epoch: s.Epoch, Start: s.Start, End: s.End, Relocation: drained}
}

// relocate commits the move, as the map has it then.
func (r *replica) relocate(a cairn.Assignment, m cairn.MovingShard, revision uint64) cairn.Assignment {
	r.t.Helper()
	a.Revision, a.Shards = revision, slices.Clone(a.Shards)
	at := slices.IndexFunc(a.Shards, func(s cairn.Shard) bool { return s.ID == m.Shard })
	a.Shards[at].Epoch, a.Shards[at].Move = revision, m.Move
	r.assign(a)
	return a
}

func (r *replica) fence(m cairn.MovingShard, number uint64, on bool) cairn.FenceState {
	r.t.Helper()
	result := r.apply(FenceCommand(m, number, on))
	if result.Err != nil {
		r.t.Fatal(result.Err)
	}
	return result.Fence
}

// entries are all of the index's.
func (r *replica) entries() map[string]cairn.Entry {
	r.t.Helper()
	out := map[string]cairn.Entry{}
	for _, e := range r.list("", "", 10_000).Entries {
		out[string(e.Key)] = e
	}
	return out
}

// TestRelocate has entries of a shard change nodes: in one step with the epoch, and
// nothing else of them, nor anything of other shards. Watchers are told, and whoever
// restarts comes to the same.
func TestRelocate(t *testing.T) {
	r, a, m := openRelocation(t)
	before := r.entries()
	// Not known to be there: a write that comes late has its say.
	elsewhere := ""
	for key, e := range before {
		if e.Nodes[0] == 1 && r.shardOf(key) == m.Shard {
			elsewhere = key
			break
		}
	}
	w := put(elsewhere, size(-1))
	w.Nodes = []cairn.NodeID{3}
	r.write(w)
	before[elsewhere] = r.entries()[elsewhere]
	watcher, err := r.x.Watch(testKeyspace, r.index)
	if err != nil {
		t.Fatal(err)
	}
	digest := r.fence(m, 7, true).Digest
	if written := r.write(put(elsewhere)); written[0].Err == nil || written[0].Err.Reason != "SHARD_FENCED" {
		t.Fatalf("a write under the fence: %+v", written)
	}
	a = r.relocate(a, m, 20)
	leaving := 0
	check := func(what string) {
		t.Helper()
		leaving = 0
		after := r.entries()
		for key, was := range before {
			is := after[key]
			want := was.Nodes
			if r.shardOf(key) == m.Shard && slices.Contains(was.Nodes, 1) {
				leaving++
				want = relocated(drained, nodeHash(r.x.state.Load().keyspaces[testKeyspace], cairn.Key(key), nil), was.Nodes)
				if slices.Contains(want, 1) || len(want) != 2 || want[0] == want[1] {
					t.Fatalf("%s goes from %d to %d", key, was.Nodes, want)
				}
			}
			if !slices.Equal(is.Nodes, want) || is.Version != was.Version || !slices.Equal(is.Attributes, was.Attributes) {
				t.Fatalf("%s: %s was %+v and is %+v; wanted nodes %d", what, key, was, is, want)
			}
			if found := r.locate(key); !slices.Equal(found.Nodes, want) {
				t.Fatalf("%s: %s is located at %d, not %d", what, key, found.Nodes, want)
			}
		}
		status := r.x.Status()
		if on := status.Shards[1].NodeEntries; on[1] != 0 || len(after) != len(before) {
			t.Errorf("%s: node 1 has %d of %d entries", what, on[1], len(after))
		}
	}
	check("at once")
	if leaving < 50 {
		t.Fatalf("only %d entries were to leave", leaving)
	}
	batch, err := watcher.Poll()
	if err != nil || len(batch.Changes) != leaving {
		t.Fatalf("%d changes of %d are told, %v", len(batch.Changes), leaving, err)
	}
	for _, c := range batch.Changes {
		if c.Stamp != (cairn.Stamp{Epoch: 20, Index: r.index}) || !slices.Contains(c.Before.Nodes, 1) || slices.Contains(c.After.Nodes, 1) || c.Before.Version != c.After.Version {
			t.Fatalf("%+v", c)
		}
	}
	s := a.Shards[1]
	state, _, err := r.x.Fence(cairn.MovingShard{Keyspace: testKeyspace, Shard: s.ID, Epoch: 20, Start: s.Start, End: s.End})
	if err != nil || state.On || state.Digest != digest {
		t.Errorf("%+v, %v; the digest was %+v", state, err, digest)
	}
	if written := r.write(put(elsewhere, size(7))); written[0].Err != nil {
		t.Fatal(written[0].Err)
	}
	before[elsewhere] = r.entries()[elsewhere]
	r.checkpoint()
	check("after a checkpoint")
	r.close()
	r.open(Options{})
	check("after a restart")
}

// shardOf is the shard of a key.
func (r *replica) shardOf(key string) cairn.ShardID {
	return r.x.state.Load().keyspaces[testKeyspace].locate(cairn.Key(key), make([]byte, 0, 16)).ID
}

// TestRelocateReplays has a replica with the fence in its file carry the relocation out,
// with the same effects as one that had it in memory.
func TestRelocateReplays(t *testing.T) {
	one, a, m := openRelocation(t)
	other, _, _ := openRelocation(t)
	for _, r := range []*replica{one, other} {
		r.fence(m, 7, true)
	}
	other.checkpoint()
	other.close()
	other.open(Options{})
	for _, r := range []*replica{one, other} {
		r.relocate(a, m, 20)
	}
	if !maps.EqualFunc(one.entries(), other.entries(), func(a, b cairn.Entry) bool { return slices.Equal(a.Nodes, b.Nodes) && a.Version == b.Version }) {
		t.Error("they have different entries")
	}
	if one.x.effects.digest != other.x.effects.digest {
		t.Error("their digests differ")
	}
}

// TestRelocateWithoutFence: where the fence was lifted, or is another move's, nothing
// changes nodes, and the shard is not served in an epoch of which it lacks them.
func TestRelocateWithoutFence(t *testing.T) {
	for what, prepare := range map[string]func(r *replica, m cairn.MovingShard){
		"never fenced": func(*replica, cairn.MovingShard) {},
		"lifted": func(r *replica, m cairn.MovingShard) {
			r.fence(m, 7, true)
			r.fence(m, 7, false)
		},
		"another's": func(r *replica, m cairn.MovingShard) {
			m.Move++
			r.fence(m, 7, true)
		},
	} {
		t.Run(what, func(t *testing.T) {
			r, a, m := openRelocation(t)
			prepare(r, m)
			r.relocate(a, m, 20)
			if withheld := r.x.Withheld(); len(withheld) != 1 || withheld[0].Shard != m.Shard {
				t.Errorf("withheld: %+v", withheld)
			}
		})
	}
}

// TestRelocatedKeys asks which keys leave: of a copy those, of a tail all.
func TestRelocatedKeys(t *testing.T) {
	r, _, m := openRelocation(t)
	r.checkpoint()
	part, err := r.x.CopyShard(m, nil)
	if err != nil || !part.Done {
		t.Fatal(part.Done, err)
	}
	keys, err := r.x.MovedKeys(m, part.Data)
	if err != nil {
		t.Fatal(err)
	}
	all := r.entries()
	want := 0
	for key, e := range all {
		if r.shardOf(key) == m.Shard && slices.Contains(e.Nodes, 1) {
			want++
		}
	}
	if len(keys) != want {
		t.Errorf("%d keys of %d", len(keys), want)
	}
	for _, k := range keys {
		if !slices.Contains(k.From, 1) || slices.Contains(k.To, 1) || !slices.Equal(k.From, all[string(k.Key)].Nodes) {
			t.Fatalf("%+v", k)
		}
	}
	w := put(string(keys[0].Key))
	w.Nodes = []cairn.NodeID{2, 3}
	r.write(w, remove(string(keys[1].Key)))
	tail, err := r.x.TailShard(m, part.Index)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := r.x.MovedKeys(m, tail.Data)
	if err != nil || len(changed) != 2 || !slices.Equal(changed[0].To, w.Nodes) || !slices.Equal(changed[0].From, w.Nodes) || !changed[1].Gone {
		t.Errorf("%+v, %v", changed, err)
	}
}

// TestRelocated holds what the choice of nodes promises, for any rule and any entry.
func TestRelocated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const nodes = 6
		leaving := rapid.SliceOfNDistinct(rapid.Uint32Range(1, nodes), 1, 3, rapid.ID).Draw(t, "leaving")
		slices.Sort(leaving)
		r := &cairn.Relocation{Seed: rapid.Uint64Range(0, 3).Draw(t, "seed")}
		for _, id := range leaving {
			share := rapid.SampledFrom([]uint32{cairn.WholeNode, cairn.WholeNode / 2, 1}).Draw(t, "share")
			r.Leaving = append(r.Leaving, cairn.LeavingNode{Node: cairn.NodeID(id), Share: share})
		}
		for id := uint32(1); id <= nodes; id++ {
			if !slices.Contains(leaving, id) && rapid.Bool().Draw(t, "target") {
				r.Targets = append(r.Targets, cairn.Node{ID: cairn.NodeID(id), Weight: 1 + id, Zone: fmt.Sprint(id % 3)})
				if r.Instead == 0 && rapid.Bool().Draw(t, "instead") {
					r.Instead = cairn.NodeID(id)
				}
			}
		}
		var has []cairn.NodeID
		for _, id := range rapid.SliceOfNDistinct(rapid.Uint32Range(1, nodes), 1, 3, rapid.ID).Draw(t, "has") {
			has = append(has, cairn.NodeID(id))
		}
		hash := rapid.Uint64().Draw(t, "hash")
		out := relocated(r, hash, has)
		if len(out) != len(has) {
			t.Fatalf("%d became %d", has, out)
		}
		free := 0 // targets that the entry was not on
		for _, n := range r.Targets {
			if !slices.Contains(has, n.ID) {
				free++
			}
		}
		for i, id := range out {
			target := slices.ContainsFunc(r.Targets, func(n cairn.Node) bool { return n.ID == id })
			switch {
			case slices.Contains(out[:i], id):
				t.Fatalf("%d became %d, a node twice", has, out)
			case id == has[i]:
				for _, each := range r.Leaving {
					if each.Node == id && each.Share == cairn.WholeNode && free >= len(has) {
						t.Fatalf("%d became %d and stayed on %d", has, out, id)
					}
				}
			case !target || !slices.Contains(leaving, uint32(has[i])):
				t.Fatalf("%d became %d by %+v", has, out, r)
			}
		}
		if again := relocated(r, hash, out); r.Seed == 0 && free >= len(has) && !slices.Equal(again, out) {
			t.Fatalf("%d became %d, and again %d", has, out, again)
		}
	})
}

// TestRelocatedEvenly has targets get entries by weight, and as many leave as asked.
func TestRelocatedEvenly(t *testing.T) {
	r := &cairn.Relocation{
		Leaving: []cairn.LeavingNode{{Node: 1, Share: cairn.WholeNode / 4}},
		Targets: []cairn.Node{{ID: 2, Weight: 1}, {ID: 3, Weight: 3}}, Seed: 9,
	}
	const entries = 100_000
	got := map[cairn.NodeID]int{}
	for i := range uint64(entries) {
		got[relocated(r, mix(i), []cairn.NodeID{1})[0]]++
	}
	for id, want := range map[cairn.NodeID]int{1: entries * 3 / 4, 2: entries / 16, 3: entries * 3 / 16} {
		if off := float64(got[id])/float64(want) - 1; off < -0.05 || off > 0.05 {
			t.Errorf("node %d has %d, not about %d", id, got[id], want)
		}
	}
}
