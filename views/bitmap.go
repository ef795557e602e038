package views

import (
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"
)

// maxChanges is how many changes a bitmap keeps beside its base before it
// works them in. More make working in cheaper a change, and reading dearer.
const maxChanges = 128

// bitmap is a set of ordinals. Between two snapshots a change costs what the
// container costs that it is in; the first changes after a snapshot are noted
// beside the base, which the snapshot shares, so that a snapshot after each
// update does not copy 8 KB a bitmap. Whoever reads a snapshot first joins the
// two, once.
type bitmap struct {
	generation uint64 // that made this struct
	owned      uint64 // the generation that made base and may change it
	base       *roaring.Bitmap
	changes    []change // since base; behind its length the array is the writer's
	count      int
	joined     atomic.Pointer[roaring.Bitmap]
}

// change puts an ordinal in or takes it out.
type change struct {
	ordinal uint32
	in      bool
}

var emptyBitmap = roaring.New()

// share readies the base for being read by any goroutine and built upon by the
// writer: its containers are marked as shared, once and for all, so that they
// are copied before they change; and copy-on-write is off, since with it on
// the library's reading operations mark containers again.
func (b *bitmap) share() {
	b.base.SetCopyOnWrite(true)
	b.base.Clone()
	b.base.SetCopyOnWrite(false)
}

// bitmaps is what the writer of bitmaps keeps: the present generation, and the
// bitmaps whose base it owns.
type bitmaps struct {
	generation uint64
	owned      []*bitmap
}

// freeze ends the generation.
func (w *bitmaps) freeze() {
	for _, b := range w.owned {
		if b.owned == w.generation {
			b.share()
		}
	}
	clear(w.owned)
	w.owned = w.owned[:0]
	w.generation++
}

// own lets the base of a bitmap of the present generation be changed.
func (w *bitmaps) own(b *bitmap, base *roaring.Bitmap) {
	b.base, b.changes, b.owned = base, nil, w.generation
	b.joined.Store(nil)
	w.owned = append(w.owned, b)
}

// edit is the bitmap to write to in place of b: b itself if it is of the
// present generation, else a copy. A nil b is an empty one.
func (w *bitmaps) edit(b *bitmap) *bitmap {
	switch {
	case b == nil:
		b = &bitmap{generation: w.generation}
		w.own(b, roaring.New())
		return b
	case b.generation == w.generation:
		return b
	}
	return &bitmap{generation: w.generation, owned: b.owned, base: b.base, changes: b.changes, count: b.count}
}

// set puts an ordinal in that is not in, or takes one out that is.
func (w *bitmaps) set(b *bitmap, ordinal uint32, in bool) {
	if in {
		b.count++
	} else {
		b.count--
	}
	b.joined.Store(nil) // the writer reads, too
	if b.owned != w.generation {
		b.changes = append(b.changes, change{ordinal, in})
		if len(b.changes) < maxChanges {
			return
		}
		w.own(b, join(b.base, b.changes))
		return
	}
	if in {
		b.base.Add(ordinal)
	} else {
		b.base.Remove(ordinal)
	}
}

// add puts ordinals in that are not in.
func (w *bitmaps) add(b *bitmap, ordinals []uint32) {
	b.count += len(ordinals)
	b.joined.Store(nil)
	if b.owned != w.generation {
		if len(b.changes)+len(ordinals) < maxChanges {
			for _, ordinal := range ordinals {
				b.changes = append(b.changes, change{ordinal, true})
			}
			return
		}
		w.own(b, join(b.base, b.changes))
	}
	b.base.AddMany(ordinals)
}

// replace makes other the content.
func (w *bitmaps) replace(b *bitmap, other *roaring.Bitmap) {
	w.own(b, other)
	b.count = int(other.GetCardinality())
}

// join is base with changes, sharing the containers that they do not touch.
func join(base *roaring.Bitmap, changes []change) *roaring.Bitmap {
	// The union with nothing shares what is marked as shared, and that is
	// copied when it first changes.
	out := roaring.Or(base, emptyBitmap)
	for _, c := range changes {
		if c.in {
			out.Add(c.ordinal)
		} else {
			out.Remove(c.ordinal)
		}
	}
	return out
}

// read is the set, not to be changed. Any goroutine may call it on a bitmap of
// a snapshot; a nil bitmap is empty.
func (b *bitmap) read() *roaring.Bitmap {
	switch {
	case b == nil || b.count == 0:
		return emptyBitmap
	case len(b.changes) == 0:
		return b.base
	}
	if joined := b.joined.Load(); joined != nil {
		return joined
	}
	// Two readers may do it at once, to the same end.
	joined := join(b.base, b.changes)
	b.joined.Store(joined)
	return joined
}

// contains reports whether an ordinal is in, for the writer too.
func (b *bitmap) contains(ordinal uint32) bool {
	if b == nil {
		return false
	}
	for i := len(b.changes) - 1; i >= 0; i-- {
		if b.changes[i].ordinal == ordinal {
			return b.changes[i].in
		}
	}
	return b.base.Contains(ordinal)
}

// size is the number of ordinals in it.
func (b *bitmap) size() int {
	if b == nil {
		return 0
	}
	return b.count
}

// bytes is about how much memory it takes.
func (b *bitmap) bytes() int64 {
	if b == nil {
		return 0
	}
	return int64(b.base.GetSizeInBytes()) + int64(8*cap(b.changes)) + 96
}
