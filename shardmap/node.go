package shardmap

import (
	"cairn"
)

// node is a part of a keyspace's tree of shards. Those of the lowest level
// hold leaves, by value so that a lookup finds them without a further step,
// the others nodes of the level below. Nodes are immutable: a change makes new
// ones along its path and shares the rest.
type node struct {
	bounds
	children []*node
	leaves   []leaf
}

// Sizes of leaves and nodes, in about bytes. Small ones make changes cheap;
// large leaves make fewer of them, so that all nodes stay in the processor's
// cache.
const (
	maxLeafBytes = 16 << 10
	maxNodeBytes = 8 << 10
	// fillShare of the most, in quarters, is filled at loading, to leave room
	// for splits; what falls below minShare is joined with a neighbour.
	fillShare = 3
	minShare  = 1

	childBytes = 8 + 4 + 8 // what a child takes in a node besides its bound
	leafBytes  = 8 + 4 + 80
)

// find is the leaf and the row of the shard that a placement key is in.
//
// Where all columns along its way lie on lines it takes so few instructions,
// none of them a branch that goes wrong, that the processor begins the next
// lookup while it waits for the row of this one.
func (n *node) find(placementKey []byte) (*leaf, int) {
	p := prefix(placementKey, 0)
	for {
		i, found := n.interpolate(p)
		if !found {
			i = n.search(placementKey)
		}
		if n.children == nil {
			l := &n.leaves[i]
			return l, l.search(placementKey)
		}
		n = n.children[i]
	}
}

// each yields the shards from the one that start is in, and tells whether to
// go on.
func (n *node) each(keyspace cairn.UID, start []byte, yield func(Shard) bool) bool {
	for i := n.place(start); i < n.pieces(); i++ {
		if n.children != nil {
			if !n.children[i].each(keyspace, start, yield) {
				return false
			}
			continue
		}
		l := &n.leaves[i]
		for row := place(start, len(l.rows), l.bound, l.rank); row < len(l.rows); row++ {
			if !yield(l.shard(keyspace, row)) {
				return false
			}
		}
	}
	return true
}

// place is the piece that a key is in, or the first or the last if it is
// before or after all of them.
func (n *node) place(key []byte) int { return place(key, n.pieces(), n.bound, n.rank) }

func place(key []byte, n int, bound func(int) []byte, rank func([]byte) int) int {
	i := rank(key)
	if i == n || i > 0 && string(bound(i)) != string(key) {
		i--
	}
	return i
}

func (n *node) bytes() int {
	return len(n.flat) + len(n.children)*childBytes + len(n.leaves)*leafBytes
}

func newInner(children []*node) *node {
	return &node{
		bounds:   newBounds(len(children), func(i int) []byte { return children[i].bound(0) }, children[len(children)-1].end()),
		children: append(make([]*node, 0, len(children)), children...),
	}
}

func newLowest(leaves []leaf) *node {
	last := &leaves[len(leaves)-1]
	return &node{
		bounds: newBounds(len(leaves), func(i int) []byte { return leaves[i].bound(0) }, last.bound(len(last.rows))),
		leaves: append(make([]leaf, 0, len(leaves)), leaves...),
	}
}

// newTree makes a tree of shards in placement order.
func newTree(shards []Shard) *node {
	var leaves []leaf
	divide(len(shards), maxLeafBytes*fillShare/4, func(i int) int { return rowBytes + len(shards[i].Start) }, func(first, last int) {
		leaves = append(leaves, newLeaf(shards[first:last]))
	})
	return root(lowest(leaves, maxNodeBytes*fillShare/4))
}

// lowest divides leaves over nodes of at most about so many bytes.
func lowest(leaves []leaf, most int) []*node {
	var nodes []*node
	divide(len(leaves), most, func(i int) int { return leafBytes + len(leaves[i].bound(0)) }, func(first, last int) {
		nodes = append(nodes, newLowest(leaves[first:last]))
	})
	return nodes
}

// inners divides nodes of one level over nodes of the next.
func inners(children []*node, most int) []*node {
	var nodes []*node
	divide(len(children), most, func(i int) int { return childBytes + len(children[i].bound(0)) }, func(first, last int) {
		nodes = append(nodes, newInner(children[first:last]))
	})
	return nodes
}

// root joins nodes of one level under one.
func root(nodes []*node) *node {
	for len(nodes) > 1 {
		nodes = inners(nodes, maxNodeBytes)
	}
	top := nodes[0]
	for len(top.children) == 1 {
		top = top.children[0]
	}
	return top
}

// divide cuts n items into as few runs as their sizes allow, of about equal
// size each.
func divide(n, most int, size func(int) int, run func(first, last int)) {
	total := 0
	for i := range n {
		total += size(i)
	}
	pieces := (total + most - 1) / most
	done, first, made := 0, 0, 0
	for i := range n {
		done += size(i)
		if done*pieces >= total*(made+1) {
			run(first, i+1)
			first = i + 1
			made++
		}
	}
}
