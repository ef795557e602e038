package views

import (
	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// Key is the key of an ordinal, nil if it has none. It is not to be modified.
func (s *Snapshot) Key(ordinal uint32) cairn.Key { return s.state.keys.get(ordinal) }

// Wide are the attributes of so many different strings that they have no bitmap
// a value.
func (v *Views) Wide() (wide []cairn.AttributeSpec) {
	for i := range v.present.attributes {
		if a := &v.present.attributes[i]; a.spec.Type == cairn.TypeString && !a.indexed {
			wide = append(wide, a.spec)
		}
	}
	return wide
}

// ShardOrdinals is the ordinals of a shard's entries. The bitmap is not to be
// modified.
func (v *Views) ShardOrdinals(id cairn.ShardID) *roaring.Bitmap {
	if slot, known := v.shards[id]; known {
		return v.present.shards.get(slot).ordinals.read()
	}
	return roaring.New()
}

// ViewBytes is about how much memory the members of a version of a view take;
// 0 if there is none.
func (s *Snapshot) ViewBytes(uid cairn.UID, version uint64) int64 {
	if slot, _, found := s.state.find(uid, version); found {
		return s.state.members[slot].bytes()
	}
	return 0
}

// CountAll is how many of all entries that are seen a condition is true of,
// whatever views there are; without a condition, how many there are. It is
// refused as Count is.
func (s *Snapshot) CountAll(sel Selection) (int, error) {
	if sel.Where == nil {
		return s.Entries(), nil
	}
	if err := sel.usable(); err != nil {
		return 0, err
	}
	if sel.Brief {
		return 0, ErrLong
	}
	seen := s.state.entries.read()
	if masked := s.masked(); masked != nil {
		seen = roaring.AndNot(seen, masked)
	}
	if sel.Where.Plan().Exact() {
		return int(sel.Where.Plan().Count(&resolver{state: &s.state}, seen)), nil
	}
	found, err := s.test(&sel, sel.Where.Plan().Select(&resolver{state: &s.state}, seen), &Plan{})
	if err != nil {
		return 0, err
	}
	return int(found.GetCardinality()), nil
}
