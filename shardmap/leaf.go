package shardmap

import (
	"bytes"
	"math"

	"cairn"
)

// leaf is a run of neighbouring shards.
type leaf struct {
	// prefixes are of the starts, the 8 bytes after the common ones.
	prefixes []uint64
	rows     []row
	// flat is where each shard begins, one after another, and where the last
	// one ends.
	flat []byte
	// end is where in flat that end stands.
	end uint32
	// common is how many bytes all of these bounds begin with.
	common uint32
}

// row is one shard.
type row struct {
	id       cairn.ShardID
	cluster  cairn.UID
	epoch    uint64
	revision uint64
	// offset is where in flat its start stands.
	offset uint32
	pinned bool
}

// newLeaf copies shards in placement order.
func newLeaf(shards []Shard) leaf {
	n, size := len(shards), len(shards[len(shards)-1].End)
	for _, s := range shards {
		size += len(s.Start)
	}
	l := leaf{rows: make([]row, n), flat: make([]byte, 0, size)}
	for i, s := range shards {
		l.rows[i] = row{id: s.ID, cluster: s.Cluster, epoch: s.Epoch, revision: s.Revision, offset: uint32(len(l.flat)), pinned: s.Pinned}
		l.flat = append(l.flat, s.Start...)
	}
	l.end = uint32(len(l.flat))
	l.flat = append(l.flat, shards[n-1].End...)
	l.setPrefixes()
	return l
}

// part is a run of a leaf's shards: rows[first:last].
type part struct {
	leaf        *leaf
	first, last int
}

// joinParts makes one leaf of the shards of parts, each of which begins where
// the one before ends. At least one has a shard.
func joinParts(parts ...part) leaf {
	var n, size int
	var end []byte
	for _, p := range parts {
		if p.first < p.last {
			n += p.last - p.first
			size += int(p.leaf.offset(p.last) - p.leaf.offset(p.first))
			end = p.leaf.bound(p.last)
		}
	}
	out := leaf{rows: make([]row, 0, n), flat: make([]byte, 0, size+len(end)), end: uint32(size)}
	for _, p := range parts {
		from := p.leaf.offset(p.first)
		for _, r := range p.leaf.rows[p.first:p.last] {
			r.offset += uint32(len(out.flat)) - from
			out.rows = append(out.rows, r)
		}
		out.flat = append(out.flat, p.leaf.flat[from:p.leaf.offset(p.last)]...)
	}
	out.flat = append(out.flat, end...)
	out.setPrefixes()
	return out
}

// setPrefixes is the last step of making a leaf.
func (l *leaf) setPrefixes() {
	common := commonLength(l.bound(0), l.bound(len(l.rows)))
	l.common = uint32(common)
	l.prefixes = make([]uint64, len(l.rows))
	for i := range l.rows {
		l.prefixes[i] = prefix(l.bound(i)[common:])
	}
}

// offset is where in flat the i-th bound stands, of one more than rows.
func (l *leaf) offset(i int) uint32 {
	if i < len(l.rows) {
		return l.rows[i].offset
	}
	return l.end
}

// bound is the i-th, of one more than rows.
func (l *leaf) bound(i int) []byte {
	if i >= len(l.rows) {
		return l.flat[l.end:len(l.flat):len(l.flat)]
	}
	from, to := l.rows[i].offset, l.offset(i+1)
	return l.flat[from:to:to]
}

// search is the row of the shard that a key is in, which must be in one. It
// begins at a guess, which the shards of an even keyspace make right.
func (l *leaf) search(key []byte, guess int) int {
	key = key[l.common:]
	p := prefix(key)
	i := searchFrom(l.prefixes, p, guess)
	if i == 0 || l.prefixes[i] < p {
		return i
	}
	return searchEqual(i, func(i int) bool {
		return l.prefixes[i] < p || bytes.Compare(l.bound(i)[l.common:], key) <= 0
	})
}

// nearby is how far from a guess to look one by one, which costs one
// mispredicted branch where halving costs one a step.
const nearby = 16

// searchFrom is the last of ascending numbers that is at or before p, or the
// first if none is.
func searchFrom(numbers []uint64, p uint64, guess int) int {
	if numbers[guess] <= p {
		stop := min(guess+nearby, len(numbers)-1)
		for guess < stop && numbers[guess+1] <= p {
			guess++
		}
		if guess < stop || stop == len(numbers)-1 {
			return guess
		}
		return guess + searchEvenly(numbers[guess:], p)
	}
	stop := max(guess-nearby, 0)
	for guess > stop && numbers[guess] > p {
		guess--
	}
	if guess > stop || numbers[guess] <= p {
		return guess
	}
	return searchEvenly(numbers[:guess+1], p)
}

// guess is which of n rows a prefix would be in if they were even between two
// others.
func guess(n int, p, low, high uint64) int {
	if p <= low || high <= low {
		return 0
	}
	share := float64(p-low) / float64(high-low)
	return int(math.Min(share*float64(n), float64(n-1)))
}

// rank is how many shards begin before a key, wherever that is.
func (l *leaf) rank(key []byte) int {
	return rank(key, len(l.rows), l.bound, func() int { return l.search(key, len(l.rows)/2) })
}

// shard is the i-th.
func (l *leaf) shard(keyspace cairn.UID, i int) Shard {
	r := &l.rows[i]
	return Shard{
		Shard:    cairn.Shard{Keyspace: keyspace, ID: r.id, Start: l.bound(i), End: l.bound(i + 1), Epoch: r.epoch},
		Cluster:  r.cluster,
		Pinned:   r.pinned,
		Revision: r.revision,
	}
}

// rowBytes is what a shard takes besides its bound.
const rowBytes = 8 + 40

func (l *leaf) bytes() int { return len(l.flat) + len(l.rows)*rowBytes }
