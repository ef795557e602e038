package views

import (
	"slices"

	"cairn"
	"cairn/views/filter"
	"cairn/views/order"
)

const maxSortFields = cairn.MaxSortFields

// SortField is one attribute of a sort and its direction.
type SortField = cairn.SortField

// Definition is one version of a view.
type Definition struct {
	View    cairn.UID
	Version uint64
	// Filter says which entries are in it, parsed as filter.View against the
	// keyspace's schema; nil for all.
	Filter *filter.Filter
	// Sort is its order, of up to four attributes; without any it is the
	// order of keys.
	Sort []SortField
}

// view is a definition in force. It is replaced, not changed, once a snapshot
// may have it.
type view struct {
	Definition
	order  int        // its order among Views.orders
	number order.View // its number there
	reads  attributeSet
	// next is the lowest ordinal whose membership is not known yet. When all
	// are, the order is filled, up to the last entry filled; nil before.
	next     uint64
	last     *position
	filled   int
	complete bool
}

// everyOrdinal is behind the last ordinal.
const everyOrdinal = 1 << 32

func (w *view) covers(ordinal uint32) bool { return uint64(ordinal) < w.next }

func (w *view) matches(s *state, ordinal uint32) bool {
	return w.Filter == nil || w.Filter.MatchOrdinal(s, ordinal)
}

// sorted is the order of one sort spec, with the views that share it.
type sorted struct {
	sort   []SortField
	fields []int // where its attributes stand
	tree   *order.Order
	reads  attributeSet
	// watches are the attributes that its views' filters read.
	watches attributeSet
	slots   []int // of its views
	// next is everyOrdinal once it is complete; until then, and while entries
	// are folded in, sorting says how far that is.
	next    uint64
	sorting *sorting
	outside
	effort *Effort // of all orders
	// values are the bitsets of attributes' values, by attribute and code, 0
	// where there is none.
	values [][]order.View
	// full are the attributes that there was no room for bitsets of.
	full attributeSet
}

// Define adds a version of a view. Where there are entries already it is
// unseen until Build has gone through them; Put and Delete keep up what is
// built meanwhile. A version that is there already is left as it is.
//
// It refuses a sort of too many fields, of an attribute twice or of one that
// is not indexed (KindInvalid, field "sort", reasons SORT_TOO_LONG,
// SORT_TWICE, ATTRIBUTE_UNKNOWN), and a view more than an order can have
// (KindExhausted, VIEWS_TOO_MANY).
func (v *Views) Define(definition Definition) error {
	if _, _, found := v.present.find(definition.View, definition.Version); found {
		return nil
	}
	fields, err := v.present.sortFields("sort", definition.Sort)
	if err != nil {
		return err
	}
	number := v.orderFor(definition.Sort, fields)
	o := v.orders[number]
	place, err := o.tree.AddView()
	if err != nil {
		v.dropUnused(number)
		return err
	}
	w := &view{Definition: definition, order: number, number: place}
	if definition.Filter != nil {
		for _, spec := range definition.Filter.Attributes() {
			if i, indexed := v.present.index(spec.ID); indexed {
				w.reads.add(i)
				o.watches.add(i)
			}
		}
	}
	if v.present.entries.size() == 0 {
		// That goes for an order, too, that lost its entries while it was built.
		o.next, o.sorting = everyOrdinal, nil
		w.next, w.complete = everyOrdinal, true
	}
	slot := v.freeSlot()
	v.present.views[slot] = w
	o.slots = append(o.slots, slot)
	return nil
}

// Drop forgets a version of a view and gives its memory back, with its order
// if it was the last to use it. One that is not there changes nothing.
func (v *Views) Drop(uid cairn.UID, version uint64) {
	slot, w, found := v.present.find(uid, version)
	if !found {
		return
	}
	v.present.views = slices.Clone(v.present.views)
	v.present.views[slot] = nil
	v.ownCounts()
	v.present.members[slot], v.present.totals[slot] = nil, 0
	for _, at := range v.shards {
		if s := v.present.shards.get(at); slot < len(s.counts) && s.counts[slot] != 0 {
			v.editShard(s.id).counts[slot] = 0
		}
	}
	o := v.orders[w.order]
	o.tree.DropView(w.number)
	o.slots = slices.DeleteFunc(o.slots, func(each int) bool { return each == slot })
	v.dropUnused(w.order)
	v.present.tallies.forget(uid)
}

func (v *Views) dropUnused(number int) {
	if len(v.orders[number].slots) == 0 {
		v.orders[number] = nil
	}
}

// freeSlot is a slot without a view, with what goes by slot grown to it. The
// slice of views is copied: snapshots have it.
func (v *Views) freeSlot() int {
	v.ownCounts()
	s := &v.present
	s.views = slices.Clone(s.views)
	if slot := slices.Index(s.views, nil); slot >= 0 {
		return slot
	}
	s.views, s.members, s.totals = append(s.views, nil), append(s.members, nil), append(s.totals, 0)
	return len(s.views) - 1
}

// orderFor is the number of the order of a sort, made if there is none.
func (v *Views) orderFor(sort []SortField, fields []int) int {
	for number, o := range v.orders {
		if o != nil && slices.Equal(o.sort, sort) {
			return number
		}
	}
	o := &sorted{sort: slices.Clone(sort), fields: fields, next: everyOrdinal, outside: newOutside(), effort: &v.effort}
	if v.present.entries.size() > 0 {
		o.next = 0
	}
	o.tree = order.New(&comparer{state: &v.present, sort: o.sort, fields: fields})
	_, _ = o.tree.AddView() // everything: an order without views has room
	for _, i := range fields {
		o.reads.add(i)
	}
	if free := slices.Index(v.orders, nil); free >= 0 {
		v.orders[free] = o
		return free
	}
	v.orders = append(v.orders, o)
	return len(v.orders) - 1
}

// find is a version of a view and its slot.
func (s *state) find(uid cairn.UID, version uint64) (slot int, w *view, found bool) {
	for slot, w := range s.views {
		if w != nil && w.View == uid && w.Version == version {
			return slot, w, true
		}
	}
	return 0, nil, false
}

// sortFields is where the attributes of a sort stand; refused as in Define,
// with the field's name.
func (s *state) sortFields(field string, sort []SortField) ([]int, error) {
	if len(sort) > maxSortFields {
		return nil, cairn.Invalid(field, "SORT_TOO_LONG", "%d attributes; a sort has at most %d", len(sort), maxSortFields)
	}
	var fields []int
	for _, each := range sort {
		i, indexed := s.index(each.Attribute)
		if !indexed {
			return nil, cairn.Invalid(field, "ATTRIBUTE_UNKNOWN", "there is no indexed attribute number %d to sort by", each.Attribute)
		}
		if slices.Contains(fields, i) {
			return nil, cairn.Invalid(field, "SORT_TWICE", "%s is in the sort twice", s.attributes[i].spec.Name)
		}
		fields = append(fields, i)
	}
	return fields, nil
}
