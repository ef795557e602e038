package views

import (
	"iter"
	"math"
	"slices"

	"cairn"
	"cairn/views/order"

	"github.com/RoaringBitmap/roaring/v2"
)

// orders reads the orders that are of use, each of which is then checked,
// loaded and filled while the next is read.
func (l *loader) orders() {
	seen := make([]bool, len(l.views.orders))
	for range l.ordersOf {
		l.open(sectionOrder)
		sort := l.sort()
		number := slices.IndexFunc(l.views.orders, func(o *sorted) bool { return o != nil && slices.Equal(o.sort, sort) })
		if l.err != nil {
			return
		}
		if number < 0 || l.size == 0 {
			l.skip()
			continue
		}
		ordinals := l.ordinals(l.size)
		if l.more() || seen[number] {
			l.fail("an order that does not end, or comes twice")
		}
		if l.err != nil {
			return
		}
		seen[number] = true
		o := l.views.orders[number]
		l.jobs.start(func() error {
			if err := l.verify(o, ordinals); err != nil {
				return err
			}
			if err := o.fill(&l.views.present, slices.Values([][]uint32{ordinals}), l.restored); err != nil {
				return err
			}
			o.next = everyOrdinal
			return nil
		})
	}
}

func (l *loader) sort() []SortField {
	var sort []SortField
	for range l.count(maxSortFields, "fields of a sort") {
		field := SortField{Attribute: cairn.AttributeID(l.count(1<<32-1, "as the number of an attribute"))}
		field.Descending = l.byte() != 0
		sort = append(sort, field)
	}
	return sort
}

// prefixes are the prefixes of a block's entries.
type prefixes [imageBlock]uint64

// verify refuses ordinals that are not the entries in an order. Each is an
// entry, they are as many as the entries, and each comes after the one before:
// so each is there once. Prefixes are read from the column in its own order
// before, since looking each up in the order's would take several times as
// long.
func (l *loader) verify(o *sorted, ordinals []uint32) error {
	c := comparer{state: &l.views.present, sort: o.sort, fields: o.fields}
	var known paged[*prefixes]
	for block, present := range eachBlock(&l.blocks) {
		p := new(prefixes)
		present.each(func(slot uint32) { p[slot] = c.Prefix(block*imageBlock + slot) })
		*known.at(block, 0) = p
	}
	exact := c.exactPrefix()
	var lastPrefix uint64
	var lastKey cairn.Key
	for i, ordinal := range ordinals {
		block := l.blocks.get(ordinal / imageBlock)
		if !block.has(ordinal % imageBlock) {
			return corrupt("an order has %d, which is no entry", ordinal)
		}
		prefix := known.get(ordinal / imageBlock)[ordinal%imageBlock]
		if i == 0 || prefix > lastPrefix {
			lastPrefix, lastKey = prefix, nil
			continue
		}
		last := ordinals[i-1]
		var before int
		switch {
		case prefix < lastPrefix:
			before = 1
		case exact && prefix != math.MaxUint64:
			if lastKey == nil {
				lastKey = c.state.keys.get(last)
			}
			key := c.state.keys.get(ordinal)
			if before = c.compareFrom(1, last, ordinal); before == 0 {
				before = lastKey.Compare(key)
			}
			lastKey = key
		default:
			before, lastKey = c.Compare(last, ordinal), nil
		}
		if before >= 0 {
			return corrupt("entry %d does not come after %d in an order", ordinal, last)
		}
	}
	return nil
}

// exactPrefix reports whether entries of one prefix have one value in the
// first field, unless that is the last prefix, which absent ones have too.
func (c *comparer) exactPrefix() bool {
	return len(c.fields) > 0 && c.state.attributes[c.fields[0]].spec.Type != cairn.TypeString
}

// compareFrom orders two entries by their values from a field on.
func (c *comparer) compareFrom(from int, a, b uint32) int {
	for i := from; i < len(c.fields); i++ {
		if order := c.state.attributes[c.fields[i]].compare(a, b, c.sort[i].Descending); order != 0 {
			return order
		}
	}
	return 0
}

// fill puts entries that are in order into an order without any, and the
// bitsets of its views and of values in their places. Members are by slot of
// the views that have them by now.
func (o *sorted) fill(s *state, runs iter.Seq[[]uint32], members map[int]*roaring.Bitmap) error {
	if err := o.tree.Load(runs); err != nil {
		return err
	}
	o.tree.FillView(everything, func(uint32) bool { return true })
	for i := range s.attributes {
		a := &s.attributes[i]
		if !a.aligns() {
			continue
		}
		for _, code := range a.allCodes() {
			b := a.values.get(code)
			if number := o.aligned(i, code); b.size() > 0 && number != everything {
				o.fillView(number, b.read())
			}
		}
	}
	for _, slot := range o.slots {
		if members[slot] != nil {
			o.fillView(s.views[slot].number, members[slot])
		}
	}
	return nil
}

// fillView makes a bitmap the members of a view of the order.
func (o *sorted) fillView(number order.View, members *roaring.Bitmap) {
	if members.IsEmpty() {
		return
	}
	// A flat array is fastest, unless it would be much larger than the order.
	if uint64(members.Maximum())/64 > 16*uint64(o.tree.Len())+1<<16 {
		o.tree.FillView(number, members.Contains)
		return
	}
	o.tree.FillViewFrom(number, members)
}
