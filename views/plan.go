package views

import (
	"fmt"
	"slices"
	"strings"

	"cairn/views/filter"
	"cairn/views/order"

	"github.com/RoaringBitmap/roaring/v2"
)

// Method is how a page is found.
type Method uint8

// The methods.
const (
	// WalkView reads the page off the order, at the view's bitset.
	WalkView Method = iota + 1
	// WalkBoth reads it off the order where the bitsets of the view and of an
	// attribute's value agree, testing the rest of the condition, if any.
	WalkBoth
	// WalkRange reads it off the stretch of the order that values of its first
	// fields and a range of the next confine it to, testing the rest of the
	// condition, if any.
	WalkRange
	// WalkTest walks the view in order and tests each entry.
	WalkTest
	// WalkOrder walks an order that is not the view's and tests each entry.
	WalkOrder
	// SelectTop gathers all entries of the selection and selects the first.
	SelectTop
	// WalkGathered gathers them and walks the order to the first.
	WalkGathered
)

var methodNames = [...]string{"", "walk the view", "walk the view and a value", "walk a range of the view", "walk the view and test",
	"walk another order and test", "gather and select", "gather and walk to them"}

func (m Method) String() string { return methodNames[m] }

// Plan says how a page was found: what was expected, and what was touched.
type Plan struct {
	Method Method
	// Members is how many members the view has, Matches about how many of
	// them the condition is expected to be true of.
	Members, Matches int
	// WalkCost and SelectCost are what walking and selecting were expected to
	// take, in nanoseconds; 0 where that was not considered.
	WalkCost, SelectCost int
	// Walked entries were tested in order, Scanned ones had a column read for
	// a condition, Gathered ones were candidates for the first rows. Tested
	// ones were looked up, for a condition without an index.
	Walked, Scanned, Gathered, Tested int
	// FellBack is set if a walk was given up after Walked entries.
	FellBack bool
}

// String is the plan in one line.
func (p Plan) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: of %d members about %d expected", p.Method, p.Members, p.Matches)
	if p.WalkCost > 0 || p.SelectCost > 0 {
		fmt.Fprintf(&out, " (walk %d ns, select %d ns)", p.WalkCost, p.SelectCost)
	}
	for _, touched := range []struct {
		what string
		n    int
	}{{"walked", p.Walked}, {"scanned", p.Scanned}, {"gathered", p.Gathered}, {"tested", p.Tested}} {
		if touched.n > 0 {
			fmt.Fprintf(&out, ", %s %d", touched.what, touched.n)
		}
	}
	if p.FellBack {
		out.WriteString(", after giving up a walk")
	}
	return out.String()
}

// What steps take, in nanoseconds, about: of walking to an entry and testing
// it, of reading one number of a column for all entries, of comparing a
// gathered entry with the last of the page, of an operation on a container of
// a bitmap.
const (
	costWalk      = 80
	costScan      = 1
	costGather    = 10
	costContainer = 300
)

// planned is a query with what was found out about it.
type planned struct {
	Plan
	snapshot *Snapshot
	query    *Query
	slot     int
	order    *comparer
	// walked is the order and reader its tree, if there is one to walk; walks is the
	// view in it that has all members, and own whether it has no others.
	walked *ordered
	reader *order.Reader
	walks  order.View
	own    bool
	// value is the bitset of a value that the condition asks for, if has is
	// set; alone says that it is the whole condition.
	value      order.View
	has, alone bool
	// part is what a range confines the walk to, if confined is set.
	part     stretch
	confined bool
	masked   *roaring.Bitmap
	resolver resolver
	// given is a walk that was given up, and patience after how many entries.
	given    given
	patience int
	// need is up to which row of the order the page goes, and one more.
	need int
}

// plan checks a query and decides how to answer it.
func (s *Snapshot) plan(q *Query) (*planned, error) {
	slot, w, err := s.view(q.View, q.Version)
	if err != nil {
		return nil, err
	}
	p := &planned{snapshot: s, query: q, slot: slot, masked: s.masked(), resolver: resolver{state: &s.state}, need: q.Offset + q.Limit + 1}
	if err := p.chooseOrder(w); err != nil {
		return nil, err
	}
	if err := s.check(q, p.order); err != nil {
		return nil, err
	}
	if err := q.usable(); err != nil {
		return nil, err
	}
	if q.Brief && q.Where != nil && s.state.plansLong(q.Where) {
		return nil, ErrLong
	}
	p.Members = s.kept(slot)
	p.Matches = p.Members
	if q.Where != nil && p.reader != nil {
		p.chooseValue()
		p.part, p.confined = stretchOf(p.order, p.reader, p.walks, q.Where)
		// One of the two leads the walk: the one that leaves less.
		if p.confined && p.has {
			p.confined = p.part.to-p.part.from < p.reader.Count(p.value)
			p.has = !p.confined
		}
	}
	p.chooseMethod()
	return p, nil
}

