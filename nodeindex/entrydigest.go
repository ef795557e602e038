package nodeindex

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cespare/xxhash/v2"

	"cairn"
)

// Each population keeps the digest of its entries, which is the same wherever
// they are: a sum of hashes, so that one that comes is added, one that goes is
// taken away, and a split needs to read the smaller parts only.

func (p *population) digest() cairn.Digest { return cairn.Digest{Entries: p.entries(), Sum: p.sum} }

// entryHasher hashes entries. It is for one goroutine.
type entryHasher struct{ buffer []byte }

// hash is an entry's part of a digest, 0 for nil.
func (h *entryHasher) hash(e *cairn.Entry) uint64 {
	if e == nil {
		return 0
	}
	h.buffer = appendVersion(h.buffer[:0], e.Version)
	h.buffer = appendBytes(h.buffer, e.Key)
	h.buffer = append(h.buffer, e.Attributes...)
	return xxhash.Sum64(h.buffer)
}

// share is a part of what a shard held.
type share struct {
	to       *population // nil: it has departed
	ordinals *roaring.Bitmap
}

// shareSum gives the sum of a shard's digest to those who share its entries.
func (v *view) shareSum(sum uint64, shares []share) {
	if len(shares) == 0 {
		return
	}
	slices.SortFunc(shares, func(a, b share) int {
		return int(int64(b.ordinals.GetCardinality()) - int64(a.ordinals.GetCardinality()))
	})
	for _, each := range shares[1:] {
		part := v.sumOf(each.ordinals)
		sum -= part
		if each.to != nil {
			each.to.sum += part
		}
	}
	if shares[0].to != nil {
		shares[0].to.sum += sum
	}
}

// sumOf is the sum of the digest of some ordinals' entries. It panics where one
// is missing.
func (v *view) sumOf(ordinals *roaring.Bitmap) (sum uint64) {
	var h entryHasher
	v.eachEntry(ordinals, func(_ uint32, e *cairn.Entry) { sum += h.hash(e) })
	return sum
}

// eachEntry calls back with the key, version and attributes of some ordinals'
// entries, each once. What it hands out is good during the call. It panics where
// one is missing.
func (v *view) eachEntry(ordinals *roaring.Bitmap, each func(ordinal uint32, e *cairn.Entry)) {
	rest := ordinals.Clone()
	visit := func(t *table) {
		for i := range t.all {
			// Newest first, as in visitOverlays.
			if !i.deleted && rest.CheckedRemove(i.ordinal) {
				each(i.ordinal, &i.entry)
			}
		}
	}
	for _, t := range v.tables {
		if t != nil {
			visit(t)
		}
	}
	for _, t := range v.more {
		visit(t)
	}
	for it := rest.Iterator(); it.HasNext(); {
		ordinal := it.Next()
		found, ok := v.reader.records.find(ordinal)
		if !ok {
			panic(corrupt("RECORD_MISSING", "ordinal %d has no record", ordinal))
		}
		each(ordinal, &cairn.Entry{Key: found.key, Version: found.version, Attributes: found.attributes})
	}
}
