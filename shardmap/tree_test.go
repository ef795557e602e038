package shardmap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"cairn"
)

// checkTree checks what every tree must be: bounds that meet, one height, no
// node or leaf much over its size, and few that are small.
func checkTree(t *testing.T, root *node) {
	t.Helper()
	depths := map[int]bool{}
	var leaves, small int
	var walk func(n *node, depth int)
	walk = func(n *node, depth int) {
		pieces := len(n.children) + len(n.leaves)
		if pieces != n.pieces() || pieces == 0 || len(n.children) > 0 && len(n.leaves) > 0 {
			t.Fatalf("a node of %d pieces has %d children and %d leaves", n.pieces(), len(n.children), len(n.leaves))
		}
		if n.bytes() > 2*maxNodeBytes {
			t.Errorf("a node of %d bytes", n.bytes())
		}
		for i, c := range n.children {
			if !bytes.Equal(c.bound(0), n.bound(i)) || !bytes.Equal(c.end(), n.bound(i+1)) {
				t.Fatalf("child %d is [%x, %x) under [%x, %x)", i, c.bound(0), c.end(), n.bound(i), n.bound(i+1))
			}
			walk(c, depth+1)
		}
		for i := range n.leaves {
			l := &n.leaves[i]
			leaves++
			if l.bytes() < maxLeafBytes*minShare/4 {
				small++
			}
			if l.bytes() > 2*maxLeafBytes {
				t.Errorf("a leaf of %d bytes", l.bytes())
			}
			if !bytes.Equal(l.bound(0), n.bound(i)) || !bytes.Equal(l.bound(len(l.rows)), n.bound(i+1)) {
				t.Fatalf("leaf %d is [%x, %x) under [%x, %x)", i, l.bound(0), l.bound(len(l.rows)), n.bound(i), n.bound(i+1))
			}
			for j := range l.rows {
				if !bytes.Equal(l.rowEnd(&l.rows[j]), l.bound(j+1)) {
					t.Fatalf("row %d ends at %x, the next begins at %x", j, l.rowEnd(&l.rows[j]), l.bound(j+1))
				}
			}
			depths[depth] = true
		}
	}
	walk(root, 0)
	if len(depths) != 1 {
		t.Errorf("leaves at depths %v", depths)
	}
	if small > 1+leaves/10 {
		t.Errorf("%d of %d leaves are small", small, leaves)
	}
}

// TestTreeStaysInShape grows a table from one shard to many, and back to one,
// at random places, with short and very long bounds.
func TestTreeStaysInShape(t *testing.T) {
	for _, test := range []struct {
		name  string
		most  int
		bound func(*rand.Rand) []byte
	}{
		{"hash", 11_500, func(r *rand.Rand) []byte { return binary.BigEndian.AppendUint64(nil, r.Uint64()) }},
		{"alike", 11_500, func(r *rand.Rand) []byte { return fmt.Appendf(nil, "customers/%010d", r.IntN(1e9)) }},
		{"ascending", 11_500, func() func(r *rand.Rand) []byte {
			n := 0
			return func(*rand.Rand) []byte { n++; return fmt.Appendf(nil, "%08d", n) }
		}()},
		{"long", 1_500, func(r *rand.Rand) []byte {
			return append(bytes.Repeat([]byte{'x'}, 100+r.IntN(900)), byte(r.IntN(256)), byte(r.IntN(256)))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, 4))
			table := newTable(5, []Shard{{Shard: cairn.Shard{Keyspace: 5, ID: 1, Epoch: 1}, Cluster: 1, Revision: 1}})
			next := cairn.ShardID(2)
			for table.shards < test.most {
				at := test.bound(random)
				table = splitTable(table, at, next)
				next++
			}
			checkTree(t, table.root)
			whole, shards := table, table.all()
			for _, i := range random.Perm(len(shards) - 1) {
				table = mergeTable(t, table, shards[i+1].ID)
				if table.shards%3000 == 0 {
					checkTree(t, table.root)
				}
			}
			checkTree(t, table.root)
			if last := table.all(); len(last) != 1 || len(last[0].Start)+len(last[0].End) > 0 || len(table.root.leaves) != 1 {
				t.Errorf("%v is left, in %d leaves", last, len(table.root.leaves))
			}
			if !slices.EqualFunc(shards, whole.all(), func(a, b Shard) bool {
				return a.ID == b.ID && bytes.Equal(a.Start, b.Start) && bytes.Equal(a.End, b.End)
			}) {
				t.Error("the table before the merges has changed")
			}
		})
	}
}

func splitTable(table *table, at []byte, id cairn.ShardID) *table {
	leaf, i := table.root.find(at)
	before := leaf.shard(5, i)
	if bytes.Equal(before.Start, at) {
		return table
	}
	left, right := before, before
	left.End, right.Start, right.ID = at, at, id
	return replaceIn(table, []Shard{before}, []Shard{left, right})
}

// mergeTable gives a shard's range to the one before it.
func mergeTable(t *testing.T, table *table, id cairn.ShardID) *table {
	right, found := table.byID(id)
	if !found {
		t.Fatalf("there is no shard %d", id)
	}
	left := endingAt(table, right.Start)
	merged := left
	merged.End = right.End
	return replaceIn(table, []Shard{left, right}, []Shard{merged})
}

// endingAt is the shard that ends at a bound.
func endingAt(table *table, end []byte) Shard {
	n := table.root
	for {
		i := n.rank(end) - 1
		if n.children == nil {
			l := &n.leaves[i]
			return l.shard(table.keyspace, l.rank(end)-1)
		}
		n = n.children[i]
	}
}

func replaceIn(table *table, before, after []Shard) *table {
	at, same := cuts(before, after)
	if !same {
		panic("not the same range")
	}
	return table.replace(before, after, at)
}