// chooseOrder finds the order that the query's rows have, if it is kept.
func (p *planned) chooseOrder(w *view) error {
	s := p.snapshot
	if len(p.query.OrderBy) == 0 {
		o := s.orders[w.order]
		if p.order = &o.comparer; o.usable {
			p.walked, p.reader, p.walks, p.own = o, &o.reader, w.number, true
		}
		return nil
	}
	fields, err := s.state.sortFields("order_by", p.query.OrderBy)
	if err != nil {
		return err
	}
	p.order = &comparer{state: &s.state, sort: p.query.OrderBy, fields: fields}
	for number, o := range s.orders {
		if o != nil && o.usable && slices.Equal(o.sort, p.query.OrderBy) {
			p.order, p.walked, p.reader = &o.comparer, o, &o.reader
			if number == w.order {
				p.walks, p.own = w.number, true
			} else {
				p.walks = everything
			}
			return nil
		}
	}
	return nil
}

// chooseValue looks for the rarest value with a bitset in the order that the
// condition asks for.
func (p *planned) chooseValue() {
	rarest := -1
	for _, test := range conjuncts(p.query.Where) {
		if test.Kind() != filter.Test {
			continue
		}
		value, size, found := p.walked.valueOf(test.Leaf())
		if found && (rarest < 0 || size < rarest) {
			rarest, p.value, p.has = size, value, true
		}
	}
	p.alone = p.has && p.query.Where.Root().Kind() == filter.Test
}

// chooseMethod decides by what the methods are expected to take.
func (p *planned) chooseMethod() {
	entries := max(p.snapshot.state.entries.size(), 1)
	where := p.query.Where
	if where != nil {
		about := min(int(where.Plan().Estimate(&p.resolver)), entries)
		p.Matches = int(float64(p.Members) * float64(about) / float64(entries))
	}
	switch {
	case p.reader == nil:
		p.Method = SelectTop
		return
	case p.own && where == nil && p.masked == nil:
		p.Method = WalkView
		return
	case p.own && p.has && p.alone && p.masked == nil:
		p.Method = WalkBoth
		return
	case p.own && p.confined && len(p.part.left) == 0 && p.masked == nil:
		p.Method, p.Matches = WalkRange, p.part.to-p.part.from
		return
	}
	walked := p.Members
	p.Method = WalkTest
	switch {
	case p.confined:
		p.Method, walked = WalkRange, p.part.to-p.part.from
		p.Matches = min(p.Matches, walked)
	case !p.own:
		p.Method, walked = WalkOrder, entries
	case p.has:
		p.Method = WalkBoth
		walked = min(walked, p.reader.Count(p.value))
	}
	looked := min(float64(p.need)*float64(max(walked, 1))/float64(max(p.Matches, 1)), float64(walked))
	p.WalkCost = int(looked * costWalk)
	p.SelectCost = p.costOfSelecting(where)
	// A walk that finds much less than was expected goes against the condition.
	// It has cost little then beside the other way.
	const unlikely = 4
	p.patience = min(max(int(unlikely*looked), p.SelectCost/costWalk/8), p.SelectCost/costWalk)
	if p.query.Brief {
		p.patience = min(p.patience, briefCost/costWalk)
	}
	if p.WalkCost > p.SelectCost && (where == nil || where.Plan().Exact()) {
		p.Method = SelectTop
	}
}

// costOfSelecting is about what it takes to gather the matches and select the
// first of them.
func (p *planned) costOfSelecting(where *filter.Filter) int {
	entries := p.snapshot.state.entries.size()
	containers := entries>>16 + 1
	cost := p.Matches*costGather + containers*costContainer
	if where == nil {
		return cost
	}
	for _, leaf := range where.Leaves() {
		a := p.snapshot.state.attribute(leaf.Attribute().ID)
		switch {
		case a == nil:
		case a.indexed:
			cost += containers * costContainer * max(len(leaf.Ranges()), 1)
		default:
			cost += entries * costScan * max(len(leaf.Ranges()), 1)
		}
	}
	return cost
}
