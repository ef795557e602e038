package views

import (
	"slices"

	"cairn/views/order"

	"github.com/RoaringBitmap/roaring/v2"
)

// sorting is entries on their way into an order, between the steps of Build: the
// entries of a snapshot, all of them or those that are folded in, are split into
// parts, and the parts are sorted one after the other and inserted. What changed
// since the snapshot is inserted at last where they are all, and when it changes
// where the order is built but for them.
type sorting struct {
	*sorter
	entries *roaring.Bitmap // of the snapshot
	// merging are runs of entries that came sorted, nil when they are in; unsorted
	// are the entries that no run has.
	merging  *merging
	unsorted *roaring.Bitmap
	// field and block are the strings that are numbered next, next the
	// entries that are split next, as in view.
	field, block int
	rank         uint32
	next         uint64
	split        *split
	splits       part      // what is split; none for entries
	placed       int       // pages of it
	parts        []part    // to be done, the last first
	run          sortedRun // to be inserted; without prefixes if it was sorted here
	// changed are the entries that are not as they were or not there any
	// more. They are left out. Where all entries are on their way, they are
	// inserted when the others are in: inserting is set then.
	changed   *roaring.Bitmap
	inserting bool
	done      int // entries split, and again when they are in
}

// costMerge, costRun and costInsert are how many times as long merging or inserting
// an entry takes as splitting it does, in a run and by itself.
const (
	costMerge  = 1
	costRun    = 3
	costInsert = 10
)

// defers reports whether an entry that is new, has other sort values or is
// gone is not to be inserted now, since that is done at last.
func (o *sorted) defers(ordinal uint32) bool {
	switch {
	case o.sorting == nil:
		return o.next != everyOrdinal // it will be of the snapshot
	case o.folds():
		if o.sorting.entries.Contains(ordinal) {
			o.sorting.changed.Add(ordinal)
		}
		return false
	case o.sorting.inserting:
		return o.sorting.changed.Contains(ordinal)
	}
	o.sorting.changed.Add(ordinal)
	return true
}

// buildOrder goes on with an order that lacks entries, and is what is left of a
// limit.
func (v *Views) buildOrder(o *sorted, limit int) (left int) {
	if o.sorting == nil {
		limit -= v.beginSorting(o)
	}
	s := o.sorting
	for limit > 0 {
		switch {
		case len(s.run.ordinals) > 0:
			limit -= v.insertRun(o, limit)
		case s.merging != nil:
			limit -= s.mergeSome(limit)
		case s.field < len(s.fields):
			limit -= s.rankSome()
		case s.next == 0 && s.split == nil:
			s.split = s.sorter.split(0, s.sample(), int(s.unsorted.GetCardinality()))
			limit -= splitMost
		case s.split != nil:
			limit = s.splitSome(limit)
		case len(s.parts) > 0:
			cost := s.sortPart()
			o.effort.Placed += uint64(len(s.run.ordinals))
			limit -= cost
		case o.folds():
			o.done(s.entries)
			o.sorting = nil
			return limit
		default:
			s.inserting = true
			if limit = v.insertSome(o, limit); s.changed.IsEmpty() {
				o.done(s.entries)
				o.sorting, o.next = nil, everyOrdinal
				return limit
			}
		}
	}
	return 0
}

// beginSorting begins with what an order lacks.
func (v *Views) beginSorting(o *sorted) (cost int) {
	s := v.Snapshot()
	entries, runs, loose := o.begin()
	if o.next != everyOrdinal {
		entries, runs = s.state.entries.read(), nil
	}
	o.sorting = &sorting{sorter: sorterOf(&s.state, o.sort, o.fields), entries: entries, unsorted: entries, changed: roaring.New()}
	if len(runs) == 0 {
		return 0
	}
	o.sorting.unsorted = roaring.And(entries, loose)
	o.sorting.merging = newMerging(&o.sorting.comparer, runs, loose)
	if o.sorting.unsorted.IsEmpty() {
		o.sorting.field, o.sorting.next = len(o.fields), everyOrdinal
	}
	return len(runs)
}

// mergeSome merges some of what came sorted.
func (s *sorting) mergeSome(limit int) (cost int) {
	if s.run = s.merging.next(max(limit/(costMerge+costRun), 1)); len(s.run.ordinals) == 0 {
		s.run, s.merging = sortedRun{}, nil
	}
	return costMerge * len(s.run.ordinals)
}

// done notes that entries stand in the order. An ordinal of theirs may have been freed
// and taken again meanwhile: what waits for the next fold does not stand there yet.
func (o *sorted) done(entries *roaring.Bitmap) {
	o.exposed.AndNot(roaring.AndNot(entries, o.waiting))
}

