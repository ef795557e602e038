package nodeindex

import (
	"encoding/binary"
	"slices"

	"cairn"
	"cairn/shardmap/placement"
)

// choice is the nodes for the entries of a piece: few lists, and which of them
// each entry gets, if it is new or the nodes are given.
type choice struct {
	lists [][]cairn.NodeID
	of    []int
}

// chooseFor chooses nodes for a piece's entries: those given in place of the nodes
// that they had, and for the rest by the placement policy.
func (a *assignment) chooseFor(k *keyspace, p *piece, given map[cairn.NodeID]cairn.NodeID) (choice, error) {
	var c choice
	for i := range p.changes {
		if p.changes[i].deleted {
			continue
		}
		nodes, err := a.stagedNodes(k, &p.changes[i].Entry, given)
		if err != nil {
			return c, err
		}
		at := slices.IndexFunc(c.lists, func(list []cairn.NodeID) bool { return slices.Equal(list, nodes) })
		if at < 0 {
			at = len(c.lists)
			c.lists = append(c.lists, nodes)
		}
		c.of = append(c.of, at)
	}
	return c, nil
}

// stagedNodes are the nodes for one entry: each given one in the place of the one
// that it had, and the policy's in the places that are left.
func (a *assignment) stagedNodes(k *keyspace, e *cairn.Entry, given map[cairn.NodeID]cairn.NodeID) ([]cairn.NodeID, error) {
	count := min(max(k.Replicas, 1), cairn.MaxReplicas)
	var buffer [placement.HashLength]byte
	hash := nodeHash(k, e.Key, buffer[:0])
	if !slices.ContainsFunc(e.Nodes, func(id cairn.NodeID) bool { return given[id] != 0 }) {
		nodes := ChooseNodes(a.nodes, hash, count)
		if len(nodes) == 0 {
			return nil, errNoNode
		}
		return nodes, nil
	}
	nodes := make([]cairn.NodeID, len(e.Nodes)) // 0 is a place that is left
	for at, id := range e.Nodes {
		next := given[id]
		if next == 0 || slices.Contains(nodes, next) {
			continue
		}
		if n := a.node(next); n == nil || n.State != cairn.NodeActive {
			return nil, cairn.Errorf(cairn.KindPrecondition, "NODE_NOT_ACTIVE", "node %d is to take the place of %d, and is not active", next, id)
		}
		nodes[at] = next
	}
	for _, id := range ChooseNodes(a.nodes, hash, cairn.MaxReplicas) {
		if left := slices.Index(nodes, 0); left >= 0 && !slices.Contains(nodes, id) {
			nodes[left] = id
		}
	}
	return slices.DeleteFunc(nodes, func(id cairn.NodeID) bool { return id == 0 }), nil
}

func (c *choice) append(out []byte) []byte {
	out = binary.AppendUvarint(out, uint64(len(c.lists)))
	for _, list := range c.lists {
		out = appendNodes(binary.AppendUvarint(out, uint64(len(list))), list)
	}
	out = binary.AppendUvarint(out, uint64(len(c.of)))
	for _, at := range c.of {
		out = binary.AppendUvarint(out, uint64(at))
	}
	return out
}

func (d *decoder) choice() (c choice) {
	for range d.count(2) {
		list := make([]cairn.NodeID, d.count(1))
		for i := range list {
			list[i] = cairn.NodeID(d.number(1<<32 - 1))
		}
		c.lists = append(c.lists, list)
	}
	if len(c.lists) == 0 {
		d.number(0)
		return c
	}
	for range d.count(1) {
		c.of = append(c.of, int(d.number(uint64(len(c.lists)-1))))
	}
	return c
}
