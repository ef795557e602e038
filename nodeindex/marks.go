package nodeindex

import (
	"encoding/binary"
	"fmt"

	"cairn"
	"cairn/nodeindex/projection"
)

// A piece of a copy has marks of its entries: which of them are members of which
// views, and how they are sorted in each order, found out once where they come from.
// The views here take that over where they are the same, and are worked out anew
// where they are not.

// appendMarks writes how many entries the marks are of; the number of views with
// their uid, version, condition and bits; and the number of sorts with their fields
// and places.
func appendMarks(out []byte, m *projection.Marks, entries int) []byte {
	out = binary.AppendUvarint(out, uint64(entries))
	out = binary.AppendUvarint(out, uint64(len(m.Members)))
	for i := range m.Members {
		each := &m.Members[i]
		out = binary.BigEndian.AppendUint64(out, uint64(each.View))
		out = binary.AppendUvarint(out, each.Version)
		out = binary.BigEndian.AppendUint64(out, each.Condition)
		out = appendBytes(out, each.Bits)
	}
	out = binary.AppendUvarint(out, uint64(len(m.Sorted)))
	for i := range m.Sorted {
		each := &m.Sorted[i]
		out = appendSort(out, each.Sort)
		out = binary.AppendUvarint(out, uint64(len(each.Places)))
		for _, place := range each.Places {
			out = binary.BigEndian.AppendUint16(out, place)
		}
	}
	return out
}

// marks reads what appendMarks writes. Bits are not copied, and whether they and the
// places fit the entries is for Check.
func (d *decoder) marks() (*projection.Marks, int) {
	m := &projection.Marks{}
	entries := int(d.number(projection.MaxMarked))
	for range d.count(18) {
		m.Members = append(m.Members, projection.MemberMarks{
			View: cairn.UID(d.uint64()), Version: d.uvarint(), Condition: d.uint64(), Bits: d.bytes(),
		})
	}
	for range d.count(2) {
		each := projection.SortMarks{Sort: d.sort()}
		encoded := d.take(2 * d.count(2))
		each.Places = make([]uint16, len(encoded)/2)
		for i := range each.Places {
			each.Places[i] = binary.BigEndian.Uint16(encoded[2*i:])
		}
		m.Sorted = append(m.Sorted, each)
	}
	return m, entries
}

// checkMarks refuses a piece whose marks are not of its entries. KindInvalid
// (MARKS_MALFORMED).
func checkMarks(m cairn.MovingShard, p *piece) *cairn.Error {
	if p.marks == nil {
		return nil
	}
	return inPiece(m, p, p.marks.Check(len(p.changes)))
}

// checkOrder refuses a piece whose marks are not of its entries, or don't sort them.
// KindInvalid (MARKS_MALFORMED, MARKS_DISORDERED).
func checkOrder(by *projection.Marker, m cairn.MovingShard, p *piece) *cairn.Error {
	if p.marks == nil {
		return nil
	}
	if err := checkMarks(m, p); err != nil {
		return err
	}
	return inPiece(m, p, by.CheckOrder(p.marks, len(p.changes), p.entry))
}

// inPiece is an error with the piece that it is about.
func inPiece(m cairn.MovingShard, p *piece, err *cairn.Error) *cairn.Error {
	if err == nil {
		return nil
	}
	which := "without entries"
	if n := len(p.changes); n > 0 {
		which = fmt.Sprintf("of %d entries from key %s to key %s", n, p.changes[0].Key, p.changes[n-1].Key)
	}
	return cairn.Invalid("part", err.Reason, "shard %s, the copy's piece %s: %w; copy it again", m.Shard, which, err)
}

// markedRun is entries of a piece with marks that are new and not in the views yet.
type markedRun struct {
	number  projection.Shard
	project *projection.Projection // nil where there are no views
	marks   *projection.Marks      // nil for none
	coming  []projection.Coming
}

// takes tells whether new entries wait for the rest of their run.
func (r *markedRun) takes() bool { return r.project != nil && r.marks != nil }

// add adds the piece's entry at a place.
func (r *markedRun) add(place int, kept *item) {
	r.coming = append(r.coming, projection.Coming{Ordinal: kept.ordinal, Place: place, Entry: &kept.entry})
}

// put puts into the views what has been added.
func (r *markedRun) put() {
	if len(r.coming) > 0 {
		r.project.PutMarked(r.number, r.coming, r.marks)
		r.coming = r.coming[:0]
	}
}
