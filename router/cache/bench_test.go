package cache_test

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"

	"cairn"
	"cairn/router/cache"
)

// BenchmarkGet finds keys among a million, from as many goroutines as -cpu says: in
// random order, which is mostly the time to wait for memory, and by a zipf distribution.
// Beside it a map of Go's that has as much to say, and a bare cache of the library that ours
// stands on, under the keys' hashes.
func BenchmarkGet(b *testing.B) {
	const entries = 1_000_000
	c := cache.New(cache.Options{Bytes: 1 << 30, Bound: time.Hour})
	s, _ := c.Open(things)
	s.Begin(cairn.Answer{Index: 10, Revision: 3})
	keys, beside := make([]cairn.Key, entries), make(map[string]*cairn.Located, entries)
	seed, bare := maphash.MakeSeed(), otter.Must(&otter.Options[uint64, *cairn.Located]{MaximumSize: 2 * entries})
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "customer-%011d", i)
		c.Fill(s, keys[i], found(12, 7))
		beside[string(keys[i])] = found(12, 7).Located
		bare.Set(maphash.Bytes(seed, keys[i]), found(12, 7).Located)
	}
	random := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(random, 1.1, 1, entries-1)
	for _, way := range []struct {
		name string
		next func() uint64
	}{
		{"uniform", func() uint64 { return random.Uint64N(entries) }},
		{"zipf", zipf.Uint64},
	} {
		// One beside the other, as a key that has just come in a request is at hand.
		picks := make([]cairn.Key, 1<<18)
		var room []byte
		for i := range picks {
			room = append(room, keys[way.next()]...)
			picks[i] = room[len(room)-len(keys[0]):]
		}
		for _, level := range []cairn.Level{cairn.Eventual, cairn.AtLeast} {
			b.Run(fmt.Sprintf("%s/%s", way.name, level), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					ask := asked("", level, 10)
					var answer cache.Answer
					for i := rand.IntN(len(picks)); pb.Next(); i++ {
						ask.Key = picks[i&(len(picks)-1)]
						if outcome := c.Get(ask, &answer); outcome != cache.Hit {
							b.Errorf("outcome %d", outcome)
							return
						}
					}
				})
			})
		}
		b.Run(way.name+"/library", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(len(picks)); pb.Next(); i++ {
					if located, here := bare.GetIfPresent(maphash.Bytes(seed, picks[i&(len(picks)-1)])); !here || located.Stamp.Index != 12 {
						b.Error("another index")
						return
					}
				}
			})
		})
		b.Run(way.name+"/map", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(len(picks)); pb.Next(); i++ {
					if beside[string(picks[i&(len(picks)-1)])].Stamp.Index != 12 {
						b.Error("another index")
						return
					}
				}
			})
		})
	}
}
