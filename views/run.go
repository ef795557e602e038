package views

import (
	"cairn/views/order"

	"github.com/RoaringBitmap/roaring/v2"
)

// run finds the ordinals of a page, in order, and one more if there is one. It
// uses the room if that is enough.
func (p *planned) run(room []uint32) ([]uint32, error) {
	where := p.query.Where
	if exact := where == nil || where.Plan().Exact(); exact && p.Method != SelectTop && (!p.query.Brief || p.WalkCost <= briefCost) {
		if ordinals, done := p.walk(room); done {
			return ordinals, nil
		}
		p.FellBack, p.Method = true, SelectTop
	} else if !exact && !p.query.Brief {
		return p.runTesting(room)
	}
	if p.query.Brief {
		return nil, ErrLong
	}
	members := p.selected()
	if p.walksToGathered(members) {
		return p.walkGathered(members, room), nil
	}
	return p.top(members), nil
}

// fewToSelect is how many entries there must be for each that is taken off an order, one
// here and one there, for that to be faster than to go over columns.
const fewToSelect = 4

// selected is all that the page is chosen from.
func (p *planned) selected() *roaring.Bitmap {
	s, where := p.snapshot, p.query.Where
	switch {
	case where == nil:
		return s.members(p.slot)
	case s.state.scansFor(where):
		c, found := s.confine(&p.query.Selection, p.slot)
		if found && (c.part.to-c.part.from)*fewToSelect < s.state.entries.size() {
			return c.bitmap(&s.state)
		}
	}
	return where.Plan().Select(&p.resolver, s.members(p.slot))
}

// runTesting finds a page where the condition asks for an attribute without
// an index: among the candidates that the rest of the condition leaves, if
// they are few, else by walking the order.
func (p *planned) runTesting(room []uint32) ([]uint32, error) {
	sel := &p.query.Selection
	candidates := sel.Where.Plan().Select(&p.resolver, p.snapshot.members(p.slot))
	if n := int(candidates.GetCardinality()); n <= sel.budget() || p.reader == nil {
		p.Method = SelectTop
		found, err := p.snapshot.test(sel, candidates, &p.Plan)
		if err != nil {
			return nil, err
		}
		return p.top(found), nil
	}
	it := p.start(p.walks)
	ordinals, kept, over := roomFor(room, p.need), 0, false
	for kept < p.need && !over {
		n, looked := it.Select(ordinals[kept:], leastWalk, func(ordinal uint32) bool {
			if over || !candidates.Contains(ordinal) {
				return false
			}
			if over = p.Tested == sel.budget(); over {
				return false
			}
			p.Tested++
			return sel.Where.Match(sel.Attributes(ordinal))
		})
		kept += n
		p.Walked += looked
		if looked < leastWalk {
			break // that was all
		}
	}
	if over && kept < p.need {
		return nil, sel.overBudget()
	}
	return ordinals[min(p.query.Offset, kept):kept], nil
}

// roomFor is room for so many ordinals.
func roomFor(room []uint32, n int) []uint32 {
	if cap(room) >= n {
		return room[:n]
	}
	return make([]uint32, n)
}

// start is where the page begins in a view of the order.
func (p *planned) start(view order.View) order.Iterator {
	if p.query.After != nil {
		return p.reader.SeekPast(view, position{comparer: p.order, values: p.query.After.Values, key: p.query.After.Key})
	}
	return p.reader.First(view)
}

// briefCost is how long a walk may be expected to take, in nanoseconds, where answers are to
// be brief: about what the rows of a page do that it finds.
const briefCost = 20_000

// leastWalk is how many entries a walk may test in any case: so few are
// cheaper than any other way.
const leastWalk = 512

