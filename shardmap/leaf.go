package shardmap

import (
	"bytes"
	"math/bits"

	"cairn"
)

// leaf is a run of neighbouring shards.
type leaf struct {
	rows []row
	// flat is where each shard begins, one after another, and where the last
	// one ends.
	flat []byte
	// common is how many bytes of a bound its prefix leaves out; all of these
	// bounds begin with them.
	common uint32
	// line or, where it isn't straight, samples say about where a prefix is.
	line    line
	samples *samples
}

// row is one shard, with all that a lookup needs of it besides flat: the prefix
// it is found by lies beside what is found, so that a lookup in a large Map
// waits for memory once.
type row struct {
	// prefix is of the start, the 8 bytes after the common ones.
	prefix  uint64
	id      cairn.ShardID
	cluster cairn.UID
	epoch   uint64
	// revision is the stored record's, and pinnedBit.
	revision uint64
	// offset is where in flat its start stands, and its end right after.
	offset           uint32
	startLen, endLen uint16
	move             cairn.UID
}

// pinnedBit is free because etcd's revisions are signed.
const pinnedBit = 1 << 63

func newRow(s Shard, offset int) row {
	r := row{
		id: s.ID, cluster: s.Cluster, epoch: s.Epoch, revision: s.Revision,
		offset: uint32(offset), startLen: uint16(len(s.Start)), endLen: uint16(len(s.End)), move: s.Move,
	}
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
	n := len(l.rows)
	end, longest := l.bound(n), 0
	for i := range n + 1 {
		longest = max(longest, len(l.bound(i)))
	}
	common := commonBytes(l.bound(0), end, longest)
	l.common = uint32(common)
	for i := range l.rows {
		l.rows[i].prefix = prefix(l.bound(i), common)
	}
	number := func(i int) uint64 { return l.rows[i].prefix }
	if l.line = newLine(n, number, endPrefix(end, common)); !l.line.straight() {
		l.samples = newSamples(n, number)
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

// search is the row of the shard that a key is in, which must be in one.
func (l *leaf) search(key []byte) int {
	p := prefix(key, int(l.common))
	i := l.searchPrefix(p)
	if i == 0 || l.rows[i].prefix < p {
		return i
	}
	return searchEqual(i, func(i int) bool {
		return l.rows[i].prefix < p || bytes.Compare(l.bound(i), key) <= 0
	})
}

// searchPrefix is the last row whose prefix is at or before p, or the first.
func (l *leaf) searchPrefix(p uint64) int {
	if l.samples != nil {
		return l.searchPart(p)
	}
	rows := l.rows
	i := l.line.guess(p, len(rows))
	for i > 0 && rows[i].prefix > p {
		i--
	}
	for i+1 < len(rows) && rows[i+1].prefix <= p {
		i++
	}
	return i
}

// searchPart is searchPrefix by samples. It looks at all rows of a part: their
// waits for memory pass together, those of a search by halves would not.
func (l *leaf) searchPart(p uint64) int {
	from, to := l.samples.part(p, len(l.rows))
	i := from
	for j := from + 1; j < to; j++ {
		_, after := bits.Sub64(p, l.rows[j].prefix, 0) // 1 if the row's is above p
		i += 1 - int(after)
	}
	return i
}

// rank is how many shards begin before a key, wherever that is.
func (l *leaf) rank(key []byte) int {
	return rank(key, len(l.rows), l.bound, func() int { return l.search(key) })
}

// shard is the i-th.
func (l *leaf) shard(keyspace cairn.UID, i int) Shard {
	r := &l.rows[i]
	return Shard{
		Shard:    cairn.Shard{Keyspace: keyspace, ID: r.id, Start: l.start(r), End: l.rowEnd(r), Epoch: r.epoch, Move: r.move},
		Cluster:  r.cluster,
		Pinned:   r.revision&pinnedBit != 0,
		Revision: r.revision &^ pinnedBit,
	}
}

// rowBytes is what a shard takes besides its bound.
const rowBytes = 56

func (l *leaf) bytes() int { return len(l.flat) + len(l.rows)*rowBytes }
