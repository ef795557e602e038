package shardmap

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"cairn"
)

// numbersOf are ascending numbers of one kind and the one after them.
func numbersOf(random *rand.Rand, kind string) ([]uint64, uint64) {
	numbers := make([]uint64, 1+random.IntN(100))
	for i := range numbers {
		switch kind {
		case "even":
			numbers[i] = uint64(i) * (math.MaxUint64 / uint64(len(numbers)))
		case "few":
			numbers[i] = uint64(random.IntN(200))
		case "spread":
			numbers[i] = random.Uint64()
		}
	}
	slices.Sort(numbers)
	if kind == "few" {
		return numbers, 220
	}
	return numbers, math.MaxUint64
}

// TestSearches compares the searches in a column, by halves, by a line and by
// samples, with one by hand.
func TestSearches(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	lines := map[string]int{}
	for _, kind := range []string{"even", "few", "spread"} {
		for range 2000 {
			numbers, end := numbersOf(random, kind)
			n := len(numbers)
			number := func(i int) uint64 { return numbers[i] }
			p, want := numbers[0]+random.Uint64N(end-numbers[0])+1, 0
			for i, n := range numbers {
				if n <= p {
					want = i
				}
			}
			if got := searchEvenly(numbers, p); got != want {
				t.Fatalf("%d evenly in %v: %d; want %d", p, numbers, got, want)
			}
			l := leaf{rows: make([]row, n), line: newLine(n, number, end)}
			for i := range l.rows {
				l.rows[i].prefix = numbers[i]
			}
			if l.line.straight() {
				lines[kind]++
				if got := l.searchPrefix(p); got != want {
					t.Fatalf("%d by a line through %v: %d; want %d", p, numbers, got, want)
				}
			}
			l.samples = newSamples(n, number)
			if got := l.searchPrefix(p); got != want {
				t.Fatalf("%d by samples of %v: %d; want %d", p, numbers, got, want)
			}
		}
	}
	if lines["even"] != 2000 || lines["few"]+lines["spread"] > 2000 {
		t.Errorf("of 2000 columns each, there are lines through %v", lines)
	}
}

// TestEvenKeyspaceLiesOnLines is what makes lookups with hash placement quick.
func TestEvenKeyspaceLiesOnLines(t *testing.T) {
	shards := make([]Shard, 100_000)
	for i := range shards {
		shards[i] = Shard{Shard: cairn.Shard{ID: cairn.ShardID(i + 1)}, Cluster: 1}
		if i > 0 {
			shards[i].Start = binary.BigEndian.AppendUint64(nil, uint64(i)*(math.MaxUint64/uint64(len(shards))))
			shards[i-1].End = shards[i].Start
		}
	}
	var walk func(n *node)
	walk = func(n *node) {
		if !n.line.straight() {
			t.Errorf("a node of %d pieces from %x lies on no line", n.pieces(), n.bound(0))
		}
		for i := range n.leaves {
			if !n.leaves[i].line.straight() {
				t.Errorf("a leaf of %d rows from %x lies on no line", len(n.leaves[i].rows), n.bound(i))
			}
		}
		for _, child := range n.children {
			walk(child)
		}
	}
	walk(newTree(shards))
}
