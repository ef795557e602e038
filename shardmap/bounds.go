package shardmap

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
)

// bounds is an ascending column of n+1 bounds, of which the i-th piece is
// [bound i, bound i+1). The last one may be empty, for an open end.
//
// A search compares whole bounds only where it must. It looks at a column of
// numbers: the 8 bytes after those that the bounds have in common. A key
// between two bounds begins with what they have in common, which therefore
// needs no looking at. The empty bounds at the ends of a keyspace have nothing
// in common with any other, so where that matters the first and the last are
// left out and the common bytes are compared.
type bounds struct {
	flat     []byte
	offsets  []uint32 // n+2: bound i is flat[offsets[i]:offsets[i+1]]
	prefixes []uint64 // n+1: of bound i, the 8 bytes after the common ones
	common   int
	outer    bool // the first and the last bound begin with the common bytes
	line     line // through the prefixes, if common is 0
}

// newBounds copies n bounds and the end of the last.
func newBounds(n int, start func(int) []byte, end []byte) bounds {
	size := len(end)
	for i := range n {
		size += len(start(i))
	}
	b := bounds{flat: make([]byte, 0, size), offsets: make([]uint32, 1, n+2), prefixes: make([]uint64, n+1)}
	for i := range n {
		b.add(start(i))
	}
	b.add(end)
	longest := 0
	for i := range n + 1 {
		longest = max(longest, len(b.bound(i)))
	}
	b.common, b.outer = commonBytes(b.bound(0), end, longest), true
	if n > 1 {
		// With 4 bytes more in common, half of the prefix would be wasted.
		if common := commonBytes(b.bound(1), b.bound(n-1), longest); common >= b.common+4 {
			b.common, b.outer = common, false
		}
	}
	b.prefixes[n] = math.MaxUint64
	for i := range n {
		if i > 0 || b.outer {
			b.prefixes[i] = prefix(b.bound(i), b.common)
		}
	}
	if b.outer {
		b.prefixes[n] = endPrefix(end, b.common)
	}
	if b.common == 0 {
		b.line = newLine(n, func(i int) uint64 { return b.prefixes[i] }, b.prefixes[n])
	}
	return b
}

func (b *bounds) add(bound []byte) {
	b.flat = append(b.flat, bound...)
	b.offsets = append(b.offsets, uint32(len(b.flat)))
}

func (b *bounds) pieces() int { return len(b.prefixes) - 1 }

// bound is the i-th, of n+1.
func (b *bounds) bound(i int) []byte {
	from, to := b.offsets[i], b.offsets[i+1]
	return b.flat[from:to:to]
}

func (b *bounds) end() []byte { return b.bound(b.pieces()) }

// search is the piece that a key is in, which must be in one.
func (b *bounds) search(key []byte) int {
	n := b.pieces()
	if !b.outer {
		from := int(b.offsets[1])
		order := bytes.Compare(key[:min(len(key), b.common)], b.flat[from:from+b.common])
		if order < 0 {
			return 0
		}
		if order > 0 {
			return n - 1
		}
	}
	p := prefix(key, b.common)
	i := searchEvenly(b.prefixes[:n], p)
	if i == 0 || b.prefixes[i] < p {
		return i
	}
	return searchEqual(i, func(i int) bool { return b.prefixes[i] < p || bytes.Compare(b.bound(i), key) <= 0 })
}

// interpolate is search for a key of which only the first 8 bytes are known. It
// is false if they do not tell, or the bounds lie on no line.
func (b *bounds) interpolate(p uint64) (int, bool) {
	if !b.line.straight() {
		return 0, false
	}
	numbers := b.prefixes
	i := b.line.guess(p, len(numbers)-1)
	for i > 0 && numbers[i] > p {
		i--
	}
	for i+2 < len(numbers) && numbers[i+1] <= p {
		i++
	}
	return i, i == 0 || numbers[i] < p
}

// searchEvenly is the last of ascending numbers that is at or before p, or the
// first if none is. There is no branch on what is compared, since there is no
// predicting it.
func searchEvenly(numbers []uint64, p uint64) int {
	i := 0
	for size := len(numbers); size > 1; {
		half := size / 2
		size -= half
		_, after := bits.Sub64(p, numbers[i+half], 0) // 1 if the number is above p
		i += half & (int(after) - 1)
	}
	return i
}

// searchEqual is the last of the pieces up to i that begins at or before a
// key, by looking at whole bounds. The first one does.
func searchEqual(i int, atOrBefore func(int) bool) int {
	if atOrBefore(i) {
		return i
	}
	first := 0
	for i-first > 1 {
		middle := (first + i) / 2
		if atOrBefore(middle) {
			first = middle
		} else {
			i = middle
		}
	}
	return first
}

// rank is how many pieces begin before a key, wherever that is.
func (b *bounds) rank(key []byte) int {
	return rank(key, b.pieces(), b.bound, func() int { return b.search(key) })
}

// rank is how many of n pieces begin before a key; search finds the piece of
// a key that is in one.
func rank(key []byte, n int, bound func(int) []byte, search func() int) int {
	if bytes.Compare(key, bound(0)) <= 0 {
		return 0
	}
	if end := bound(n); len(end) > 0 && bytes.Compare(key, end) >= 0 {
		return n
	}
	i := search()
	if bytes.Equal(bound(i), key) {
		return i
	}
	return i + 1
}

// prefix is the 8 bytes of a key after the first ones, as a number of the same
// order but for zeros at the end.
func prefix(key []byte, after int) uint64 {
	if len(key) >= after+8 {
		return binary.BigEndian.Uint64(key[after:])
	}
	var p uint64
	for i, b := range key[min(after, len(key)):] {
		p |= uint64(b) << (56 - 8*i)
	}
	return p
}

// endPrefix is the prefix of a last bound, which is open if it is empty.
func endPrefix(end []byte, after int) uint64 {
	if len(end) == 0 {
		return math.MaxUint64
	}
	return prefix(end, after)
}

// commonBytes is how many first bytes the prefixes of bounds between two leave
// out: those that all have in common, or none if whole bounds fit a prefix, so
// that one prefix of a key does for every level of a tree.
func commonBytes(first, last []byte, longest int) int {
	if longest <= 8 {
		return 0
	}
	n := min(len(first), len(last))
	for i := range n {
		if first[i] != last[i] {
			return i
		}
	}
	return n
}
