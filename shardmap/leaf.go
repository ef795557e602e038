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
	// common is how many bytes all of these bounds begin with.
	common uint32
}

// row is one shard, with all that a lookup needs of it besides flat.
type row struct {
	id      cairn.ShardID
	cluster cairn.UID
	epoch   uint64
	// revision is the stored record's, and pinnedBit.
	revision uint64
	// offset is where in flat its start stands, and its end right after.
	offset           uint32
	startLen, endLen uint16
}

// pinnedBit is free because etcd's revisions are signed.
const pinnedBit = 1 << 63

func newRow(s Shard, offset int) row {
	r := row{s.ID, s.Cluster, s.Epoch, s.Revision, uint32(offset), uint16(len(s.Start)), uint16(len(s.End))}
	if s.Pinned {
		r.revision |= pinnedBit
	}
	return r
}

// newLeaf copies shards in placement order.
func newLeaf(shards []Shard) leaf {
	n, size := len(shards), len(shards[len(shards)-1].End)
	for _, s := range shards {
		size += len(s.Start)
	}
	l := leaf{rows: make([]row, n), flat: make([]byte, 0, size)}
	for i, s := range shards {
		l.rows[i] = newRow(s, len(l.flat))
		l.flat = append(l.flat, s.Start...)
	}
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
	out := leaf{rows: make([]row, 0, n), flat: make([]byte, 0, size+len(end))}
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
	last := &l.rows[i-1]
	return last.offset + uint32(last.startLen)
}

// bound is the i-th, of one more than rows.
func (l *leaf) bound(i int) []byte {
	if i < len(l.rows) {
		return l.start(&l.rows[i])
	}
	return l.rowEnd(&l.rows[i-1])
}

func (l *leaf) start(r *row) []byte {
	to := r.offset + uint32(r.startLen)
	return l.flat[r.offset:to:to]
}

func (l *leaf) rowEnd(r *row) []byte {
	from := r.offset + uint32(r.startLen)
	to := from + uint32(r.endLen)
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
		Shard:    cairn.Shard{Keyspace: keyspace, ID: r.id, Start: l.start(r), End: l.rowEnd(r), Epoch: r.epoch},
		Cluster:  r.cluster,
		Pinned:   r.revision&pinnedBit != 0,
		Revision: r.revision &^ pinnedBit,
	}
}

// rowBytes is what a shard takes besides its bound.
const rowBytes = 8 + 40

func (l *leaf) bytes() int { return len(l.flat) + len(l.rows)*rowBytes }
