package nodeindex

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"cairn"
	"cairn/shardmap/placement"
)

// relocated are the nodes of an entry whose key has a hash (see nodeHash) after a
// relocation; the very nodes that it has where it leaves none of them.
func relocated(r *cairn.Relocation, hash uint64, nodes []cairn.NodeID) []cairn.NodeID {
	if r.Seed != 0 {
		hash = mix(hash ^ r.Seed)
	}
	var out []cairn.NodeID
	for at, id := range nodes {
		if !leaves(r, hash, id) {
			continue
		}
		if out == nil {
			out = slices.Clone(nodes)
		}
		out[at] = replacement(r, hash, out, at)
	}
	if out == nil || slices.Equal(out, nodes) {
		return nodes
	}
	return out
}

// leaves tells whether the entry of a hash leaves a node.
func leaves(r *cairn.Relocation, hash uint64, id cairn.NodeID) bool {
	for _, each := range r.Leaving {
		if each.Node == id {
			return uint32(mix(hash^mix(^uint64(id)))>>48) < each.Share
		}
	}
	return false
}

// replacement is the node that takes the place at a position of an entry's nodes: one
// that the entry is not on, in another zone than the others if there is one; the node
// that is there if none is left.
func replacement(r *cairn.Relocation, hash uint64, nodes []cairn.NodeID, at int) cairn.NodeID {
	if r.Instead != 0 && !slices.Contains(nodes, r.Instead) {
		return r.Instead
	}
	var free, elsewhere []cairn.Node
	var zones []string
	for i, id := range nodes {
		if known := slices.IndexFunc(r.Targets, func(n cairn.Node) bool { return n.ID == id }); known >= 0 && i != at {
			zones = append(zones, r.Targets[known].Zone)
		}
	}
	for _, n := range r.Targets {
		if slices.Contains(nodes, n.ID) {
			continue
		}
		n.State = cairn.NodeActive
		if free = append(free, n); !slices.Contains(zones, n.Zone) {
			elsewhere = append(elsewhere, n)
		}
	}
	for _, some := range [][]cairn.Node{elsewhere, free} {
		if chosen := ChooseNodes(some, hash, 1); len(chosen) > 0 {
			return chosen[0]
		}
	}
	return nodes[at]
}

// relocates tells whether a fence of a move stands with a relocation: if the move is
// committed, that is carried out.
func (f *fences) relocates(move cairn.UID) *cairn.Relocation {
	if last := f.of(move); last.on {
		return last.relocation
	}
	return nil
}

// relocate gives the entries of a shard other nodes, as the relocation says by which
// the shard has got its epoch. The shard was fenced, so they are what the data mover
// was told. Nobody sees one of them before the epoch; versions stay.
func (t *transfer) relocate(s *shard, r *cairn.Relocation) {
	type leaving struct {
		key   cairn.Key
		nodes []cairn.NodeID
	}
	var all []leaving
	k := t.view.keyspace
	var buffer [placement.HashLength]byte
	t.view.visit(s, func(key []byte, _ uint32, nodes []cairn.NodeID) {
		if after := relocated(r, nodeHash(k, key, buffer[:0]), nodes); !slices.Equal(after, nodes) {
			all = append(all, leaving{slices.Clone(key), after})
		}
	})
	slices.SortFunc(all, func(a, b leaving) int { return bytes.Compare(a.key, b.key) }) // all replicas in one order
	a := applier{
		x: t.x, state: t.x.state.Load(), reader: t.view.reader, index: t.index, view: t.view, project: t.project,
		time:  time.UnixMicro(t.x.requests.clock).UTC(),
		items: make([]item, 0, len(all)),
	}
	for _, each := range all {
		before, ordinal := a.find(each.key)
		if before == nil {
			panic(corrupt("ENTRY_MISSING", "the entry of key %s is not where its shard's list has it", each.key))
		}
		s.countNodes(before.Nodes, ^uint64(0))
		s.countNodes(each.nodes, 1)
		entry := cairn.Entry{Key: each.key, Nodes: each.nodes, Attributes: before.Attributes, Version: before.Version}
		a.note(s, before, a.keep(k, s.population, before, item{entry: entry, ordinal: ordinal, staged: true}))
	}
	t.changes = append(t.changes, a.changes...)
	if t.project != nil && len(all) > 0 {
		t.project.Touched()
	}
}

func appendRelocation(out []byte, r *cairn.Relocation) []byte {
	out = binary.AppendUvarint(out, uint64(len(r.Leaving)))
	for _, each := range r.Leaving {
		out = binary.AppendUvarint(binary.AppendUvarint(out, uint64(each.Node)), uint64(each.Share))
	}
	out = binary.AppendUvarint(out, uint64(r.Instead))
	out = binary.AppendUvarint(out, uint64(len(r.Targets)))
	for i := range r.Targets {
		n := &r.Targets[i]
		out = binary.AppendUvarint(binary.AppendUvarint(out, uint64(n.ID)), uint64(n.Weight))
		out = appendBytes(out, []byte(n.Zone))
	}
	return binary.BigEndian.AppendUint64(out, r.Seed)
}

// relocation reads what appendRelocation writes.
func (d *decoder) relocation() *cairn.Relocation {
	r := new(cairn.Relocation)
	for range d.count(2) {
		r.Leaving = append(r.Leaving, cairn.LeavingNode{Node: cairn.NodeID(d.number(1<<32 - 1)), Share: uint32(d.number(cairn.WholeNode))})
	}
	r.Instead = cairn.NodeID(d.number(1<<32 - 1))
	for range d.count(3) {
		r.Targets = append(r.Targets, cairn.Node{ID: cairn.NodeID(d.number(1<<32 - 1)), Weight: uint32(d.number(1<<32 - 1)), Zone: string(d.bytes())})
	}
	r.Seed = d.uint64()
	return r
}
