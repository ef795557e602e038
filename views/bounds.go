package views

import (
	"slices"

	"cairn"
	"cairn/views/filter"
	"cairn/views/order"
)

// bound is a place in an order: before all entries with some values in its first
// fields or, where past is set, behind them.
type bound struct {
	*comparer
	values []cairn.Value
	past   bool
}

// Compare orders an entry and the bound by the first fields alone.
func (b bound) Compare(ordinal uint32) int {
	for i, v := range b.values {
		if order := b.state.attributes[b.fields[i]].compareWith(ordinal, v, b.sort[i].Descending); order != 0 {
			return order
		}
	}
	return 0
}

// Prefix is the bound's own.
func (b bound) Prefix() uint64 {
	return b.state.attributes[b.fields[0]].prefixOf(b.values[0], b.sort[0].Descending)
}

func (b bound) seek(r *order.Reader, view order.View) order.Iterator {
	switch {
	case len(b.values) == 0:
		return r.First(view)
	case b.past:
		return r.SeekPast(view, b)
	default:
		return r.Seek(view, b)
	}
}

// stretch is a part of a view in its order: all of the view that a condition on the
// order's first fields can be true of.
type stretch struct {
	begin, end order.Iterator
	from, to   int // the ranks of these
	// left are the parts of the condition that may be false of some in it.
	left []*filter.Node
}

// stretchOf is the stretch that a condition confines a view to: where it asks for one value
// of each of the order's first fields, or of none, and for a range of the next one.
func stretchOf(o *comparer, reader *order.Reader, view order.View, where *filter.Filter) (part stretch, found bool) {
	part.left = slices.Clone(conjuncts(where))
	var equal []cairn.Value
	begin, end := bound{comparer: o}, bound{comparer: o, past: true}
	for i, field := range o.fields {
		a := &o.state.attributes[field]
		at := slices.IndexFunc(part.left, func(n *filter.Node) bool { return confines(n, a.spec.ID) })
		if at < 0 {
			break
		}
		r := part.left[at].Leaf().Ranges()[0]
		if v, single := r.Single(); single {
			equal = append(equal, v)
			begin.values, end.values = equal, equal
		} else if !begin.narrow(&end, equal, r, o.sort[i].Descending) {
			break
		}
		found = true
		part.left = slices.Delete(part.left, at, at+1)
		if len(equal) <= i {
			break // what comes after a range is in no order there
		}
	}
	if !found {
		return stretch{}, false
	}
	part.begin, part.end = begin.seek(reader, view), end.seek(reader, view)
	part.from, part.to = part.begin.Rank(), part.end.Rank()
	return part, true
}

// conjuncts are what all has to be true for a condition to be. The caller does not change
// them.
func conjuncts(where *filter.Filter) []*filter.Node {
	if root := where.Root(); root.Kind() != filter.And {
		return []*filter.Node{root}
	}
	return where.Root().Children()
}

// confines tells whether a part of a condition is that an attribute has a value in one range.
func confines(n *filter.Node, id cairn.AttributeID) bool {
	return n.Kind() == filter.Test && n.Leaf().Attribute().ID == id && !n.Leaf().Absent() && len(n.Leaf().Ranges()) == 1
}

// narrow makes two bounds those of a range, behind values that are equal. It changes nothing
// where an end of the range is no value.
func (b *bound) narrow(end *bound, equal []cairn.Value, r filter.Range, descending bool) bool {
	var low, high cairn.Value
	closed := true // whether high is in the range
	if r.Type() == cairn.TypeString {
		from, to, bounded := r.Strings()
		var errLow, errHigh error
		if low, errLow = cairn.String(from); bounded {
			high, errHigh = cairn.String(to)
		} // else it is absent, which comes after all values
		if errLow != nil || errHigh != nil {
			return false
		}
		closed = false
	} else {
		s := spanOf(r)
		low, high = ofRank(r.Type(), s.low), ofRank(r.Type(), s.high)
	}
	with := func(v cairn.Value) []cairn.Value { return append(slices.Clone(equal), v) }
	switch {
	case !descending:
		b.values, end.values, end.past = with(low), with(high), closed
	case high.Type() == cairn.TypeNull: // absent values are last in this direction, too
		end.values = with(low)
	default:
		b.values, b.past, end.values = with(high), !closed, with(low)
	}
	return true
}
