package views

import (
	"cmp"
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
	for i, ordinal := range ordinals {
		block := l.blocks.get(ordinal / imageBlock)
		if !block.has(ordinal % imageBlock) {
			return corrupt("an order has %d, which is no entry", ordinal)
		}
		prefix := known.get(ordinal / imageBlock)[ordinal%imageBlock]
		if i == 0 || prefix > lastPrefix {
			lastPrefix = prefix
			continue
		}
		last := ordinals[i-1]
		var before int
		switch {
		case prefix < lastPrefix:
			before = 1
		case exact && prefix != math.MaxUint64:
			if before = c.compareFrom(1, last, ordinal); before == 0 {
				before = l.ties().compare(last, ordinal)
			}
		default:
			before = c.Compare(last, ordinal)
		}
		if before >= 0 {
			return corrupt("entry %d does not come after %d in an order", ordinal, last)
		}
	}
	return nil
}

// ties compares entries by key. It knows 8 bytes of each, behind what all keys
// begin with, since looking the keys themselves up takes several times as long.
type ties struct {
	keys  *keys
	known paged[*prefixes]
}

// tiesOf makes ties of all keys.
func tiesOf(k *keys, blocks *paged[mask]) *ties {
	out := &ties{keys: k}
	var common cairn.Key
	first := true
	for block, present := range eachBlock(blocks) {
		present.each(func(slot uint32) {
			key := k.get(block*imageBlock + slot)
			if first {
				common, first = key, false
			}
			n := 0
			for n < len(common) && n < len(key) && common[n] == key[n] {
				n++
			}
			common = common[:n]
		})
		if len(common) == 0 {
			break
		}
	}
	for block, present := range eachBlock(blocks) {
		p := new(prefixes)
		present.each(func(slot uint32) { p[slot] = textPrefix(k.get(block*imageBlock + slot)[len(common):]) })
		*out.known.at(block, 0) = p
	}
	return out
}

func (t *ties) compare(a, b uint32) int {
	one, two := t.known.get(a / imageBlock)[a%imageBlock], t.known.get(b / imageBlock)[b%imageBlock]
	if one != two {
		return cmp.Compare(one, two)
	}
	return t.keys.get(a).Compare(t.keys.get(b))
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
	fillings := []order.Filling{{View: everything}}
	for i := range s.attributes {
		a := &s.attributes[i]
		if !a.aligns() {
			continue
		}
		codes := a.allCodes()
		for _, code := range codes {
			o.aligned(i, code)
		}
		if o.full.has(i) {
			continue
		}
		for _, code := range codes {
			if b := a.values.get(code); b.size() > 0 {
				fillings = append(fillings, fillingOf(o.values[i][code], b.read(), o.tree.Len()))
			}
		}
	}
	for _, slot := range o.slots {
		if members[slot] != nil {
			fillings = append(fillings, fillingOf(s.views[slot].number, members[slot], o.tree.Len()))
		}
	}
	o.tree.Fill(fillings)
	return nil
}

// fillingOf makes a bitmap the members of a view of an order of so many
// entries.
func fillingOf(number order.View, members *roaring.Bitmap, entries int) order.Filling {
	out := order.Filling{View: number}
	switch {
	case int(members.GetCardinality()) == entries:
	case members.IsEmpty() || uint64(members.Maximum())/64 > 16*uint64(entries)+1<<16:
		out.Member = members.Contains
	default:
		out.Members = members.ToDense()
	}
	return out
}