// rankSome numbers some of a field's strings.
func (s *sorting) rankSome() (cost int) {
	if s.ranks[s.field] == nil {
		s.field, s.block, s.rank = s.field+1, 0, 0
		return 0
	}
	d := &s.state.attributes[s.fields[s.field]].dictionary
	if s.block == len(d.order.blocks) {
		s.field, s.block, s.rank = s.field+1, 0, 0
		return 0
	}
	s.rank = d.rankBlock(s.block, s.rank, s.ranks[s.field])
	s.block++
	return codeBlockSize / 2
}

// sample is the numbers of some entries, far from each other.
func (s *sorting) sample() []uint64 {
	var out []uint64
	if s.unsorted.IsEmpty() {
		return out
	}
	first, last := uint64(s.unsorted.Minimum()), uint64(s.unsorted.Maximum())
	step := max((last-first)/(4*splitMost), 1)
	for it, at := s.unsorted.Iterator(), first; at <= last; at += step {
		it.AdvanceIfNeeded(uint32(at))
		if !it.HasNext() {
			break
		}
		ordinal := it.Next()
		out = append(out, s.number(0, ordinal))
		at = max(at, uint64(ordinal))
	}
	return out
}

// splitSome puts some items into their parts, and is what is left of a limit.
func (s *sorting) splitSome(limit int) (left int) {
	if s.next != everyOrdinal {
		s.next, left = eachOf(s.unsorted, s.next, limit, func(ordinal uint32) {
			s.split.place(item{s.number(0, ordinal), ordinal})
		})
		s.done += limit - left
		if s.next != everyOrdinal {
			return left
		}
	} else {
		pages := s.splits.items.pages
		for left = limit; s.placed < len(pages); s.placed++ {
			if left <= 0 {
				return 0
			}
			for _, each := range pages[s.placed] {
				s.split.place(each)
			}
			left -= len(pages[s.placed])
			pages[s.placed] = nil
		}
	}
	parts := s.split.parts()
	if len(parts) == 1 && s.splits.items.size == parts[0].items.size && parts[0].level == s.splits.level {
		parts[0].whole = true // no sample tells them apart
	}
	slices.Reverse(parts)
	s.parts = append(s.parts, parts...)
	s.split, s.splits, s.placed = nil, part{}, 0
	return left
}

// sortPart sorts the first part, or begins to split it.
func (s *sorting) sortPart() (cost int) {
	last := len(s.parts) - 1
	p := s.parts[last]
	s.parts = s.parts[:last]
	if p.splits(s.sorter) {
		s.split, s.splits, s.placed = s.sorter.split(p.level, p.items.sample(), p.items.size), p, 0
		return splitMost
	}
	sorted := p.items.joined()
	s.sortSmall(sorted, p.level)
	s.run.ordinals = make([]uint32, len(sorted))
	for i, each := range sorted {
		s.run.ordinals[i] = each.ordinal
	}
	return len(sorted)
}

// insertRun inserts some of what is sorted, without what changed.
func (v *Views) insertRun(o *sorted, limit int) (cost int) {
	s := o.sorting
	some := s.run.ordinals[:min((limit+costRun-1)/costRun, len(s.run.ordinals))]
	prefixes := s.run.prefixes
	s.run.ordinals = s.run.ordinals[len(some):]
	if prefixes != nil {
		prefixes, s.run.prefixes = prefixes[:len(some)], prefixes[len(some):]
	}
	s.done += len(some)
	same := some[:0]
	for i, ordinal := range some {
		if !s.changed.Contains(ordinal) {
			if prefixes != nil {
				prefixes[len(same)] = prefixes[i]
			}
			same = append(same, ordinal)
		}
	}
	if prefixes != nil {
		prefixes = prefixes[:len(same)]
	}
	o.tree.InsertRun(same, prefixes, func(ordinal uint32) order.ViewSet { return v.viewsOf(o, ordinal) })
	if len(s.run.ordinals) == 0 {
		s.run = sortedRun{}
	}
	return costRun * len(some)
}

// insertSome inserts some of what changed, and is what is left of a limit.
func (v *Views) insertSome(o *sorted, limit int) (left int) {
	s := o.sorting
	for ; limit > 0 && !s.changed.IsEmpty(); limit -= costInsert {
		ordinal := s.changed.Minimum()
		s.changed.Remove(ordinal)
		if v.present.entries.contains(ordinal) && !o.waiting.Contains(ordinal) {
			o.effort.Placed++
			o.tree.Insert(ordinal, v.viewsOf(o, ordinal))
		}
	}
	return max(limit, 0)
}
