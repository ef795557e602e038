package order

import (
	"fmt"
	"slices"

	"cairn"
)

// Check looks at everything there is and is an error (KindCorrupt) that says
// what is wrong first: entries out of order, a count, a separator or a bit
// that is not what it should be. It takes as long as walking all entries, and
// comparing each with the next.
func (o *Order) Check() error {
	c := checker{order: o}
	c.root()
	if c.err != nil {
		return c.err
	}
	return nil
}

type checker struct {
	order *Order
	last  uint32
	any   bool
	err   *cairn.Error
}

// holds notes the first condition that does not hold.
func (c *checker) holds(condition bool, format string, args ...any) bool {
	if !condition && c.err == nil {
		c.err = cairn.Errorf(cairn.KindCorrupt, "ORDER_CORRUPT", "the order is not what it should be: %s", fmt.Sprintf(format, args...))
	}
	return condition
}

func (c *checker) root() {
	r := c.order.root
	c.holds(r.generation <= c.order.generation, "the root is of generation %d, later than %d", r.generation, c.order.generation)
	c.holds(len(r.firsts) == len(r.branches) && len(r.prefixes) == len(r.branches), "%d branches with %d separators", len(r.branches), len(r.firsts))
	entries := 0
	totals := make([]uint32, len(r.totals))
	for i, b := range r.branches {
		entries += c.branch(b, fmt.Sprintf("branch %d", i), r.generation)
		c.holds(b.n > 0 && b.firsts[0] == r.firsts[i] && b.prefixes[0] == r.prefixes[i], "the separator of branch %d is not its first entry's", i)
		for v := range totals {
			totals[v] += uint32(b.count(v))
		}
		c.holds(len(b.summaries) <= len(totals), "branch %d counts views that the root does not", i)
	}
	c.holds(entries == r.entries, "%d entries, counted as %d", entries, r.entries)
	c.holds(slices.Equal(totals, r.totals), "views of %v members, counted as %v", totals, r.totals)
	for v, total := range totals {
		c.holds(total == 0 || c.order.used.Has(View(v)), "%d members of view %d, which is not there", total, v)
	}
}

func (c *checker) branch(b *branch, name string, generation uint64) int {
	c.holds(b.generation <= generation, "%s is of generation %d, later than what is above", name, b.generation)
	c.holds(b.n > 0 && b.n <= c.order.shape.fan, "%s has %d groups", name, b.n)
	entries := 0
	for i, g := range b.children[:b.n] {
		inner := fmt.Sprintf("%s, group %d", name, i)
		entries += c.group(g, inner, b.generation)
		c.holds(g.n > 0 && g.firsts[0] == b.firsts[i] && g.prefixes[0] == b.prefixes[i], "the separator of %s is not its first entry's", inner)
		for v := len(b.summaries); v < len(g.summaries); v++ {
			c.holds(g.count(v) == 0, "%s has members of view %d, which its branch does not count", inner, v)
		}
	}
	checkSummaries(c, b, name, groupCount)
	return entries
}

func (c *checker) group(g *group, name string, generation uint64) int {
	c.holds(g.generation <= generation, "%s is of generation %d, later than what is above", name, g.generation)
	c.holds(g.n > 0 && g.n <= c.order.shape.fan, "%s has %d leaves", name, g.n)
	entries := 0
	for i, l := range g.children[:g.n] {
		inner := fmt.Sprintf("%s, leaf %d", name, i)
		entries += c.leaf(l, inner, g.generation)
		c.holds(l.ordinals[0] == g.firsts[i] && c.order.comparer.Prefix(l.ordinals[0]) == g.prefixes[i],
			"the separator of %s is not its first entry", inner)
		for v := len(g.summaries); v < int(l.slots); v++ {
			c.holds(l.of(v) == 0, "%s has members of view %d, which its group does not count", inner, v)
		}
	}
	checkSummaries(c, g, name, leafCount)
	return entries
}

// checkSummaries compares a node's summaries with what its children count.
func checkSummaries[C any](c *checker, f *fan[C], name string, count func(*C, int) int) {
	for v, have := range f.summaries {
		var want summary
		for i, child := range f.children[:f.n] {
			if members := count(child, v); members > 0 {
				want.occupied |= 1 << i
				want.quarters[i/quarter] += uint32(members)
			}
		}
		c.holds(have == want, "%s counts %v of view %d, has %v", name, have, v, want)
	}
	for i := f.n; i < fanout; i++ {
		c.holds(f.children[i] == nil, "%s holds a child beyond its last", name)
	}
}

func (c *checker) leaf(l *leaf, name string, generation uint64) int {
	c.holds(l.generation <= generation, "%s is of generation %d, later than what is above", name, l.generation)
	if !c.holds(l.n > 0 && int(l.n) <= c.order.shape.leaf, "%s has %d entries", name, l.n) {
		return 0
	}
	for _, ordinal := range l.ordinals[:l.n] {
		c.holds(!c.any || c.order.comparer.Compare(c.last, ordinal) < 0, "%s: entry %d does not come after %d", name, ordinal, c.last)
		c.last, c.any = ordinal, true
	}
	if !c.holds(len(l.views) == int(l.slots)+blockWords*int(l.blocks), "%s has %d words for %d views and %d blocks", name, len(l.views), l.slots, l.blocks) {
		return 0
	}
	c.memberships(l, name)
	return int(l.n)
}

// memberships looks at how a leaf holds its views: each in the one form that
// its count asks for, each block in use by one view, no bit past the end.
func (c *checker) memberships(l *leaf, name string) {
	blocks := 0
	owned := make([]bool, l.blocks)
	for v := range int(l.slots) {
		m := l.of(v)
		count := m.count()
		if !c.holds(count <= int(l.n), "%s has %d entries, but %d members of view %d", name, l.n, count, v) {
			return
		}
		switch {
		case count == 0 || count == int(l.n):
			c.holds(m == membership(count), "%s: nothing but a count belongs to view %d", name, v)
		case count <= inlineMost:
			last := -1
			for k := range count {
				c.holds(m.slot(k) > last && m.slot(k) < int(l.n), "%s: slots of view %d out of order or range", name, v)
				last = m.slot(k)
			}
			c.holds(m>>(countBits+slotBits*count) == 0, "%s: slots beyond the members of view %d", name, v)
		default:
			if !c.holds(m.block() < int(l.blocks) && !owned[m.block()], "%s: view %d has block %d of %d, which is not its own", name, v, m.block(), l.blocks) {
				return
			}
			owned[m.block()] = true
			blocks++
			w := *l.blockAt(m.block())
			c.holds(w.count() == count, "%s: view %d has %d bits for %d members", name, v, w.count(), count)
			w.shiftDown(int(l.n))
			c.holds(w == words{}, "%s: view %d has bits past the leaf's end", name, v)
		}
	}
	c.holds(blocks == int(l.blocks), "%s has %d blocks, of which %d are in use", name, l.blocks, blocks)
}
