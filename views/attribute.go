package views

import (
	"cmp"
	"encoding/binary"
	"math"
	"strings"

	"cairn"
)

// maxIndexed is how many distinct values an attribute may have for each to
// have a bitmap. Beyond it a condition on the attribute reads its column: a
// bitmap a value would cost more memory than the column, and be used less.
const maxIndexed = 1024

// attribute is all values of one attribute: its column and, while it has few
// distinct values, a bitmap of each. Copies taken before a generation ends
// never change after.
type attribute struct {
	spec       cairn.AttributeSpec
	column     column
	dictionary dictionary     // of strings; the column then holds their codes
	values     paged[*bitmap] // by code, or by rank for bools
	indexed    bool           // whether values are kept
	unaligned  bool           // whether orders have no bitsets of them
}

func newAttribute(spec cairn.AttributeSpec) attribute {
	return attribute{spec: spec, indexed: spec.Type == cairn.TypeString || spec.Type == cairn.TypeBool}
}

// holds reports whether an ordinal's value is v, null standing for none.
func (a *attribute) holds(ordinal uint32, v cairn.Value) bool {
	number, present := a.column.get(ordinal)
	switch {
	case !present || v.Type() == cairn.TypeNull:
		return present == (v.Type() != cairn.TypeNull)
	case a.spec.Type == cairn.TypeString:
		return a.dictionary.texts.get(uint32(number)) == v.Text()
	default:
		return number == rank(v)
	}
}

// set replaces an ordinal's value, null standing for none.
func (a *attribute) set(ordinal uint32, v cairn.Value, w *bitmaps) {
	if old, present := a.column.get(ordinal); present {
		a.drop(ordinal, old, w)
	}
	if v.Type() == cairn.TypeNull {
		a.column.unset(ordinal, w.generation)
		return
	}
	var number uint64
	if a.spec.Type == cairn.TypeString {
		number = uint64(a.dictionary.take(v.Text(), w.generation))
		if a.indexed && a.dictionary.distinct() > maxIndexed {
			a.indexed, a.values = false, paged[*bitmap]{}
		}
	} else {
		number = rank(v)
	}
	a.column.set(ordinal, number, w.generation)
	if a.indexed {
		place := a.values.at(uint32(number), w.generation)
		*place = w.edit(*place)
		w.set(*place, ordinal, true)
	}
}

// drop forgets that an ordinal has a number, but for the column.
func (a *attribute) drop(ordinal uint32, number uint64, w *bitmaps) {
	if a.indexed {
		place := a.values.at(uint32(number), w.generation)
		*place = w.edit(*place)
		w.set(*place, ordinal, false)
		if (*place).count == 0 {
			*place = nil
		}
	}
	if a.spec.Type == cairn.TypeString {
		a.dictionary.release(uint32(number), w.generation)
	}
}

// value is an ordinal's value, null where it has none.
func (a *attribute) value(ordinal uint32) cairn.Value {
	number, present := a.column.get(ordinal)
	if !present {
		return cairn.Value{}
	}
	return a.ofNumber(number)
}

// read writes the values of ordinals, null where there is none, each at the
// position first in a row of so many values.
func (a *attribute) read(ordinals []uint32, rows []cairn.Value, first, width int) {
	var numbers [gathered]uint64
	for len(ordinals) > 0 {
		some := ordinals[:min(len(ordinals), gathered)]
		present := a.column.gather(some, &numbers)
		for i := range some {
			value := &rows[i*width+first]
			if *value = (cairn.Value{}); present>>i&1 != 0 {
				*value = a.ofNumber(numbers[i])
			}
		}
		ordinals, rows = ordinals[len(some):], rows[len(some)*width:]
	}
}

// ofNumber is the value that a number of the column stands for.
func (a *attribute) ofNumber(number uint64) cairn.Value {
	if a.spec.Type == cairn.TypeString {
		v, _ := cairn.String(a.dictionary.texts.get(uint32(number))) // it was a value when it came
		return v
	}
	return ofRank(a.spec.Type, number)
}

// compare orders two ordinals by their values, an absent one last in either
// direction.
func (a *attribute) compare(first, second uint32, descending bool) int {
	one, hasOne := a.column.get(first)
	two, hasTwo := a.column.get(second)
	if !hasOne || !hasTwo {
		return absentLast(hasOne, hasTwo)
	}
	var order int
	if a.spec.Type != cairn.TypeString {
		order = cmp.Compare(one, two)
	} else if one != two {
		order = strings.Compare(a.dictionary.texts.get(uint32(one)), a.dictionary.texts.get(uint32(two)))
	}
	if descending {
		return -order
	}
	return order
}

// compareWith orders an ordinal's value and a value, null standing for none.
func (a *attribute) compareWith(ordinal uint32, v cairn.Value, descending bool) int {
	number, present := a.column.get(ordinal)
	if !present || v.Type() == cairn.TypeNull {
		return absentLast(present, v.Type() != cairn.TypeNull)
	}
	var order int
	if a.spec.Type == cairn.TypeString {
		order = strings.Compare(a.dictionary.texts.get(uint32(number)), v.Text())
	} else {
		order = cmp.Compare(number, rank(v))
	}
	if descending {
		return -order
	}
	return order
}

func absentLast(hasFirst, hasSecond bool) int {
	switch {
	case hasFirst == hasSecond:
		return 0
	case hasFirst:
		return -1
	default:
		return 1
	}
}

// prefix is 8 bytes of an ordinal's value such that where two differ, the
// values are in their order.
func (a *attribute) prefix(ordinal uint32, descending bool) uint64 {
	number, present := a.column.get(ordinal)
	switch {
	case !present:
		return math.MaxUint64
	case a.spec.Type == cairn.TypeString:
		return directed(textPrefix(a.dictionary.texts.get(uint32(number))), descending)
	default:
		return directed(number, descending)
	}
}

// prefixOf is the prefix of a value.
func (a *attribute) prefixOf(v cairn.Value, descending bool) uint64 {
	switch v.Type() {
	case cairn.TypeNull:
		return math.MaxUint64
	case cairn.TypeString:
		return directed(textPrefix(v.Text()), descending)
	default:
		return directed(rank(v), descending)
	}
}

func directed(prefix uint64, descending bool) uint64 {
	if descending {
		return ^prefix
	}
	return prefix
}

func textPrefix[T string | cairn.Key](text T) uint64 {
	var first [8]byte
	copy(first[:], text)
	return binary.BigEndian.Uint64(first[:])
}

// bytes is about how much memory the attribute takes.
func (a *attribute) bytes() int64 {
	total := a.column.bytes() + a.dictionary.bytes() + a.values.bytes()
	for _, page := range a.values.pages {
		if page != nil {
			for _, b := range page.items {
				total += b.bytes()
			}
		}
	}
	return total
}
