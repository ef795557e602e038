package views

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"cairn"
)

// sorter sorts the entries of a state that does not change meanwhile. It
// compares numbers that it looks up once an entry and level: a sort's values
// one after the other, then 8 bytes of the key each. Where a value's number is
// the last there is, absent ones have it too, and a level of its own parts
// them.
//
// Large parts are split by a sample of their numbers into parts of some
// thousand, so that what is sorted at once fits a cache, takes bounded time,
// and can be sorted beside others. A number that many entries have gets a part
// of its own, which goes on with the next level.
type sorter struct {
	comparer
	ranks [][]uint32 // by field: of strings, each code's place in their order
	// stopped tells whether nobody wants what is sorted any more; nil is never.
	stopped func() bool
}

// item is an entry with its number at the level that is sorted by.
type item struct {
	number  uint64
	ordinal uint32
}

// itemPages is how many items a page of items has at most.
const itemPages = 4096

// items are as many as may be, in pages that are not moved as they grow.
type items struct {
	pages [][]item
	size  int
}

func (s *items) add(each item) {
	last := len(s.pages) - 1
	if last < 0 || len(s.pages[last]) == cap(s.pages[last]) {
		s.pages = append(s.pages, make([]item, 0, min(max(s.size, 64), itemPages)))
		last++
	}
	s.pages[last] = append(s.pages[last], each)
	s.size++
}

// joined is the items in one slice.
func (s *items) joined() []item {
	if len(s.pages) == 1 {
		return s.pages[0]
	}
	return slices.Concat(s.pages...)
}

// sample is some of their numbers.
func (s *items) sample() []uint64 {
	step := max(s.size/(splitMost*oversampled), 1)
	sample := make([]uint64, 0, s.size/step+len(s.pages))
	for _, page := range s.pages {
		for i := 0; i < len(page); i += step {
			sample = append(sample, page[i].number)
		}
	}
	return sample
}

// part is items of which all levels before are equal.
type part struct {
	items items
	level int
	whole bool // whether splitting it was in vain
}

// splits reports whether a part is to be split before it is sorted.
func (p *part) splits(s *sorter) bool {
	return p.items.size > partMost && !p.whole && p.level <= s.keyLevel()+cairn.MaxKeyLength/8
}

const (
	// partSize is how many items a split aims at, partMost how many are
	// sorted without a split.
	partSize = 4096
	partMost = 2 * partSize
	// splitMost is how many parts a split makes at most; each is chosen from
	// oversampled numbers.
	splitMost   = 2048
	oversampled = 8
)

// newSorter is a sorter that is ready.
func newSorter(s *state, sort []SortField, fields []int) *sorter {
	out := sorterOf(s, sort, fields)
	for i, field := range fields {
		d, next := &s.attributes[field].dictionary, uint32(0)
		for block := range d.order.blocks {
			next = d.rankBlock(block, next, out.ranks[i])
		}
	}
	return out
}

// sorterOf is a sorter whose ranks are to be filled.
func sorterOf(s *state, sort []SortField, fields []int) *sorter {
	out := &sorter{comparer: comparer{state: s, sort: sort, fields: fields}, ranks: make([][]uint32, len(fields))}
	for i, field := range fields {
		if a := &s.attributes[field]; a.spec.Type == cairn.TypeString {
			out.ranks[i] = make([]uint32, len(a.dictionary.counts))
		}
	}
	return out
}

// keyLevel is the level of a key's first bytes. Each field has two before it.
func (s *sorter) keyLevel() int { return 2 * len(s.fields) }

// number is what an entry is sorted by at a level.
func (s *sorter) number(level int, ordinal uint32) uint64 {
	if chunk := level - s.keyLevel(); chunk >= 0 {
		key := s.state.keys.get(ordinal)
		return textPrefix(key[min(8*chunk, len(key)):])
	}
	field := level / 2
	number, present := s.state.attributes[s.fields[field]].column.get(ordinal)
	switch {
	case level%2 == 1 && present:
		return 0
	case level%2 == 1:
		return 1
	case !present:
		return math.MaxUint64
	case s.ranks[field] != nil:
		number = uint64(s.ranks[field][number])
	}
	return directed(number, s.sort[field].Descending)
}

// after is the level that decides among items of one number at a level.
func (s *sorter) after(level int, number uint64) int {
	if level < s.keyLevel() && level%2 == 0 && number != math.MaxUint64 {
		return level + 2
	}
	return level + 1
}

// renumber gives items their numbers at a level.
func (s *sorter) renumber(items []item, level int) {
	for i := range items {
		items[i].number = s.number(level, items[i].ordinal)
	}
}

// order sorts a part, however large.
func (s *sorter) order(p part, emit func(sorted []item)) {
	if s.stopped != nil && s.stopped() {
		return
	}
	if !p.splits(s) {
		sorted := p.items.joined()
		s.sortSmall(sorted, p.level)
		emit(sorted)
		return
	}
	split := s.split(p.level, p.items.sample(), p.items.size)
	for i, page := range p.items.pages {
		for _, each := range page {
			split.place(each)
		}
		p.items.pages[i] = nil
	}
	for _, inner := range split.parts() {
		// Where no sample tells them apart, splitting is in vain.
		inner.whole = inner.level == p.level && inner.items.size == p.items.size
		s.order(inner, emit)
	}
}

