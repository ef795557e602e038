package views

import "cairn"

// Rank is how many rows a page leaves behind it that begins after q.After:
// those of the selection that come before it in the query's order, and one
// that stands there. It is refused as Page is, but for the limit, which does
// not count, and as Count is. Without conditions and in the view's own order
// it is read off the order's counts; else it takes as long as gathering the
// selection.
func (s *Snapshot) Rank(q Query) (int, error) {
	q.Limit, q.Offset = 1, 0
	p, err := s.plan(&q)
	if err != nil {
		return 0, err
	}
	if q.After == nil {
		return 0, cairn.Invalid("cursor", "POSITION_MISSING", "a rank is that of a position")
	}
	if p.Method == WalkView {
		it := p.start(p.walks)
		return it.Rank(), nil
	}
	set, err := s.selected(&q.Selection, p.slot)
	if err != nil {
		return 0, err
	}
	after := position{comparer: p.order, values: q.After.Values, key: q.After.Key}
	rank := 0
	set.runs(func(_ uint32, ordinals []uint32) {
		for _, ordinal := range ordinals {
			if after.Compare(ordinal) <= 0 {
				rank++
			}
		}
	})
	return rank, nil
}
