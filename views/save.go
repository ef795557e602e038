package views

import (
	"encoding/binary"
	"io"
	"iter"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// Save writes an image of the snapshot: everything but which shard an entry
// belongs to and which shards are hidden, which the owner gives again after
// Load. Views that are being built are left out; what waits outside an order is
// not. It takes a bit an entry and less than a megabyte of memory, 20 bytes for
// each entry outside an order, and about 60 bytes an entry of what it writes to; writes to the projections may go on meanwhile. An error is that
// of w, and what was written is no image then.
func (s *Snapshot) Save(w io.Writer) error {
	out := newImageWriter(w)
	entries := s.state.entries.read()
	views, orders := s.saved()
	out.begin(sectionHeader)
	out.header(&s.state, len(views), len(orders))
	out.end()
	out.begin(sectionEntries)
	out.bitmap(entries)
	out.end()
	var blocks paged[mask]
	out.begin(sectionKeys)
	for block, present := range blocksOf(entries) {
		*blocks.at(block, 0) = present
		out.keys(&s.state.keys, block, present)
	}
	out.end()
	for i := range s.state.attributes {
		out.begin(sectionAttribute)
		a := &s.state.attributes[i]
		if a.spec.Type == cairn.TypeString {
			out.dictionary(&a.dictionary)
		}
		out.column(&a.column, &blocks)
		out.end()
	}
	for _, slot := range views {
		out.begin(sectionView)
		out.view(s.state.views[slot])
		out.bitmap(s.state.members[slot].read())
		out.end()
	}
	for _, o := range orders {
		out.begin(sectionOrder)
		out.order(o, o.runs())
		out.end()
	}
	out.begin(sectionEnd)
	out.end()
	return out.err
}

// saved are the slots of the views and the orders that an image has.
func (s *Snapshot) saved() (views []int, orders []*ordered) {
	for slot, w := range s.state.views {
		if w != nil && w.complete {
			views = append(views, slot)
		}
	}
	for _, o := range s.orders {
		if o != nil && o.built {
			orders = append(orders, o)
		}
	}
	return views, orders
}

// blocksOf yields the blocks that have ordinals of a bitmap, ascending.
func blocksOf(b *roaring.Bitmap) iter.Seq2[uint32, mask] {
	return func(yield func(uint32, mask) bool) {
		var present mask
		block := uint32(0)
		var buffer [1024]uint32
		for it := b.ManyIterator(); ; {
			n := it.NextMany(buffer[:])
			for _, ordinal := range buffer[:n] {
				if next := ordinal / imageBlock; next != block {
					if present != (mask{}) && !yield(block, present) {
						return
					}
					block, present = next, mask{}
				}
				present.set(ordinal % imageBlock)
			}
			if n == 0 {
				break
			}
		}
		if present != (mask{}) {
			yield(block, present)
		}
	}
}

func (w *imageWriter) bitmap(b *roaring.Bitmap) {
	if _, err := b.WriteTo(w); err != nil && w.err == nil {
		w.err = err
	}
}

func (w *imageWriter) header(s *state, views, orders int) {
	w.uvarint(imageFormat)
	w.uvarint(uint64(s.entries.size()))
	w.uvarint(uint64(len(s.attributes)))
	for i := range s.attributes {
		w.uvarint(uint64(s.attributes[i].spec.ID))
		w.uvarint(uint64(s.attributes[i].spec.Type))
	}
	w.uvarint(uint64(views))
	w.uvarint(uint64(orders))
}

// keys writes the keys of a block: first how long each is.
func (w *imageWriter) keys(k *keys, block uint32, present mask) {
	out := w.record(recordSize)
	present.each(func(slot uint32) {
		out = binary.AppendUvarint(out, uint64(len(k.get(block*imageBlock+slot))))
	})
	present.each(func(slot uint32) { out = append(out, k.get(block*imageBlock+slot)...) })
	w.set(out)
}

// dictionary writes the texts by code, 0 standing for none and else a text's
// length and one before it, then the codes in order of the texts.
func (w *imageWriter) dictionary(d *dictionary) {
	used, codes := d.codes()
	w.uvarint(uint64(codes))
	for code := range codes {
		if used[code/64]>>(code%64)&1 == 0 {
			w.uvarint(0)
			continue
		}
		text := d.texts.get(code)
		out := w.record(cairn.MaxStringLength + binary.MaxVarintLen64)
		out = binary.AppendUvarint(out, uint64(len(text))+1)
		w.set(append(out, text...))
	}
	w.uvarint(uint64(d.distinct()))
	w.ordinals(func(yield func([]uint32) bool) {
		for _, block := range d.order.blocks {
			if !yield(block.codes) {
				return
			}
		}
	})
}

// column writes the blocks of a column.
func (w *imageWriter) column(c *column, entries *paged[mask]) {
	var numbers [imageBlock]uint64
	for block, who := range eachBlock(entries) {
		present, n := c.block(block, &numbers)
		out := w.record(1 + 16 + binary.MaxVarintLen64 + 8*(imageBlock+1))
		switch {
		case n == 0:
			out = append(out, blockNone)
		case present == who:
			out = appendPacked(out, blockAll, numbers[:n])
		default:
			out = append(out, blockSome)
			for _, word := range present {
				out = binary.LittleEndian.AppendUint64(out, word)
			}
			out = appendPacked(out, 0, numbers[:n])
		}
		w.set(out)
	}
}

// eachBlock yields the masks that were set, by ascending block.
func eachBlock(masks *paged[mask]) iter.Seq2[uint32, mask] {
	return func(yield func(uint32, mask) bool) {
		for i, page := range masks.pages {
			if page == nil {
				continue
			}
			for j, present := range page.items {
				if present != (mask{}) && !yield(uint32(i*pageSize+j), present) {
					return
				}
			}
		}
	}
}

func (w *imageWriter) view(d *view) {
	sum := d.fingerprint()
	out := w.record(2*binary.MaxVarintLen64 + len(sum))
	out = binary.AppendUvarint(out, uint64(d.View))
	out = binary.AppendUvarint(out, d.Version)
	w.set(append(out, sum[:]...))
}

func (w *imageWriter) order(o *ordered, runs iter.Seq[[]uint32]) {
	w.set(appendSort(w.record((maxSortFields+1)*(binary.MaxVarintLen64+1)), o.sort))
	w.ordinals(runs)
}

// ordinals writes ordinals, or codes, in records of imageBlock.
func (w *imageWriter) ordinals(runs iter.Seq[[]uint32]) {
	var numbers [imageBlock]uint64
	n := 0
	write := func() {
		if n > 0 {
			w.set(appendPacked(w.record(1+binary.MaxVarintLen64+8*(imageBlock+1)), 0, numbers[:n]))
			n = 0
		}
	}
	for run := range runs {
		for _, ordinal := range run {
			numbers[n] = uint64(ordinal)
			if n++; n == imageBlock {
				write()
			}
		}
	}
	write()
}