// sortSmall sorts items that have their numbers at a level.
func (s *sorter) sortSmall(items []item, level int) {
	if level >= s.keyLevel() {
		s.sortByKey(items)
		return
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.number, b.number) })
	for start := 0; start < len(items); {
		end := start + 1
		for end < len(items) && items[end].number == items[start].number {
			end++
		}
		if end-start > 1 {
			next := s.after(level, items[start].number)
			if next < s.keyLevel() {
				s.renumber(items[start:end], next)
			}
			s.sortSmall(items[start:end], next)
		}
		start = end
	}
}

// sortByKey sorts items whose values are equal. An ordinal decides where a key has
// a second entry, which is hidden and not swept yet.
func (s *sorter) sortByKey(items []item) {
	type keyed struct {
		key     cairn.Key
		ordinal uint32
	}
	if len(items) == 2 {
		if order := s.state.keys.get(items[0].ordinal).Compare(s.state.keys.get(items[1].ordinal)); order > 0 ||
			order == 0 && items[0].ordinal > items[1].ordinal {
			items[0], items[1] = items[1], items[0]
		}
		return
	}
	all := make([]keyed, len(items))
	for i := range items {
		all[i] = keyed{s.state.keys.get(items[i].ordinal), items[i].ordinal}
	}
	slices.SortFunc(all, func(a, b keyed) int { return cmp.Or(bytes.Compare(a.key, b.key), cmp.Compare(a.ordinal, b.ordinal)) })
	for i := range all {
		items[i].ordinal = all[i].ordinal
	}
}

// split is a part on its way into smaller ones.
type split struct {
	sorter *sorter
	level  int
	// bounds are ascending; many tells which of them are a number that many
	// items have. Items below a bound are in the part of its index, those of
	// such a number in its own part of ties.
	bounds []uint64
	many   []bool
	below  []items
	ties   []items
}

// split begins to split a part of so many items, with a sample of their
// numbers at its level.
func (s *sorter) split(level int, sample []uint64, size int) *split {
	slices.Sort(sample)
	out := &split{sorter: s, level: level}
	parts := min(size/partSize+1, splitMost)
	for i := 1; i < parts; i++ {
		bound := sample[i*len(sample)/parts]
		if last := len(out.bounds) - 1; last >= 0 && out.bounds[last] == bound {
			out.many[last] = true
			continue
		}
		out.bounds, out.many = append(out.bounds, bound), append(out.many, false)
	}
	out.below, out.ties = make([]items, len(out.bounds)+1), make([]items, len(out.bounds))
	return out
}

// place puts an item into its part.
func (p *split) place(each item) {
	i, found := slices.BinarySearch(p.bounds, each.number)
	switch {
	case !found:
		p.below[i].add(each)
	case p.many[i]:
		each.number = p.sorter.number(p.sorter.after(p.level, each.number), each.ordinal)
		p.ties[i].add(each)
	default:
		p.below[i+1].add(each)
	}
}

// parts are the parts in order; those without items are left out.
func (p *split) parts() []part {
	var out []part
	for i := range p.below {
		if p.below[i].size > 0 {
			out = append(out, part{items: p.below[i], level: p.level})
		}
		if i < len(p.ties) && p.ties[i].size > 0 {
			out = append(out, part{items: p.ties[i], level: p.sorter.after(p.level, p.bounds[i])})
		}
	}
	return out
}

// sampleEntries is some of the entries' numbers at the first level.
func (s *sorter) sampleEntries(blocks *paged[mask], entries int) []uint64 {
	step := max(entries/(splitMost*oversampled), 1)
	sample := make([]uint64, 0, entries/step+1)
	left := 0
	for block, present := range eachBlock(blocks) {
		if n := present.count(); left >= n {
			left -= n
			continue
		}
		present.each(func(slot uint32) {
			if left == 0 {
				sample = append(sample, s.number(0, block*imageBlock+slot))
				left = step
			}
			left--
		})
	}
	return sample
}

// all sorts all entries, parts of them beside each other. It ends early, without
// some of them, where the jobs are stopped.
func (s *sorter) all(blocks *paged[mask], entries int, jobs *jobs) [][]uint32 {
	s.stopped = jobs.stopped
	split := s.split(0, s.sampleEntries(blocks, entries), entries)
	for block, present := range eachBlock(blocks) {
		if jobs.stopped() {
			return nil
		}
		present.each(func(slot uint32) {
			ordinal := block*imageBlock + slot
			split.place(item{s.number(0, ordinal), ordinal})
		})
	}
	parts := split.parts()
	runs := make([][]uint32, len(parts))
	for i := range parts {
		jobs.start(func() error {
			run := make([]uint32, 0, parts[i].items.size)
			s.order(parts[i], func(sorted []item) {
				for _, each := range sorted {
					run = append(run, each.ordinal)
				}
			})
			runs[i], parts[i] = run, part{}
			return nil
		})
	}
	split.below, split.ties = nil, nil
	_ = jobs.wait()
	return runs
}
