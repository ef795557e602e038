package shardmap

import "math/bits"

// line guesses where a number stands among ascending ones that lie about on a
// straight line, as the bounds of an even hash keyspace do. The zero line is of
// numbers that don't.
type line struct {
	low uint64
	// scale is pieces a two units: halved, differences fit a signed integer,
	// which becomes a float without a branch that nobody can predict.
	scale float64
}

// lineOff is how many places a guess of a line may be off.
const lineOff = 4

// newLine is through n ascending numbers and the one after them.
func newLine(n int, number func(int) uint64, end uint64) line {
	low := number(0)
	half := int64((end - low) >> 1)
	if half == 0 {
		return line{}
	}
	out := line{low, float64(n) / float64(half)}
	for i := range n {
		if off := out.guess(number(i), n) - i; off < -lineOff || off > lineOff {
			return line{}
		}
	}
	return out
}

func (l line) straight() bool { return l.scale > 0 }

// guess is about where among n a number stands that is neither below the first
// nor above the end.
func (l line) guess(p uint64, n int) int {
	return min(int(float64(int64((p-l.low)>>1))*l.scale), n-1)
}

// samples are every sixteenth part's first of ascending numbers that lie on no
// line: two cache lines that say which few of them to look at.
type samples [16]uint64

func newSamples(n int, number func(int) uint64) *samples {
	var s samples
	for k := range s {
		s[k] = number(k * n / len(s))
	}
	return &s
}

// part is which of n numbers the last one at or before p is among, or else the
// first. Like searchEvenly it does not branch on what it compares.
func (s *samples) part(p uint64, n int) (from, to int) {
	k := len(s) - 1
	for _, sample := range s[1:] {
		_, after := bits.Sub64(p, sample, 0) // 1 if the sample is above p
		k -= int(after)
	}
	return k * n / len(s), (k + 1) * n / len(s)
}
