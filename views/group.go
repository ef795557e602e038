package views

import (
	"slices"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// GroupCount counts the entries of a selection by the values of one or two
// attributes, exactly. Groups are in order of their values, absent ones last.
// It is refused as Count is, and
//
//   - with no attributes or more than two, one twice, or one that is not
//     indexed (KindInvalid, field "group_by", GROUP_BY_ATTRIBUTES,
//     ATTRIBUTE_UNKNOWN)
//   - with more than cairn.MaxGroups groups (KindExhausted, field "group_by",
//     GROUPS_TOO_MANY)
func (s *Snapshot) GroupCount(sel Selection, by ...cairn.AttributeID) ([]cairn.Group, error) {
	if len(by) < 1 || len(by) > 2 || len(by) == 2 && by[0] == by[1] {
		return nil, cairn.Invalid("group_by", "GROUP_BY_ATTRIBUTES", "%d attributes; group by one or by two different ones", len(by))
	}
	attributes := make([]*attribute, len(by))
	for i, id := range by {
		if attributes[i] = s.state.attribute(id); attributes[i] == nil {
			return nil, cairn.Invalid("group_by", "ATTRIBUTE_UNKNOWN", "there is no indexed attribute number %d", id)
		}
	}
	slot, _, err := s.view(sel.View, sel.Version)
	if err != nil {
		return nil, err
	}
	groups, err := s.group(&sel, slot, attributes)
	if err != nil {
		return nil, err
	}
	if len(groups) > cairn.MaxGroups {
		return nil, tooManyGroups()
	}
	slices.SortFunc(groups, func(a, b cairn.Group) int {
		for i := range a.Values {
			if order := compareAbsentLast(a.Values[i], b.Values[i]); order != 0 {
				return order
			}
		}
		return 0
	})
	return groups, nil
}

// group counts in the way that is expected to take the least.
func (s *Snapshot) group(sel *Selection, slot int, attributes []*attribute) ([]cairn.Group, error) {
	if sel.Where != nil && s.state.scansFor(sel.Where) {
		most := 0
		if sel.Brief {
			most = countedBriefly
		}
		if c, found := s.confine(sel, slot); found {
			if groups, done := c.group(attributes, most); done {
				return groups, nil
			}
		}
	}
	if sel.Brief {
		return nil, ErrLong
	}
	selected, err := s.selected(sel, slot)
	if err != nil {
		return nil, err
	}
	if len(attributes) == 1 && attributes[0].indexed && len(selected.tests) > 0 {
		return attributes[0].groupByCodes(selected), nil
	}
	set := selected.bitmap()
	if byBitmaps(attributes, set) {
		return groupByBitmaps(attributes, set), nil
	}
	return groupByColumns(attributes, set)
}

func tooManyGroups() error {
	return &cairn.Error{Kind: cairn.KindExhausted, Reason: "GROUPS_TOO_MANY", Field: "group_by",
		Err: cairn.Errorf(cairn.KindExhausted, "", "more than %d groups; narrow the selection or group by an attribute with fewer values", cairn.MaxGroups)}
}

func compareAbsentLast(a, b cairn.Value) int {
	if a.Type() == cairn.TypeNull || b.Type() == cairn.TypeNull {
		return absentLast(a.Type() != cairn.TypeNull, b.Type() != cairn.TypeNull)
	}
	return a.Compare(b)
}

// byBitmaps reports whether intersecting the values' bitmaps is cheaper than
// reading the columns of each entry.
func byBitmaps(attributes []*attribute, set *roaring.Bitmap) bool {
	size := int(set.GetCardinality())
	intersections := 1
	for _, a := range attributes {
		if !a.indexed {
			return false
		}
		values := 2
		if a.spec.Type == cairn.TypeString {
			values = a.dictionary.distinct()
		}
		intersections *= values + 1
	}
	return intersections <= cairn.MaxGroups && intersections*(size>>16+1)*costContainer < size*costGather
}

// groupByBitmaps counts by the bitmaps of the values.
func groupByBitmaps(attributes []*attribute, set *roaring.Bitmap) (groups []cairn.Group) {
	a := attributes[0]
	if len(attributes) == 1 {
		left := int(set.GetCardinality())
		for _, code := range a.allCodes() {
			n := int(a.values.get(code).read().AndCardinality(set))
			groups = appendGroup(groups, n, a.ofNumber(uint64(code)))
			left -= n
		}
		return appendGroup(groups, left, cairn.Value{})
	}
	part := func(first cairn.Value, set *roaring.Bitmap) {
		for _, g := range groupByBitmaps(attributes[1:], set) {
			groups = appendGroup(groups, g.Count, first, g.Values[0])
		}
	}
	left := set
	for _, code := range a.allCodes() {
		with := a.values.get(code).read()
		part(a.ofNumber(uint64(code)), roaring.And(set, with))
		left = roaring.AndNot(left, with)
	}
	part(cairn.Value{}, left)
	return groups
}

func appendGroup(groups []cairn.Group, n int, values ...cairn.Value) []cairn.Group {
	if n == 0 {
		return groups
	}
	return append(groups, cairn.Group{Values: values, Count: n})
}

// groupByCodes counts how often each code of an attribute with few comes up.
func (a *attribute) groupByCodes(of passing) (groups []cairn.Group) {
	counts := make([]int, len(a.values.pages)*pageSize)
	absent := 0
	of.runs(func(at uint32, ordinals []uint32) {
		absent += len(ordinals)
		if b := a.column.blocks.get(at); b != nil {
			ordinals = b.having(ordinals)
			absent -= len(ordinals)
			for _, ordinal := range ordinals {
				counts[b.get(ordinal)]++
			}
		}
	})
	for code, n := range counts {
		if n > 0 {
			groups = appendGroup(groups, n, a.ofNumber(uint64(code)))
		}
	}
	return appendGroup(groups, absent, cairn.Value{})
}

// cell is an entry's number of an attribute, or that it has none.
type cell struct {
	number  uint64
	present bool
}

// groupByColumns counts by reading the columns of each entry.
func groupByColumns(attributes []*attribute, set *roaring.Bitmap) ([]cairn.Group, error) {
	counts := map[[2]cell]int{}
	for it := set.Iterator(); it.HasNext(); {
		ordinal := it.Next()
		var at [2]cell
		for i, a := range attributes {
			at[i].number, at[i].present = a.column.get(ordinal)
		}
		if counts[at]++; len(counts) > cairn.MaxGroups {
			return nil, tooManyGroups()
		}
	}
	groups := make([]cairn.Group, 0, len(counts))
	for at, n := range counts {
		g := cairn.Group{Count: n}
		for i, a := range attributes {
			var v cairn.Value
			if at[i].present {
				v = a.ofNumber(at[i].number)
			}
			g.Values = append(g.Values, v)
		}
		groups = append(groups, g)
	}
	return groups, nil
}
