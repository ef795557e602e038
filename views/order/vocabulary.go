package order

import "math/bits"

// Comparer is how the owner orders entries, by the values and keys that the
// writer sees at present. No two ordinals are equal: ties are broken by key.
type Comparer interface {
	// Compare is negative if entry a comes before entry b, positive if after,
	// and zero only for an ordinal and itself.
	Compare(a, b uint32) int
	// Prefix is the first 8 bytes of an order-preserving encoding of the
	// first sort column: where two prefixes differ, the entries are in the
	// prefixes' order. Where they are equal, Compare decides.
	Prefix(ordinal uint32) uint64
}

// Position is a place in an order that need not be an entry's: sort values and
// a key, compared with entries of the snapshot in which it is sought.
type Position interface {
	// Compare is negative if the entry comes before the position, positive if
	// after, and zero if it is at it.
	Compare(ordinal uint32) int
	// Prefix is the position's own, made as Comparer.Prefix makes an entry's.
	Prefix() uint64
}

// View is the number of a view in its order. Numbers of dropped views are
// used again.
type View uint16

// MaxViews is how many views an order can have.
const MaxViews = 4096

// ViewSet is a set of views. The zero ViewSet is empty.
type ViewSet []uint64

// With is the set and a view. It changes the set in place where it has room.
func (s ViewSet) With(v View) ViewSet {
	for int(v)>>6 >= len(s) {
		s = append(s, 0)
	}
	s[v>>6] |= 1 << (v & 63)
	return s
}

// Has reports whether a view is in the set.
func (s ViewSet) Has(v View) bool {
	return int(v)>>6 < len(s) && s[v>>6]>>(v&63)&1 != 0
}

// remove takes a view out of the set.
func (s ViewSet) remove(v View) {
	if int(v)>>6 < len(s) {
		s[v>>6] &^= 1 << (v & 63)
	}
}

func (s ViewSet) isEmpty() bool {
	for _, word := range s {
		if word != 0 {
			return false
		}
	}
	return true
}

// bit is 1 if a view is in the set, else 0.
func (s ViewSet) bit(v int) uint64 {
	if v>>6 >= len(s) {
		return 0
	}
	return s[v>>6] >> (v & 63) & 1
}

// each calls do with every view in the set, ascending.
func (s ViewSet) each(do func(v int)) {
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			do(i<<6 + bits.TrailingZeros64(word))
		}
	}
}
