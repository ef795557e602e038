package views

import (
	"slices"
	"sync"

	"cairn"
	"cairn/views/order"

	"github.com/RoaringBitmap/roaring/v2"
)

// Snapshot is the projections at one moment: orders, memberships, columns and
// keys of the same entries. It never changes, and any number of goroutines may
// ask it at once.
type Snapshot struct {
	state  state
	orders []*ordered
	masked func() *roaring.Bitmap
}

// ordered is one order of a snapshot.
type ordered struct {
	comparer
	reader order.Reader
	values [][]order.View
	// built is false while the order is being built, and usable also while it
	// lacks entries that are seen.
	built, usable bool
}

// Snapshot is the present state. It is called between two changes. What it
// costs does not grow with the entries; what changes after it is copied once,
// a part at a time, when it first changes.
func (v *Views) Snapshot() *Snapshot {
	v.bitmaps.freeze()
	s := &Snapshot{state: v.present, orders: make([]*ordered, len(v.orders))}
	s.state.attributes = slices.Clone(v.present.attributes)
	for number, o := range v.orders {
		if o == nil {
			continue
		}
		s.orders[number] = &ordered{
			comparer: comparer{state: &s.state, sort: o.sort, fields: o.fields},
			reader:   o.tree.Snapshot(), values: o.values, built: o.next == everyOrdinal,
		}
		s.orders[number].usable = s.orders[number].built && o.exposed.IsEmpty()
	}
	s.masked = sync.OnceValue(s.state.masked)
	return s
}

// masked is the entries of hidden shards, nil if none is hidden.
func (s *state) masked() *roaring.Bitmap {
	if len(s.hidden) == 0 {
		return nil
	}
	each := make([]*roaring.Bitmap, len(s.hidden))
	for i, slot := range s.hidden {
		each[i] = s.shards.get(slot).ordinals.read()
	}
	return union(each)
}

// Entries is how many entries are seen.
func (s *Snapshot) Entries() int {
	n := s.state.entries.size()
	for _, slot := range s.state.hidden {
		n -= s.state.shards.get(slot).ordinals.size()
	}
	return n
}

// Held is how many entries there are, seen or not.
func (s *Snapshot) Held() int { return s.state.entries.size() }

// kept is how many members of a view are seen, from kept counts.
func (s *Snapshot) kept(slot int) int {
	n := s.state.totals[slot]
	for _, hidden := range s.state.hidden {
		if counts := s.state.shards.get(hidden).counts; slot < len(counts) {
			n -= counts[slot]
		}
	}
	return n
}

// CountByShard is how many members a view has in each shard that is seen and
// has any, from kept counts. It is refused as Count is.
func (s *Snapshot) CountByShard(uid cairn.UID, version uint64) (map[cairn.ShardID]int, error) {
	slot, _, err := s.view(uid, version)
	if err != nil {
		return nil, err
	}
	out := map[cairn.ShardID]int{}
	for at := range s.state.shardSize {
		if each := s.state.shards.get(at); each != nil && !each.hidden && slot < len(each.counts) && each.counts[slot] > 0 {
			out[each.id] = each.counts[slot]
		}
	}
	return out, nil
}

// view is a version of a view that is complete. It is refused if there is none
// (KindNotFound, VIEW_VERSION_UNKNOWN) and while it is built (KindUnavailable,
// VIEW_BUILDING).
func (s *Snapshot) view(uid cairn.UID, version uint64) (slot int, w *view, err error) {
	slot, w, found := s.state.find(uid, version)
	switch {
	case !found:
		return 0, nil, cairn.Errorf(cairn.KindNotFound, "VIEW_VERSION_UNKNOWN", "this index has no version %d of view %s", version, uid)
	case !w.complete:
		return 0, nil, cairn.Errorf(cairn.KindUnavailable, "VIEW_BUILDING", "version %d of view %s is being built", version, uid)
	}
	return slot, w, nil
}

// members is the members of a view that are seen.
func (s *Snapshot) members(slot int) *roaring.Bitmap {
	members := s.state.members[slot].read()
	if masked := s.masked(); masked != nil {
		return roaring.AndNot(members, masked)
	}
	return members
}

// Export is the members of a view that are seen, and the keys of ordinals. The
// bitmap is not to be changed, nor are keys. It is refused as Count is.
func (s *Snapshot) Export(uid cairn.UID, version uint64) (members *roaring.Bitmap, key func(ordinal uint32) cairn.Key, err error) {
	slot, _, err := s.view(uid, version)
	if err != nil {
		return nil, nil, err
	}
	return s.members(slot), s.state.keys.get, nil
}
