package load

import (
	"math"
	"math/rand/v2"
)

// Chooser chooses one of the first entries, by its number. Any goroutine may
// use it, with a source of its own.
type Chooser func(random *rand.Rand) int

// Uniform chooses each of the entries as often as any other.
func Uniform(entries int) Chooser {
	return func(random *rand.Rand) int { return random.IntN(entries) }
}

// Hotspot chooses among the first share of the entries with a probability, and
// among the others else, as YCSB's hotspot distribution does: 0.2 and 0.8 there.
func Hotspot(entries int, share, probability float64) Chooser {
	hot := min(max(int(share*float64(entries)), 1), entries-1)
	return func(random *rand.Rand) int {
		if random.Float64() < probability {
			return random.IntN(hot)
		}
		return hot + random.IntN(entries-hot)
	}
}

// ZipfianConstant is YCSB's.
const ZipfianConstant = 0.99

// Zipfian chooses entries by Zipf's law with ZipfianConstant, the popular ones
// spread over all, as YCSB's scrambled zipfian distribution does.
func Zipfian(entries int) Chooser {
	ranks := newRanks(entries)
	return func(random *rand.Rand) int { return int(spread(uint64(ranks.draw(random))) % uint64(entries)) }
}

// Latest chooses the newest of so many entries the most often, by the same law.
func Latest(entries int) func(random *rand.Rand, newest int) int {
	ranks := newRanks(entries)
	return func(random *rand.Rand, newest int) int { return max(newest-ranks.draw(random), 0) }
}

// ranks draws numbers below n, 0 the most often, by Zipf's law: Gray et al.,
// "Quickly generating billion-record synthetic databases", SIGMOD 1994, which
// YCSB takes too. (math/rand's wants a constant above 1.)
type ranks struct {
	n                 float64
	alpha, zetaN, eta float64
	half              float64 // 0.5^theta
}

func newRanks(n int) *ranks {
	const theta = ZipfianConstant
	zetaN := 0.0
	for i := 1; i <= n; i++ {
		zetaN += math.Pow(float64(i), -theta)
	}
	half := math.Pow(0.5, theta)
	return &ranks{
		n: float64(n), alpha: 1 / (1 - theta), zetaN: zetaN, half: half,
		eta: (1 - math.Pow(2/float64(n), 1-theta)) / (1 - (1+half)/zetaN),
	}
}

func (r *ranks) draw(random *rand.Rand) int {
	u := random.Float64()
	switch uz := u * r.zetaN; {
	case uz < 1:
		return 0
	case uz < 1+r.half:
		return 1
	}
	return min(int(r.n*math.Pow(r.eta*u-r.eta+1, r.alpha)), int(r.n)-1)
}

// spread is the 64-bit FNV-1a hash of a number, with which YCSB spreads what is
// popular.
func spread(n uint64) uint64 {
	const offset, prime = 0xcbf29ce484222325, 0x100000001b3
	hash := uint64(offset)
	for range 8 {
		hash = (hash ^ n&0xff) * prime
		n >>= 8
	}
	return hash
}
