package load

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
)

const keyPrefix = "customer-"

// keyDigits make keys of equal length, so that every key costs the same.
const keyDigits = 11

// Key is the key of entry number n: 20 bytes, ascending with n.
func Key(n int) []byte { return AppendKey(make([]byte, 0, len(keyPrefix)+keyDigits), n) }

// AppendKey appends entry n's key to buf.
func AppendKey(buf []byte, n int) []byte {
	buf = append(buf, keyPrefix...)
	for width := 10_000_000_000; width > 1 && n < width; width /= 10 {
		buf = append(buf, '0')
	}
	return strconv.AppendInt(buf, int64(n), 10)
}

// Batches are batches of keys chosen uniformly from the first entries. The
// same seed gives the same batches.
func Batches(seed uint64, count, size, entries int) [][][]byte {
	random := rand.New(rand.NewPCG(seed, uint64(size)))
	batches := make([][][]byte, count)
	for i := range batches {
		batches[i] = make([][]byte, size)
		for j := range batches[i] {
			batches[i][j] = Key(random.IntN(entries))
		}
	}
	return batches
}

// Shuffled are the numbers of so many entries in random order, the same for
// the same seed.
func Shuffled(seed uint64, entries int) []int {
	return rand.New(rand.NewPCG(seed, 0)).Perm(entries)
}

// NewKeys are keys of 20 bytes in random order that nobody has had before. Any goroutine
// may take one.
type NewKeys struct{ next atomic.Uint64 }

// Next is the next key.
func (k *NewKeys) Next() []byte { return scattered(k.next.Add(1)) }

// Take takes so many keys at once.
func (k *NewKeys) Take(n uint64) { k.next.Add(n) }

// Had is one of the keys that were taken, for n below how many there were.
func (k *NewKeys) Had(n uint64) []byte { return scattered(n + 1) }

// Taken is how many keys were taken.
func (k *NewKeys) Taken() uint64 { return k.next.Load() }

// scattered is a bijection of the numbers: what an odd factor and a shift that
// can be undone make of them.
func scattered(n uint64) []byte {
	n *= 0x9e3779b97f4a7c15
	n ^= n >> 32
	n *= 0xd6e8feb86659fd93
	return fmt.Appendf(nil, "key-%016x", n)
}
