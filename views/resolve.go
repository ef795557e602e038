package views

import (
	"math"
	"slices"

	"cairn"
	"cairn/views/filter"

	"github.com/RoaringBitmap/roaring/v2"
)

// resolver gives a filter's plan the bitmaps of a state: those of values
// where there are, else what reading a column finds. It notes what was read.
type resolver struct {
	*state
	scanned int // entries whose column was read
}

// All are the entries.
func (r *resolver) All() *roaring.Bitmap { return r.entries.read() }

// Present are the entries with an attribute.
func (r *resolver) Present(id cairn.AttributeID) *roaring.Bitmap {
	a := r.attribute(id)
	switch {
	case a == nil:
		return nil
	case a.indexed:
		return a.withCodes(a.allCodes())
	default:
		return r.dense.narrow(&a.column, nil, func(*block, *blockBits) {})
	}
}

// Equal are the entries with a value of an attribute that has bitmaps.
func (r *resolver) Equal(id cairn.AttributeID, v cairn.Value) *roaring.Bitmap {
	a := r.attribute(id)
	if a == nil {
		return nil
	}
	number := uint32(rank(v))
	if a.spec.Type == cairn.TypeString {
		code, found := a.dictionary.find(v.Text())
		if !found {
			return nil
		}
		number = code
	}
	return a.values.get(number).read()
}

// fewCandidates is how many times fewer candidates there must be than entries
// for it to be cheaper to look each up than to go over the column's blocks.
const fewCandidates = 16

// Range are the entries with a value in a range.
func (r *resolver) Range(id cairn.AttributeID, values filter.Range, within *roaring.Bitmap) *roaring.Bitmap {
	a := r.attribute(id)
	if a == nil {
		return nil
	}
	if a.indexed {
		return a.withCodes(a.codesIn(values))
	}
	in := a.tester(values)
	if within == nil {
		r.scanned += r.entries.size()
		return r.dense.narrow(&a.column, nil, in.keep)
	}
	n := int(within.GetCardinality())
	r.scanned += n
	if n*fewCandidates < r.entries.size() {
		return a.column.pick(within, &in)
	}
	return r.dense.narrow(&a.column, within, in.keep)
}

// Scans reports whether an attribute has no bitmaps of its values.
func (r *resolver) Scans(id cairn.AttributeID) bool { return r.scans(id) }

func (s *state) scans(id cairn.AttributeID) bool {
	a := s.attribute(id)
	return a != nil && !a.indexed
}

// scansFor reports whether columns are read for a condition.
func (s *state) scansFor(where *filter.Filter) bool {
	return slices.ContainsFunc(where.Leaves(), func(l *filter.Leaf) bool { return s.scans(l.Attribute().ID) })
}

// plansLong reports whether it takes long to estimate a condition: by going over many
// values, or many ranges.
func (s *state) plansLong(where *filter.Filter) bool {
	return slices.ContainsFunc(where.Leaves(), func(l *filter.Leaf) bool {
		spec := l.Attribute()
		return len(l.Ranges()) > manyRanges || spec.Type == cairn.TypeString && s.scans(spec.ID)
	})
}

const manyRanges = 8

// tester says which numbers of a column are in a range.
type tester struct {
	span  span
	codes []uint64 // of strings, a bit each, in place of span
}

// keep leaves in which the slots whose numbers pass.
func (t tester) keep(b *block, which *blockBits) {
	if t.codes != nil {
		b.among(t.codes, which)
	} else {
		b.within(t.span, which)
	}
}

func (a *attribute) tester(values filter.Range) tester {
	if a.spec.Type != cairn.TypeString {
		return tester{span: spanOf(values)}
	}
	if v, single := values.Single(); single {
		code, found := a.dictionary.find(v.Text())
		if !found {
			return tester{span: span{math.MaxUint64, math.MaxUint64}} // which is no code
		}
		return tester{span: span{uint64(code), uint64(code)}}
	}
	codes := make([]uint64, len(a.dictionary.counts)/64+1)
	for _, code := range a.codesIn(values) {
		codes[code/64] |= 1 << (code % 64)
	}
	return tester{codes: codes}
}

// spanOf is the numbers of a column whose values are in a range.
func spanOf(values filter.Range) span {
	switch values.Type() {
	case cairn.TypeFloat:
		low, high := values.Floats()
		return span{rankOfFloat(low), rankOfFloat(high)}
	case cairn.TypeBool:
		low, high := values.Numbers()
		return span{uint64(low), uint64(high)}
	default:
		low, high := values.Numbers()
		return span{uint64(low) ^ signBit, uint64(high) ^ signBit}
	}
}

// codesIn is the codes, in order of the values, of those in a range.
func (a *attribute) codesIn(values filter.Range) []uint32 {
	var out []uint32
	if a.spec.Type == cairn.TypeBool {
		for s := spanOf(values); s.low <= s.high; s.low++ {
			out = append(out, uint32(s.low))
		}
		return out
	}
	low, high, bounded := values.Strings()
	for code := range a.dictionary.between(low, high, bounded) {
		out = append(out, code)
	}
	return out
}

// allCodes is the codes of an attribute with bitmaps, in order of the values.
func (a *attribute) allCodes() []uint32 {
	if a.spec.Type == cairn.TypeBool {
		return []uint32{0, 1}
	}
	out := make([]uint32, 0, a.dictionary.distinct())
	for code := range a.dictionary.all() {
		out = append(out, code)
	}
	return out
}

// withCodes is the entries that have one of some codes.
func (a *attribute) withCodes(codes []uint32) *roaring.Bitmap {
	each := make([]*roaring.Bitmap, len(codes))
	for i, code := range codes {
		each[i] = a.values.get(code).read()
	}
	return union(each)
}

// union is the union of bitmaps, that bitmap itself where there is one.
func union(each []*roaring.Bitmap) *roaring.Bitmap {
	if len(each) == 1 {
		return each[0]
	}
	return roaring.FastOr(each...)
}

// Estimate is about how many entries have a value in a range.
func (r *resolver) Estimate(id cairn.AttributeID, values filter.Range) uint64 {
	a := r.attribute(id)
	switch {
	case a == nil:
		return 0
	case a.indexed:
		total := 0
		if v, single := values.Single(); single && a.spec.Type == cairn.TypeString {
			if code, found := a.dictionary.find(v.Text()); found {
				total = a.values.get(code).size()
			}
			return uint64(total)
		}
		for _, code := range a.codesIn(values) {
			total += a.values.get(code).size()
		}
		return uint64(total)
	case a.spec.Type == cairn.TypeString:
		// The strings of a range that has all of them have all entries.
		in, of := 0, max(a.dictionary.distinct(), 1)
		for range a.codesIn(values) {
			in++
		}
		return uint64(r.entries.size()) * uint64(in) / uint64(of)
	default:
		return uint64(a.column.share(spanOf(values)) * float64(r.entries.size()))
	}
}

// sampledBlocks is of how many blocks an estimate looks at 64 numbers each.
const sampledBlocks = 64

// share is about which part of a column's ordinals have a number in a span.
func (c *column) share(s span) float64 {
	in, of := 0, 0
	total := uint32(len(c.blocks.pages) * pageSize)
	step := max(total/sampledBlocks, 1)
	for i := uint32(0); i < total; i += step {
		b := c.blocks.get(i)
		if b == nil {
			continue
		}
		var which blockBits
		word := i / step % uint32(len(which)) // not all at the same place
		which[word] = b.present[word]
		of += which.count()
		b.within(s, &which)
		in += which.count()
	}
	if of == 0 {
		return 0
	}
	return math.Max(float64(in), 0.5) / float64(of)
}
