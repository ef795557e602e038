package rendezvous

import (
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Members are who owns things. The zero Members are none. They are immutable.
type Members struct {
	names []string
	// seeds are what scores are made of, one for each name.
	seeds []uint64
}

// Of is the members of these names, of which each counts once.
func Of(names []string) Members {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	seeds := make([]uint64, len(names))
	for i, name := range names {
		seeds[i] = xxhash.Sum64String(name)
	}
	return Members{names, seeds}
}

// Names are the members' names, ascending. They must not be changed.
func (m Members) Names() []string { return m.names }

// Owner is the name of the member that a thing belongs to; empty if there are none.
func (m Members) Owner(thing string) string {
	var owner string
	var highest uint64
	hash := xxhash.Sum64String(thing)
	for i, seed := range m.seeds {
		// Of equal scores the first name's counts.
		if score := mix(seed ^ hash); i == 0 || score > highest {
			owner, highest = m.names[i], score
		}
	}
	return owner
}

// mix spreads what differs in a few bits over all of them. It is the end of
// SplitMix64 (Steele, Lea and Flood, 2014).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