// walk reads the page off the order. It is not done if it has tested so many
// entries in vain that another way would have been cheaper.
func (p *planned) walk(room []uint32) (ordinals []uint32, done bool) {
	if p.Method == WalkView && p.query.Offset > 0 {
		// The order's counts lead straight to an offset.
		ordinals, it := roomFor(room, p.query.Limit+1), p.reader.At(p.walks, p.query.Offset)
		return ordinals[:it.Fill(ordinals)], true
	}
	keep := p.keep()
	if p.Method == WalkRange && keep == nil && p.query.After == nil {
		// So they do within a stretch.
		from := min(p.part.from+p.query.Offset, p.part.to)
		ordinals, it := roomFor(room, min(p.query.Limit+1, p.part.to-from)), p.reader.At(p.walks, from)
		return ordinals[:it.Fill(ordinals)], true
	}
	if p.query.Brief && p.Method == WalkBoth && keep == nil {
		if p.need > leastWalk {
			return nil, false
		}
		// Bitsets that hardly meet are walked for long: what tests counts the leaves.
		keep = func(uint32) bool { return true }
	}
	ordinals = roomFor(room, p.need)
	it := p.start(p.walks)
	if p.Method == WalkBoth {
		it = it.And(p.value)
	}
	end := p.reader.Count(p.walks)
	if p.Method == WalkRange {
		if end = p.part.to; it.Rank() < p.part.from {
			it = p.reader.At(p.walks, p.part.from)
		}
	}
	if keep == nil {
		if p.Method == WalkRange {
			ordinals = ordinals[:min(len(ordinals), max(end-it.Rank(), 0))]
		}
		n := it.Fill(ordinals)
		return ordinals[min(p.query.Offset, n):n], true
	}
	most, n := max(p.patience, leastWalk), 0
	for n < p.need {
		kept, looked := it.Select(ordinals[n:], leastWalk, keep)
		n += kept
		p.Walked += looked
		if looked < leastWalk && n < p.need || p.Method == WalkRange && it.Rank() >= end {
			break // that was all
		}
		if n < p.need && p.Walked >= most {
			p.given = given{it, ordinals[:n], true}
			return nil, false
		}
	}
	return ordinals[min(p.query.Offset, n):n], true
}

// keep tests what the bitsets that are walked leave open; nil if nothing.
func (p *planned) keep() func(ordinal uint32) bool {
	var tests []func(ordinal uint32) bool
	if p.masked != nil {
		tests = append(tests, func(ordinal uint32) bool { return !p.masked.Contains(ordinal) })
	}
	if !p.own {
		members := p.snapshot.state.members[p.slot].read()
		tests = append(tests, members.Contains)
	}
	// Behind the end of a range it is tested after all, if anything is.
	decided := p.Method == WalkBoth && p.alone || p.Method == WalkRange && len(p.part.left) == 0 && len(tests) == 0
	if where := p.query.Where; where != nil && !decided {
		tests = append(tests, func(ordinal uint32) bool { return where.MatchOrdinal(&p.snapshot.state, ordinal) })
	}
	switch len(tests) {
	case 0:
		return nil
	case 1:
		return tests[0]
	}
	return func(ordinal uint32) bool {
		for _, test := range tests {
			if !test(ordinal) {
				return false
			}
		}
		return true
	}
}

// top is the first of a set after the query's position.
func (p *planned) top(set *roaring.Bitmap) []uint32 {
	p.Gathered = int(set.GetCardinality())
	p.Scanned = p.resolver.scanned
	t := newTop(p.order, min(p.need, p.Gathered))
	if after := p.query.After; after != nil {
		t.after = &position{comparer: p.order, values: after.Values, key: after.Key}
	}
	ordinals := t.of(set)
	return ordinals[min(p.query.Offset, len(ordinals)):]
}

// test is the candidates of which a condition is true, by their attributes.
// It is refused if they are more than the budget.
func (s *Snapshot) test(sel *Selection, candidates *roaring.Bitmap, plan *Plan) (*roaring.Bitmap, error) {
	if int(candidates.GetCardinality()) > sel.budget() {
		return nil, sel.overBudget()
	}
	found := roaring.New()
	for it := candidates.Iterator(); it.HasNext(); {
		ordinal := it.Next()
		plan.Tested++
		if sel.Where.Match(sel.Attributes(ordinal)) {
			found.Add(ordinal)
		}
	}
	return found, nil
}
