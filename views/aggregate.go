package views

import "cairn"

// Aggregate aggregates one attribute of a selection. It is refused as Count
// is, and for an attribute that is not indexed (KindInvalid, field
// "attribute", ATTRIBUTE_UNKNOWN).
func (s *Snapshot) Aggregate(sel Selection, id cairn.AttributeID) (cairn.Aggregation, error) {
	a := s.state.attribute(id)
	if a == nil {
		return cairn.Aggregation{}, cairn.Invalid("attribute", "ATTRIBUTE_UNKNOWN", "there is no indexed attribute number %d", id)
	}
	slot, _, err := s.view(sel.View, sel.Version)
	if err != nil {
		return cairn.Aggregation{}, err
	}
	text := a.spec.Type == cairn.TypeString
	if !text && sel.Where != nil && s.state.scansFor(sel.Where) {
		most := talliedAtMost
		if sel.Brief {
			most = talliedBriefly
		}
		if c, found := s.confine(&sel, slot); found {
			if t, done := c.tally(a, most); done {
				return t.aggregation(), nil
			}
		}
	}
	if sel.Brief {
		return cairn.Aggregation{}, ErrLong
	}
	if sel.Where == nil && !text {
		t := s.tallyMembers(slot, a)
		return t.aggregation(), nil
	}
	selected, err := s.selected(&sel, slot)
	if err != nil {
		return cairn.Aggregation{}, err
	}
	if text {
		return a.aggregateText(selected), nil
	}
	t := tally{kind: a.spec.Type}
	a.column.eachRun(selected, t.add)
	return t.aggregation(), nil
}

func (t *tally) aggregation() cairn.Aggregation {
	if t.count == 0 {
		return cairn.Aggregation{}
	}
	out := cairn.Aggregation{Count: t.count, Min: ofRank(t.kind, t.least), Max: ofRank(t.kind, t.most)}
	switch t.kind {
	case cairn.TypeInt:
		// Each rank is its int plus 2^63.
		out.Ints = t.sum.Minus(cairn.TimesInt(signBit, t.count))
	case cairn.TypeFloat:
		out.Floats = t.floats.sum()
	}
	return out
}

// aggregateText finds the first and the last string.
func (a *attribute) aggregateText(of passing) cairn.Aggregation {
	var out cairn.Aggregation
	seen := make([]uint64, len(a.dictionary.counts)/64+1)
	a.column.eachRun(of, func(b *block, ordinals []uint32) {
		out.Count += len(ordinals)
		for _, ordinal := range ordinals {
			code := b.get(ordinal)
			seen[code/64] |= 1 << (code % 64)
		}
	})
	for code := range a.dictionary.all() {
		if seen[code/64]>>(code%64)&1 == 0 {
			continue
		}
		if out.Min.Type() == cairn.TypeNull {
			out.Min = a.ofNumber(uint64(code))
		}
		out.Max = a.ofNumber(uint64(code))
	}
	return out
}
